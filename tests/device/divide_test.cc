// SPDX-License-Identifier: Apache-2.0
#include "cuda/divide.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace flx::cuda {
namespace {

TEST(DivisorTest, GivesTheQuotientOfDivision) {
  const int64_t end = int64_t(1) << 31;
  std::vector<int64_t> edges = {0, 1, 2, 3, end - 2, end - 1, end, end + 1, 2 * end - 1, 2 * end, int64_t(1) << 40, INT64_MAX};
  for (int s = 2; s < 31; ++s) for (int64_t d : {-1, 0, 1}) edges.push_back((int64_t(1) << s) + d);
  std::mt19937_64 random(20261122);
  auto draw = [&] { return int64_t(random() >> (1 + random() % 60)); };
  auto check = [](const Divisor& by, int64_t d, int64_t n) {
    int64_t q = n;
    const int64_t rest = by.Split(&q);
    ASSERT_EQ(by.Of(n), n / d) << n << " / " << d;
    ASSERT_EQ(q, n / d) << n << " / " << d;
    ASSERT_EQ(rest, n % d) << n << " / " << d;
  };
  for (int i = 0; i < 3000; ++i) {
    const int64_t d = i < 300 ? i + 1 : size_t(i - 300) < edges.size() ? edges[size_t(i - 300)] : draw();
    if (d == 0) continue;
    const Divisor by(d);
    for (int64_t n : edges) ASSERT_NO_FATAL_FAILURE(check(by, d, n));
    for (int k = 0; k < 300; ++k) {
      const int64_t n = draw(), near = n / d * d;  // the quotient changes at multiples
      for (int64_t at : {n, near, near > 0 ? near - 1 : 0}) ASSERT_NO_FATAL_FAILURE(check(by, d, at));
    }
  }
}

}  // namespace
}  // namespace flx::cuda

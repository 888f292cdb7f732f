// SPDX-License-Identifier: Apache-2.0
// What the golden statistics do not see: an element's number depends on the ticket and its place only, ranges are kept, and batches agree with Philox.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "exec/invoke.h"
#include "op/random/distributions.h"

namespace flx {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;
std::vector<double> Numbers(const char* op, Pairs options, int64_t n, const char* dtype, uint64_t ticket) {
  SetRandomState({7, ticket});
  options.emplace_back("shape", Text("(", n, ",)"));
  options.emplace_back("dtype", dtype);
  NDArray a = Invoke1(op, {}, options);
  std::vector<double> v(static_cast<size_t>(n));
  ReadArray(*a, v.data(), int64_t(v.size() * sizeof(double)), DType::kFloat64, false);
  return v;
}

TEST(Random, BatchesAreThePhiloxOfEachElement) {
  Philox p(Ticket{3, 4});
  for (uint64_t from : {uint64_t(0), uint64_t(0xfffffff8)}) {  // across the border of the counter's first word too
    uint32_t batch[kBatch][4], one[4];
    FirstWords(p, from, batch);
    for (int i = 0; i < kBatch; ++i) {
      p(from + uint64_t(i), 0, one);
      EXPECT_TRUE(std::equal(one, one + 4, batch[i])) << i;
    }
  }
}
TEST(Random, DependsOnTicketAndPlaceOnly) {
  for (const char* op : {"_random_uniform", "_random_normal", "_random_gamma", "_random_poisson"}) {
    auto some = Numbers(op, {}, 10, "float64", 1), more = Numbers(op, {}, 100000, "float64", 1), other = Numbers(op, {}, 10, "float64", 2);
    EXPECT_TRUE(std::equal(some.begin(), some.end(), more.begin())) << op;
    EXPECT_NE(some, other) << op;
  }
}
TEST(Random, UniformStaysBelow) {
  for (const char* dtype : {"float16", "bfloat16", "float32", "float64"})
    for (double v : Numbers("_random_uniform", {{"low", "1"}, {"high", "1.5"}}, 50000, dtype, 3)) {
      ASSERT_GE(v, 1) << dtype;
      ASSERT_LT(v, 1.5) << dtype;
    }
}
TEST(Random, RandintReachesBothEnds) {
  auto v = Numbers("_random_randint", {{"low", "-2"}, {"high", "3"}}, 1000, "int32", 4);
  EXPECT_EQ((std::set<double>{-2, -1, 0, 1, 2}), std::set<double>(v.begin(), v.end()));
  v = Numbers("_random_randint", {{"low", "-9223372036854775808"}, {"high", "9223372036854775807"}}, 1000, "int64", 5);
  EXPECT_LT(*std::min_element(v.begin(), v.end()), -8e18);
  EXPECT_GT(*std::max_element(v.begin(), v.end()), 8e18);
}
// Where PoissonD goes from inversion to rejection, and far above.
TEST(Random, PoissonMoments) {
  for (double lam : {0.0, 0.3, 11.9, 12.1, 400.0, 1e6}) {
    const int n = 40000;
    Philox p(Ticket{1, 2});
    double sum = 0, squares = 0;
    for (int i = 0; i < n; ++i) {
      Draws d(p, uint64_t(i));
      double v = PoissonD::Draw(d, lam, 0) - lam;
      sum += v, squares += v * v;
    }
    EXPECT_NEAR(0, sum / n, 6 * std::sqrt(lam / n) + 1e-12) << lam;
    EXPECT_NEAR(lam, squares / n, 0.06 * lam + 1e-12) << lam;
  }
}
TEST(Random, SenselessParametersGiveNaN) {
  NDArray lam = FromHost(std::vector<float>{-1, 2}.data(), 8, DType::kFloat32, false, {2}, DType::kFloat32);
  NDArray y = Invoke1("_sample_exponential", {lam});
  float v[2];
  ReadArray(*y, v, sizeof v, DType::kFloat32, false);
  EXPECT_TRUE(std::isnan(v[0]));
  EXPECT_GE(v[1], 0);
}
TEST(Random, ShuffleIsAPermutation) {
  SetRandomState({9, 9});
  NDArray x = Invoke1("_arange", {}, {{"start", "0"}, {"stop", "1000"}});
  NDArray y = Invoke1("_shuffle", {x});
  std::vector<float> v(1000);
  ReadArray(*y, v.data(), 4000, DType::kFloat32, false);
  EXPECT_FALSE(std::is_sorted(v.begin(), v.end()));
  std::sort(v.begin(), v.end());
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(float(i), v[size_t(i)]);
}

}  // namespace
}  // namespace flx

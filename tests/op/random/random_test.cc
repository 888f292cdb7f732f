// SPDX-License-Identifier: Apache-2.0
// What the golden statistics do not see: an element's number depends on the ticket and its place only, ranges are kept, and batches agree with Philox.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "exec/invoke.h"
#include "op/random/distribution_formulas.h"
#include "op/random/fill.h"

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
// The vectors draw what one element at a time does, in any pieces, also where the counter's first word is used up.
TEST(Random, UniformByVectors) {
  Philox p(Ticket{3, 4});
  for (uint64_t first : {uint64_t(0), uint64_t(0xfffffff9)})
    for (int n : {1, 3, 16, 37}) {
      std::vector<float> v(static_cast<size_t>(n));
      FillUniform(p, first, n, -1, 3, v.data());
      for (int i = 0; i < n; ++i) {
        Draws d(p, first + uint64_t(i));
        ASSERT_EQ(float(UniformD::Draw(d, -1, 3)), v[size_t(i)]) << i;
      }
    }
}
TEST(Random, NormalByVectors) {
  Philox p(Ticket{3, 4});
  std::vector<float> all(4096), some(4096);
  FillNormal(p, 0, 4096, 0, 1, all.data());
  for (int at = 0, n = 4; at < 4096; at += n, n = std::min(n + 36, 4096 - at)) FillNormal(p, uint64_t(at), n, 0, 1, some.data() + at);
  EXPECT_EQ(all, some);
  for (int i = 0; i < 4096; i += 2) {  // Box and Muller in double
    uint32_t w[4];
    p(uint64_t(i / 4), 0, w);
    const uint32_t* u = w + i % 4;
    double r = std::sqrt(-2 * std::log((u[0] + 0.5) * 0x1p-32)), t = u[1] * 0x1p-32 * 6.283185307179586476925;
    EXPECT_NEAR(r * std::cos(t), all[size_t(i)], 2e-6) << i;
    EXPECT_NEAR(r * std::sin(t), all[size_t(i) + 1], 2e-6) << i;
  }
  auto shifted = Numbers("_random_normal", {{"loc", "5"}, {"scale", "0.5"}}, 1000, "float32", 9), plain = Numbers("_random_normal", {}, 1000, "float32", 9);
  for (size_t i = 0; i < 1000; ++i) EXPECT_NEAR(5 + 0.5 * plain[i], shifted[i], 1e-6);
}
// Moments, the tails, and the largest distance between the distributions (Kolmogorov and Smirnov), for two million numbers.
TEST(Random, NormalIsNormal) {
  const int n = 2000000;
  auto v = Numbers("_random_normal", {}, n, "float32", 10);
  double m1 = 0, m2 = 0, m3 = 0, m4 = 0, neighbours = 0;
  int beyond3 = 0, beyond4 = 0, beyond7 = 0;
  for (int i = 0; i < n; ++i) {
    double x = v[size_t(i)];
    m1 += x, m2 += x * x, m3 += x * x * x, m4 += x * x * x * x, neighbours += x * v[size_t(i ? i - 1 : n - 1)];
    beyond3 += std::abs(x) > 3, beyond4 += std::abs(x) > 4, beyond7 += !(std::abs(x) < 7);
  }
  double root = std::sqrt(double(n));  // five standard errors each
  EXPECT_NEAR(0, m1 / n, 5 / root);
  EXPECT_NEAR(1, m2 / n, 5 * std::sqrt(2.0) / root);
  EXPECT_NEAR(0, m3 / n, 5 * std::sqrt(15.0) / root);
  EXPECT_NEAR(3, m4 / n, 5 * std::sqrt(96.0) / root);
  EXPECT_NEAR(0, neighbours / n, 5 / root);
  EXPECT_NEAR(0.0026997961 * n, beyond3, 5 * std::sqrt(0.0026997961 * n));
  EXPECT_NEAR(6.3342484e-5 * n, beyond4, 5 * std::sqrt(6.3342484e-5 * n));
  EXPECT_EQ(0, beyond7);
  std::sort(v.begin(), v.end());
  double distance = 0;
  for (int i = 0; i < n; ++i) distance = std::max(distance, std::abs(0.5 * std::erfc(-v[size_t(i)] * M_SQRT1_2) - (i + 0.5) / n));
  EXPECT_LT(distance, 1.95 / root);  // one in a thousand by chance
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

// SPDX-License-Identifier: Apache-2.0
// Gemm against a product in float64, for every dtype, transposition, blocking and leading size; and from many threads at once.
#include "op/matrix/gemm.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "base/thread_pool.h"

namespace flx {
namespace {

template <class T> T Make(double v) {
  if constexpr (std::is_same_v<T, Half>) return ToHalf(float(v));
  else if constexpr (std::is_same_v<T, Bfloat16>) return ToBfloat16(float(v));
  else return T(v);
}
template <class T> std::vector<T> Random(int64_t n, int seed) {
  std::mt19937 r{unsigned(seed)};
  std::vector<T> v(static_cast<size_t>(n));
  for (auto& x : v) x = Make<T>(int(r() % 17) - 8);  // small whole numbers: every dtype holds them, and float32 sums are exact
  return v;
}
struct Sizes { int64_t m, n, k; };

template <class T> void Check(Sizes s, bool ta, bool tb, double alpha, double beta, int64_t pad) {
  int64_t lda = (ta ? s.m : s.k) + pad, ldb = (tb ? s.k : s.n) + pad, ldc = s.n + pad;
  auto a = Random<T>((ta ? s.k : s.m) * lda, 1), b = Random<T>((tb ? s.n : s.k) * ldb, 2), c = Random<T>(s.m * ldc, 3), before = c;
  if (beta == 0 && IsFloat(kDTypeOf<T>))
    for (auto& x : c) x = Make<T>(std::numeric_limits<double>::quiet_NaN());
  auto stale = c;
  Gemm(kDTypeOf<T>, ta, tb, s.m, s.n, s.k, alpha, a.data(), lda, b.data(), ldb, beta, c.data(), ldc);
  for (int64_t i = 0; i < s.m; ++i) {
    for (int64_t j = 0; j < s.n; ++j) {
      double sum = 0;
      for (int64_t q = 0; q < s.k; ++q) sum += LoadAs(a[size_t(ta ? q * lda + i : i * lda + q)]) * LoadAs(b[size_t(tb ? j * ldb + q : q * ldb + j)]);
      double want = alpha * sum + (beta == 0 ? 0 : beta * LoadAs(before[size_t(i * ldc + j)]));
      ASSERT_EQ(LoadAs(Make<T>(want)), LoadAs(c[size_t(i * ldc + j)])) << s.m << "x" << s.n << "x" << s.k << " ta " << ta << " tb " << tb << " at " << i << "," << j;
    }
    for (int64_t j = s.n; j < ldc; ++j) ASSERT_EQ(0, std::memcmp(&stale[size_t(i * ldc + j)], &c[size_t(i * ldc + j)], sizeof(T))) << "wrote beyond a row";
  }
}
template <class T> void CheckAll(const std::vector<Sizes>& sizes) {
  for (auto& s : sizes)
    for (int t = 0; t < 4; ++t) {
      Check<T>(s, t & 1, t & 2, 1, 0, 0);
      Check<T>(s, t & 1, t & 2, 2, -1, 3);
    }
}
const std::vector<Sizes> kSmall = {{1, 1, 1}, {2, 3, 4}, {1, 7, 33}, {17, 1, 40}, {5, 9, 0}, {0, 3, 2}, {31, 33, 65}};

TEST(Gemm, Float32) { CheckAll<float>(kSmall); }
TEST(Gemm, Float64) { CheckAll<double>(kSmall); }
TEST(Gemm, Float16) { CheckAll<Half>({{2, 3, 4}, {5, 6, 7}, {9, 8, 0}}); }
TEST(Gemm, Bfloat16) { CheckAll<Bfloat16>({{2, 3, 1}, {5, 6, 2}}); }
TEST(Gemm, Int32) { CheckAll<int32_t>(kSmall); }
TEST(Gemm, Int64) { CheckAll<int64_t>({{31, 70, 65}}); }
TEST(Gemm, FewRows) {  // by a transposed matrix: every number of rows together, with columns and depths that leave a rest
  for (int64_t m = 1; m <= 17; ++m)
    for (auto [n, k] : {std::pair<int64_t, int64_t>{130, 16}, {77, 65}, {5, 1100}, {3000, 130}}) {
      Check<float>({m, n, k}, false, true, 1, 0, 0);
      Check<float>({m, n, k}, false, true, 2, 1, 3);
      if (m < 6) Check<double>({m, n, k}, false, true, 2, -1, 3);
    }
}
TEST(Gemm, Blocks) {  // cut over rows, columns, and k
  for (int t = 0; t < 4; ++t) {
    Check<float>({600, 300, 130}, t & 1, t & 2, 1, 0, 0);
    Check<float>({30, 2100, 260}, t & 1, t & 2, 1, 1, 2);
    Check<double>({20, 30, 30000}, t & 1, t & 2, 1, 0, 0);
  }
}
TEST(Gemm, IntegersWrapAround) {
  int32_t a[2] = {std::numeric_limits<int32_t>::max(), 1}, b[2] = {2, 3}, c = 0;
  Gemm(DType::kInt32, false, false, 1, 1, 2, 1, a, 2, b, 1, 0, &c, 1);
  EXPECT_EQ(1, c);  // 2^32 - 2 + 3
  int8_t d[1] = {100}, e[1] = {3}, f = 0;
  Gemm(DType::kInt8, false, false, 1, 1, 1, -1, d, 1, e, 1, 0, &f, 1);
  EXPECT_EQ(int8_t(-300), f);
}
template <class T> std::vector<T> Reals(int64_t n, int seed) {
  std::mt19937 r{unsigned(seed)};
  std::uniform_real_distribution<T> u(-1, 1);
  std::vector<T> v(static_cast<size_t>(n));
  for (auto& x : v) x = u(r);
  return v;
}
TEST(Gemm, SameBitsInsideALoop) {
  for (Sizes s : {Sizes{500, 700, 60}, Sizes{24, 20, 20000}}) {
    auto a = Reals<float>(s.m * s.k, 1), b = Reals<float>(s.k * s.n, 2);
    std::vector<float> outside(size_t(s.m * s.n)), inside(size_t(s.m * s.n));
    Gemm(DType::kFloat32, false, false, s.m, s.n, s.k, 1, a.data(), s.k, b.data(), s.n, 0, outside.data(), s.n);
    ParallelFor(2, 1, [&](int64_t i, int64_t) {
      if (i == 0) Gemm(DType::kFloat32, false, false, s.m, s.n, s.k, 1, a.data(), s.k, b.data(), s.n, 0, inside.data(), s.n);
    });
    EXPECT_EQ(0, std::memcmp(outside.data(), inside.data(), outside.size() * sizeof(float)));
  }
}
// The serial OpenBLAS is not safe by itself: without the wrapped allocation this fails within a few hundred products.
template <class T> void Storm() {
  const Sizes sizes[] = {{1, 7, 33}, {64, 64, 64}, {3, 200, 17}, {130, 70, 300}, {17, 1, 99}, {33, 65, 2}, {200, 200, 200}};
  auto a = Reals<T>(300 * 300, 1), b = Reals<T>(300 * 300, 2);
  auto run = [&](const Sizes& s, std::vector<T>* c) {
    c->assign(size_t(s.m * s.n), T(7));
    GemmBlock(false, true, s.m, s.n, s.k, T(1), a.data(), s.k, b.data(), s.k, T(0), c->data(), s.n);
  };
  std::vector<std::vector<T>> want;
  for (auto& s : sizes) want.emplace_back(), run(s, &want.back());
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 24; ++t)
    threads.emplace_back([&, t] {
      std::vector<T> c;
      for (int i = 0; i < 150; ++i) {
        size_t q = size_t(i * 5 + t) % std::size(sizes);
        run(sizes[q], &c);
        if (std::memcmp(c.data(), want[q].data(), c.size() * sizeof(T)) != 0) ++wrong;
      }
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(0, wrong.load());
}
TEST(Gemm, ManyThreadsFloat32) { Storm<float>(); }
TEST(Gemm, ManyThreadsFloat64) { Storm<double>(); }

}  // namespace
}  // namespace flx

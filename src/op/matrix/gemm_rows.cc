// SPDX-License-Identifier: Apache-2.0
// A few rows by a transposed matrix: what a dense layer is for one or some samples. It is bound by reading B, so B is read once, a few of its rows at a
// time, beside all rows of A that registers hold. Measured: 784 x 128 for one sample 3.7 us, as OpenBLAS's kernels for small products, which only AVX-512
// has (30 us without); 2048 x 1000 for 1 to 16 samples 2 to 12 times OpenBLAS's speed, 1 to 1.4 times oneDNN's.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "op/matrix/gemm_rows.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include "base/thread_pool.h"
#include "op/matrix/gemm.h"

HWY_BEFORE_NAMESPACE();
namespace flx {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
#if HWY_ARCH_X86
constexpr bool kMany = HWY_TARGET <= HWY_AVX3;  // 32 registers
#else
constexpr bool kMany = true;
#endif

// The compiler would read a vector from memory again for each use of it.
#undef FLX_ONE_LOAD
#if HWY_ARCH_X86 && defined(__GNUC__)
#define FLX_ONE_LOAD(v) asm("" : "+v"((v).raw))
#else
#define FLX_ONE_LOAD(v)
#endif

template <class D, class T> HWY_INLINE hn::Vec<D> First(D d, const T* p, int64_t n) {  // n elements, then zeros
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2
  return hn::MaskedLoad(hn::FirstN(d, size_t(n)), d, p);
#else
  HWY_ALIGN T rest[HWY_MAX_BYTES / sizeof(T)] = {};
  for (int64_t i = 0; i < n; ++i) rest[i] = p[i];
  return hn::Load(d, rest);
#endif
}
#if HWY_TARGET != HWY_SCALAR
template <class D> HWY_INLINE void Sum4(D d, hn::Vec<D> v, float* to) {  // v: sums of four in each 128 bits
  if constexpr (hn::MaxLanes(D()) > 4) {
    const hn::Half<D> h;
    Sum4(h, hn::Add(hn::LowerHalf(h, v), hn::UpperHalf(h, v)), to);
  } else {
    hn::StoreU(v, d, to);
  }
}
#endif
// The sums of R vectors each.
template <int N, class D, class T> HWY_INLINE void Sums(D d, const hn::Vec<D>* v, T* to) {
  int i = 0;
#if HWY_TARGET != HWY_SCALAR
  if constexpr (sizeof(T) == 4) {
    const hn::Repartition<double, D> wide;
    for (; i + 4 <= N; i += 4) {
      auto ab = hn::Add(hn::InterleaveLower(d, v[i], v[i + 1]), hn::InterleaveUpper(d, v[i], v[i + 1]));
      auto ce = hn::Add(hn::InterleaveLower(d, v[i + 2], v[i + 3]), hn::InterleaveUpper(d, v[i + 2], v[i + 3]));
      auto x = hn::BitCast(wide, ab), y = hn::BitCast(wide, ce);
      Sum4(d, hn::Add(hn::BitCast(d, hn::InterleaveLower(wide, x, y)), hn::BitCast(d, hn::InterleaveUpper(wide, x, y))), to + i);
    }
  }
#endif
  for (; i < N; ++i) to[i] = hn::GetLane(hn::SumOfLanes(d, v[i]));
}

// M rows of A by R rows of B, along k.
template <class T, int M, int R>
void Dots(int64_t k, const T* HWY_RESTRICT a, int64_t lda, const T* HWY_RESTRICT b, int64_t ldb, T* HWY_RESTRICT out) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  const int64_t lanes = int64_t(hn::Lanes(d));
  V sum[M * R];
  for (int i = 0; i < M * R; ++i) sum[i] = hn::Zero(d);
  int64_t q = 0;
  for (; q + lanes <= k; q += lanes) {
    V x[M];
    for (int i = 0; i < M; ++i) x[i] = hn::LoadU(d, a + i * lda + q);
    for (int r = 0; r < R; ++r) {
      V w = hn::LoadU(d, b + r * ldb + q);
      FLX_ONE_LOAD(w);
      for (int i = 0; i < M; ++i) sum[i * R + r] = hn::MulAdd(w, x[i], sum[i * R + r]);
    }
  }
  if (q < k) {
    V x[M];
    for (int i = 0; i < M; ++i) x[i] = First(d, a + i * lda + q, k - q);
    for (int r = 0; r < R; ++r) {
      const V w = First(d, b + r * ldb + q, k - q);
      for (int i = 0; i < M; ++i) sum[i * R + r] = hn::MulAdd(w, x[i], sum[i * R + r]);
    }
  }
  Sums<M * R>(d, sum, out);
}
template <class T, int M, int R>
void Columns(const GemmRowsJob<T>& g, int64_t i, int64_t j0, int64_t j1) {
  T out[M * R];
  auto put = [&](int64_t j, int wide) {
    for (int64_t r = 0; r < M; ++r)
      for (int64_t s = 0; s < wide; ++s) {
        T v = g.alpha * out[r * wide + s];
        T& to = g.c[(i + r) * g.ldc + j + s];
        to = g.beta == T(0) ? v : v + g.beta * to;
      }
  };
  int64_t j = j0;
  for (; j + R <= j1; j += R) Dots<T, M, R>(g.k, g.a + i * g.lda, g.lda, g.b + j * g.ldb, g.ldb, out), put(j, R);
  for (; j < j1; ++j) Dots<T, M, 1>(g.k, g.a + i * g.lda, g.lda, g.b + j * g.ldb, g.ldb, out), put(j, 1);
}
// Columns [j0, j1) of C, a strip of B's rows that stays in the first cache at a time.
template <class T> void Strip(const GemmRowsJob<T>& g, int64_t j0, int64_t j1) {
  for (int64_t i = 0; i < g.m;) {
    switch (g.m - i) {  // sums fill most of the registers
      case 1: Columns<T, 1, 8>(g, i, j0, j1); i += 1; break;
      case 2: Columns<T, 2, kMany ? 8 : 4>(g, i, j0, j1); i += 2; break;
      case 3: case 5: case 6: Columns<T, 3, kMany ? 8 : 3>(g, i, j0, j1); i += 3; break;
      default: Columns<T, 4, kMany ? 6 : 2>(g, i, j0, j1); i += 4;
    }
  }
}
template <class T> void Rows(const GemmRowsJob<T>& g, int64_t j0, int64_t j1) {
  const int64_t strip = g.m <= 4 ? j1 - j0 : 12;
  for (; j0 < j1; j0 += strip) Strip(g, j0, j0 + strip < j1 ? j0 + strip : j1);
}
void RowsF32(const GemmRowsJob<float>& g, int64_t j0, int64_t j1) { Rows(g, j0, j1); }
void RowsF64(const GemmRowsJob<double>& g, int64_t j0, int64_t j1) { Rows(g, j0, j1); }

}  // namespace HWY_NAMESPACE
}  // namespace flx
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace flx {
HWY_EXPORT(RowsF32);
HWY_EXPORT(RowsF64);
void GemmRows(const GemmRowsJob<float>& g, int64_t j0, int64_t j1) { HWY_DYNAMIC_DISPATCH(RowsF32)(g, j0, j1); }
void GemmRows(const GemmRowsJob<double>& g, int64_t j0, int64_t j1) { HWY_DYNAMIC_DISPATCH(RowsF64)(g, j0, j1); }
}  // namespace flx
#endif

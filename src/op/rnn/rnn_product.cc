// SPDX-License-Identifier: Apache-2.0
// Products of few rows with one matrix, step after step: what a library would pack anew each time is packed once.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "op/rnn/rnn_product.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "hwy/highway.h"
#include "op/rnn/rnn_loops.h"

HWY_BEFORE_NAMESPACE();
namespace flx {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr int64_t kWide = 3, kRows = 4;  // registers of a panel and rows at a time: 12 sums, which hide the latency of an addition
template <class T> HWY_INLINE int64_t PanelOf() { return kWide * int64_t(hn::Lanes(hn::ScalableTag<T>())); }

template <class T> void Pack(const T* b, bool transposed, int64_t k, int64_t n, int64_t first, int64_t last, T* packed) {
  const int64_t w = PanelOf<T>();
  for (int64_t p = first; p < last; ++p) {
    T* to = packed + p * k * w;
    const int64_t columns = n - p * w < w ? n - p * w : w;
    for (int64_t q = 0; q < k; ++q)
      for (int64_t j = columns; j < w; ++j) to[q * w + j] = T(0);
    if (transposed) {
      constexpr int64_t kBlock = 16;  // of k at a time, so that what is written stays near
      for (int64_t q0 = 0; q0 < k; q0 += kBlock)
        for (int64_t j = 0; j < columns; ++j)
          for (int64_t q = q0; q < (q0 + kBlock < k ? q0 + kBlock : k); ++q) to[q * w + j] = b[(p * w + j) * k + q];
    } else {
      for (int64_t q = 0; q < k; ++q)
        for (int64_t j = 0; j < columns; ++j) to[q * w + j] = b[q * n + p * w + j];
    }
  }
}
// M rows by one panel, of which `columns` are stored.
template <class T, int M> HWY_INLINE void Tile(int64_t k, const T* a, int64_t lda, const T* b, int64_t columns, T* c, int64_t ldc) {
  const hn::ScalableTag<T> d;
  const auto lanes = int64_t(hn::Lanes(d));
  hn::Vec<hn::ScalableTag<T>> sum[M][kWide];
  for (int i = 0; i < M; ++i)
    for (int v = 0; v < kWide; ++v) sum[i][v] = hn::Zero(d);
  for (int64_t q = 0; q < k; ++q, b += kWide * lanes) {
    const auto b0 = hn::LoadU(d, b), b1 = hn::LoadU(d, b + lanes), b2 = hn::LoadU(d, b + 2 * lanes);
    for (int i = 0; i < M; ++i) {
      const auto x = hn::Set(d, a[i * lda + q]);
      sum[i][0] = hn::MulAdd(x, b0, sum[i][0]), sum[i][1] = hn::MulAdd(x, b1, sum[i][1]), sum[i][2] = hn::MulAdd(x, b2, sum[i][2]);
    }
  }
  HWY_ALIGN T rest[kWide * HWY_MAX_BYTES / sizeof(T)];
  for (int i = 0; i < M; ++i) {
    T* to = columns == kWide * lanes ? c + i * ldc : rest;
    for (int v = 0; v < kWide; ++v) hn::StoreU(sum[i][v], d, to + v * lanes);
    if (to == rest) for (int64_t j = 0; j < columns; ++j) c[i * ldc + j] = rest[j];
  }
}
template <class T> void Packed(int64_t m, int64_t k, const T* a, int64_t lda, const T* packed, int64_t from, int64_t to, T* c, int64_t ldc) {
  const int64_t w = PanelOf<T>();
  for (int64_t j = from; j < to; j += w) {
    const T* b = packed + j * k;
    const int64_t columns = to - j < w ? to - j : w;
    int64_t i = 0;
    for (; i + kRows <= m; i += kRows) Tile<T, kRows>(k, a + i * lda, lda, b, columns, c + i * ldc + j, ldc);
    const T* rest = a + i * lda;
    T* to_rest = c + i * ldc + j;
    switch (m - i) {
      case 3: Tile<T, 3>(k, rest, lda, b, columns, to_rest, ldc); break;
      case 2: Tile<T, 2>(k, rest, lda, b, columns, to_rest, ldc); break;
      case 1: Tile<T, 1>(k, rest, lda, b, columns, to_rest, ldc); break;
      default: break;
    }
  }
}
template <class T, int M> HWY_INLINE void DotRows(int64_t k, const T* a, const T* b, T* c) {
  const hn::ScalableTag<T> d;
  const auto lanes = int64_t(hn::Lanes(d));
  hn::Vec<hn::ScalableTag<T>> even[M], odd[M];
  for (int i = 0; i < M; ++i) even[i] = odd[i] = hn::Zero(d);
  int64_t q = 0;
  for (; q + 2 * lanes <= k; q += 2 * lanes) {
    const auto x = hn::LoadU(d, a + q), y = hn::LoadU(d, a + q + lanes);
    for (int i = 0; i < M; ++i) even[i] = hn::MulAdd(x, hn::LoadU(d, b + i * k + q), even[i]), odd[i] = hn::MulAdd(y, hn::LoadU(d, b + i * k + q + lanes), odd[i]);
  }
  for (int i = 0; i < M; ++i) {
    T s = hn::GetLane(hn::SumOfLanes(d, hn::Add(even[i], odd[i])));
    for (int64_t j = q; j < k; ++j) s += a[j] * b[i * k + j];
    c[i] = s;
  }
}
template <class T> void Dots(int64_t k, const T* a, const T* b, int64_t from, int64_t to, T* c) {
  int64_t j = from;
  for (; j + 4 <= to; j += 4) DotRows<T, 4>(k, a, b + j * k, c + j);
  for (; j < to; ++j) DotRows<T, 1>(k, a, b + j * k, c + j);
}
template <class T> ProductLoops<T> All() { return {PanelOf<T>(), &Pack<T>, &Packed<T>, &Dots<T>}; }
ProductLoops<float> FloatProducts() { return All<float>(); }
ProductLoops<double> DoubleProducts() { return All<double>(); }

}  // namespace HWY_NAMESPACE
}  // namespace flx
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace flx {
HWY_EXPORT(FloatProducts);
HWY_EXPORT(DoubleProducts);
template <> const ProductLoops<float>& ProductsOf<float>() {
  static const ProductLoops<float> l = HWY_DYNAMIC_DISPATCH(FloatProducts)();
  return l;
}
template <> const ProductLoops<double>& ProductsOf<double>() {
  static const ProductLoops<double> l = HWY_DYNAMIC_DISPATCH(DoubleProducts)();
  return l;
}
}  // namespace flx
#endif

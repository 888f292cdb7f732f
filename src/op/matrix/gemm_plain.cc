// SPDX-License-Identifier: Apache-2.0
// Our own matrix product, for builds without OpenBLAS: op(B) is packed into panels that stay in cache, and a register tile of C runs over them.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "op/matrix/gemm_plain.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#include <algorithm>
#include <memory>

#include "op/matrix/gemm.h"

HWY_BEFORE_NAMESPACE();
namespace flx {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr int64_t kTileRows = 4, kDepth = 256, kStrip = 1024;  // rows of a register tile; depth and width of a packed panel

// c[4][2 vectors] += a (rows packed side by side) * b (packed), over `depth`.
template <class T, class D> void Tile(D d, int64_t depth, const T* HWY_RESTRICT a, const T* HWY_RESTRICT b, T* HWY_RESTRICT out) {
  const int64_t w = int64_t(hn::Lanes(d));
  auto z = hn::Zero(d);
  auto c00 = z, c01 = z, c10 = z, c11 = z, c20 = z, c21 = z, c30 = z, c31 = z;
  for (int64_t q = 0; q < depth; ++q, a += kTileRows, b += 2 * w) {
    auto b0 = hn::LoadU(d, b), b1 = hn::LoadU(d, b + w);
    auto x = hn::Set(d, a[0]);
    c00 = hn::MulAdd(x, b0, c00), c01 = hn::MulAdd(x, b1, c01);
    x = hn::Set(d, a[1]);
    c10 = hn::MulAdd(x, b0, c10), c11 = hn::MulAdd(x, b1, c11);
    x = hn::Set(d, a[2]);
    c20 = hn::MulAdd(x, b0, c20), c21 = hn::MulAdd(x, b1, c21);
    x = hn::Set(d, a[3]);
    c30 = hn::MulAdd(x, b0, c30), c31 = hn::MulAdd(x, b1, c31);
  }
  hn::StoreU(c00, d, out), hn::StoreU(c01, d, out + w);
  hn::StoreU(c10, d, out + 2 * w), hn::StoreU(c11, d, out + 3 * w);
  hn::StoreU(c20, d, out + 4 * w), hn::StoreU(c21, d, out + 5 * w);
  hn::StoreU(c30, d, out + 6 * w), hn::StoreU(c31, d, out + 7 * w);
}

template <class T>
void Run(bool ta, bool tb, int64_t m, int64_t n, int64_t k, T alpha, const T* a, int64_t lda, const T* b, int64_t ldb, T beta, T* c, int64_t ldc) {
  const hn::ScalableTag<T> d;
  const int64_t width = 2 * int64_t(hn::Lanes(d));
  T tile[kTileRows * 2 * HWY_MAX_BYTES / sizeof(T)], rows[kTileRows * kDepth];
  std::unique_ptr<T[]> panel(new T[size_t(kDepth * (kStrip + width))]);
  for (int64_t j0 = 0; j0 < n; j0 += kStrip) {
    int64_t nj = std::min(kStrip, n - j0);
    for (int64_t q0 = 0; q0 < k; q0 += kDepth) {
      int64_t depth = std::min(kDepth, k - q0);
      T* to = panel.get();
      for (int64_t j = 0; j < nj; j += width)  // panels of `width` columns, zeros beyond the edge
        for (int64_t q = 0; q < depth; ++q)
          for (int64_t w = 0; w < width; ++w)
            *to++ = j + w < nj ? b[tb ? (j0 + j + w) * ldb + q0 + q : (q0 + q) * ldb + j0 + j + w] : T(0);
      for (int64_t i0 = 0; i0 < m; i0 += kTileRows) {
        int64_t ni = std::min(kTileRows, m - i0);
        for (int64_t q = 0; q < depth; ++q)
          for (int64_t i = 0; i < kTileRows; ++i)
            rows[q * kTileRows + i] = i < ni ? a[ta ? (q0 + q) * lda + i0 + i : (i0 + i) * lda + q0 + q] : T(0);
        for (int64_t j = 0; j < nj; j += width) {
          Tile(d, depth, rows, panel.get() + j * depth, tile);
          for (int64_t i = 0; i < ni; ++i)
            for (int64_t w = 0; w < std::min(width, nj - j); ++w) {
              T& at = c[(i0 + i) * ldc + j0 + j + w];
              T v = alpha * tile[i * width + w];
              at = q0 > 0 ? at + v : beta == T(0) ? v : beta * at + v;
            }
        }
      }
    }
  }
}
void RunF32(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const float* a, int64_t lda, const float* b, int64_t ldb, float beta, float* c, int64_t ldc) {
  Run(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
void RunF64(bool ta, bool tb, int64_t m, int64_t n, int64_t k, double alpha, const double* a, int64_t lda, const double* b, int64_t ldb, double beta, double* c, int64_t ldc) {
  Run(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

}  // namespace HWY_NAMESPACE
}  // namespace flx
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace flx {
HWY_EXPORT(RunF32);
HWY_EXPORT(RunF64);

bool GemmBlockLikesSmall() { return false; }
void GemmBlock(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const float* a, int64_t lda, const float* b, int64_t ldb, float beta, float* c, int64_t ldc) {
  HWY_DYNAMIC_DISPATCH(RunF32)(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
void GemmBlock(bool ta, bool tb, int64_t m, int64_t n, int64_t k, double alpha, const double* a, int64_t lda, const double* b, int64_t ldb, double beta, double* c, int64_t ldc) {
  HWY_DYNAMIC_DISPATCH(RunF64)(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
}  // namespace flx
#endif

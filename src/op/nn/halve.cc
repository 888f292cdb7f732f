// SPDX-License-Identifier: Apache-2.0
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "op/nn/halve.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "hwy/highway.h"
#include "op/nn/halve.h"

HWY_BEFORE_NAMESPACE();
namespace flx {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Highway's Ne(v, v) is false for NaN on some instruction sets.
template <class V> HWY_INLINE auto NaN(V v) { return hn::Not(hn::Eq(v, v)); }
template <class V> HWY_INLINE V Larger(V a, V b) { return hn::IfThenElse(hn::Or(hn::Gt(b, a), NaN(b)), b, a); }

template <class D, class T> HWY_INLINE void Step(D d, const T* top, const T* low, T* y) {
  hn::Vec<D> a, b, p, q;
  hn::LoadInterleaved2(d, top, a, b);
  hn::LoadInterleaved2(d, low, p, q);
  hn::StoreU(Larger(Larger(Larger(a, b), p), q), d, y);
}
template <class D, class T> HWY_INLINE void StepBack(D d, const T* top, const T* low, const T* dy, T* dtop, T* dlow) {
  hn::Vec<D> a, b, p, q;
  hn::LoadInterleaved2(d, top, a, b);
  hn::LoadInterleaved2(d, low, p, q);
  const auto most = Larger(Larger(Larger(a, b), p), q);
  auto left = hn::LoadU(d, dy);  // what is not given away yet
  const auto is_a = hn::Or(hn::Eq(a, most), NaN(a)), is_b = hn::Or(hn::Eq(b, most), NaN(b)), is_p = hn::Or(hn::Eq(p, most), NaN(p));
  const auto ga = hn::IfThenElseZero(is_a, left);
  left = hn::IfThenZeroElse(is_a, left);
  const auto gb = hn::IfThenElseZero(is_b, left);
  left = hn::IfThenZeroElse(is_b, left);
  const auto gp = hn::IfThenElseZero(is_p, left);
  left = hn::IfThenZeroElse(is_p, left);
  hn::StoreInterleaved2(ga, gb, d, dtop);
  hn::StoreInterleaved2(gp, left, d, dlow);
}
// Rows are short, so vectors are no longer than kLanes; the last one of a row steps back over results that it gives again.
template <size_t kLanes, class T> void Plane(const T* x, int64_t rows, int64_t n, int64_t w, T* y) {
  const hn::CappedTag<T, kLanes> d;
  const int64_t lanes = int64_t(hn::Lanes(d));
  if constexpr (kLanes > 1)
    if (n < lanes) return Plane<kLanes / 2>(x, rows, n, w, y);
  for (int64_t r = 0; r < rows; ++r, x += 2 * w, y += n) {
    for (int64_t i = 0; i + lanes <= n; i += lanes) Step(d, x + 2 * i, x + w + 2 * i, y + i);
    if (n % lanes) Step(d, x + 2 * (n - lanes), x + w + 2 * (n - lanes), y + n - lanes);
  }
}
template <size_t kLanes, class T> void PlaneBack(const T* x, const T* dy, int64_t rows, int64_t n, int64_t w, T* dx) {
  const hn::CappedTag<T, kLanes> d;
  const int64_t lanes = int64_t(hn::Lanes(d));
  if constexpr (kLanes > 1)
    if (n < lanes) return PlaneBack<kLanes / 2>(x, dy, rows, n, w, dx);
  for (int64_t r = 0; r < rows; ++r, x += 2 * w, dx += 2 * w, dy += n) {
    for (int64_t i = 0; i + lanes <= n; i += lanes) StepBack(d, x + 2 * i, x + w + 2 * i, dy + i, dx + 2 * i, dx + w + 2 * i);
    if (int64_t i = n - lanes; n % lanes) StepBack(d, x + 2 * i, x + w + 2 * i, dy + i, dx + 2 * i, dx + w + 2 * i);
  }
}
void PlaneF32(const float* x, int64_t rows, int64_t n, int64_t w, float* y) { Plane<8>(x, rows, n, w, y); }
void PlaneF64(const double* x, int64_t rows, int64_t n, int64_t w, double* y) { Plane<4>(x, rows, n, w, y); }
void PlaneBackF32(const float* x, const float* dy, int64_t rows, int64_t n, int64_t w, float* dx) { PlaneBack<8>(x, dy, rows, n, w, dx); }
void PlaneBackF64(const double* x, const double* dy, int64_t rows, int64_t n, int64_t w, double* dx) { PlaneBack<4>(x, dy, rows, n, w, dx); }

}  // namespace HWY_NAMESPACE
}  // namespace flx
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace flx {
HWY_EXPORT(PlaneF32);
HWY_EXPORT(PlaneF64);
HWY_EXPORT(PlaneBackF32);
HWY_EXPORT(PlaneBackF64);
void HalvePlane(const float* x, int64_t rows, int64_t n, int64_t w, float* y) { HWY_DYNAMIC_DISPATCH(PlaneF32)(x, rows, n, w, y); }
void HalvePlane(const double* x, int64_t rows, int64_t n, int64_t w, double* y) { HWY_DYNAMIC_DISPATCH(PlaneF64)(x, rows, n, w, y); }
void HalvePlaneBack(const float* x, const float* dy, int64_t rows, int64_t n, int64_t w, float* dx) { HWY_DYNAMIC_DISPATCH(PlaneBackF32)(x, dy, rows, n, w, dx); }
void HalvePlaneBack(const double* x, const double* dy, int64_t rows, int64_t n, int64_t w, double* dx) { HWY_DYNAMIC_DISPATCH(PlaneBackF64)(x, dy, rows, n, w, dx); }
}  // namespace flx
#endif

// SPDX-License-Identifier: Apache-2.0
#include "op/elementwise/convert_simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "op/elementwise/convert_cpu.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"

#include "base/dtype.h"

HWY_BEFORE_NAMESPACE();
namespace flx {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Whole registers by `f`, the rest through buffers, so that all elements are converted alike.
template <class S, class D, class F> HWY_INLINE void Each(const void* from, void* to, int64_t n, const F& f) {
  const int64_t lanes = int64_t(hn::Lanes(hn::ScalableTag<float>()));
  auto* s = static_cast<const S*>(from);
  auto* d = static_cast<D*>(to);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) f(s + i, d + i);
  if (i == n) return;
  HWY_ALIGN S a[HWY_MAX_BYTES / 4] = {};
  HWY_ALIGN D b[HWY_MAX_BYTES / 4];
  for (int64_t j = i; j < n; ++j) a[j - i] = s[j];
  f(a, b);
  for (int64_t j = i; j < n; ++j) d[j] = b[j - i];
}
struct FromHalf {
  HWY_INLINE void operator()(const uint16_t* s, float* d) const {
    const hn::ScalableTag<float> df;
    const hn::Rebind<hwy::float16_t, decltype(df)> dh;
    hn::StoreU(hn::PromoteTo(df, hn::LoadU(dh, reinterpret_cast<const hwy::float16_t*>(s))), df, d);
  }
};
struct IntoHalf {
  HWY_INLINE void operator()(const float* s, uint16_t* d) const {
    const hn::ScalableTag<float> df;
    const hn::Rebind<hwy::float16_t, decltype(df)> dh;
    hn::StoreU(hn::DemoteTo(dh, hn::LoadU(df, s)), dh, reinterpret_cast<hwy::float16_t*>(d));
  }
};
struct FromBfloat16 {
  HWY_INLINE void operator()(const uint16_t* s, float* d) const {
    const hn::ScalableTag<float> df;
    const hn::RebindToUnsigned<decltype(df)> du;
    const hn::Rebind<uint16_t, decltype(df)> dh;
    hn::StoreU(hn::BitCast(df, hn::ShiftLeft<16>(hn::PromoteTo(du, hn::LoadU(dh, s)))), df, d);
  }
};
struct IntoBfloat16 {
  HWY_INLINE void operator()(const float* s, uint16_t* d) const {
    const hn::ScalableTag<float> df;
    const hn::RebindToSigned<decltype(df)> di;
    const hn::RebindToUnsigned<decltype(df)> du;
    const hn::Rebind<uint16_t, decltype(df)> dh;
    auto x = hn::LoadU(df, s);
    auto u = hn::BitCast(du, x);
    auto odd = hn::And(hn::ShiftRight<16>(u), hn::Set(du, 1));
    auto rounded = hn::ShiftRight<16>(hn::Add(hn::Add(u, hn::Set(du, 0x7fff)), odd));
    auto nan = hn::Or(hn::ShiftRight<16>(u), hn::Set(du, 0x40));
    auto y = hn::BitCast(du, hn::IfThenElse(hn::Eq(x, x), hn::BitCast(df, rounded), hn::BitCast(df, nan)));
    hn::StoreU(hn::DemoteTo(dh, hn::BitCast(di, y)), dh, d);
  }
};
void HalfToFloatLoop(const void* from, void* to, int64_t n) {
#if HWY_TARGET == HWY_EMU128 || HWY_TARGET == HWY_SCALAR
  for (int64_t i = 0; i < n; ++i) static_cast<float*>(to)[i] = ToFloat(static_cast<const Half*>(from)[i]);
#else
  Each<uint16_t, float>(from, to, n, FromHalf());
#endif
}
void FloatToHalfLoop(const void* from, void* to, int64_t n) {
#if HWY_TARGET == HWY_EMU128 || HWY_TARGET == HWY_SCALAR  // Highway's own emulation flushes and rounds in its own way
  for (int64_t i = 0; i < n; ++i) static_cast<Half*>(to)[i] = ToHalf(static_cast<const float*>(from)[i]);
#else
  Each<float, uint16_t>(from, to, n, IntoHalf());
#endif
}
void Bfloat16ToFloatLoop(const void* from, void* to, int64_t n) { Each<uint16_t, float>(from, to, n, FromBfloat16()); }
void FloatToBfloat16Loop(const void* from, void* to, int64_t n) { Each<float, uint16_t>(from, to, n, IntoBfloat16()); }
}  // namespace HWY_NAMESPACE
}  // namespace flx
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace flx {
HWY_EXPORT(HalfToFloatLoop);
HWY_EXPORT(FloatToHalfLoop);
HWY_EXPORT(Bfloat16ToFloatLoop);
HWY_EXPORT(FloatToBfloat16Loop);
void HalfToFloat(const void* from, void* to, int64_t n) { HWY_DYNAMIC_DISPATCH(HalfToFloatLoop)(from, to, n); }
void FloatToHalf(const void* from, void* to, int64_t n) { HWY_DYNAMIC_DISPATCH(FloatToHalfLoop)(from, to, n); }
void Bfloat16ToFloat(const void* from, void* to, int64_t n) { HWY_DYNAMIC_DISPATCH(Bfloat16ToFloatLoop)(from, to, n); }
void FloatToBfloat16(const void* from, void* to, int64_t n) { HWY_DYNAMIC_DISPATCH(FloatToBfloat16Loop)(from, to, n); }
}  // namespace flx
#endif

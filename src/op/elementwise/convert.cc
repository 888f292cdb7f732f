// SPDX-License-Identifier: Apache-2.0
// The conversions that need no SIMD, and the choice among all.
#include "op/elementwise/convert.h"

#include <cstring>
#include <limits>
#include <type_traits>

#include "op/elementwise/convert_simd.h"

namespace flx {
namespace {
template <class T> constexpr bool kIs16 = std::is_same_v<T, Half> || std::is_same_v<T, Bfloat16>;

template <class D, class S> D One(S s) {
  if constexpr (kIs16<S>) return One<D>(ToFloat(s));
  else if constexpr (std::is_same_v<D, Half>) return ToHalf(static_cast<float>(s));
  else if constexpr (std::is_same_v<D, Bfloat16>) return ToBfloat16(static_cast<float>(s));
  else if constexpr (std::is_same_v<D, bool>) return s != S(0);
  else if constexpr (std::is_floating_point_v<S> && std::is_integral_v<D>) {
    // the largest value of a 64-bit type rounds up to one that does not fit, hence >=
    if (s >= static_cast<S>(std::numeric_limits<D>::max())) return std::numeric_limits<D>::max();
    if (s <= static_cast<S>(std::numeric_limits<D>::min())) return std::numeric_limits<D>::min();
    return s != s ? D(0) : static_cast<D>(s);
  } else return static_cast<D>(s);
}
template <class S, class D> void Convert(const void* from, void* to, int64_t n) {
  if constexpr (std::is_same_v<S, D>) {
    if (from != to) std::memcpy(to, from, size_t(n) * sizeof(S));
  } else {
    auto* s = static_cast<const S*>(from);
    auto* d = static_cast<D*>(to);
    for (int64_t i = 0; i < n; ++i) d[i] = One<D>(s[i]);
  }
}
template <class S, class D> void Truth(const void* from, void* to, int64_t n) {
  auto* s = static_cast<const S*>(from);
  auto* d = static_cast<D*>(to);
  for (int64_t i = 0; i < n; ++i) d[i] = One<D>(One<bool>(s[i]));
}
}  // namespace

ConvertFn FindConvert(DType from, DType to) {
  if (to == DType::kFloat32 && from == DType::kFloat16) return &HalfToFloat;
  if (to == DType::kFloat32 && from == DType::kBfloat16) return &Bfloat16ToFloat;
  if (from == DType::kFloat32 && to == DType::kFloat16) return &FloatToHalf;
  if (from == DType::kFloat32 && to == DType::kBfloat16) return &FloatToBfloat16;
  return Dispatch(from, [&](auto s) -> ConvertFn {
    using S = decltype(s);
    return Dispatch(to, [](auto d) -> ConvertFn { return &Convert<S, decltype(d)>; });
  });
}
ConvertFn FindTruth(DType from, DType to) {
  return Dispatch(from, [&](auto s) -> ConvertFn {
    using S = decltype(s);
    return to == DType::kFloat32 ? &Truth<S, float> : to == DType::kFloat64 ? &Truth<S, double> : to == DType::kInt32 ? &Truth<S, int32_t> : &Truth<S, int64_t>;
  });
}

}  // namespace flx

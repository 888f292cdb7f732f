// SPDX-License-Identifier: Apache-2.0
// An element as a value of another type, on the host and on devices. Part of the text of kernels compiled at run time (op/elementwise/chain_source.h).
#pragma once
#include <limits>
#include <type_traits>

#include "base/dtype.h"

namespace flx {

// Floats become integers toward zero and saturate, NaN is 0; integers wrap; anything to bool is "not zero".
template <class To, class From> FLX_HD inline To ConvertTo(From v) {
  if constexpr (std::is_same_v<From, To>) return v;
  else if constexpr (std::is_same_v<From, Half> || std::is_same_v<From, Bfloat16>) return ConvertTo<To>(ToFloat(v));
  else if constexpr (std::is_same_v<To, Half>) return ToHalf(static_cast<float>(v));
  else if constexpr (std::is_same_v<To, Bfloat16>) return ToBfloat16(static_cast<float>(v));
  else if constexpr (std::is_same_v<To, bool>) return v != From(0);
  else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    if (!(v == v)) return 0;
    // the largest float below To's limit may not be the limit itself: compare before casting
    if (v >= static_cast<From>(std::numeric_limits<To>::max())) return std::numeric_limits<To>::max();
    if (v <= static_cast<From>(std::numeric_limits<To>::lowest())) return std::numeric_limits<To>::lowest();
    return static_cast<To>(v);
  } else {
    return static_cast<To>(v);
  }
}

}  // namespace flx

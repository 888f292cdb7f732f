// SPDX-License-Identifier: Apache-2.0
// Element conversion between any two types. Floats become integers toward zero and saturate (NaN is 0), integers wrap, everything but zero is true;
// 16-bit floats go through float32.
#pragma once
#include <cstdint>

#include "base/dtype.h"

namespace flx {
using ConvertFn = void (*)(const void* from, void* to, int64_t n);
ConvertFn FindConvert(DType from, DType to);  // n contiguous elements; from and to do not overlap, unless they are equal and of one size
ConvertFn FindTruth(DType from, DType to);    // 1 where the element is not zero, else 0
}  // namespace flx

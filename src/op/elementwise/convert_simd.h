// SPDX-License-Identifier: Apache-2.0
// The conversions of 16-bit floats, by this machine's instructions. Round to nearest, ties to even.
#pragma once
#include <cstdint>

namespace flx {
void HalfToFloat(const void* from, void* to, int64_t n);
void FloatToHalf(const void* from, void* to, int64_t n);
void Bfloat16ToFloat(const void* from, void* to, int64_t n);
void FloatToBfloat16(const void* from, void* to, int64_t n);
}  // namespace flx

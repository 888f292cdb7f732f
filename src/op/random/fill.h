// SPDX-License-Identifier: Apache-2.0
// Many float32 numbers at once, by vectors of Philox. Elements [first, first + n) of an invocation, in any pieces, give the same numbers.
#pragma once
#include <cstdint>

#include "base/random.h"

namespace flx {

// low + (high - low) u in double, rounded to float: what UniformD draws, bit by bit. What rounding lifts to `high` or above is put right by the caller:
// the result tells whether there may be some.
bool FillUniform(const Philox& p, uint64_t first, int64_t n, double low, double high, float* y);

// Standard normals in float32 (Box and Muller, 1958): of the counter's four words the first two give elements 4 c and 4 c + 1, the others the next two.
// Radii follow from 32 bits, so the largest is 6.76. `first` is a multiple of 4. y = loc + scale z.
void FillNormal(const Philox& p, uint64_t first, int64_t n, float loc, float scale, float* y);

}  // namespace flx

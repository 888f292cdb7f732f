// SPDX-License-Identifier: Apache-2.0
// Arrays by name, in order: what model files hold.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "io/bytes.h"
#include "tensor/array.h"

namespace flx {

// Names may be empty (a plain list). An array is null only where a file of MXNet's says that it has none.
using NamedArrays = std::vector<std::pair<std::string, NDArray>>;

// For the formats of this room.
namespace interop {
// The bytes of an array of this shape, or false when they do not fit 63 bits. Sizes must be 0 or more.
bool ByteCount(const Shape& s, DType t, int64_t* bytes);
// A new array filled from n bytes at `at`, which must be there. A bool that is neither 0 nor 1 is refused.
NDArray ReadDense(Source& from, int64_t at, const Shape& s, DType t);
void WriteDense(const NDArray& a, Sink* to);  // waits for it
// Refuses names that occur twice; `who` writes.
void CheckNames(const char* who, const NamedArrays& arrays);
}  // namespace interop

}  // namespace flx

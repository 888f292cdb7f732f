// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cstdint>

namespace flx {

// The outputs of a row whose window element lies inside the data: [first, last).
struct Inside { int64_t first, last; };
// `at`: where the element stands for output 0; it moves by `stride`.
inline Inside InsideOf(int64_t in, int64_t out, int64_t stride, int64_t at) {
  int64_t first = at >= 0 ? 0 : (-at + stride - 1) / stride, last = in - at <= 0 ? 0 : (in - at + stride - 1) / stride;
  first = std::min(first, out), last = std::min(last, out);
  return {first, std::max(first, last)};
}

}  // namespace flx

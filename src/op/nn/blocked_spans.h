// SPDX-License-Identifier: Apache-2.0
// Loops over one block of channels of a blocked array: `places` rows of `b` numbers, each channel by itself. Compiled once per instruction set; sums keep
// partial sums in a fixed order of places.
#pragma once
#include <cstdint>

namespace flx {

struct BlockPlane {  // of pooling, over two axes
  int64_t b, in[2], out[2], k[2], s[2], p[2];
};
template <class T> struct BlockSpans {
  void (*moments)(const T* x, int64_t places, int64_t b, T* mean, T* m2);                                         // mean, and sum of (x - mean)^2
  void (*sum_and_dot)(const T* dy, const T* x, const T* shift, int64_t places, int64_t b, T* sum, T* dot);        // sum dy, sum dy * (x - shift)
  void (*affine)(const T* x, const T* shift, const T* scale, const T* bias, int64_t places, int64_t b, T* y);     // (x - shift) * scale + bias
  void (*affine2)(const T* x, const T* y, const T* shift, const T* p, const T* q, const T* r, int64_t places, int64_t b, T* z);  // p x + q (y - shift) + r
  void (*max_pool)(const T* x, const BlockPlane& g, T* y);
  void (*max_pool_back)(const T* dy, const T* x, const BlockPlane& g, T* dx);
  void (*sum_pool)(const T* x, const BlockPlane& g, const T* share, T* y);        // share: a factor for each output place
  void (*sum_pool_back)(const T* dy, const BlockPlane& g, const T* share, T* dx);
  // Between b rows of a plain weight, `row` numbers apart, and a packed pair of blocks: packed[(i * c + j) * b + o] = plain[o * row + j * k + i] for i < k, j < c.
  void (*pack)(const T* plain, int64_t row, int64_t k, int64_t c, int64_t b, T* packed);
  void (*unpack)(const T* packed, int64_t row, int64_t k, int64_t c, int64_t b, T* plain);
  void (*add_relu)(const T* x, const T* addend, bool relu, int64_t n, T* y);      // addend may be null
};
const BlockSpans<float>& FloatBlockSpans();    // for this CPU
const BlockSpans<double>& DoubleBlockSpans();
template <class T> const BlockSpans<T>& BlockSpansOf() {
  if constexpr (sizeof(T) == 4) return FloatBlockSpans();
  else return DoubleBlockSpans();
}

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// Loops over contiguous float32 and float64 memory, compiled once per instruction set. Sums keep several partial sums in a fixed order of elements.
#pragma once
#include <cstdint>

namespace flx {

template <class T> struct Spans {
  T (*max)(const T* x, int64_t n);                                              // -inf for nothing; NaN is not looked for
  T (*sum)(const T* x, int64_t n);
  T (*dot)(const T* x, const T* y, int64_t n);
  void (*sum_and_dot)(const T* x, const T* y, T shift, int64_t n, T out[2]);    // sum x, sum x * (y - shift)
  void (*moments)(const T* x, int64_t n, T out[2]);                             // mean, and sum of (x - mean)^2: two passes
  T (*exp_sum)(const T* x, T shift, T scale, int64_t n, T* y);                  // y = exp((x - shift) * scale), their sum; y may be null
  void (*affine)(const T* x, T shift, T scale, T bias, int64_t n, T* y);        // y = (x - shift) * scale + bias
  void (*affine2)(const T* x, const T* y, T shift, T a, T b, T c, int64_t n, T* z);  // z = a * x + b * (y - shift) + c
  void (*normalize)(const T* x, T shift, T scale, const T* gamma, const T* beta, int64_t n, T* y);  // y = (x - shift) * scale * gamma + beta
  // Backward of normalize: dgamma += dy * (x - shift) * scale, dbeta += dy, t = dy * gamma
  void (*normalize_back)(const T* x, T shift, T scale, const T* gamma, const T* dy, int64_t n, T* dgamma, T* dbeta, T* t);
  // The same by columns: a coefficient for each element of a row.
  void (*add_rows)(const T* x, int64_t n, T* sum);                              // sum += x
  void (*max_rows)(const T* x, int64_t n, T* most);
  void (*square_rows)(const T* x, const T* shift, int64_t n, T* sum);           // sum += (x - shift)^2
  void (*dot_rows)(const T* x, const T* y, const T* shift, int64_t n, T* sum, T* dot);  // sum += x, dot += x * (y - shift)
  void (*affine_rows)(const T* x, const T* shift, const T* scale, const T* bias, int64_t n, T* y);
  void (*affine2_rows)(const T* x, const T* y, const T* shift, const T* a, const T* b, const T* c, int64_t n, T* z);
  void (*exp_rows)(const T* x, const T* shift, T scale, int64_t n, T* y, T* sum);  // y = exp((x - shift) * scale), sum += y; y may be null
};
const Spans<float>& FloatSpans();    // for this CPU
const Spans<double>& DoubleSpans();
template <class T> const Spans<T>& SpansOf() {
  if constexpr (sizeof(T) == 4) return FloatSpans();
  else return DoubleSpans();
}

}  // namespace flx

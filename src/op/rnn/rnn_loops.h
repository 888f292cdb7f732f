// SPDX-License-Identifier: Apache-2.0
// The inner loops of recurrent kernels over float32 and float64, compiled once per instruction set.
#pragma once
#include <cstdint>

namespace flx {

// One step of one row; n units, which may be some of a row's: gates' parts are `gap` apart. x: the input's product, h: the state's; b: their biases, added.
template <class T> struct GateLoops {
  // gates: i f g o, activated; may be x; null, and cell_raw too: not kept. cell_raw: before clipping. y = o tanh(cell)
  void (*lstm)(int64_t n, int64_t gap, const T* x, const T* h, const T* b, const T* cell_before, const T* clip, T* gates, T* cell_raw, T* cell, T* y);
  // gates: r z n and the hidden half of n, or null. b has r and z, and n's input half; b_n: its hidden half
  void (*gru)(int64_t n, int64_t gap, const T* x, const T* h, const T* b, const T* b_n, const T* before, T* gates, T* y);
  void (*rnn)(int64_t n, bool relu, const T* x, const T* h, const T* b, T* y);
  // Backward; all of a row's units: the parts are n apart.
  // dcell: in the gradient of the cell from later steps, out that of the cell before, which is clipped here if clip_before is given
  void (*lstm_back)(int64_t n, const T* gates, const T* cell_before, const T* clip_before, const T* cell_raw, const T* clip, const T* dy, T* dcell, T* dgates);
  // dx: of the input's product, dh: of the state's; dbefore: what reaches the state directly
  void (*gru_back)(int64_t n, const T* gates, const T* before, const T* dy, T* dx, T* dh, T* dbefore);
  void (*rnn_back)(int64_t n, bool relu, const T* y, const T* dy, T* dx);
};
// clip: null, or the bounds and whether NaN becomes the lower one (1).

// A matrix that many rows are multiplied with, in panels of kPanel columns that are read one behind the other.
template <class T> struct ProductLoops {
  int64_t panel;  // columns
  // b (k, n), or with `transposed` b (n, k), to panels [first, last)
  void (*pack)(const T* b, bool transposed, int64_t k, int64_t n, int64_t first, int64_t last, T* packed);
  // c = a times columns [from, to) of b; from is a multiple of panel. m rows
  void (*packed)(int64_t m, int64_t k, const T* a, int64_t lda, const T* packed, int64_t from, int64_t to, T* c, int64_t ldc);
  // One row times the transpose of rows [from, to) of b (n, k), as it lies
  void (*dots)(int64_t k, const T* a, const T* b, int64_t from, int64_t to, T* c);
};
template <class T> const GateLoops<T>& GatesOf();      // for this CPU
template <class T> const ProductLoops<T>& ProductsOf();
template <> const GateLoops<float>& GatesOf<float>();
template <> const GateLoops<double>& GatesOf<double>();
template <> const ProductLoops<float>& ProductsOf<float>();
template <> const ProductLoops<double>& ProductsOf<double>();

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
#include "op/nn/fully_connected.h"

#include <cstring>

#include "op/matrix/gemm.h"
#include "op/nn/wide.h"

namespace flx {

void FullyConnectedCpu(KernelContext& ctx, const FullyConnectedAttrs& a, const TensorView& x0, const TensorView& w0, const TensorView& bias0, TensorView& y0) {
  TensorView x = Widen(ctx, x0), w = Widen(ctx, w0), bias = Widen(ctx, bias0);
  WideOut y(ctx, y0);
  int64_t n = a.num_hidden, k = w.dim(1), m = y0.size() / n;
  if (bias) {  // the product is added to rows of the bias
    size_t row = size_t(n * DTypeSize(bias.dtype));
    for (int64_t i = 0; i < m; ++i) std::memcpy(y.view.data<char>() + size_t(i) * row, bias.raw(), row);
  }
  Gemm(x.dtype, false, true, m, n, k, 1, x.raw(), k, w.raw(), k, bias ? 1 : 0, y.view.raw(), n);
  y.Store();
}

}  // namespace flx

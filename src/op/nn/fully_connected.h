// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "op/op.h"

namespace flx {

struct FullyConnectedAttrs {
  int64_t num_hidden = 0;
  bool no_bias = false, flatten = true;
};
struct FullyConnectedKernel {
  using Signature = void(KernelContext&, const FullyConnectedAttrs&, const TensorView& x, const TensorView& w, const TensorView& bias, TensorView& y);
  static constexpr const char* kName = "FullyConnected";
};
OpDef FullyConnectedOp();
void FullyConnectedCpu(KernelContext& ctx, const FullyConnectedAttrs& a, const TensorView& x, const TensorView& w, const TensorView& bias, TensorView& y);

}  // namespace flx

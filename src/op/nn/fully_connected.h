// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "op/elementwise/chain.h"
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
// With elementwise operators behind it, which take each block of the product while it is in the cache. x0 of the chain is the product.
struct FullyConnectedChainAttrs : FullyConnectedAttrs { Chain chain; };
struct FullyConnectedChainKernel {
  using Signature = void(KernelContext&, const FullyConnectedChainAttrs&, Views in, OutViews y);
  static constexpr const char* kName = "_fully_connected_chain";
};
// What the chain may read beside the product: arrays of its shape, and what is one row or one number for all.
bool FitsBehindProduct(const Shape& product, const Shape& other);
OpDef FullyConnectedOp();
OpDef FullyConnectedChainOp();
void FullyConnectedChainCpu(KernelContext& ctx, const FullyConnectedChainAttrs& a, Views in, OutViews y);
void FullyConnectedCpu(KernelContext& ctx, const FullyConnectedAttrs& a, const TensorView& x, const TensorView& w, const TensorView& bias, TensorView& y);

}  // namespace flx

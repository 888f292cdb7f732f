// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "op/op.h"

namespace flx {

struct LayerNormAttrs {
  int axis = -1;
  float eps = 1e-5f;
  bool output_mean_var = false;
};
struct LayerNormKernel {
  using Signature = void(KernelContext&, const LayerNormAttrs&, const TensorView& x, const TensorView& gamma, const TensorView& beta, TensorView& y, TensorView& mean,
                         TensorView& std);
  static constexpr const char* kName = "LayerNorm";
};
struct LayerNormGradAttrs { int axis = -1; double eps = 1e-5; };
struct LayerNormGradKernel {
  using Signature = void(KernelContext&, const LayerNormGradAttrs&, const TensorView& x, const TensorView& gamma, const TensorView& dy, TensorView& dx, TensorView& dgamma, TensorView& dbeta);
  static constexpr const char* kName = "_layer_norm_grad";
};
OpDef LayerNormOp();
OpDef LayerNormGradOp();
void LayerNormCpu(KernelContext& ctx, const LayerNormAttrs& a, const TensorView& x, const TensorView& gamma, const TensorView& beta, TensorView& y, TensorView& mean,
                  TensorView& std);
void LayerNormGradCpu(KernelContext& ctx, const LayerNormGradAttrs& a, const TensorView& x, const TensorView& gamma, const TensorView& dy, TensorView& dx,
                      TensorView& dgamma, TensorView& dbeta);

}  // namespace flx

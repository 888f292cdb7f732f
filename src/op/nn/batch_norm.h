// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "op/op.h"

namespace flx {

struct BatchNormAttrs {
  double eps = 1e-3;
  float momentum = 0.9f;
  bool fix_gamma = true, use_global_stats = false, output_mean_var = false;
  int axis = 1;
  bool cudnn_off = false;
  std::optional<float> min_calib_range, max_calib_range;
};
struct BatchNormKernel {
  using Signature = void(KernelContext&, const BatchNormAttrs&, const TensorView& x, const TensorView& gamma, const TensorView& beta, const TensorView& moving_mean,
                         const TensorView& moving_var, TensorView& y, TensorView& mean, TensorView& inv, TensorView& new_mean, TensorView& new_var);
  static constexpr const char* kName = "BatchNorm";
};
struct BatchNormGradAttrs {
  int axis = 1;
  double eps = 1e-3;
  bool fix_gamma = true;
  bool batch_stats = true;  // mean and inv depend on x
};
struct BatchNormGradKernel {
  using Signature = void(KernelContext&, const BatchNormGradAttrs&, const TensorView& x, const TensorView& gamma, const TensorView& mean, const TensorView& inv,
                         const TensorView& dy, TensorView& dx, TensorView& dgamma, TensorView& dbeta);
  static constexpr const char* kName = "_batch_norm_grad";
};
OpDef BatchNormOp();
OpDef BatchNormGradOp();
void BatchNormCpu(KernelContext& ctx, const BatchNormAttrs& a, const TensorView& x, const TensorView& gamma, const TensorView& beta, const TensorView& moving_mean,
                  const TensorView& moving_var, TensorView& y, TensorView& mean, TensorView& inv, TensorView& new_mean, TensorView& new_var);
void BatchNormGradCpu(KernelContext& ctx, const BatchNormGradAttrs& a, const TensorView& x, const TensorView& gamma, const TensorView& mean, const TensorView& inv,
                      const TensorView& dy, TensorView& dx, TensorView& dgamma, TensorView& dbeta);

}  // namespace flx

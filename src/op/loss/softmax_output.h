// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "op/op.h"

namespace flx {

enum class LossNorm { kNull, kBatch, kValid };
template <> struct EnumNames<LossNorm> { static constexpr const char* names[] = {"null", "batch", "valid"}; };
struct SoftmaxOutputAttrs {
  float grad_scale = 1, ignore_label = -1;
  bool multi_output = false, use_ignore = false, preserve_shape = false;
  LossNorm normalization = LossNorm::kNull;
  bool out_grad = false;
  float smooth_alpha = 0;
};
struct SoftmaxOutputKernel {
  using Signature = void(KernelContext&, const SoftmaxOutputAttrs&, const TensorView& x, const TensorView& label, TensorView& y);
  static constexpr const char* kName = "SoftmaxOutput";
};
struct SoftmaxOutputGradKernel {
  using Signature = void(KernelContext&, const SoftmaxOutputAttrs&, const TensorView& y, const TensorView& label, const TensorView& dy, TensorView& dx);
  static constexpr const char* kName = "_softmax_output_grad";
};
struct SoftmaxCrossEntropyKernel {
  using Signature = void(KernelContext&, const NoAttrs&, const TensorView& x, const TensorView& label, TensorView& y);
  static constexpr const char* kName = "softmax_cross_entropy";
};
struct SoftmaxCrossEntropyGradKernel {
  using Signature = void(KernelContext&, const NoAttrs&, const TensorView& x, const TensorView& label, const TensorView& dy, TensorView& dx);
  static constexpr const char* kName = "_softmax_cross_entropy_grad";
};
OpDef SoftmaxOutputOp();
OpDef SoftmaxOutputGradOp();
OpDef SoftmaxCrossEntropyOp();
OpDef SoftmaxCrossEntropyGradOp();
void SoftmaxOutputCpu(KernelContext& ctx, const SoftmaxOutputAttrs& a, const TensorView& x, const TensorView& label, TensorView& y);
void SoftmaxOutputGradCpu(KernelContext& ctx, const SoftmaxOutputAttrs& a, const TensorView& y, const TensorView& label, const TensorView& dy, TensorView& dx);
void SoftmaxCrossEntropyCpu(KernelContext& ctx, const NoAttrs&, const TensorView& x, const TensorView& label, TensorView& y);
void SoftmaxCrossEntropyGradCpu(KernelContext& ctx, const NoAttrs&, const TensorView& x, const TensorView& label, const TensorView& dy, TensorView& dx);

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "op/op.h"

namespace flx {

enum class CtcBlank { kFirst, kLast };
template <> struct EnumNames<CtcBlank> { static constexpr const char* names[] = {"first", "last"}; };
struct CtcAttrs {
  bool use_data_lengths = false, use_label_lengths = false;
  CtcBlank blank_label = CtcBlank::kFirst;
};
struct CtcKernel {
  using Signature = void(KernelContext&, const CtcAttrs&, const TensorView& data, const TensorView& label, const TensorView& data_lengths, const TensorView& label_lengths,
                         TensorView& loss, TensorView& slope);
  static constexpr const char* kName = "CTCLoss";
};
struct CtcGradKernel {
  using Signature = void(KernelContext&, const NoAttrs&, const TensorView& slope, const TensorView& dy, TensorView& dx);
  static constexpr const char* kName = "_ctc_loss_grad";
};
OpDef CtcLossOp();
OpDef CtcLossGradOp();
void CtcLossGradCpu(KernelContext& ctx, const NoAttrs&, const TensorView& slope, const TensorView& dy, TensorView& dx);
void CtcLossCpu(KernelContext& ctx, const CtcAttrs& a, const TensorView& data, const TensorView& label, const TensorView& data_lengths, const TensorView& label_lengths,
                TensorView& loss, TensorView& slope);

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "op/op.h"

namespace flx {

enum class DropoutMode { kTraining, kAlways };
template <> struct EnumNames<DropoutMode> { static constexpr const char* names[] = {"training", "always"}; };
struct DropoutAttrs {
  float p = 0.5f;
  DropoutMode mode = DropoutMode::kTraining;
  Ints axes;
  std::optional<bool> cudnn_off = false;
  bool Active(bool training) const { return training || mode == DropoutMode::kAlways; }
};
struct DropoutKernel {
  using Signature = void(KernelContext&, const DropoutAttrs&, const TensorView& x, TensorView& y, TensorView& mask);
  static constexpr const char* kName = "Dropout";
};
OpDef DropoutOp();
void DropoutCpu(KernelContext& ctx, const DropoutAttrs& a, const TensorView& x, TensorView& y, TensorView& mask);
// What the operator would draw for data of the mask's shape with this call's ticket: 0 or 1 / (1 - p). float32 or float64, contiguous.
void DropoutMask(KernelContext& ctx, float p, TensorView& mask);

}  // namespace flx

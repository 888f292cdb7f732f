// SPDX-License-Identifier: Apache-2.0
// Attributes and kernel keys of Activation and LeakyReLU, which choose a formula by an attribute.
#pragma once
#include "op/op.h"

namespace flx {
enum class ActType { kRelu, kSigmoid, kTanh, kSoftrelu, kSoftsign };
template <> struct EnumNames<ActType> { static constexpr const char* names[] = {"relu", "sigmoid", "tanh", "softrelu", "softsign"}; };
enum class LeakyType { kRrelu, kLeaky, kPrelu, kElu, kSelu, kGelu };
template <> struct EnumNames<LeakyType> { static constexpr const char* names[] = {"rrelu", "leaky", "prelu", "elu", "selu", "gelu"}; };

struct ActivationAttrs { ActType act_type = ActType::kRelu; };
struct LeakyAttrs { LeakyType act_type = LeakyType::kLeaky; float slope = 0.25f, lower_bound = 0.125f, upper_bound = 0.334f; };
struct SlopeAttrs { double slope = 0.25; };
struct EluAttrs { double slope = 1, scale = 1; };
constexpr double kSeluSlope = 1.6732632423543772848, kSeluScale = 1.0507009873554804935;  // Klambauer et al. 2017

struct ActivationKernel {
  using Signature = void(KernelContext&, const ActivationAttrs&, const TensorView& x, TensorView& y);
  static constexpr const char* kName = "Activation";
};
struct LeakyKernel {
  using Signature = void(KernelContext&, const LeakyAttrs&, const TensorView& x, const TensorView& gamma, TensorView& y, TensorView& mask);
  static constexpr const char* kName = "LeakyReLU";
};
Shape PreluShape(const Shape& x, const Shape& gamma);  // gamma, so that it broadcasts along axis 1
}  // namespace flx

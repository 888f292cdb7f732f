// SPDX-License-Identifier: Apache-2.0
// The activation that Dense, Conv2D and Activation share as a setting.
#pragma once
#include "train/layer.h"

namespace flx {

enum class Act { kNone, kRelu, kSigmoid, kTanh, kSoftrelu, kSoftsign, kLeaky, kElu, kSelu, kGelu };
template <> struct EnumNames<Act> {
  static constexpr const char* names[] = {"None", "relu", "sigmoid", "tanh", "softrelu", "softsign", "leaky", "elu", "selu", "gelu"};
};
inline Val Activate(LayerContext& c, Val x, Act act) {
  if (act == Act::kNone) return x;
  const char* name = EnumNames<Act>::names[size_t(act)];
  return c.Op(act < Act::kLeaky ? "Activation" : "LeakyReLU", {x}, {{"act_type", name}});
}

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// From a function on values to an Ir: its forward pass, or that and its gradients.
#pragma once
#include <functional>

#include "hybrid/ir.h"

namespace flx {

using TraceFunction = std::function<std::vector<Val>(Builder& b, const std::vector<Val>& x)>;
struct TraceInput { Shape shape; DType dtype = DType::kNone; bool fixed = false, wanted = false; };

// The results alone.
Ir TraceForward(const TraceFunction& f, const std::vector<TraceInput>& inputs, bool training, const Device* device = nullptr);
// The results, then the gradients of the inputs that are wanted. After `inputs` the graph takes one more input for each result that is a float: its
// head gradient. A gradient that is zero everywhere is an array of zeros.
Ir TraceGradient(const TraceFunction& f, const std::vector<TraceInput>& inputs, bool training, const Device* device = nullptr);
// A training step: heads(results) gives, in the same builder, what goes backward from each of them; nothing more is taken.
Ir TraceStep(const TraceFunction& f, const std::vector<TraceInput>& inputs, const std::function<std::vector<Val>(const std::vector<Val>& y)>& heads, bool training,
             const Device* device = nullptr);

}  // namespace flx

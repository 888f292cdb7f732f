// SPDX-License-Identifier: Apache-2.0
// The gradient of a composition, as a graph of other operators in the same builder: what a fused gradient kernel stands for.
#pragma once
#include <functional>

#include "op/op.h"

namespace flx {

using Composition = std::function<std::vector<Val>(const std::vector<Val>& x)>;
// Reverse mode over the calls that f makes. dy: one per result of f, empty where it is zero (or missing at the end). Gives one gradient per x, empty where
// `want` is false or nothing flows.
std::vector<Val> GradientsOf(const Composition& f, const std::vector<Val>& x, const std::vector<Val>& dy, const std::vector<bool>& want);
// The same, where dy is known only when the results are: heads(y) is asked once, with the results in the builder of x.
std::vector<Val> GradientsOf(const Composition& f, const std::vector<Val>& x, const Composition& heads, const std::vector<bool>& want);

}  // namespace flx

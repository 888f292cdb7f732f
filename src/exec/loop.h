// SPDX-License-Identifier: Apache-2.0
// Inside exec: where a control-flow node stands in its work.
#pragma once
#include "exec/graph.h"

namespace flx {

struct GraphRun::Loop {
  enum Phase { kStart, kTested, kReading, kStepped } phase = kStart;
  int64_t step = 0, steps = 0;
  std::vector<NDArray> variables;             // states, or the loop's variables
  std::vector<std::vector<NDArray>> cut;      // foreach: each data input's elements
  std::vector<std::vector<NDArray>> collected;  // results of the steps, by output
  NDArray condition;
};

}  // namespace flx

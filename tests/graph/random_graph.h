// SPDX-License-Identifier: Apache-2.0
// Random graphs: the same seed gives the same graph. Operators of all shapes of signature (lists, several outputs, auxiliary states, inputs that become
// variables), shapes that follow from the variables' alone, and values of moderate size while the variables hold numbers in [-1, 1], moving variances
// none below 0.
#pragma once
#include <map>
#include <string>

#include "graph/symbol.h"

namespace flx {

struct RandomGraph {
  Ref<Symbol> symbol;                      // its outputs: every value that nothing reads
  std::map<std::string, Shape> variables;  // arguments and auxiliary states, all float32
  int operators = 0;
};
// operators: how many at least, from 1 to 200; values that would grow too large are squashed by some more.
RandomGraph MakeRandomGraph(uint64_t seed, int operators);

}  // namespace flx

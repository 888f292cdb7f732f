// SPDX-License-Identifier: Apache-2.0
// The graphs inside a node of control flow, as tables and pictures see them: what each is for, where its inputs come from, how often it runs.
#pragma once
#include "graph/symbol.h"

namespace flx {

constexpr int kMostNested = 8;  // graphs in graphs, of symbols and files: each level may double the work of inference
int NestingOf(const Symbol& symbol);  // 0: no graphs in it

struct InnerGraph {
  const Symbol* symbol = nullptr;
  const char* role = "";            // "body", "condition", "then", "else"
  std::vector<int> from;            // by input of the graph (index().inputs_order): the node's input
  std::vector<bool> changes;        // by input: differs from step to step
  std::vector<bool> cut;            // by input: one element along axis 0 of the node's
};
std::vector<InnerGraph> InnerGraphs(const Node& node, const NodeSettings& s);

// What is known inside, from what is known of the node's inputs.
Inferred KnownInside(const InnerGraph& inner, const std::vector<Shape>& shapes, const std::vector<DType>& types);
// How often the body runs; -1: not known. A loop with a condition may end at any step.
int64_t StepsOf(const Node& node, const NodeSettings& s, const std::vector<Shape>& shapes);

// Whether a variable is a parameter. It is if it is an auxiliary state, says how it begins (`__init__`), has a name that MXNet knows parameters by (one that ends
// in weight, bias, gamma ...), or was made for an operator (`<node>_<input>`). Else its use decides, and data it is if any operator reads it as its first input:
//   kParameter  an input other than the first of an operator whose first one is called data; labels, indices, lengths and states of a sequence are none
//   kOperand    an input other than the first of other operators, as of dot: counted as a parameter, but shown in pictures; elementwise operators do not tell
enum class VariableUse : uint8_t { kData, kOperand, kParameter };
std::vector<VariableUse> UsesOf(const Symbol& symbol);  // by node; kData for operators too

}  // namespace flx

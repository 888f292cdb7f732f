// SPDX-License-Identifier: Apache-2.0
// A graph in order: its nodes with inputs before use (MXNet's order: depth first from the outputs), its values numbered.
#pragma once
#include <unordered_map>

#include "graph/node.h"

namespace flx {

struct GraphIndex {
  explicit GraphIndex(const std::vector<Entry>& heads);
  int size() const { return int(nodes.size()); }
  // Values are numbered: output k of node i is first_value[i] + k.
  int ValueOf(const Entry& e) const { return first_value[size_t(numbers.at(e.node.get()))] + e.output; }
  int values() const { return first_value.back(); }
  int NodeOfValue(int value) const;
  const int32_t* inputs(int node) const { return input_values.data() + first_input[size_t(node)]; }
  int input_count(int node) const { return first_input[size_t(node) + 1] - first_input[size_t(node)]; }

  std::vector<Node*> nodes;
  std::unordered_map<const Node*, int32_t> numbers;
  std::vector<int32_t> first_value;          // one more than nodes
  std::vector<int32_t> first_input, input_values;
  std::vector<int32_t> inputs_order;         // variables in order, as nodes
  std::vector<int32_t> arguments, auxiliaries;  // the same by use
  std::vector<int32_t> outputs;              // values
};

}  // namespace flx

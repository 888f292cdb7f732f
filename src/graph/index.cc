// SPDX-License-Identifier: Apache-2.0
#include "graph/symbol.h"

#include <algorithm>

namespace flx {

GraphIndex::GraphIndex(const std::vector<Entry>& heads) {
  struct Open { Node* node; size_t next; };
  std::vector<Open> open;
  auto visit = [&](Node* n) {
    if (numbers.emplace(n, -1).second) open.push_back({n, 0});
    while (!open.empty()) {
      Open& o = open.back();
      if (o.next < o.node->inputs.size()) {
        Node* in = o.node->inputs[o.next++].node.get();
        if (numbers.emplace(in, -1).second) open.push_back({in, 0});
        continue;
      }
      numbers[o.node] = int32_t(nodes.size());
      nodes.push_back(o.node);
      open.pop_back();
    }
  };
  for (auto& h : heads) visit(h.node.get());

  std::vector<bool> aux(nodes.size());
  first_value.push_back(0), first_input.push_back(0);
  for (Node* n : nodes) {
    auto s = n->settings();
    first_value.push_back(first_value.back() + n->CountOutputs(*s));
    first_input.push_back(first_input.back() + int32_t(n->inputs.size()));
    for (size_t i = 0; i < n->inputs.size(); ++i) {
      const Entry& e = n->inputs[i];
      input_values.push_back(ValueOf(e));
      if (e.node->variable() && !n->op->variadic && n->op->inputs[size_t(n->PortOf(int(i), *s))].aux) aux[size_t(numbers[e.node.get()])] = true;
    }
  }
  for (int i = 0; i < size(); ++i) {
    if (!nodes[size_t(i)]->variable()) continue;
    inputs_order.push_back(i);
    (aux[size_t(i)] ? auxiliaries : arguments).push_back(i);
  }
  for (auto& h : heads) outputs.push_back(ValueOf(h));
}

int GraphIndex::NodeOfValue(int value) const { return int(std::upper_bound(first_value.begin(), first_value.end(), value) - first_value.begin()) - 1; }

}  // namespace flx

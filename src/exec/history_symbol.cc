// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>

#include "exec/symbol_gradient.h"
#include "exec/tape.h"
#include "graph/infer.h"

namespace flx {

Ref<Symbol> HistorySymbol(const NDArray& array) {
  if (!array->node) Fail(Status::kState, "history", "the array (", Describe(*array), ") was not computed while recording.");
  std::vector<const TapeNode*> order;
  std::map<const TapeNode*, std::vector<Entry>> made;  // by node: its outputs
  std::vector<const TapeNode*> todo = {array->node};
  while (!todo.empty()) {
    const TapeNode* n = todo.back();
    todo.pop_back();
    if (!made.emplace(n, std::vector<Entry>()).second) continue;
    if (!n->call && !n->function) Fail(Status::kUnsupported, "history", "a function of the host's is in it, and no graph holds one.");
    order.push_back(n);
    for (auto& e : n->edges)
      if (e.node) todo.push_back(e.node);
  }
  std::sort(order.begin(), order.end(), [](const TapeNode* a, const TapeNode* b) { return a->sequence < b->sequence; });
  std::map<const GradSlot*, Ref<Node>> leaves;
  std::map<std::string, int> counts;
  int variables = 0;
  auto variable = [&](const Meta& m) { return Node::New(nullptr, Text("x", variables++), {{"__shape__", Text(m.shape)}, {"__dtype__", DTypeName(m.dtype)}}); };
  for (const TapeNode* n : order) {
    std::vector<Entry> in;
    for (int i = 0; i < n->inputs.size(); ++i) {
      if (n->inputs[i].dtype == DType::kNone) continue;  // an optional input that was not given
      const Edge& e = n->edges[i];
      if (e.node) {
        in.push_back(made[e.node][size_t(e.output)]);
      } else if (e.leaf) {
        Ref<Node>& leaf = leaves[e.leaf];
        if (!leaf) leaf = variable(n->inputs[i]);
        in.push_back({leaf, 0});
      } else {
        in.push_back({variable(n->inputs[i]), 0});  // a constant
      }
    }
    if (n->function) {
      made[n] = n->function->Compose(*n, in, Text(n->name(), counts[n->name()]++, "_"));
      continue;
    }
    const OpDef& op = n->call->op;
    AttrDict texts;
    for (auto& kv : op.schema.PrintAll(n->settings().get(), true)) texts[kv.first] = kv.second;
    if (op.count_attr) texts[op.count_attr] = Text(in.size());
    auto node = Node::New(&op, Text(op.name, counts[op.name]++), std::move(texts), std::move(in));
    for (int k = 0; k < n->call->noutputs; ++k) made[n].push_back({node, k});
  }
  auto symbol = Symbol::New({made[array->node][size_t(array->node_output)]});
  return Symbol::New(symbol->outputs, Infer(*symbol, {}, true));
}

}  // namespace flx

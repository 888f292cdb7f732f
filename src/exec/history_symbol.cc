// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <functional>
#include <map>

#include "exec/core.h"
#include "exec/symbol_gradient.h"
#include "exec/tape.h"
#include "graph/infer.h"

namespace flx {

namespace {
using Leaf = std::function<Entry(const TapeNode& n, int input)>;
// The graph behind the outputs of nodes; leaf gives what no node made.
class Walk {
 public:
  Walk(std::vector<const TapeNode*> heads, const Leaf& leaf) {
    std::vector<const TapeNode*> order;
    while (!heads.empty()) {
      const TapeNode* n = heads.back();
      heads.pop_back();
      if (!made_.emplace(n, std::vector<Entry>()).second) continue;
      if (!n->call && !n->function) Fail(Status::kUnsupported, "history", "a function of the host's is in it, and no graph holds one.");
      order.push_back(n);
      for (auto& e : n->edges)
        if (e.node) heads.push_back(e.node);
    }
    std::sort(order.begin(), order.end(), [](const TapeNode* a, const TapeNode* b) { return a->sequence < b->sequence; });
    std::map<std::string, int> counts;
    for (const TapeNode* n : order) {
      std::vector<Entry> in;
      for (int i = 0; i < n->inputs.size(); ++i) {
        if (n->inputs[i].dtype == DType::kNone) continue;  // an optional input that was not given
        const Edge& e = n->edges[i];
        in.push_back(e.node ? At(e.node, e.output) : leaf(*n, i));
      }
      if (n->function) {
        made_[n] = n->function->Compose(*n, in, Text(n->name(), counts[n->name()]++, "_"));
        continue;
      }
      const OpDef& op = n->call->op;
      AttrDict texts;
      for (auto& kv : op.schema.PrintAll(n->settings().get(), true)) texts[kv.first] = kv.second;
      if (op.count_attr) texts[op.count_attr] = Text(in.size());
      auto node = Node::New(&op, Text(op.name, counts[op.name]++), std::move(texts), std::move(in));
      for (int k = 0; k < n->call->noutputs; ++k) made_[n].push_back({node, k});
    }
  }
  Entry At(const TapeNode* n, int output) const { return made_.at(n)[size_t(output)]; }

 private:
  std::map<const TapeNode*, std::vector<Entry>> made_;  // by node: its outputs
};
Ref<Node> VariableOf(std::string name, const Meta& m) { return Node::New(nullptr, std::move(name), {{"__shape__", Text(m.shape)}, {"__dtype__", DTypeName(m.dtype)}}); }
}  // namespace

Ref<Symbol> HistorySymbol(const NDArray& array) {
  if (!array->node) Fail(Status::kState, "history", "the array (", Describe(*array), ") was not computed while recording.");
  std::map<const GradSlot*, Ref<Node>> leaves;
  int variables = 0;
  Walk walk({array->node}, [&](const TapeNode& n, int i) {
    const GradSlot* slot = n.edges[i].leaf;
    if (!slot) return Entry{VariableOf(Text("x", variables++), n.inputs[i]), 0};  // a constant
    Ref<Node>& leaf = leaves[slot];
    if (!leaf) leaf = VariableOf(Text("x", variables++), n.inputs[i]);
    return Entry{leaf, 0};
  });
  auto symbol = Symbol::New({walk.At(array->node, array->node_output)});
  return Symbol::New(symbol->outputs, Infer(*symbol, {}, true));
}

TracedGraph TracedGraphOf(const std::vector<NDArray>& inputs, const std::vector<NDArray>& results) {
  TracedGraph g;
  std::map<const Array*, Ref<Node>> variables;
  std::map<std::string, int32_t> place;
  auto variable = [&](const NDArray& a) {
    Ref<Node>& v = variables[a.get()];
    if (v) return Entry{v, 0};
    size_t i = size_t(std::find(inputs.begin(), inputs.end(), a) - inputs.begin());
    bool input = i < inputs.size();
    if (!input) i += g.captured.size(), g.captured.push_back(a);
    std::string name = input ? Text("x", i) : Text("captured", i - inputs.size());
    place[name] = int32_t(i);
    v = VariableOf(name, {a->shape, a->dtype});
    return Entry{v, 0};
  };
  std::vector<const TapeNode*> heads;
  for (auto& y : results)
    if (y->node && y->node->traced) heads.push_back(y->node);
  Walk walk(heads, [&](const TapeNode& n, int i) { return variable(n.saved_in[i].array); });
  std::vector<Entry> out;
  for (auto& y : results) out.push_back(y->node && y->node->traced ? walk.At(y->node, y->node_output) : variable(y));
  g.symbol = Symbol::New(std::move(out));
  for (Part p : {Part::kArgument, Part::kAuxiliary})
    for (auto& name : g.symbol->Names(p)) g.order.push_back(place.at(name));
  return g;
}

void InvokeTraced(const Call& call, Array* const* in, int nin, const double* scalars, int nscalars, NDArray* out, Array* const* targets, const Device* device) {
  const OpDef& op = call.op;
  if (targets) Fail(Status::kUnsupported, op.name, "writes into an array that is there, which a traced function must not. Let it give a new array.");
  if (op.trait(kEffect)) Fail(Status::kUnsupported, op.name, "has an effect of its own, which a graph cannot hold. Call it outside of the traced function.");
  for (auto& o : op.outputs)
    if (o.updates >= 0 && !o.when_training) Fail(Status::kUnsupported, op.name, "changes an array in place, which a traced function must not.");
  Ticket none;
  TicketScope scope(&none);
  InvokeAll(call, kPlain, in, nin, scalars, nscalars, out, nullptr, device);
  Attrs own;
  const Attrs& attrs = nscalars ? (own = op.schema.WithRuntime(op.name, call.attrs.get(), scalars, nscalars)) : call.attrs;
  SmallVector<Array*, 8> ports;
  int n = op.variadic ? nin : int(op.inputs.size());
  for (int p = 0, i = 0; p < n; ++p) ports.emplace_back(op.variadic || (call.present >> p & 1) ? in[i++] : nullptr);
  RecordTraced(call, attrs, ports.data(), n, out, call.noutputs);
}
bool IsTraced(const Array& a) { return a.node && a.node->traced; }
void RefuseTraced(const Array& a, const char* what) {
  if (!IsTraced(a)) return;
  Fail(Status::kUnsupported, a.node->name(), "its result is ", what, " by the host while a function is traced, and a graph holds no host code. Do that outside of what is hybridized, or let it run imperatively (fallback=True).");
}

}  // namespace flx

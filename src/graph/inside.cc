// SPDX-License-Identifier: Apache-2.0
#include "graph/inside.h"

#include <algorithm>
#include <map>

#include "base/text.h"
#include "graph/infer.h"
#include "op/control/control.h"

namespace flx {
namespace {
InnerGraph Plain(const Node& n, size_t which, const char* role, const Ints& locs) {
  InnerGraph g;
  g.symbol = n.subgraphs[which].get(), g.role = role;
  g.from.assign(locs.begin(), locs.end());
  g.changes.resize(locs.size()), g.cut.resize(locs.size());
  return g;
}
}  // namespace

namespace {
int Nesting(const Symbol& symbol, std::map<const Symbol*, int>* found) {
  if (auto it = found->find(&symbol); it != found->end()) return it->second;
  int deepest = 0;
  for (Node* n : symbol.index().nodes)
    for (auto& sub : n->subgraphs) deepest = std::max(deepest, 1 + Nesting(*sub, found));
  return (*found)[&symbol] = deepest;
}
}  // namespace
int NestingOf(const Symbol& symbol) {
  std::map<const Symbol*, int> found;
  return Nesting(symbol, &found);
}

std::vector<InnerGraph> InnerGraphs(const Node& n, const NodeSettings& s) {
  switch (n.op ? ControlOf(*n.op) : Control::kNone) {
    case Control::kForeach: {
      auto& a = *static_cast<const ForeachAttrs*>(s.attrs.get());
      InnerGraph g = Plain(n, 0, "body", Ints(n.inputs.size()));
      size_t data = a.in_data_locs.size(), states = a.in_state_locs.size();
      for (size_t k = 0; k < n.inputs.size(); ++k) {  // data, states, what remains
        size_t in = size_t(k < data ? a.in_data_locs[k] : k < data + states ? a.in_state_locs[k - data] : a.remain_locs[k - data - states]);
        g.from[in] = int(k), g.cut[in] = k < data, g.changes[in] = k < data + states;
      }
      return {std::move(g)};
    }
    case Control::kWhileLoop: {
      auto& a = *static_cast<const WhileLoopAttrs*>(s.attrs.get());
      InnerGraph test = Plain(n, 0, "condition", a.cond_input_locs), body = Plain(n, 1, "body", a.func_input_locs);
      std::vector<bool> variable(n.inputs.size());
      for (int64_t i : a.func_var_locs) variable[size_t(a.func_input_locs[size_t(i)])] = true;
      for (auto* g : {&test, &body})
        for (size_t i = 0; i < g->from.size(); ++i) g->changes[i] = variable[size_t(g->from[i])];
      return {std::move(test), std::move(body)};
    }
    case Control::kCond: {
      auto& a = *static_cast<const CondAttrs*>(s.attrs.get());
      return {Plain(n, 0, "condition", a.cond_input_locs), Plain(n, 1, "then", a.then_input_locs), Plain(n, 2, "else", a.else_input_locs)};
    }
    case Control::kNone: break;
  }
  return {};
}

Inferred KnownInside(const InnerGraph& inner, const std::vector<Shape>& shapes, const std::vector<DType>& types) {
  const GraphIndex& g = inner.symbol->index();
  Inferred known = NothingKnown(g);
  // Where nothing is known outside, nothing is asked inside: the work would double with each graph in a graph.
  bool any = std::any_of(shapes.begin(), shapes.end(), [](auto& s) { return s.rank_known(); }) || std::any_of(types.begin(), types.end(), [](DType t) { return t != DType::kNone; });
  if (!any) return known;
  for (size_t i = 0; i < inner.from.size(); ++i) {
    size_t v = size_t(g.first_value[size_t(g.inputs_order[i])]), x = size_t(inner.from[i]);
    known.shapes[v] = shapes[x], known.dtypes[v] = types[x];
    if (inner.cut[i]) {
      if (shapes[x].ndim() > 0) known.shapes[v].Erase(0);
      else known.shapes[v] = Shape::Unknown();
    }
  }
  try {
    InferMore(*inner.symbol, &known);
  } catch (const Error& e) {  // a table or picture shows what is known all the same
    if (e.status() == Status::kMemory) throw;
  }
  return known;
}

int64_t StepsOf(const Node& n, const NodeSettings& s, const std::vector<Shape>& shapes) {
  switch (n.op ? ControlOf(*n.op) : Control::kNone) {
    case Control::kForeach:
      for (size_t k = 0; k < static_cast<const ForeachAttrs*>(s.attrs.get())->in_data_locs.size(); ++k)
        if (shapes[k].ndim() > 0) return shapes[k][0];
      return -1;
    case Control::kCond: return 1;
    default: return -1;
  }
}

namespace {
// Names that MXNet's initializers and pictures know parameters by; "sample_weight" weighs data.
bool EndsAsParameter(std::string_view name) {
  for (std::string_view end : {"weight", "bias", "gamma", "beta", "moving_mean", "moving_var", "running_mean", "running_var", "parameters"}) {
    if (!EndsWith(name, end)) continue;
    char before = name.size() == end.size() ? '_' : name[name.size() - end.size() - 1];
    if (before == '_' || before == '.') return name.find("sample_weight") == name.npos;
  }
  return false;
}
// Inputs that say which or how many, what a prediction is compared with, and where a sequence begins.
bool NeverLearned(std::string_view port) {
  for (const char* word : {"label", "index", "indices", "length", "like", "state"})
    if (port.find(word) != std::string_view::npos) return true;
  return false;
}
VariableUse UseAt(const Node& n, const NodeSettings& s, int input) {
  const Entry& e = n.inputs[size_t(input)];
  const OpDef& op = *n.op;
  std::string_view family = op.family;
  std::string port = InputName(n, s, input);
  if (op.variadic || op.trait(kLoss) || family == "loss" || family == "vision" || NeverLearned(port)) return VariableUse::kData;
  if (e.node->name == Text(n.name, "_", port) && n.PortOf(input, s) > 0) return VariableUse::kParameter;
  if (n.PortOf(input, s) == 0) return VariableUse::kData;
  std::string_view first = op.inputs[0].name;
  if (first == "data") return VariableUse::kParameter;
  return op.trait(kElementwise) ? VariableUse::kData : VariableUse::kOperand;
}

using Found = std::map<const Symbol*, std::vector<VariableUse>>;  // nodes may share the graphs inside them
const std::vector<VariableUse>& Find(const Symbol& symbol, Found* found) {
  if (auto it = found->find(&symbol); it != found->end()) return it->second;
  const GraphIndex& g = symbol.index();
  std::vector<VariableUse> uses(g.nodes.size(), VariableUse::kData);
  std::vector<bool> data(g.nodes.size()), made(g.nodes.size());
  for (int i : g.auxiliaries) made[size_t(i)] = true, uses[size_t(i)] = VariableUse::kParameter;
  for (int i : g.arguments)
    if (const Node& n = *g.nodes[size_t(i)]; n.settings()->texts.count("__init__") || EndsAsParameter(n.name)) made[size_t(i)] = true, uses[size_t(i)] = VariableUse::kParameter;
  for (int i = 0; i < g.size(); ++i) {
    const Node& n = *g.nodes[size_t(i)];
    if (n.variable()) continue;
    auto s = n.settings();
    std::vector<VariableUse> inner(n.inputs.size(), VariableUse::kData);
    std::vector<bool> inner_data(n.inputs.size());
    for (auto& graph : InnerGraphs(n, *s)) {
      auto& inside = Find(*graph.symbol, found);
      for (size_t k = 0; k < graph.from.size(); ++k) {
        size_t x = size_t(graph.from[k]);
        VariableUse u = graph.changes[k] ? VariableUse::kData : inside[size_t(graph.symbol->index().inputs_order[k])];
        if (u == VariableUse::kData) inner_data[x] = true;
        inner[x] = std::max(inner[x], u);
      }
    }
    for (int k = 0; k < g.input_count(i); ++k) {
      const Node& in = *n.inputs[size_t(k)].node;
      size_t at = size_t(g.NodeOfValue(g.inputs(i)[k]));
      if (!in.variable() || made[at]) continue;
      VariableUse u = n.subgraphs.empty() ? UseAt(n, *s, k) : inner_data[size_t(k)] ? VariableUse::kData : inner[size_t(k)];
      uses[at] = std::max(uses[at], u);
      if (u == VariableUse::kData) data[at] = true;
      else if (n.subgraphs.empty() && in.name == Text(n.name, "_", InputName(n, *s, k))) made[at] = true, uses[at] = VariableUse::kParameter;
    }
  }
  for (size_t i = 0; i < uses.size(); ++i)
    if (data[i] && !made[i]) uses[i] = VariableUse::kData;
  return (*found)[&symbol] = std::move(uses);
}
}  // namespace

std::vector<VariableUse> UsesOf(const Symbol& symbol) {
  Found found;
  return Find(symbol, &found);
}

}  // namespace flx

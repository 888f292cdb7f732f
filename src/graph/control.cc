// SPDX-License-Identifier: Apache-2.0
#include "graph/control.h"

#include <algorithm>
#include <map>

#include "op/control/control.h"

namespace flx {
namespace {

// The inputs of the node to be: outer values, each once.
class Outer {
 public:
  int64_t Place(const Entry& e) {
    for (size_t i = fresh_; i < entries_.size(); ++i)
      if (entries_[i].node == e.node && entries_[i].output == e.output) return int64_t(i);
    entries_.push_back(e);
    return int64_t(entries_.size()) - 1;
  }
  int64_t Fresh(const Entry& e) {  // a place of its own, before all others: a state that begins like another input must not change with it, nor that input with the state
    entries_.push_back(e);
    fresh_ = entries_.size();
    return int64_t(entries_.size()) - 1;
  }
  std::vector<Ref<Symbol>> symbols() const {
    std::vector<Ref<Symbol>> all;
    for (auto& e : entries_) all.push_back(Symbol::New({e}));
    return all;
  }

 private:
  std::vector<Entry> entries_;
  size_t fresh_ = 0;
};

// A sub-graph and where its inputs come from: placeholder k (>= 0), or the outer value -1 - k.
struct Inside {
  Ref<Symbol> graph;
  std::vector<int> placeholder;   // by input of the graph; -1: not one
  std::vector<Entry> outer;       // by input; of those that are no placeholder
};

Inside Cut(const Symbol& body, const std::vector<std::string>& placeholders) {
  const GraphIndex& g = body.index();
  std::vector<bool> inner(g.nodes.size());
  for (int i = 0; i < g.size(); ++i) {
    const Node& n = *g.nodes[size_t(i)];
    if (n.variable())
      for (auto& p : placeholders) inner[size_t(i)] = inner[size_t(i)] || p == n.name;
    for (int k = 0; k < g.input_count(i); ++k) inner[size_t(i)] = inner[size_t(i)] || inner[size_t(g.NodeOfValue(g.inputs(i)[k]))];
  }
  std::vector<Ref<Node>> fresh(g.nodes.size());
  std::map<std::string, Ref<Node>> held;
  std::vector<std::pair<Entry, Entry>> stands;  // an outer value and the variable that stands for it inside
  auto inside = [&](const Entry& e) -> Entry {
    size_t i = size_t(g.numbers.at(e.node.get()));
    if (inner[i] && !e.node->variable()) return {fresh[i], e.output};
    if (inner[i]) {  // a placeholder is one input, however often its name was made a variable
      Ref<Node>& one = held[e.node->name];
      if (!one) one = e.node;
      return {one, 0};
    }
    if (e.node->variable()) return e;  // a free variable keeps its name
    for (auto& s : stands)
      if (s.first.node == e.node && s.first.output == e.output) return s.second;
    stands.push_back({e, {Node::New(nullptr, OutputName(*e.node, *e.node->settings(), e.output), {}), 0}});
    return stands.back().second;
  };
  for (int i = 0; i < g.size(); ++i) {
    Node& n = *g.nodes[size_t(i)];
    if (!inner[size_t(i)] || n.variable()) continue;
    std::vector<Entry> in;
    for (auto& e : n.inputs) in.push_back(inside(e));
    fresh[size_t(i)] = Node::New(n.op, n.name, n.settings()->texts, std::move(in), n.subgraphs);
  }
  std::vector<Entry> heads;
  for (auto& e : body.outputs) {
    // An output that is a variable or comes from outside needs a node of its own, or the graph would have an input less than it reads.
    Entry in = inside(e);
    if (in.node->variable()) {
      const OpDef& copy = FindOp("_copy");
      in = {Node::New(&copy, in.node->name + "_copy", {}, {in}), 0};
    }
    heads.push_back(std::move(in));
  }
  Inside r;
  r.graph = Symbol::New(std::move(heads));
  const GraphIndex& sub = r.graph->index();
  for (int i : sub.inputs_order) {
    Ref<Node> n(sub.nodes[size_t(i)]);
    int which = -1;
    for (size_t k = 0; k < placeholders.size(); ++k)
      if (placeholders[k] == n->name) which = int(k);
    Entry from{n, 0};
    for (auto& s : stands)
      if (s.second.node == n) from = s.first;
    r.placeholder.push_back(which);
    r.outer.push_back(std::move(from));
  }
  return r;
}

void NeedSame(const char* who, size_t placeholders, size_t with) {
  if (placeholders != with) Fail(Status::kArgument, who, "expected one symbol for each of ", placeholders, " placeholders, given ", with, ".");
}
void NeedOne(const char* who, const Symbol& condition) {
  if (condition.outputs.size() != 1) Fail(Status::kArgument, who, "the condition must have one output, given ", condition.outputs.size(), ".");
}
}  // namespace

Ref<Symbol> ComposeForeach(const std::string& name, const Symbol& body, int stacked, const std::vector<std::string>& placeholders, const std::vector<Ref<Symbol>>& with) {
  constexpr const char* kWho = "_foreach";
  NeedSame(kWho, placeholders.size(), with.size());
  int64_t states = int64_t(body.outputs.size()) - stacked, data = int64_t(placeholders.size()) - states;
  if (stacked < 0 || states < 0 || data < 1)
    Fail(Status::kArgument, kWho, "the body has ", body.outputs.size(), " outputs, ", stacked, " of them stacked, so ", states, " states; with ", placeholders.size(),
         " placeholders that leaves no data to go along. Expected data, then states.");
  Inside in = Cut(body, placeholders);
  for (size_t k = 0; k < placeholders.size(); ++k)
    if (std::find(in.placeholder.begin(), in.placeholder.end(), int(k)) == in.placeholder.end())
      Fail(Status::kArgument, kWho, "the body does not read the placeholder `", placeholders[k], "`. Leave it and what stands for it away, or use it.");
  // The node's inputs are data, states and the rest; the locs tell which inputs of the sub-graph they are.
  std::vector<Ref<Symbol>> inputs = with;
  Ints data_locs(size_t(data), 0), state_locs(size_t(states), 0), remain;
  for (size_t i = 0; i < in.placeholder.size(); ++i) {
    int k = in.placeholder[i];
    if (k < 0) remain.push_back(int64_t(i)), inputs.push_back(Symbol::New({in.outer[i]}));
    else (k < data ? data_locs[size_t(k)] : state_locs[size_t(k - data)]) = int64_t(i);
  }
  return Symbol::Compose(FindOp(kWho), name, inputs, {},
                         {{"num_outputs", Text(body.outputs.size())}, {"num_out_data", Text(stacked)}, {"in_data_locs", Text(data_locs)}, {"in_state_locs", Text(state_locs)},
                          {"remain_locs", Text(remain)}}, {in.graph});
}

Ref<Symbol> ComposeWhileLoop(const std::string& name, const Symbol& condition, const Symbol& body, int stacked, int64_t max_iterations,
                             const std::vector<std::string>& placeholders, const std::vector<Ref<Symbol>>& with) {
  constexpr const char* kWho = "_while_loop";
  NeedSame(kWho, placeholders.size(), with.size());
  NeedOne(kWho, condition);
  size_t variables = placeholders.size();
  if (stacked < 0 || body.outputs.size() != size_t(stacked) + variables)
    Fail(Status::kArgument, kWho, "the body must give ", stacked, " outputs to stack and ", variables, " new variables, given ", body.outputs.size(), " outputs.");
  Outer outer;
  std::vector<int64_t> place(variables);
  for (size_t k = 0; k < variables; ++k) place[k] = outer.Fresh(with[k]->Single(kWho, k));
  Ints func_vars(variables, -1);
  auto locate = [&](const Inside& in) {
    Ints locs;
    for (size_t i = 0; i < in.placeholder.size(); ++i) locs.push_back(in.placeholder[i] >= 0 ? place[size_t(in.placeholder[i])] : outer.Place(in.outer[i]));
    return locs;
  };
  Inside test = Cut(condition, placeholders), step = Cut(body, placeholders);
  Ints cond_locs = locate(test), func_locs = locate(step);
  for (size_t i = 0; i < step.placeholder.size(); ++i)
    if (step.placeholder[i] >= 0) func_vars[size_t(step.placeholder[i])] = int64_t(i);
  for (size_t k = 0; k < variables; ++k)
    if (func_vars[k] < 0) Fail(Status::kArgument, kWho, "the body does not read the variable `", placeholders[k], "`. Leave it away, or use it.");
  return Symbol::Compose(FindOp(kWho), name, outer.symbols(), {},
                         {{"num_outputs", Text(body.outputs.size())}, {"num_out_data", Text(stacked)}, {"max_iterations", Text(max_iterations)}, {"cond_input_locs", Text(cond_locs)},
                          {"func_input_locs", Text(func_locs)}, {"func_var_locs", Text(func_vars)}}, {test.graph, step.graph});
}

Ref<Symbol> ComposeCond(const std::string& name, const Symbol& condition, const Symbol& then, const Symbol& otherwise, const std::vector<std::string>& placeholders,
                        const std::vector<Ref<Symbol>>& with) {
  constexpr const char* kWho = "_cond";
  NeedSame(kWho, placeholders.size(), with.size());
  NeedOne(kWho, condition);
  if (then.outputs.size() != otherwise.outputs.size())
    Fail(Status::kArgument, kWho, "both branches must give equally many outputs, given ", then.outputs.size(), " and ", otherwise.outputs.size(), ".");
  Outer outer;
  auto locate = [&](const Inside& in) {
    Ints locs;
    for (size_t i = 0; i < in.placeholder.size(); ++i) {
      int k = in.placeholder[i];
      locs.push_back(outer.Place(k < 0 ? in.outer[i] : with[size_t(k)]->Single(kWho, size_t(k))));
    }
    return locs;
  };
  Inside test = Cut(condition, placeholders), yes = Cut(then, placeholders), no = Cut(otherwise, placeholders);
  Ints cond_locs = locate(test), then_locs = locate(yes), else_locs = locate(no);
  return Symbol::Compose(FindOp(kWho), name, outer.symbols(), {},
                         {{"num_outputs", Text(then.outputs.size())}, {"cond_input_locs", Text(cond_locs)}, {"then_input_locs", Text(then_locs)}, {"else_input_locs", Text(else_locs)}},
                         {test.graph, yes.graph, no.graph});
}

}  // namespace flx

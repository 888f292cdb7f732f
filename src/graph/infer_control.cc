// SPDX-License-Identifier: Apache-2.0
// Control flow: what a node knows of its values and what its sub-graphs know of theirs, each told to the other.
#include "graph/infer.h"
#include "graph/inside.h"
#include "op/control/control.h"

namespace flx {
namespace {

// A sub-graph at work: its inputs and outputs as values.
class Inner {
 public:
  Inner(const Node& node, int which, bool guess) : node_(node), guess_(guess), symbol_(*node.subgraphs[size_t(which)]), g_(symbol_.index()), known_(NothingKnown(g_)) {}
  int inputs() const { return int(g_.inputs_order.size()); }
  int outputs() const { return int(g_.outputs.size()); }
  int in(int i) const { return g_.first_value[size_t(g_.inputs_order[size_t(i)])]; }
  int out(int i) const { return g_.outputs[size_t(i)]; }
  Shape& shape(int v) { return known_.shapes[size_t(v)]; }
  DType& dtype(int v) { return known_.dtypes[size_t(v)]; }
  void Tell(int v, const Shape& s, DType t) {
    Known k{shape(v), dtype(v)};
    Join(&k, s, t);
    shape(v) = k.shape, dtype(v) = k.dtype;
  }
  void Run() { InferMore(symbol_, &known_, guess_); }
  void Join(Known* k, const Shape& s, DType t) const {
    Known was = *k;
    if (!Learn(k, s, t))
      Fail(Status::kShape, node_.op->name, "what its graph makes of a value and what is given differ: ", was.dtype, " ", was.shape, " and ", t, " ", s, ".");
  }

 private:
  const Node& node_;
  bool guess_;
  const Symbol& symbol_;
  const GraphIndex& g_;
  Inferred known_;
};

void Both(const Inner& inner, Shape* a, DType* at, Shape* b, DType* bt) {
  Known k{*a, *at};
  inner.Join(&k, *b, *bt);
  *a = *b = k.shape, *at = *bt = k.dtype;
}
Shape Cut(const Shape& s) {  // without axis 0
  if (s.ndim() < 1) return Shape::Unknown();
  Shape c = s;
  c.Erase(0);
  return c;
}
Shape Stacked(const Shape& s, int64_t n) {
  if (!s.rank_known()) return s;
  Shape c = s;
  c.Insert(0, n);
  return c;
}

void Foreach(const Node& node, const ForeachAttrs& a, Shape* xs, DType* xt, Shape* ys, DType* yt, bool guess) {
  Inner g(node, 0, guess);
  size_t data = a.in_data_locs.size(), states = a.in_state_locs.size();  // the node's inputs: data, states, what remains
  int64_t steps = -1;
  auto learn_steps = [&](const Shape& s) {
    if (s.ndim() > 0 && s[0] >= 0) steps = s[0];
  };
  for (size_t k = 0; k < data; ++k) learn_steps(xs[k]);
  for (int i = 0; i < a.num_out_data; ++i) learn_steps(ys[i]);
  for (size_t k = 0; k < data; ++k) g.Tell(g.in(int(a.in_data_locs[k])), Cut(xs[k]), xt[k]);
  for (size_t k = 0; k < a.remain_locs.size(); ++k) g.Tell(g.in(int(a.remain_locs[k])), xs[data + states + k], xt[data + states + k]);
  for (int i = 0; i < a.num_out_data; ++i) g.Tell(g.out(i), Cut(ys[i]), yt[i]);
  // A state keeps its shape and dtype from step to step, and is the result.
  auto join_states = [&] {
    for (size_t k = 0; k < states; ++k) {
      size_t x = data + k;
      int y = a.num_out_data + int(k), in = g.in(int(a.in_state_locs[k])), out = g.out(y);
      Both(g, &xs[x], &xt[x], &ys[y], &yt[y]);
      Both(g, &xs[x], &xt[x], &g.shape(in), &g.dtype(in));
      Both(g, &xs[x], &xt[x], &g.shape(out), &g.dtype(out));
      ys[y] = g.shape(in) = xs[x], yt[y] = g.dtype(in) = xt[x];
    }
  };
  join_states();
  g.Run();
  join_states();
  for (size_t k = 0; k < data; ++k) {
    int in = g.in(int(a.in_data_locs[k]));
    Known found{xs[k], xt[k]};
    g.Join(&found, Stacked(g.shape(in), steps), g.dtype(in));
    xs[k] = found.shape, xt[k] = found.dtype;
  }
  for (size_t k = 0; k < a.remain_locs.size(); ++k) {
    int in = g.in(int(a.remain_locs[k]));
    xs[data + states + k] = g.shape(in), xt[data + states + k] = g.dtype(in);
  }
  for (int i = 0; i < a.num_out_data; ++i) {
    Known k{ys[i], yt[i]};
    g.Join(&k, Stacked(g.shape(g.out(i)), steps), g.dtype(g.out(i)));
    ys[i] = k.shape, yt[i] = k.dtype;
  }
}

// A sub-graph that reads inputs of the node: tells it what is known, and the node what it knows.
void Read(Inner* g, const Ints& locs, Shape* xs, DType* xt) {
  for (int i = 0; i < g->inputs(); ++i) {
    int64_t x = locs[size_t(i)];
    Both(*g, &xs[x], &xt[x], &g->shape(g->in(i)), &g->dtype(g->in(i)));
  }
}
void WhileLoop(const Node& node, const WhileLoopAttrs& a, Shape* xs, DType* xt, Shape* ys, DType* yt, bool guess) {
  Inner step(node, 1, guess), test(node, 0, guess);
  auto variables = [&] {
    for (size_t k = 0; k < a.func_var_locs.size(); ++k) {
      int64_t x = a.func_input_locs[size_t(a.func_var_locs[k])];
      int y = a.num_out_data + int(k), out = step.out(y);
      Both(step, &xs[x], &xt[x], &ys[y], &yt[y]);
      Both(step, &xs[x], &xt[x], &step.shape(out), &step.dtype(out));
      ys[y] = xs[x], yt[y] = xt[x];
    }
  };
  for (int i = 0; i < a.num_out_data; ++i) step.Tell(step.out(i), Cut(ys[i]), yt[i]);
  for (int round = 0; round < 2; ++round) {
    variables();
    Read(&step, a.func_input_locs, xs, xt);
    Read(&test, a.cond_input_locs, xs, xt);
    step.Run();
    test.Run();
  }
  variables();
  Read(&step, a.func_input_locs, xs, xt);
  for (int i = 0; i < a.num_out_data; ++i) {
    Known k{ys[i], yt[i]};
    step.Join(&k, Stacked(step.shape(step.out(i)), a.max_iterations), step.dtype(step.out(i)));
    ys[i] = k.shape, yt[i] = k.dtype;
  }
}
void Condition(const Node& node, const CondAttrs& a, Shape* xs, DType* xt, Shape* ys, DType* yt, bool guess) {
  Inner test(node, 0, guess), then(node, 1, guess), other(node, 2, guess);
  for (int round = 0; round < 2; ++round) {
    Read(&test, a.cond_input_locs, xs, xt);
    Read(&then, a.then_input_locs, xs, xt);
    Read(&other, a.else_input_locs, xs, xt);
    for (int i = 0; i < a.num_outputs; ++i) {  // both branches give the same shapes
      Both(then, &ys[i], &yt[i], &then.shape(then.out(i)), &then.dtype(then.out(i)));
      Both(other, &ys[i], &yt[i], &other.shape(other.out(i)), &other.dtype(other.out(i)));
    }
    test.Run(), then.Run(), other.Run();
  }
  Read(&then, a.then_input_locs, xs, xt);
  Read(&other, a.else_input_locs, xs, xt);
  for (int i = 0; i < a.num_outputs; ++i) {
    Both(then, &ys[i], &yt[i], &then.shape(then.out(i)), &then.dtype(then.out(i)));
    Both(other, &ys[i], &yt[i], &other.shape(other.out(i)), &other.dtype(other.out(i)));
  }
}

void NeedLocs(const OpDef& op, const char* what, const Ints& locs, size_t count, size_t below) {
  bool ok = locs.size() == count;
  for (int64_t i : locs) ok &= i >= 0 && i < int64_t(below);
  if (!ok) Fail(Status::kArgument, op.name, "`", what, "` must be ", count, " numbers in [0, ", below, "), given ", locs, ".");
}
size_t Inputs(const Node& n, int sub) { return n.subgraphs[size_t(sub)]->index().inputs_order.size(); }
void NeedOutputs(const Node& n, int sub, size_t want) {
  size_t have = n.subgraphs[size_t(sub)]->outputs.size();
  if (have != want) Fail(Status::kArgument, n.op->name, "graph ", sub, " of node `", n.name, "` must have ", want, want == 1 ? " output" : " outputs", ", given ", have, ".");
}
}  // namespace

void CheckControl(const Node& n, const NodeSettings& s) {
  const OpDef& op = *n.op;
  size_t nin = n.inputs.size();
  for (auto& sub : n.subgraphs)
    if (NestingOf(*sub) >= kMostNested) Fail(Status::kUnsupported, op.name, "graphs are nested deeper than ", kMostNested, " (node `", n.name, "`).");
  switch (ControlOf(op)) {
    case Control::kForeach: {
      auto& a = *static_cast<const ForeachAttrs*>(s.attrs.get());
      if (Inputs(n, 0) != nin) Fail(Status::kArgument, op.name, "the graph of node `", n.name, "` has ", Inputs(n, 0), " inputs, the node ", nin, ".");
      std::vector<bool> seen(nin);
      NeedLocs(op, "in_data_locs", a.in_data_locs, a.in_data_locs.size(), nin);
      NeedLocs(op, "in_state_locs", a.in_state_locs, a.in_state_locs.size(), nin);
      NeedLocs(op, "remain_locs", a.remain_locs, a.remain_locs.size(), nin);
      for (auto* list : {&a.in_data_locs, &a.in_state_locs, &a.remain_locs})
        for (int64_t i : *list) {
          if (seen[size_t(i)]) Fail(Status::kArgument, op.name, "input ", i, " of the graph of node `", n.name, "` is named twice by its locs.");
          seen[size_t(i)] = true;
        }
      for (size_t i = 0; i < nin; ++i)
        if (!seen[i]) Fail(Status::kArgument, op.name, "input ", i, " of the graph of node `", n.name, "` is in none of its locs.");
      NeedOutputs(n, 0, size_t(a.num_out_data) + a.in_state_locs.size());
      if (size_t(a.num_outputs) != size_t(a.num_out_data) + a.in_state_locs.size())
        Fail(Status::kArgument, op.name, "`num_outputs` must be num_out_data and the number of states together, given ", a.num_outputs, ".");
      break;
    }
    case Control::kWhileLoop: {
      auto& a = *static_cast<const WhileLoopAttrs*>(s.attrs.get());
      NeedLocs(op, "cond_input_locs", a.cond_input_locs, Inputs(n, 0), nin);
      NeedLocs(op, "func_input_locs", a.func_input_locs, Inputs(n, 1), nin);
      NeedLocs(op, "func_var_locs", a.func_var_locs, a.func_var_locs.size(), a.func_input_locs.size());
      NeedOutputs(n, 0, 1);
      NeedOutputs(n, 1, size_t(a.num_out_data) + a.func_var_locs.size());
      if (size_t(a.num_outputs) != size_t(a.num_out_data) + a.func_var_locs.size())
        Fail(Status::kArgument, op.name, "`num_outputs` must be num_out_data and the number of variables together, given ", a.num_outputs, ".");
      break;
    }
    case Control::kCond: {
      auto& a = *static_cast<const CondAttrs*>(s.attrs.get());
      NeedLocs(op, "cond_input_locs", a.cond_input_locs, Inputs(n, 0), nin);
      NeedLocs(op, "then_input_locs", a.then_input_locs, Inputs(n, 1), nin);
      NeedLocs(op, "else_input_locs", a.else_input_locs, Inputs(n, 2), nin);
      NeedOutputs(n, 0, 1), NeedOutputs(n, 1, size_t(a.num_outputs)), NeedOutputs(n, 2, size_t(a.num_outputs));
      break;
    }
    case Control::kNone: break;
  }
}

void InferControl(const Node& n, const NodeSettings& s, Shape* xs, DType* xt, Shape* ys, DType* yt, bool guess) {
  switch (ControlOf(*n.op)) {
    case Control::kForeach: return Foreach(n, *static_cast<const ForeachAttrs*>(s.attrs.get()), xs, xt, ys, yt, guess);
    case Control::kWhileLoop: return WhileLoop(n, *static_cast<const WhileLoopAttrs*>(s.attrs.get()), xs, xt, ys, yt, guess);
    case Control::kCond: return Condition(n, *static_cast<const CondAttrs*>(s.attrs.get()), xs, xt, ys, yt, guess);
    case Control::kNone: break;
  }
}

}  // namespace flx

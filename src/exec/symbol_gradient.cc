// SPDX-License-Identifier: Apache-2.0
#include "exec/symbol_gradient.h"

#include <map>

#include "exec/program.h"
#include "exec/trace.h"
#include "graph/infer.h"

namespace flx {
namespace {

// A tracer that remembers its calls, so that they can be gone through backwards. What has no gradient of its own is traced as what it stands for.
class Recorder final : public Builder {
 public:
  struct Step { const OpDef* op; Attrs attrs; std::vector<Val> in, out; };
  explicit Recorder(bool training) : trace("", training) {}
  TraceBuilder trace;
  std::vector<Step> steps;
  void Call(const OpDef& op, const Attrs& attrs, const Val* in, int nin, Val* out, int nout) override {
    if (!op.gradient_fn && !op.zero_gradient && op.compose_fn) {
      auto y = op.run_compose(op.compose_fn, std::vector<Val>(in, in + nin), attrs.get());
      for (int i = 0; i < nout; ++i) out[i] = i < int(y.size()) ? y[size_t(i)] : Val{};
      return;
    }
    trace.Call(op, attrs, in, nin, out, nout);
    for (int i = 0; i < nout; ++i) out[i].b = this;
    steps.push_back({&op, attrs, std::vector<Val>(in, in + nin), std::vector<Val>(out, out + nout)});
  }
  const Shape& shape(Val v) override { return trace.shape(v); }
  DType dtype(Val v) override { return trace.dtype(v); }
  bool training() const override { return trace.training(); }
};
Val Plain(Val v, Builder& b) {  // the same value, of the tracer below
  if (v) v.b = &b;
  return v;
}

// A rule's view of a traced step. What it calls is traced without being remembered: the graph is differentiated once.
class StepGrad final : public Grad {
 public:
  StepGrad(Recorder* r, const Recorder::Step& s, std::map<int32_t, Val>* dys, const std::vector<bool>& wanted) : r_(*r), s_(s), dys_(*dys), wanted_(wanted) {
    builder = &r_.trace, training = r_.training();
    dx.resize(int(s.in.size()));
  }
  Val x(int i) override { return Plain(s_.in[size_t(i)], r_.trace); }
  Val y(int i) override { return Plain(s_.out[size_t(i)], r_.trace); }
  Val dy(int i) override {
    Val& d = dys_[s_.out[size_t(i)].id];
    if (!d) d = ZerosLike(y(i));
    return d;
  }
  bool has_dy(int i) override {
    auto it = dys_.find(s_.out[size_t(i)].id);
    return it != dys_.end() && it->second;
  }
  bool want(int i) override { return wanted_[size_t(i)]; }
  bool has(int i) override { return bool(s_.in[size_t(i)]); }
  const Shape& x_shape(int i) override { return r_.shape(s_.in[size_t(i)]); }
  const Shape& y_shape(int i) override { return r_.shape(s_.out[size_t(i)]); }
  DType x_type(int i) override { return r_.dtype(s_.in[size_t(i)]); }
  DType y_type(int i) override { return r_.dtype(s_.out[size_t(i)]); }

 private:
  Recorder& r_;
  const Recorder::Step& s_;
  std::map<int32_t, Val>& dys_;
  const std::vector<bool>& wanted_;
};
}  // namespace

Ref<Symbol> SymbolGradient(const Symbol& symbol, const std::vector<std::string>& names) {
  constexpr const char* kWho = "gradient";
  if (!symbol.inferred) Fail(Status::kState, kWho, "the symbol knows no shapes yet. Take the gradient of the one that inference gives.");
  if (names.empty()) Fail(Status::kArgument, kWho, "expected the names of the variables, given none.");
  const GraphIndex& g = symbol.index();
  const Inferred& known = *symbol.inferred;
  auto arguments = symbol.Names(Part::kArgument);
  Recorder r(true);
  std::vector<Val> values(size_t(g.values()));
  std::map<std::string, Val> targets;
  for (int i = 0; i < g.size(); ++i) {
    Ref<Node> n(g.nodes[size_t(i)]);
    size_t first = size_t(g.first_value[size_t(i)]);
    if (n->variable()) {
      if (!known.shapes[first].known() || known.dtypes[first] == DType::kNone)
        Fail(Status::kShape, kWho, "the shape of `", n->name, "` must be known, found ", known.shapes[first], ".");
      values[first] = r.trace.Add({n, 0}, known.shapes[first], known.dtypes[first]);
      values[first].b = &r;
      targets[n->name] = values[first];
      continue;
    }
    if (n->op->subgraphs) Fail(Status::kUnsupported, n->op->name, "node `", n->name, "` is control flow: its gradient is made by running it recorded, not as a graph.");
    auto settings = n->settings();
    Attrs attrs = WithShape(*n->op, settings->attrs, known.shapes[first]);
    std::vector<Val> in(n->op->variadic ? n->inputs.size() : n->op->inputs.size());
    for (int k = 0; k < g.input_count(i); ++k) in[size_t(n->PortOf(k, *settings))] = values[size_t(g.inputs(i)[k])];
    auto y = Calls(*n->op, attrs, in, &r);
    for (size_t k = 0; k < y.size(); ++k) values[first + k] = y[k];
  }

  // Which values lead to a target.
  std::map<int32_t, bool> leads;
  for (auto& name : names) {
    auto it = targets.find(name);
    if (it == targets.end()) Fail(Status::kName, kWho, "no variable is named `", name, "`.", DidYouMean(name, arguments));
    leads[it->second.id] = true;
  }
  for (auto& s : r.steps) {
    bool any = false;
    for (Val v : s.in) any |= v && leads[v.id];
    for (Val v : s.out) leads[v.id] = any && !s.op->zero_gradient;
  }
  std::map<int32_t, Val> dys;
  auto add = [&](int32_t id, Val d) {
    Val& sum = dys[id];
    static const OpDef& plus = FindOp("elemwise_add");
    sum = sum ? Calls(plus, plus.schema.defaults(), {sum, d})[0] : d;
  };
  for (size_t i = 0; i < g.outputs.size(); ++i) {
    Val y = values[size_t(g.outputs[i])];
    if (leads[y.id]) add(y.id, r.trace.AddVariable(symbol.Name(Part::kOutput, int(i)) + "_head", r.shape(y), r.dtype(y)));
  }
  for (size_t k = r.steps.size(); k-- > 0;) {
    const Recorder::Step& s = r.steps[k];
    bool given = false;
    for (Val v : s.out) given |= dys.count(v.id) && dys[v.id];
    std::vector<bool> wanted;
    bool any = false;
    for (Val v : s.in) wanted.push_back(v && leads[v.id]), any |= wanted.back();
    if (!given || !any || s.op->zero_gradient) continue;
    if (!s.op->gradient_fn) Fail(Status::kUnsupported, s.op->name, "is not differentiable.");
    StepGrad grad(&r, s, &dys, wanted);
    s.op->run_gradient(s.op->gradient_fn, grad, s.attrs.get());
    for (size_t i = 0; i < s.in.size(); ++i)
      if (wanted[i] && grad.dx[int(i)]) add(s.in[i].id, CastTo(grad.dx[int(i)], r.dtype(s.in[i])));
  }
  std::vector<Entry> out;
  for (auto& name : names) {
    Val target = targets[name], d = dys.count(target.id) ? dys[target.id] : Val{};
    if (!d) d = ZerosLike(Plain(target, r.trace));
    out.push_back(r.trace.entry(d));
  }
  auto made = Symbol::New(std::move(out));
  // Variables keep what was known of them.
  std::map<std::string, Known> given;
  for (auto& name : made->Names(Part::kInput))
    if (auto it = targets.find(name); it != targets.end()) given[name] = {r.shape(it->second), r.dtype(it->second)};
  return Symbol::New(made->outputs, Infer(*made, given, true));
}

}  // namespace flx

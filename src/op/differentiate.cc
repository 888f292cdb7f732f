// SPDX-License-Identifier: Apache-2.0
#include "op/differentiate.h"

namespace flx {
namespace {

// Passes calls on to another builder and remembers them. Its values are numbered; `values` has them in that builder, empty for what it did not make.
class Recorder final : public Builder {
 public:
  struct Step { const OpDef* op; Attrs attrs; std::vector<int> in, out; };  // -1: an input that is absent
  explicit Recorder(Builder& b) : under(b) {}
  Builder& under;
  std::vector<Val> values;
  std::vector<Step> steps;
  Val Wrap(Val v) {
    if (!v) return {};
    values.push_back(v);
    return {this, int32_t(values.size()) - 1};
  }
  void Call(const OpDef& op, const Attrs& attrs, const Val* in, int nin, Val* out, int nout) override {
    if (!op.gradient_fn && !op.zero_gradient && op.compose_fn && !(op.kernel && (op.kernel->fn[0] || op.kernel->loops))) {  // what it stands for has the gradient
      auto y = op.run_compose(op.compose_fn, {in, in + nin}, attrs.get());
      for (int i = 0; i < nout; ++i) out[i] = i < int(y.size()) ? y[size_t(i)] : Val{};
      return;
    }
    Step s{&op, attrs, {}, {}};
    std::vector<Val> x, y(static_cast<size_t>(nout));
    for (int i = 0; i < nin; ++i)
      if (in[i]) s.in.push_back(in[i].id), x.push_back(values[size_t(in[i].id)]);
    under.Call(op, attrs, x.data(), int(x.size()), y.data(), nout);
    for (size_t p = 0; !op.variadic && p < op.inputs.size(); ++p)  // by port
      if (!op.Present(int(p), attrs.get())) s.in.insert(s.in.begin() + std::ptrdiff_t(p), -1);
    for (int i = 0; i < nout; ++i) out[i] = Wrap(y[size_t(i)]), s.out.push_back(out[i] ? out[i].id : -1);
    steps.push_back(std::move(s));
  }
  const Shape& shape(Val v) override { return under.shape(values[size_t(v.id)]); }
  DType dtype(Val v) override { return under.dtype(values[size_t(v.id)]); }
  bool training() const override { return under.training(); }
};

class StepGrad final : public Grad {
 public:
  StepGrad(const Recorder& r, const Recorder::Step& s, std::vector<Val>* adjoints, const std::vector<bool>& reached) : r_(r), s_(s), adjoints_(*adjoints), reached_(reached) {
    builder = &r.under, training = r.training();
    dx.resize(int(s.in.size()));
  }
  Val x(int i) override { return has(i) ? At(s_.in, i) : Val{}; }
  Val y(int i) override { return At(s_.out, i); }
  Val dy(int i) override {
    Val& d = adjoints_[size_t(s_.out[size_t(i)])];
    if (!d) d = ZerosLike(y(i));
    return d;
  }
  bool has_dy(int i) override { return s_.out[size_t(i)] >= 0 && adjoints_[size_t(s_.out[size_t(i)])]; }
  bool want(int i) override { return has(i) && reached_[size_t(s_.in[size_t(i)])]; }
  bool has(int i) override { return s_.in[size_t(i)] >= 0; }
  const Shape& x_shape(int i) override { return ShapeOf(At(s_.in, i)); }
  const Shape& y_shape(int i) override { return ShapeOf(At(s_.out, i)); }
  DType x_type(int i) override { return has(i) ? TypeOf(At(s_.in, i)) : DType::kNone; }
  DType y_type(int i) override { return TypeOf(At(s_.out, i)); }

 private:
  Val At(const std::vector<int>& list, int i) const { return r_.values[size_t(list[size_t(i)])]; }
  const Recorder& r_;
  const Recorder::Step& s_;
  std::vector<Val>& adjoints_;
  const std::vector<bool>& reached_;
};

}  // namespace

std::vector<Val> GradientsOf(const Composition& f, const std::vector<Val>& x, const std::vector<Val>& dy, const std::vector<bool>& want) {
  return GradientsOf(f, x, [&](const std::vector<Val>&) { return dy; }, want);
}
std::vector<Val> GradientsOf(const Composition& f, const std::vector<Val>& x, const Composition& heads, const std::vector<bool>& want) {
  Builder* b = nullptr;
  for (Val v : x) if (v) b = v.b;
  if (!b) Fail(Status::kInternal, "GradientsOf", "called without a value to tell which builder is at work.");
  Recorder r(*b);
  std::vector<Val> wrapped;
  for (Val v : x) wrapped.push_back(r.Wrap(v));
  std::vector<Val> y = f(wrapped);
  std::vector<bool> reached(r.values.size());  // depends on something wanted
  for (size_t i = 0; i < x.size(); ++i) if (wrapped[i]) reached[size_t(wrapped[i].id)] = want[i];
  for (auto& s : r.steps) {
    bool any = false;
    for (int i : s.in) any |= i >= 0 && reached[size_t(i)];
    for (int o : s.out) if (o >= 0) reached[size_t(o)] = any;
  }
  std::vector<Val> results;
  for (Val v : y) results.push_back(v ? r.values[size_t(v.id)] : Val{});
  const std::vector<Val> dy = heads(results);
  std::vector<Val> adjoints(r.values.size());
  for (size_t i = 0; i < y.size() && i < dy.size(); ++i) if (y[i] && dy[i]) adjoints[size_t(y[i].id)] = Add(adjoints[size_t(y[i].id)], dy[i]);
  for (size_t k = r.steps.size(); k-- > 0;) {
    const Recorder::Step& s = r.steps[k];
    bool any = false;
    for (int o : s.out) any |= o >= 0 && reached[size_t(o)] && adjoints[size_t(o)];
    if (!any || s.op->zero_gradient) continue;
    if (!s.op->gradient_fn && s.op->compose_fn) {  // it has a kernel, and the gradient of what it stands for, which is run again
      std::vector<Val> in, head;
      std::vector<bool> wanted;
      for (int i : s.in) in.push_back(i >= 0 ? r.values[size_t(i)] : Val{}), wanted.push_back(i >= 0 && reached[size_t(i)]);
      for (int o : s.out) head.push_back(o >= 0 ? adjoints[size_t(o)] : Val{});
      auto dx = GradientsOf([&](const std::vector<Val>& v) { return s.op->run_compose(s.op->compose_fn, v, s.attrs.get()); }, in, head, wanted);
      for (size_t i = 0; i < s.in.size(); ++i)
        if (dx[i]) adjoints[size_t(s.in[i])] = Add(adjoints[size_t(s.in[i])], CastTo(dx[i], TypeOf(in[i])));
      continue;
    }
    if (!s.op->gradient_fn) Fail(Status::kUnsupported, s.op->name, "is not differentiable. Detach its input (BlockGrad) if the gradient should stop here.");
    StepGrad g(r, s, &adjoints, reached);
    s.op->run_gradient(s.op->gradient_fn, g, s.attrs.get());
    for (int i = 0; i < int(s.in.size()); ++i)
      if (g.dx[i] && g.want(i)) {
        Val& to = adjoints[size_t(s.in[size_t(i)])];
        to = Add(to, CastTo(g.dx[i], g.x_type(i)));
      }
  }
  std::vector<Val> dx(x.size());
  for (size_t i = 0; i < x.size(); ++i) if (want[i] && wrapped[i]) dx[i] = adjoints[size_t(wrapped[i].id)];
  return dx;
}

}  // namespace flx

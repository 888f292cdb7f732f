// SPDX-License-Identifier: Apache-2.0
// The table of layers.
#include <algorithm>

#include "exec/invoke.h"
#include "graph/summary_rows.h"
#include "op/cost.h"
#include "train/layer.h"

namespace flx {
namespace {

// Infers as ShapeBuilder does, and counts.
class Counting final : public Builder {
 public:
  int64_t multiply_adds = 0;
  Val Add(const Shape& s, DType t) { return Out(inner_.Add(s, t)); }
  void Call(const OpDef& op, const Attrs& attrs, const Val* in, int nin, Val* out, int nout) override {
    std::vector<Val> x;
    std::vector<Shape> xs;
    std::vector<DType> xt;
    for (int i = 0; i < nin; ++i) {
      x.push_back(In(in[i]));
      xs.push_back(in[i] ? shape(in[i]) : Shape::Unknown()), xt.push_back(in[i] ? dtype(in[i]) : DType::kNone);
    }
    inner_.Call(op, attrs, x.data(), nin, out, nout);
    for (int i = 0; i < nout; ++i) out[i] = Out(out[i]);
    multiply_adds = AddCounts(multiply_adds, MultiplyAdds(op, attrs, xs.data(), xt.data(), nin));
  }
  const Shape& shape(Val v) override { return inner_.shape(v); }
  DType dtype(Val v) override { return inner_.dtype(v); }
  bool training() const override { return false; }

 private:
  Val In(Val v) { return v ? Val{&inner_, v.id} : Val{}; }
  Val Out(Val v) { return v ? Val{this, v.id} : Val{}; }
  ShapeBuilder inner_{false};
};
struct Ran {
  std::string path;
  const Layer* layer;
  std::vector<SummaryOutput> outputs;
  int64_t multiply_adds;  // of the layer itself
};
struct Walk {
  std::vector<Ran> layers;  // in the order of their ends: children before their container
  std::vector<ParamDecl> decls;
};
class Collecting final : public ParamSource {
 public:
  explicit Collecting(Walk* w) : walk_(w) {}
  Val Get(const ParamDecl& d, Builder& b) override {
    walk_->decls.push_back(d);
    return static_cast<Counting&>(b).Add(d.shape, d.dtype);
  }

 private:
  Walk* walk_;
};
Walk Go(const Layer& layer, const std::vector<Shape>& inputs, DType dtype, int64_t unknown) {
  Counting b;
  Walk w;
  Collecting source(&w);
  std::vector<Val> x;
  for (Shape s : inputs) {
    for (int i = 0; i < s.ndim(); ++i)
      if (s[i] < 0) s[i] = unknown;
    x.push_back(b.Add(s, dtype));
  }
  std::vector<int64_t> before;  // counted before each layer that is at work
  LayerContext c(b, source, [&](const std::string& path, const Layer& l, const std::vector<Val>* y) {
    if (!y) return before.push_back(std::exchange(b.multiply_adds, 0));
    std::vector<SummaryOutput> outputs;
    for (Val v : *y) outputs.push_back({"", b.shape(v), b.dtype(v)});
    int64_t own = std::exchange(b.multiply_adds, before.back());
    before.pop_back();
    for (Ran& r : w.layers)
      if (r.path == path) return void((r.outputs = std::move(outputs), r.multiply_adds = AddCounts(r.multiply_adds, own)));  // a cell runs at each step
    w.layers.push_back({path, &l, std::move(outputs), own});
  });
  c.Run(layer, x);
  return w;
}
// What a layer counts where unknown sizes are 1: of one sample, where the batch is what is not known.
std::optional<Walk> GoForOne(const Layer& layer, const std::vector<Shape>& inputs, DType dtype) {
  try {
    return Go(layer, inputs, dtype, 1);
  } catch (const Error& e) {
    if (e.status() == Status::kMemory) throw;
    return std::nullopt;  // a window needs more than one
  }
}
std::vector<int64_t> Steps(const std::string& path) {
  std::vector<int64_t> v;
  for (auto& s : path.empty() ? std::vector<std::string>() : Split(path, '.')) { v.push_back(0); ParseInt(s, &v.back()); }
  return v;
}

SummaryTable TableOf(const Layer& layer, const std::vector<Shape>& inputs, DType dtype) {
  layer.Freeze();
  // Sizes that follow an unknown input size differ between two walks.
  Walk a = Go(layer, inputs, dtype, 2), b = Go(layer, inputs, dtype, 3);
  auto one = GoForOne(layer, inputs, dtype);
  SummaryTable t;
  t.parameters = t.trained = t.bytes = 0, t.multiply_adds = one ? Count(0) : Count();
  // a container stands before its children: order by path, a position at a time
  std::vector<size_t> order(a.layers.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](size_t i, size_t j) { return Steps(a.layers[i].path) < Steps(a.layers[j].path); });
  // The deepest layer that the name leads to; a symbol's own parameters may have dots in their names.
  auto owner = [&](const std::string& name) {
    std::string best;
    for (auto& ran : a.layers)
      if (ran.path.size() > best.size() && name.compare(0, ran.path.size(), ran.path) == 0 && name[ran.path.size()] == '.') best = ran.path;
    return best;
  };
  for (size_t i : order) {
    const std::string& path = a.layers[i].path;
    const Layer& l = *a.layers[i].layer;
    SummaryRow r;
    r.depth = int(std::count(path.begin(), path.end(), '.'));
    r.title = Text(path, path.empty() ? "" : " ", l.def.name, l.name.empty() ? "" : " ", l.name);
    r.members = {{"kind", l.def.name}, {"name", l.name}, {"path", path}};
    for (size_t k = 0; k < a.layers[i].outputs.size(); ++k) {
      SummaryOutput out = a.layers[i].outputs[k];
      for (int d = 0; d < out.shape.ndim(); ++d)
        if (out.shape[d] != b.layers[i].outputs[k].shape[d]) out.shape[d] = -1;
      r.outputs.push_back(std::move(out));
    }
    r.parameters = r.bytes = 0;
    for (auto& d : a.decls) {
      if (owner(d.name) != path) continue;
      int64_t size = CountElements(d.shape), bytes = TimesCount(size, DTypeSize(d.dtype));
      r.parameters = AddCounts(*r.parameters, size), r.bytes = AddCounts(*r.bytes, bytes);
      t.parameters = AddCounts(*t.parameters, size), t.bytes = AddCounts(*t.bytes, bytes);
      if (d.trainable) t.trained = AddCounts(*t.trained, size);
    }
    if (one) r.multiply_adds = one->layers[i].multiply_adds, t.multiply_adds = AddCounts(*t.multiply_adds, *r.multiply_adds);
    r.blank = l.def.container && !*r.parameters && !r.multiply_adds.value_or(0);
    t.rows.push_back(std::move(r));
  }
  return t;
}
}  // namespace

std::string Summary(const Layer& layer, const std::vector<Shape>& inputs, int columns, DType dtype) { return SummaryText(TableOf(layer, inputs, dtype), columns); }
std::string LayerTable(const Layer& layer, const std::vector<Shape>& inputs, DType dtype) { return SummaryJson(TableOf(layer, inputs, dtype)); }

}  // namespace flx

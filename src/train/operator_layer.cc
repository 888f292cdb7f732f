// SPDX-License-Identifier: Apache-2.0
// Operator: any registered operator as a layer, those of plugins too.
#include <algorithm>

#include "train/layer.h"

namespace flx {
namespace {

struct OperatorSettings { std::string op, attrs, params, initializer; };

// "a=1, b=(2, 3)" as pairs.
Settings Pairs(const char* setting, const std::string& text) {
  std::string name;
  Settings pairs;
  if (!ParseNamed(Text("_(", text, ")"), &name, &pairs))
    Fail(Status::kArgument, "Operator", "`", setting, "` reads `name=value, name=(1, 2)`, given `", text, "`.");
  return pairs;
}
struct Work { const OpDef* op; Attrs attrs; Settings params; };
Work WorkOf(const OperatorSettings& s) {
  Work w;
  w.op = FindOpOrNull(s.op);
  if (!w.op) {
    std::vector<std::string> names;
    for (const OpDef* d : AllOps()) names.emplace_back(d->name);
    Fail(Status::kName, "Operator", "no operator is named `", s.op, "`.", DidYouMean(s.op, names), " If a plugin brings it, load the plugin first (flx_plugin_load).");
  }
  if (w.op->trait(kInternal) || w.op->inputs.empty())
    Fail(Status::kArgument, "Operator", "`", s.op, "` takes no data and cannot be a layer.");
  if (w.op->trait(kHost)) Fail(Status::kUnsupported, "Operator", "`", s.op, "` is the host's own code. Make a symbol of it, and of that a layer (flx_layer_from_symbol).");
  Settings attrs = Pairs("attrs", s.attrs);
  std::vector<KeyValue> kv(attrs.begin(), attrs.end());
  w.attrs = w.op->schema.Parse(w.op->name, kv.data(), kv.size());
  w.params = Pairs("params", s.params);
  for (auto& p : w.params) {
    ParseShape("input shape", p.second);
    bool there = false;
    for (size_t i = 1; i < w.op->inputs.size(); ++i) there |= p.first == w.op->inputs[i].name && w.op->Present(int(i), w.attrs.get());
    if (!there) Fail(Status::kName, "Operator", "`", s.op, "` has no input `", p.first, "` beside its data; `params` names it.");
  }
  return w;
}
void Check(const void* settings) { WorkOf(*static_cast<const OperatorSettings*>(settings)); }

// The shape of input `port`: what the settings say (None: as many as the data has channels), else what the operator's own rule can tell.
Shape ParamShape(const Work& w, int port, const Shape& data, const Infer& told) {
  for (auto& p : w.params) {
    if (p.first != w.op->inputs[size_t(port)].name) continue;
    Shape s = ParseShape("input shape", p.second);
    for (int i = 0; i < s.ndim(); ++i)
      if (s[i] < 0) s[i] = data.ndim() > 1 ? data[1] : data.ndim() == 1 ? data[0] : 1;
    return s;
  }
  if (told.known(port)) return told.x(port);
  Fail(Status::kShape, "Operator", "the shape of input `", w.op->inputs[size_t(port)].name, "` of ", w.op->name,
       " does not follow from the data. Give it, as in params=\"", w.op->inputs[size_t(port)].name, "=(None,)\"; None is the number of channels.");
}

std::vector<OwnParam> Own(const Layer& layer) {
  Work w = WorkOf(layer.as<OperatorSettings>());
  std::vector<OwnParam> own;
  for (size_t i = 1; !w.op->variadic && i < w.op->inputs.size(); ++i)
    if (w.op->Present(int(i), w.attrs.get())) own.push_back({w.op->inputs[i].name, w.op->inputs[i].aux != nullptr});
  return own;
}

std::vector<Val> Forward(LayerContext& c, const Layer& layer, const std::vector<Val>& x) {
  auto& s = layer.as<OperatorSettings>();
  Work w = WorkOf(s);
  std::vector<Val> in = {x[0]};
  if (!w.op->variadic && w.op->inputs.size() > 1) {
    size_t n = w.op->inputs.size(), m = size_t(w.op->CountOutputs(w.attrs.get()));
    uint64_t present = 0;
    for (size_t i = 0; i < n; ++i) present |= uint64_t(w.op->Present(int(i), w.attrs.get())) << i;
    std::vector<Shape> xs(n, Shape::Unknown()), ys(m, Shape::Unknown());
    std::vector<DType> xt(n, DType::kNone), yt(m, DType::kNone);
    xs[0] = ShapeOf(x[0]), xt[0] = TypeOf(x[0]);
    InferAll(*w.op, w.attrs.get(), xs.data(), xt.data(), int(n), ys.data(), yt.data(), int(m), present);
    Infer told(*w.op, xs.data(), xt.data(), int(n), ys.data(), yt.data(), int(m), present);
    for (size_t i = 1; i < n; ++i) {
      if (!(present >> i & 1)) continue;
      const Port& p = w.op->inputs[i];
      Shape shape = ParamShape(w, int(i), xs[0], told);
      in.push_back(p.aux ? c.Aux(p.name, shape, p.aux) : c.Param(p.name, shape, s.initializer));
    }
  }
  auto y = Calls(*w.op, w.attrs, in, &c.builder);
  y.resize(size_t(w.op->CountVisible(w.attrs.get())));
  return y;
}
}  // namespace

void AddOperatorLayer(std::vector<LayerDef>* all) {
  using S = OperatorSettings;
  all->push_back(Define<LayerDef, S>("Operator").alias("Lambda").alias("HybridLambda").family("basic")
      .doc("Any operator as a layer: its first input is the data, the others are parameters. A model that uses a plugin's operator needs the plugin loaded.")
      .example("Operator(op=LeakyReLU, attrs=\"act_type=prelu\")")
      .attr(&S::op, "op", "The operator's name.").required()
      .attr(&S::attrs, "attrs", "Its attributes, as `name=value, name=value`.")
      .attr(&S::params, "params", "Shapes of its inputs beside the data, as `gamma=(None,)`, None being the data's number of channels; only those that its shape rule cannot tell.")
      .attr(&S::initializer, "initializer", "How its parameters begin; empty: as the network's initializer says.")
      .with(&LayerDef::any_dtype, true).with(&LayerDef::own, &Own).with(&LayerDef::forward, &Forward).with(&LayerDef::check, &Check));
}

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
#include "graph/draw_model.h"

#include <algorithm>

#include "base/table.h"
#include "graph/infer.h"
#include "graph/inside.h"

namespace flx {
namespace {
constexpr int kMostText = 28;     // characters of a line in a box

// MXNet's plot_network paints with ColorBrewer's Set3, and so do we.
const char* FillOf(const OpDef* op) {
  if (!op) return "#8dd3c7";
  std::string_view name = op->name, family = op->family;
  auto has = [&](std::string_view word) { return name.find(word) != std::string_view::npos; };
  if (op->subgraphs) return "#f5f5f5";
  if (family == "loss" || op->trait(kLoss) || has("softmax") || has("Softmax")) return "#b3de69";
  if (has("Norm") || name == "LRN") return "#bebada";
  if (has("Pooling") || has("UpSampling")) return "#80b1d3";
  for (const char* activation : {"Activation", "LeakyReLU", "relu", "sigmoid", "hard_sigmoid", "tanh", "softsign", "erf", "gelu"})
    if (name == activation) return "#ffffb3";
  if (op->run_cost && (family == "nn" || family == "matrix" || family == "rnn" || family == "linalg")) return "#fb8072";
  if (family == "matrix") return "#fdb462";
  return "#fccde5";
}

// "(3, 3)" to "3x3", and "3" where all are the same.
std::string Sizes(const std::string& tuple, bool whole) {
  std::string s;
  std::vector<std::string> items;
  for (char c : tuple + ",") {
    if ((c >= '0' && c <= '9') || c == '-') s.push_back(c);
    else if (!s.empty()) items.push_back(s), s.clear();
  }
  bool same = !items.empty() && std::all_of(items.begin(), items.end(), [&](auto& i) { return i == items[0]; });
  return same && !whole ? items[0] : Join(items, "x");
}

// The attributes that tell operators of a kind apart: "3x3/2, 64", "relu", "axis=1".
std::string MainAttributes(const OpDef& op, const void* attrs) {
  if (op.subgraphs) return {};
  std::vector<std::string> parts;
  std::string kernel, stride;
  bool whole = false;
  for (auto& f : op.schema.fields()) {
    std::string_view key = f.name;
    bool always = key == "act_type" || key == "pool_type";
    if (f.ignored || (op.count_attr && key == op.count_attr)) continue;
    if (!always && !f.required && f.type->equal(f.ptr(attrs), f.ptr(op.schema.defaults().get()))) continue;
    std::string value = op.schema.Print(f, attrs);
    if (key == "pad" || key == "no_bias" || key == "layout" || key == "num_args" || key == "dtype") continue;
    if (key == "kernel") kernel = Sizes(value, true);
    else if (key == "stride") stride = Sizes(value, false);
    else if (always || key == "num_filter" || key == "num_hidden") parts.push_back(value);
    else if (key == "global_pool") parts.push_back("global"), whole = true;
    else parts.push_back(Text(key, "=", value));
  }
  if (!kernel.empty() && !whole) parts.insert(parts.begin(), stride.empty() || stride == "1" ? kernel : Text(kernel, "/", stride));
  return Join(parts, ", ");
}

std::string TipOf(const Node& n, const NodeSettings& s) {
  std::string tip = Text(n.op ? n.kind() : "variable", " ", n.name);
  for (auto& t : s.texts) tip += Text("\n", t.first, " = ", t.second);
  for (size_t i = 0; i < n.inputs.size(); ++i) {
    const Node& in = *n.inputs[i].node;
    tip += Text(i ? ", " : "\ninputs: ", OutputName(in, *in.settings(), n.inputs[i].output));
  }
  return tip;
}

DrawNode Box(const Node& n, const NodeSettings& s) {
  DrawNode box;
  box.fill = FillOf(n.op), box.variable = n.variable(), box.tip = TipOf(n, s);
  auto line = [&](std::string_view text) { box.lines.push_back(CutText(PlainText(text), kMostText)); };
  line(n.name);
  if (n.variable()) return box;
  std::string attributes = MainAttributes(*n.op, s.attrs.get()), kind = n.kind();
  if (attributes.empty() || CharacterCount(kind) + CharacterCount(attributes) < kMostText) {
    line(attributes.empty() ? kind : Text(kind, " ", attributes));
  } else {
    line(kind), line(attributes);
  }
  return box;
}

DrawGraph Model(const Symbol& symbol, const Inferred& known, std::string title) {
  const GraphIndex& g = symbol.index();
  DrawGraph d;
  d.title = std::move(title);
  std::vector<VariableUse> uses = UsesOf(symbol);
  std::vector<bool> head(g.nodes.size());
  for (int v : g.outputs) head[size_t(g.NodeOfValue(v))] = true;
  std::vector<int> box(g.nodes.size(), -1);
  for (int i = 0; i < g.size(); ++i) {
    const Node& n = *g.nodes[size_t(i)];
    // Neither parameters nor what only brings parameters into shape.
    bool prepares = !n.variable() && g.input_count(i) > 0;
    for (int k = 0; k < g.input_count(i); ++k) prepares = prepares && box[size_t(g.NodeOfValue(g.inputs(i)[k]))] < 0;
    if ((uses[size_t(i)] == VariableUse::kParameter || prepares) && !head[size_t(i)]) continue;
    auto s = n.settings();
    box[size_t(i)] = int(d.nodes.size());
    DrawNode b = Box(n, *s);
    b.output = head[size_t(i)];
    std::vector<Shape> shapes;
    std::vector<DType> types;
    for (int k = 0; k < g.input_count(i); ++k) {
      int v = g.inputs(i)[k], in = g.NodeOfValue(v);
      const Shape& shape = known.shapes[size_t(v)];
      DType t = known.dtypes[size_t(v)];
      shapes.push_back(shape), types.push_back(t);
      if (box[size_t(in)] < 0) continue;
      std::string label = !shape.rank_known() ? "" : t == DType::kNone || t == DType::kFloat32 ? Text(shape) : Text(t, " ", shape);
      d.edges.push_back({box[size_t(in)], box[size_t(i)], v - g.first_value[size_t(in)], std::move(label)});
    }
    for (auto& inner : InnerGraphs(n, *s)) b.inside.push_back(Model(*inner.symbol, KnownInside(inner, shapes, types), inner.role));
    d.nodes.push_back(std::move(b));
  }
  return d;
}
}  // namespace

DrawGraph ModelOf(const Symbol& symbol) { return Model(symbol, symbol.inferred ? *symbol.inferred : NothingKnown(symbol.index()), ""); }

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
#include "exec/trace.h"

#include <functional>

#include "base/reword.h"
#include "exec/core.h"
#include "exec/node_name.h"
#include "op/val_attrs.h"

namespace flx {

Val TraceBuilder::Add(const Entry& e, const Shape& shape, DType dtype) {
  values_.push_back({e, shape, dtype});
  return {this, int32_t(values_.size()) - 1};
}
Val TraceBuilder::AddVariable(const std::string& name, const Shape& shape, DType dtype, AttrDict texts) {
  texts.emplace("__shape__", Text(shape));
  texts.emplace("__dtype__", DTypeName(dtype));
  return Add({Node::New(nullptr, name, std::move(texts)), 0}, shape, dtype);
}
std::string TraceBuilder::NameOf(const OpDef& op) {
  std::string base = op.name;
  for (char& c : base)
    if (c >= 'A' && c <= 'Z') c = char(c - 'A' + 'a');
  base.erase(0, base.find_first_not_of('_'));
  return Text(prefix_, base, counts_[base]++);
}

// What layers call for want of codes and modes, as the operator that everybody knows and files may hold.
const OpDef* TraceBuilder::Public(const OpDef& op, const void* attrs, const Shape& x, Attrs* known) {
  static const OpDef &reshape_to = FindOp("_np_reshape_to"), &broadcast_to = FindOp("_np_broadcast_to"), &reshape = FindOp("Reshape"), &broadcast = FindOp("broadcast_to");
  if (&op != &reshape_to && &op != &broadcast_to) return nullptr;
  Shape to(static_cast<const ToShapeAttrs*>(attrs)->shape);
  if (to.size() <= 0 || to.ndim() == 0) return nullptr;  // 0 is a code there
  if (&op == &broadcast_to && to.ndim() != x.ndim()) return nullptr;
  const OpDef& other = &op == &reshape_to ? reshape : broadcast;
  std::string text = Text(to);
  KeyValue kv{"shape", text};
  *known = other.schema.Parse(other.name, &kv, 1);
  return &other;
}

void TraceBuilder::Call(const OpDef& op, const Attrs& attrs, const Val* in, int nin, Val* out, int nout) {
  if (nin == 1 && in[0]) {
    Attrs known;
    if (const OpDef* other = Public(op, attrs.get(), shape(in[0]), &known)) return Call(*other, known, in, nin, out, nout);
  }
  auto call = flx::Call::New(op, attrs);
  SmallVector<Shape, 8> shapes;
  SmallVector<DType, 8> types;
  std::vector<Entry> inputs;
  for (int i = 0; i < nin; ++i) {
    if (!in[i]) continue;
    const Value& v = values_[size_t(in[i].id)];
    shapes.emplace_back(v.shape), types.emplace_back(v.dtype), inputs.push_back(v.entry);
  }
  Inference f;
  f.Run(*call, attrs.get(), shapes.data(), types.data(), shapes.size());
  AttrDict texts;
  for (auto& kv : op.schema.PrintAll(attrs.get(), true)) texts[kv.first] = kv.second;
  if (op.count_attr) texts[op.count_attr] = Text(inputs.size());
  auto node = Node::New(&op, NameOf(op), std::move(texts), std::move(inputs));
  for (int i = 0; i < nout; ++i) out[i] = Add({node, i}, f.ys[i], f.yt[i]);
}

namespace {
using SettingsOf = std::function<std::shared_ptr<const NodeSettings>(const Node&)>;
std::vector<Val> ReplayGraph(const GraphIndex& g, const SettingsOf& settings_of, const Inferred& known, const std::vector<Val>& inputs, Builder* b) {
  std::vector<Val> values(size_t(g.values()));
  for (size_t i = 0; i < inputs.size(); ++i) values[size_t(g.first_value[size_t(g.inputs_order[i])])] = inputs[i];
  for (int i = 0; i < g.size(); ++i) {
    const Node& n = *g.nodes[size_t(i)];
    if (n.variable()) continue;
    if (n.op->subgraphs) Fail(Status::kUnsupported, n.op->name, "node `", n.name, "` runs graphs of its own, which only a graph can (flx_graph_create).");
    auto settings = settings_of(n);
    size_t first = size_t(g.first_value[size_t(i)]);
    Attrs attrs = WithShape(*n.op, settings->attrs, known.shapes[first]);
    std::vector<Val> in(n.op->variadic ? n.inputs.size() : n.op->inputs.size());  // by port
    for (int k = 0; k < g.input_count(i); ++k) in[size_t(n.PortOf(k, *settings))] = values[size_t(g.inputs(i)[k])];
    NodeName name(n.name);
    try {
      auto y = Calls(*n.op, attrs, in, b);
      for (size_t k = 0; k < y.size(); ++k) values[first + k] = y[k];
    } catch (const Error& e) {
      FailInNode(e, n.name, n.kind());
    }
  }
  std::vector<Val> out;
  for (int v : g.outputs) out.push_back(values[size_t(v)]);
  return out;
}
}  // namespace

std::vector<Val> Replay(const Symbol& symbol, const Inferred& known, const std::vector<Val>& inputs, Builder* b) {
  return ReplayGraph(symbol.index(), [](const Node& n) { return n.settings(); }, known, inputs, b);
}
std::vector<Val> Replay(const Program& program, const Inferred& known, const std::vector<Val>& inputs, Builder* b) {
  std::map<const Node*, std::shared_ptr<const NodeSettings>> settings;
  for (auto& s : program.steps) settings[s.node] = s.settings;
  return ReplayGraph(program.index, [&](const Node& n) { return settings.at(&n); }, known, inputs, b);
}

}  // namespace flx

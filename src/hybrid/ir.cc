// SPDX-License-Identifier: Apache-2.0
#include "hybrid/ir.h"

#include <algorithm>

#include "exec/core.h"
#include "exec/node_name.h"
#include "op/control/host.h"

namespace flx {

int32_t Ir::NewValue(const Shape& shape, DType dtype) {
  values.push_back({shape, dtype});
  return int32_t(values.size()) - 1;
}
IrNode Ir::NewNode(const OpDef& op, Attrs attrs, std::vector<int32_t> in, std::string name) {
  auto call = flx::Call::New(op, attrs);
  SmallVector<Shape, 8> shapes;
  SmallVector<DType, 8> types;
  for (int32_t v : in)
    if (v >= 0) shapes.emplace_back(values[size_t(v)].shape), types.emplace_back(values[size_t(v)].dtype);
  Inference f;
  f.Run(*call, attrs.get(), shapes.data(), types.data(), shapes.size());
  IrNode n;
  n.op = &op, n.attrs = std::move(attrs), n.in = std::move(in), n.name = name.empty() ? std::string(op.name) : std::move(name);
  for (int i = 0; i < call->noutputs; ++i) {
    const Port& port = op.outputs[op.outputs_fn ? 0 : size_t(i)];
    if (port.updates < 0) n.out.push_back(NewValue(f.ys[i], f.yt[i]));
    else n.out.push_back(port.when_training && !training ? -1 : n.in[size_t(port.updates)]);
  }
  return n;
}

std::vector<int32_t> Ir::Writers() const {
  std::vector<int32_t> at(values.size(), -1);
  for (size_t i = 0; i < nodes.size(); ++i)
    for (size_t k = 0; k < nodes[i].out.size(); ++k)
      if (nodes[i].out[k] >= 0 && !nodes[i].updates(int(k))) at[size_t(nodes[i].out[k])] = int32_t(i);
  return at;
}
std::vector<std::vector<int32_t>> Ir::Readers() const {
  std::vector<std::vector<int32_t>> at(values.size());
  for (size_t i = 0; i < nodes.size(); ++i)
    for (int32_t v : nodes[i].in)
      if (v >= 0 && (at[size_t(v)].empty() || at[size_t(v)].back() != int32_t(i))) at[size_t(v)].push_back(int32_t(i));
  return at;
}
std::vector<bool> Ir::Updated() const {
  std::vector<bool> is(values.size());
  for (auto& n : nodes)
    for (size_t k = 0; k < n.out.size(); ++k)
      if (n.out[k] >= 0 && n.updates(int(k))) is[size_t(n.out[k])] = true;
  return is;
}
std::vector<bool> Ir::Kept() const {
  std::vector<bool> is(values.size());
  for (int32_t v : outputs) is[size_t(v)] = true;
  return is;
}

std::string Ir::Print() const {
  auto list = [&](const std::vector<int32_t>& v) {
    std::vector<std::string> names;
    for (int32_t i : v) names.push_back(i < 0 ? std::string("-") : Text("v", i));
    return Join(names, ", ");
  };
  std::string text = Text("inputs: ", list(inputs), "\n");
  for (auto& c : constants) text += Text("v", c.first, " = constant ", values[size_t(c.first)].dtype, " ", values[size_t(c.first)].shape, "\n");
  bool behind = false;
  for (auto& n : nodes) {
    if (n.backward && !behind) text += "backward:\n", behind = true;
    text += Text(list(n.out), " = ", n.op->name, "(", list(n.in), ")");
    for (auto& kv : n.op->schema.PrintAll(n.attrs.get(), true)) text += Text(" ", kv.first, "=", kv.second);
    for (int32_t v : n.out)
      if (v >= 0) { text += Text("  ", values[size_t(v)].dtype, " ", values[size_t(v)].shape); break; }
    text += n.name == n.op->name ? "\n" : Text("  [", n.name, "]\n");
  }
  return text + Text("outputs: ", list(outputs), "\n");
}

int32_t IrBuilder::Input(const Shape& shape, DType dtype, bool fixed) {
  int32_t v = ir_.NewValue(shape, dtype);
  ir_.inputs.push_back(v), ir_.fixed.push_back(fixed);
  return v;
}
const Shape& IrBuilder::shape(Val v) {
  auto& s = shapes_[v.id];
  s = ir_.values[size_t(v.id)].shape;
  return s;
}
void IrBuilder::Call(const OpDef& op, const Attrs& attrs, const Val* in, int nin, Val* out, int nout) {
  if (op.subgraphs) Fail(Status::kUnsupported, op.name, "cannot be part of a plan: it runs graphs of its own. Run it as a graph, step by step (option plan=0).");
  if (op.trait(kHost)) FailHostHere(op);
  if (op.trait(kDynamic)) Fail(Status::kUnsupported, op.name, "cannot be part of a plan: the shape of its result depends on values. Keep it outside of what is hybridized, or run that imperatively.");
  const bool kernel = HasKernel(op, ir_.device);
  if (!kernel && !op.compose_fn && !op.view_fn && ir_.device) FailNoKernel(op, *ir_.device);
  std::vector<int32_t> ports;
  for (int i = 0; i < nin; ++i) if (in[i]) ports.push_back(in[i].id);
  for (size_t p = 0; !op.variadic && p < op.inputs.size(); ++p)
    if (!op.Present(int(p), attrs.get()) && p <= ports.size()) ports.insert(ports.begin() + std::ptrdiff_t(p), -1);
  if (!kernel && op.compose_fn) {
    std::vector<Val> x;
    for (int32_t v : ports) x.push_back(v < 0 ? Val{} : Wrap(v));
    x.resize(op.variadic ? x.size() : op.inputs.size());
    if (op.trait(kRandom)) ++ir_.tickets;  // imperatively it takes one, too, before its parts take theirs
    auto y = op.run_compose(op.compose_fn, x, attrs.get());
    for (int i = 0; i < nout; ++i) out[i] = i < int(y.size()) ? y[size_t(i)] : Val{};
    return;
  }
  const std::string* name = NodeName::Current();
  IrNode n = ir_.NewNode(op, attrs, std::move(ports), name ? *name : std::string());
  for (size_t k = 0; k < n.out.size(); ++k)
    if (n.out[k] >= 0 && n.updates(int(k)) && std::find(ir_.inputs.begin(), ir_.inputs.end(), n.out[k]) == ir_.inputs.end())
      Fail(Status::kUnsupported, op.name, "cannot be part of a plan here: it changes `", op.inputs[size_t(op.outputs[k].updates)].name, "` in place, which is a result of another operator. Give it an input of the graph.");
  if (op.trait(kRandom)) n.ticket = ir_.tickets++;
  n.backward = backward;
  for (int i = 0; i < nout; ++i) out[i] = n.out[size_t(i)] >= 0 && !n.updates(i) ? Wrap(n.out[size_t(i)]) : Val{};
  ir_.nodes.push_back(std::move(n));
}

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// A batch norm with fixed statistics behind a convolution or a dense layer is a change of weight and bias: w' = w gamma / sqrt(var + eps), b' = (b - mean) gamma /
// sqrt(var + eps) + beta. Only where all of these are fixed, so that it is computed once.
#include "hybrid/pass.h"
#include "op/nn/batch_norm.h"
#include "op/nn/convolution.h"
#include "op/nn/fully_connected.h"

namespace flx {
namespace {

// By value: it depends on fixed inputs and constants only.
std::vector<bool> FixedValues(const Ir& ir) {
  auto updated = ir.Updated();
  std::vector<bool> is(ir.values.size());
  for (size_t i = 0; i < ir.inputs.size(); ++i) is[size_t(ir.inputs[i])] = ir.fixed[i] && !updated[size_t(ir.inputs[i])];
  for (auto& c : ir.constants) is[size_t(c.first)] = true;
  for (auto& n : ir.nodes) {
    bool all = n.ticket < 0 && !n.op->trait(kEffect);
    for (int32_t v : n.in) all &= v < 0 || is[size_t(v)];
    for (size_t k = 0; k < n.out.size(); ++k) if (n.out[k] >= 0 && !n.updates(int(k))) is[size_t(n.out[k])] = all;
  }
  return is;
}
// Whether the node's channels are axis 1 of its result, and without a bias.
bool Takes(const IrNode& n, bool* no_bias) {
  std::string_view op = n.op->name;
  if (op == "Convolution") {
    auto& a = *static_cast<const ConvolutionAttrs*>(n.attrs.get());
    *no_bias = a.no_bias;
    return !a.ChannelsLast();
  }
  if (op != "FullyConnected") return false;
  auto& a = *static_cast<const FullyConnectedAttrs*>(n.attrs.get());
  *no_bias = a.no_bias;
  return true;
}
Attrs WithBias(const IrNode& n) {
  if (n.op->name == std::string_view("Convolution")) {
    auto a = *static_cast<const ConvolutionAttrs*>(n.attrs.get());
    a.no_bias = false;
    return std::make_shared<ConvolutionAttrs>(a);
  }
  auto a = *static_cast<const FullyConnectedAttrs*>(n.attrs.get());
  a.no_bias = false;
  return std::make_shared<FullyConnectedAttrs>(a);
}

}  // namespace

int64_t FoldBatchNorm(Ir* ir) {
  if (ir->training) return 0;
  auto readers = ir->Readers();
  auto kept = ir->Kept(), fixed = FixedValues(*ir), updated = ir->Updated();
  auto writers = ir->Writers();
  std::vector<IrNode> old;
  old.swap(ir->nodes);
  std::vector<bool> gone(old.size());
  std::vector<int32_t> into(old.size(), -1);  // by batch norm: the layer it goes into
  int64_t changes = 0;
  for (size_t i = 0; i < old.size(); ++i) {
    const IrNode& n = old[i];
    if (n.op->name != std::string_view("BatchNorm")) continue;
    auto& a = *static_cast<const BatchNormAttrs*>(n.attrs.get());
    int32_t at = writers[size_t(n.in[0])];
    bool no_bias = false, ok = at >= 0 && Takes(old[size_t(at)], &no_bias) && readers[size_t(n.in[0])].size() == 1 && !kept[size_t(n.in[0])] && old[size_t(at)].backward == n.backward;
    int nd = ir->values[size_t(n.in[0])].shape.ndim();
    ok = ok && (a.axis == 1 || a.axis == 1 - nd) && (nd == 2 || old[size_t(at)].op->name == std::string_view("Convolution"));
    DType t = ir->values[size_t(n.in[0])].dtype;
    ok = ok && (t == DType::kFloat32 || t == DType::kFloat64);
    for (size_t k = 1; k < n.out.size(); ++k) ok = ok && (n.out[k] < 0 || (readers[size_t(n.out[k])].empty() && !kept[size_t(n.out[k])]));
    for (size_t k = 1; k < n.in.size(); ++k) ok = ok && fixed[size_t(n.in[k])];
    if (ok)
      for (size_t k = 0; k < old[size_t(at)].in.size(); ++k) {
        int32_t v = old[size_t(at)].in[k];
        ok = ok && (v < 0 || (!updated[size_t(v)] && (k == 0 || fixed[size_t(v)])));
      }
    if (!ok) continue;
    into[i] = at, gone[size_t(at)] = true;
    ++changes;
  }
  IrBuilder b(ir);
  for (size_t i = 0; i < old.size(); ++i) {
    if (gone[i]) continue;
    IrNode& n = old[i];
    if (into[i] >= 0) {
      const IrNode& layer = old[size_t(into[i])];
      auto& a = *static_cast<const BatchNormAttrs*>(n.attrs.get());
      bool no_bias = false;
      Takes(layer, &no_bias);
      b.backward = n.backward;
      Val w = b.Wrap(layer.in[1]), gamma = b.Wrap(n.in[1]), beta = b.Wrap(n.in[2]), mean = b.Wrap(n.in[3]), var = b.Wrap(n.in[4]);
      Val scale = CallOp("rsqrt", {var + a.eps});
      if (!a.fix_gamma) scale = scale * gamma;
      Shape rows = Shape::Filled(ShapeOf(w).ndim(), 1);
      rows[0] = ShapeOf(w)[0];
      Val weight = w * ReshapeTo(scale, rows), bias = beta - (no_bias ? mean : mean - b.Wrap(layer.in[2])) * scale;
      n.op = layer.op, n.attrs = WithBias(layer), n.in = {layer.in[0], weight.id, bias.id}, n.out.resize(1), n.name = layer.name;
    }
    ir->nodes.push_back(std::move(n));
  }
  return changes;
}

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
#include "hybrid/trace.h"

#include "op/differentiate.h"

namespace flx {
namespace {

std::vector<Val> AddInputs(IrBuilder* b, const std::vector<TraceInput>& inputs) {
  std::vector<Val> x;
  for (auto& i : inputs) x.push_back(b->Wrap(b->Input(i.shape, i.dtype, i.fixed)));
  return x;
}
Ir Traced(const TraceFunction& f, const std::vector<TraceInput>& inputs, const std::function<std::vector<Val>(IrBuilder*, const std::vector<Val>&)>& heads, bool training,
          const Device* device) {
  Ir ir;
  ir.training = training, ir.device = device;
  IrBuilder b(&ir);
  std::vector<Val> x = AddInputs(&b, inputs);
  std::vector<bool> want;
  bool any = false;
  for (auto& i : inputs) want.push_back(i.wanted), any |= i.wanted;
  auto results = [&](const std::vector<Val>& y) {
    for (Val v : y) {
      if (!v) Fail(Status::kInternal, "trace", "a result has no value.");
      ir.outputs.push_back(v.id);
    }
    ir.results = y.size();
  };
  if (!any) {
    results(f(b, x));
    return ir;
  }
  auto dx = GradientsOf([&](const std::vector<Val>& v) { return f(*v[0].b, v); }, x, [&](const std::vector<Val>& y) {
    results(y);
    b.backward = true;
    return heads(&b, y);
  }, want);
  for (size_t i = 0; i < x.size(); ++i)
    if (want[i]) ir.outputs.push_back((dx[i] ? dx[i] : ZerosLike(x[i])).id);
  return ir;
}
}  // namespace

Ir TraceForward(const TraceFunction& f, const std::vector<TraceInput>& inputs, bool training, const Device* device) {
  auto plain = inputs;
  for (auto& i : plain) i.wanted = false;
  return Traced(f, plain, nullptr, training, device);
}
Ir TraceGradient(const TraceFunction& f, const std::vector<TraceInput>& inputs, bool training, const Device* device) {
  return Traced(f, inputs, [](IrBuilder* b, const std::vector<Val>& y) {
    std::vector<Val> heads;
    for (Val v : y) heads.push_back(IsFloat(TypeOf(v)) ? b->Wrap(b->Input(ShapeOf(v), TypeOf(v), false)) : Val{});
    return heads;
  }, training, device);
}
Ir TraceStep(const TraceFunction& f, const std::vector<TraceInput>& inputs, const std::function<std::vector<Val>(const std::vector<Val>& y)>& heads, bool training,
             const Device* device) {
  return Traced(f, inputs, [&](IrBuilder*, const std::vector<Val>& y) { return heads(y); }, training, device);
}

}  // namespace flx

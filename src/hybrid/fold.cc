// SPDX-License-Identifier: Apache-2.0
#include "exec/core.h"
#include "hybrid/pass.h"

namespace flx {
namespace {
constexpr int64_t kMostBytes = 1 << 20;  // of a constant that is made where none was: a big one costs memory for good, and filling it little time
}

int64_t FoldConstants(Ir* ir) {
  std::vector<IrNode> kept;
  int64_t folded = 0;
  for (auto& n : ir->nodes) {
    bool constant = HasKernel(*n.op, ir->device) && n.ticket < 0 && !n.op->trait(kEffect) && !n.op->subgraphs;
    int64_t before = 0, after = 0;
    for (int32_t v : n.in) {
      if (v < 0) continue;
      auto c = ir->constants.find(v);
      constant &= c != ir->constants.end();
      if (constant) before += c->second->bytes();
    }
    for (size_t k = 0; k < n.out.size() && constant; ++k) {
      if (n.out[k] < 0) continue;
      constant &= !n.updates(int(k));
      after += ir->values[size_t(n.out[k])].shape.size() * DTypeSize(ir->values[size_t(n.out[k])].dtype);
    }
    if (!constant || after > std::max(before, kMostBytes)) {
      kept.push_back(std::move(n));
      continue;
    }
    auto call = Call::New(*n.op, n.attrs);
    KernelRun run;
    run.call = call.get(), run.attrs = n.attrs.get(), run.training = ir->training, run.device = ir->device, run.fresh = ~uint64_t(0);
    for (int32_t v : n.in) run.in.emplace_back(v < 0 ? nullptr : ir->constants[v].get());
    std::vector<NDArray> out;
    for (int32_t v : n.out) {
      out.push_back(v < 0 ? nullptr : Array::New(ir->values[size_t(v)].shape, ir->values[size_t(v)].dtype, ir->device));
      run.out.emplace_back(out.back().get());
    }
    if (ir->device) IssueRun(run);
    else run.Execute();
    for (size_t k = 0; k < out.size(); ++k) if (out[k]) ir->constants[n.out[k]] = out[k];
    ++folded;
  }
  ir->nodes = std::move(kept);
  return folded;
}

}  // namespace flx

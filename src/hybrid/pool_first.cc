// SPDX-License-Identifier: Apache-2.0
// A maximum before an activation that rises with its input: the same result from fewer elements. In predicting only: backward wants what was in between. relu is
// left where it is, since a convolution takes it for nothing.
#include "hybrid/pass.h"
#include "op/elementwise/activation.h"
#include "op/nn/pooling.h"

namespace flx {
namespace {

bool Rises(const IrNode& n) {
  std::string_view op = n.op->name;
  if (op == "Activation") return static_cast<const ActivationAttrs*>(n.attrs.get())->act_type != ActType::kRelu;
  for (std::string_view name : {"tanh", "sigmoid", "softsign", "exp", "log", "sqrt", "arctan", "erf", "_softrelu"}) if (op == name) return true;
  return false;
}
bool IsMaximum(const IrNode& n) {  // of windows that all show something
  if (n.op->name != std::string_view("Pooling")) return false;
  auto& a = *static_cast<const PoolingAttrs*>(n.attrs.get());
  bool padded = a.pooling_convention != PoolConvention::kValid;
  for (int64_t p : a.pad) padded |= p != 0;
  return a.pool_type == PoolType::kMax && (a.global_pool || !padded);
}

}  // namespace

int64_t PoolFirst(Ir* ir) {
  if (ir->training) return 0;
  auto readers = ir->Readers();
  auto kept = ir->Kept(), updated = ir->Updated();
  int64_t changes = 0;
  for (auto& n : ir->nodes) {
    if (!Rises(n) || n.in.size() != 1 || n.out.size() != 1 || n.out[0] < 0 || kept[size_t(n.out[0])] || readers[size_t(n.out[0])].size() != 1 || updated[size_t(n.in[0])]) continue;
    IrNode& pool = ir->nodes[size_t(readers[size_t(n.out[0])][0])];
    auto& y = ir->values[size_t(pool.out[0])];
    if (!IsMaximum(pool) || y.dtype != ir->values[size_t(n.in[0])].dtype || y.shape.size() == 0) continue;
    // The two change places: the first node pools, the second one activates.
    std::swap(n.op, pool.op), std::swap(n.attrs, pool.attrs), std::swap(n.name, pool.name);
    ir->values[size_t(n.out[0])].shape = y.shape;
    ++changes;
  }
  return changes;
}

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// The elementwise node or chain behind a FullyConnected becomes part of it, so that each block of the product goes through it in the cache.
#include <algorithm>

#include "hybrid/pass.h"
#include "op/nn/fully_connected.h"

namespace flx {
namespace {

struct Match { size_t product, behind; Chain chain; std::vector<int32_t> others; };

// The chain of a node that reads `product`, which becomes x0; `others` is what it reads besides.
bool ChainOf(const IrNode& n, int32_t product, Match* m) {
  std::vector<ChainStep> steps;
  std::vector<int> outputs;
  if (n.op->name == std::string_view("_fused")) {
    auto& chain = static_cast<const ChainAttrs*>(n.attrs.get())->chain;
    steps = chain.steps(), outputs = chain.outputs();
  } else {
    if (!CanBeStep(*n.op)) return false;
    ChainStep s{n.op, n.attrs, {}};
    for (size_t k = 0; k < n.in.size(); ++k) s.in.push_back(int(k));
    steps = {s}, outputs = {0};
  }
  std::vector<int> place;  // by input of the node: of the new chain
  for (int32_t v : n.in) {
    if (v == product) { place.push_back(0); continue; }
    auto it = std::find(m->others.begin(), m->others.end(), v);
    if (it == m->others.end()) it = m->others.insert(it, v);
    place.push_back(int(it - m->others.begin()) + 1);
  }
  if (m->others.size() + 1 > size_t(kChainInputs)) return false;
  for (auto& s : steps) for (int& in : s.in) if (in >= 0) in = place[size_t(in)];
  m->chain = Chain(steps, outputs);
  return true;
}
}  // namespace

int64_t ChainEpilogue(Ir* ir) {
  static const OpDef &product = FindOp("FullyConnected"), &chained = FindOp("_fully_connected_chain");
  const auto readers = ir->Readers();
  const auto kept = ir->Kept(), updated = ir->Updated();
  std::vector<bool> gone(ir->nodes.size());
  int64_t found = 0;
  for (size_t i = 0; i < ir->nodes.size(); ++i) {
    const IrNode& p = ir->nodes[i];
    if (p.op != &product) continue;
    const int32_t y = p.out[0];
    if (kept[size_t(y)] || readers[size_t(y)].size() != 1) continue;
    const size_t at = size_t(readers[size_t(y)][0]);
    IrNode& behind = ir->nodes[at];
    if (behind.backward != p.backward || behind.op->trait(kRandom) || behind.ticket >= 0) continue;
    bool fits = true;
    for (int32_t v : p.in) fits &= v < 0 || !updated[size_t(v)];  // it moves down
    const DType t = ir->values[size_t(y)].dtype;
    for (int32_t v : behind.in) fits &= v >= 0 && ir->values[size_t(v)].dtype == t && (v == y || FitsBehindProduct(ir->values[size_t(y)].shape, ir->values[size_t(v)].shape));
    for (int32_t v : behind.out) fits &= v >= 0 && ir->values[size_t(v)].dtype == t && ir->values[size_t(v)].shape == ir->values[size_t(y)].shape;
    Match m;
    if (!fits || !ChainOf(behind, y, &m)) continue;
    auto attrs = std::make_shared<FullyConnectedChainAttrs>();
    static_cast<FullyConnectedAttrs&>(*attrs) = *static_cast<const FullyConnectedAttrs*>(p.attrs.get());
    attrs->chain = m.chain;
    IrNode n;
    n.op = &chained, n.attrs = std::move(attrs), n.name = Text(p.name, "+", behind.name), n.backward = p.backward, n.out = behind.out;
    for (int32_t v : p.in) if (v >= 0) n.in.push_back(v);
    n.in.insert(n.in.end(), m.others.begin(), m.others.end());
    behind = std::move(n);
    gone[i] = true, ++found;
  }
  std::vector<IrNode> left;
  for (size_t i = 0; i < ir->nodes.size(); ++i) if (!gone[i]) left.push_back(std::move(ir->nodes[i]));
  ir->nodes = std::move(left);
  return found;
}

}  // namespace flx

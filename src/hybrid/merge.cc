// SPDX-License-Identifier: Apache-2.0
#include "hybrid/pass.h"

namespace flx {

int64_t MergeEqual(Ir* ir) {
  std::vector<bool> updated = ir->Updated();
  std::map<std::string, std::vector<int32_t>> seen;  // what a node computes, as text -> its outputs
  std::vector<int32_t> now(ir->values.size());       // by value: which one stands for it
  for (size_t v = 0; v < now.size(); ++v) now[v] = int32_t(v);
  std::vector<IrNode> kept;
  for (auto& n : ir->nodes) {
    for (int32_t& v : n.in) if (v >= 0) v = now[size_t(v)];
    bool pure = n.ticket < 0 && !n.op->trait(kEffect);
    for (int32_t v : n.in) pure &= v < 0 || !updated[size_t(v)];
    for (size_t k = 0; k < n.out.size(); ++k) pure &= n.out[k] < 0 || !n.updates(int(k));
    if (pure) {
      std::string key = Text(n.op->name, " ", n.op->id);
      for (auto& kv : n.op->schema.PrintAll(n.attrs.get(), false)) key += Text(" ", kv.first, "=", kv.second.size(), ":", kv.second);
      for (int32_t v : n.in) key += Text(" ", v);
      auto added = seen.emplace(std::move(key), n.out);
      bool all = !added.second;  // a pass may have marked results as not wanted
      for (size_t k = 0; k < n.out.size() && all; ++k) all = n.out[k] < 0 || added.first->second[k] >= 0;
      if (all) {
        for (size_t k = 0; k < n.out.size(); ++k)
          if (n.out[k] >= 0) now[size_t(n.out[k])] = added.first->second[k];
        continue;
      }
    }
    kept.push_back(std::move(n));
  }
  for (int32_t& v : ir->outputs) v = now[size_t(v)];
  int64_t merged = int64_t(ir->nodes.size() - kept.size());
  ir->nodes = std::move(kept);
  return merged;
}

}  // namespace flx

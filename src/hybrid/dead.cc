// SPDX-License-Identifier: Apache-2.0
#include "hybrid/pass.h"

namespace flx {

int64_t DropDead(Ir* ir) {
  std::vector<bool> live = ir->Kept();
  std::vector<IrNode> kept;  // from the last to the first
  for (size_t i = ir->nodes.size(); i-- > 0;) {
    IrNode& n = ir->nodes[i];
    bool needed = n.op->trait(kEffect);
    for (size_t k = 0; k < n.out.size(); ++k)
      if (n.out[k] >= 0) needed |= n.updates(int(k)) || live[size_t(n.out[k])];
    if (!needed) continue;
    for (int32_t v : n.in) if (v >= 0) live[size_t(v)] = true;
    kept.push_back(std::move(n));
  }
  int64_t dropped = int64_t(ir->nodes.size() - kept.size());
  ir->nodes.assign(std::make_move_iterator(kept.rbegin()), std::make_move_iterator(kept.rend()));
  for (auto it = ir->constants.begin(); it != ir->constants.end();) it = live[size_t(it->first)] ? std::next(it) : ir->constants.erase(it);
  return dropped;
}

}  // namespace flx

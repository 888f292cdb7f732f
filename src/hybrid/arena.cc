// SPDX-License-Identifier: Apache-2.0
#include "hybrid/arena.h"

#include <algorithm>
#include <numeric>

namespace flx {

int64_t PlaceBlocks(std::vector<ArenaBlock>* blocks) {
  auto& all = *blocks;
  std::vector<int32_t> order(all.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return all[size_t(a)].bytes > all[size_t(b)].bytes; });
  std::vector<int32_t> placed;  // by rising offset
  int64_t end = 0;
  for (int32_t i : order) {
    ArenaBlock& b = all[size_t(i)];
    int64_t bytes = (std::max<int64_t>(b.bytes, 1) + 63) & ~int64_t(63), at = 0;
    for (int32_t k : placed) {
      const ArenaBlock& o = all[size_t(k)];
      if (o.last < b.first || b.last < o.first) continue;
      if (o.offset >= at + bytes) break;  // the gap before it is wide enough, and all later ones lie behind
      at = std::max(at, o.offset + ((std::max<int64_t>(o.bytes, 1) + 63) & ~int64_t(63)));
    }
    b.offset = at;
    placed.insert(std::upper_bound(placed.begin(), placed.end(), i, [&](int32_t x, int32_t y) { return all[size_t(x)].offset < all[size_t(y)].offset; }), i);
    end = std::max(end, at + bytes);
  }
  return end;
}

}  // namespace flx

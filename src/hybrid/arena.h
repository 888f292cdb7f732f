// SPDX-License-Identifier: Apache-2.0
// Where the values of a plan lie in one arena: blocks whose lives meet never overlap. Greedy by size, each at the lowest place that is free during its whole
// life (Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020).
#pragma once
#include <cstdint>
#include <vector>

namespace flx {

struct ArenaBlock {
  int64_t bytes = 0;
  int32_t first = 0, last = 0;  // steps between which it is in use, both included
  int64_t offset = 0;           // found
};
// Offsets are multiples of 64. Gives the arena's size.
int64_t PlaceBlocks(std::vector<ArenaBlock>* blocks);

}  // namespace flx

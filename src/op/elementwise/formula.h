// SPDX-License-Identifier: Apache-2.0
// What elementwise formulas share. A formula is a struct whose templated, branch-free operator() is generic over its value type; it takes math by
// unqualified names (exp, where, abs ...), which are found in the value type's own namespace. Formulas stand in headers without an include guard,
// which each user includes in a namespace of its own: the CPU once per instruction set (a function is compiled for the set of the namespace it
// stands in), a device once.
#pragma once
#include <cstdint>

#include "op/elementwise/formula_types.h"
#include "op/op.h"

namespace flx {

// The loops of one instruction set, by kernel name: filled in foreach_target files, where nothing but plain data may be touched (an inline function
// of the standard library compiled for AVX-512 could be the copy that the linker keeps for all).
struct LoopList {
  struct Item { const char* name; TileLoops loops; };
  static constexpr int kMax = 160;
  Item items[kMax];
  int count = 0;
};
void GetUnaryLoops(LoopList* to);  // for this machine
void GetBinaryLoops(LoopList* to);
void GetActivationLoops(LoopList* to);
const TileLoops& CpuLoops(const char* name);  // one of them, for kernels that choose a formula themselves

}  // namespace flx

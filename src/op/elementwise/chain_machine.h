// SPDX-License-Identifier: Apache-2.0
// Cheap steps of a chain without memory between them: a code of functions that hand four vector registers to one another, each calling the next as its
// last act. The loops of formulas are bound by storing their results (measured: 0.6 ns a register and operator against 0.25); steps that follow each other need none.
#pragma once
#include <cstdint>

#include "op/op.h"

namespace flx {

struct ChainCode {
  AnyFn fn = nullptr;      // TileLoops::acc32 or acc64, or the machine's
  int place = 0;           // of the operand in memory, or of what is loaded or stored
  double scalars[4] = {};
};
// Of one type. A code is {load, steps and stores, end}; `load` runs it over the first n elements, n a multiple of `block`.
struct ChainMachine { AnyFn load, store, end; int64_t block; };
const ChainMachine& MachineOf(bool wide);  // float32, float64
inline void RunCode(const ChainCode* code, char* const* places, int64_t n) {
  reinterpret_cast<void (*)(const ChainCode*, char* const*, int64_t)>(code->fn)(code, places, n);
}

}  // namespace flx

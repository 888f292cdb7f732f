// SPDX-License-Identifier: Apache-2.0
// The loops of optimizer steps: several inputs, several outputs, contiguous float32 or float64, one set for each instruction set.
#pragma once
#include <cstdint>

namespace flx {
// Outputs may be inputs: each register's inputs are read before its outputs are written.
using UpdateFn = void (*)(const void* const* in, void* const* out, int64_t n, const double* numbers);
struct UpdateLoops { const char* name; UpdateFn f32, f64; int inputs, outputs; };
struct UpdateList {
  static constexpr int kMax = 24;
  UpdateLoops items[kMax];
  int count = 0;
};
void GetUpdateLoops(UpdateList* to);
}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// What formulas are marked with. Devices' kernels include this and the formulas, and nothing else of operators.
#pragma once
#include <cstdint>

#include "base/host_device.h"

namespace flx {

// Which value types a formula has a meaning for.
enum FormulaTypes : uint32_t { kFloatFormula = 1, kIntFormula = 2, kAnyFormula = 3 };
// kCheap: a few instructions, so that chains run it in registers rather than through memory.
struct AnyNumber { static constexpr uint32_t kTypes = kAnyFormula; static constexpr bool kCheap = true; };
struct FloatOnly { static constexpr uint32_t kTypes = kFloatFormula; static constexpr bool kCheap = false; };
struct FloatCheap { static constexpr uint32_t kTypes = kFloatFormula; static constexpr bool kCheap = true; };
struct AnyHeavy { static constexpr uint32_t kTypes = kAnyFormula; static constexpr bool kCheap = false; };

}  // namespace flx

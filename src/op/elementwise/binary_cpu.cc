// SPDX-License-Identifier: Apache-2.0
// The CPU's loops of binary_formulas.h, once per instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "op/elementwise/binary_cpu.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "op/elementwise/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace flx {
namespace HWY_NAMESPACE {
#include "op/elementwise/binary_formulas.h"
void BinaryLoops(LoopList* to) {
  Collector list{to};
  ListBinary(list);
}
}  // namespace HWY_NAMESPACE
}  // namespace flx
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace flx {
HWY_EXPORT(BinaryLoops);
void GetBinaryLoops(LoopList* to) { HWY_DYNAMIC_DISPATCH(BinaryLoops)(to); }
}  // namespace flx
#endif

// SPDX-License-Identifier: Apache-2.0
// The CPU's loops of activation_formulas.h, once per instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "op/elementwise/activation_cpu.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "op/elementwise/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace flx {
namespace HWY_NAMESPACE {
#include "op/elementwise/activation_formulas.h"
void ActivationLoops(LoopList* to) {
  Collector list{to};
  ListActivation(list);
}
}  // namespace HWY_NAMESPACE
}  // namespace flx
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace flx {
HWY_EXPORT(ActivationLoops);
void GetActivationLoops(LoopList* to) { HWY_DYNAMIC_DISPATCH(ActivationLoops)(to); }
}  // namespace flx
#endif

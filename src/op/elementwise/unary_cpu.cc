// SPDX-License-Identifier: Apache-2.0
// The CPU's loops of unary_formulas.h, once per instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "op/elementwise/unary_cpu.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "op/elementwise/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace flx {
namespace HWY_NAMESPACE {
#include "op/elementwise/unary_formulas.h"
void UnaryLoops(LoopList* to) {
  Collector list{to};
  ListUnary(list);
}
}  // namespace HWY_NAMESPACE
}  // namespace flx
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace flx {
HWY_EXPORT(UnaryLoops);
void GetUnaryLoops(LoopList* to) { HWY_DYNAMIC_DISPATCH(UnaryLoops)(to); }
}  // namespace flx
#endif

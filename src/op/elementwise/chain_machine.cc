// SPDX-License-Identifier: Apache-2.0
// The machine's own functions, once per instruction set; steps are made with the formulas' loops (vector_math-inl.h).
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "op/elementwise/chain_machine.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "op/elementwise/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace flx {
namespace HWY_NAMESPACE {

template <class T> void LoadBlocks(const ChainCode* pc, char* const* at, int64_t n) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = int64_t(hn::Lanes(d));
  const T* from = reinterpret_cast<const T*>(at[pc->place]);
  const auto next = reinterpret_cast<AccFn<T>>(pc[1].fn);
  for (int64_t i = 0; i < n; i += 4 * lanes)
    next(pc + 1, at, i, hn::LoadU(d, from + i), hn::LoadU(d, from + i + lanes), hn::LoadU(d, from + i + 2 * lanes), hn::LoadU(d, from + i + 3 * lanes));
}
template <class T> void StoreBlock(const ChainCode* pc, char* const* at, int64_t i, typename Pack<T>::V a, typename Pack<T>::V b, typename Pack<T>::V c, typename Pack<T>::V e) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = int64_t(hn::Lanes(d));
  T* to = reinterpret_cast<T*>(at[pc->place]) + i;
  hn::StoreU(a, d, to), hn::StoreU(b, d, to + lanes), hn::StoreU(c, d, to + 2 * lanes), hn::StoreU(e, d, to + 3 * lanes);
  return reinterpret_cast<AccFn<T>>(pc[1].fn)(pc + 1, at, i, a, b, c, e);
}
template <class T> void EndBlock(const ChainCode*, char* const*, int64_t, typename Pack<T>::V, typename Pack<T>::V, typename Pack<T>::V, typename Pack<T>::V) {}

template <class T> ChainMachine Make() {
  return {reinterpret_cast<AnyFn>(&LoadBlocks<T>), reinterpret_cast<AnyFn>(&StoreBlock<T>), reinterpret_cast<AnyFn>(&EndBlock<T>), 4 * int64_t(hn::Lanes(hn::ScalableTag<T>()))};
}
void Machines(ChainMachine to[2]) { to[0] = Make<float>(), to[1] = Make<double>(); }

}  // namespace HWY_NAMESPACE
}  // namespace flx
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace flx {
HWY_EXPORT(Machines);
const ChainMachine& MachineOf(bool wide) {
  struct Both { ChainMachine of[2]; };
  static const Both both = [] {
    Both b;
    HWY_DYNAMIC_DISPATCH(Machines)(b.of);
    return b;
  }();
  return both.of[wide];
}
}  // namespace flx
#endif

// SPDX-License-Identifier: Apache-2.0
// The CPU's loops of update_formulas.h, once per instruction set.
#include "op/optim/update.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "op/optim/update_cpu.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "op/elementwise/vector_math-inl.h"
#include "op/optim/optim.h"

HWY_BEFORE_NAMESPACE();
namespace flx {
namespace HWY_NAMESPACE {
#include "op/optim/update_formulas.h"

template <class T, class F, int kIn, int kOut> void UpdateLoop(const void* const* in, void* const* out, int64_t n, const double* numbers) {
  using P = Pack<T>;
  const hn::ScalableTag<T> d;
  const int64_t lanes = int64_t(hn::Lanes(d));
  const F f{};
  P x[kIn], y[kOut], s[kMaxNumbers];
  for (int k = 0; k < kMaxNumbers; ++k) s[k] = P(numbers[k]);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    for (int k = 0; k < kIn; ++k) x[k] = P(hn::LoadU(d, static_cast<const T*>(in[k]) + i));
    f(x, y, s);
    for (int k = 0; k < kOut; ++k) hn::StoreU(y[k].v, d, static_cast<T*>(out[k]) + i);
  }
  if (i == n) return;
  HWY_ALIGN T rest[HWY_MAX_BYTES / sizeof(T)];
  for (int k = 0; k < kIn; ++k) {
    for (int64_t j = 0; j < lanes; ++j) rest[j] = static_cast<const T*>(in[k])[i + j < n ? i + j : n - 1];
    x[k] = P(hn::Load(d, rest));
  }
  f(x, y, s);
  for (int k = 0; k < kOut; ++k) {
    hn::Store(y[k].v, d, rest);
    for (int64_t j = 0; i + j < n; ++j) static_cast<T*>(out[k])[i + j] = rest[j];
  }
}
struct UpdateCollector {
  UpdateList* to;
  template <class F, int kIn, int kOut> void Add(const char* name) {
    if (to->count < UpdateList::kMax) to->items[to->count++] = {name, &UpdateLoop<float, F, kIn, kOut>, &UpdateLoop<double, F, kIn, kOut>, kIn, kOut};
  }
};
void FillUpdates(UpdateList* to) {
  UpdateCollector list{to};
  ListUpdates(list);
}
}  // namespace HWY_NAMESPACE
}  // namespace flx
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace flx {
HWY_EXPORT(FillUpdates);
void GetUpdateLoops(UpdateList* to) { HWY_DYNAMIC_DISPATCH(FillUpdates)(to); }
}  // namespace flx
#endif

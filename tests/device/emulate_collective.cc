// SPDX-License-Identifier: Apache-2.0
// The emulated device's collectives: sums in the opposite order of the devices, so that nobody can rely on one.
#include <cstring>
#include <vector>

#include "cuda/elements.h"
#include "fake_module.h"

namespace flx::cuda {
namespace {
struct Group { int32_t n; };

template <class C> void Sum(const std::vector<const void*>& from, const std::vector<void*>& to, int64_t count, int32_t dtype) {
  for (int64_t i = 0; i < count; ++i) {
    C s = C(0);
    for (size_t k = from.size(); k-- > 0;) s = C(s + Load<C>(from[k], dtype, i));
    for (void* t : to) if (t) Store<C>(t, dtype, i, s);
  }
}
int32_t Collective(void* given, int32_t what, flx_device_queue* const* queues, const void* const* from, void* const* to, int64_t count, int32_t dtype, int32_t root) {
  if (FakeDue("collective")) return FakeFail(FLX_DEVICE_ERROR, "a test asked for this failure");
  const int32_t n = static_cast<Group*>(given)->n;
  std::vector<const void*> sources(from, from + n);
  std::vector<void*> targets(to, to + n);
  return FakeTogether(queues, n, [=] {
    const DType t = DType(dtype);
    if (what == FLX_COLLECTIVE_BROADCAST) {
      for (void* target : targets) if (target != sources[size_t(root)]) std::memcpy(target, sources[size_t(root)], size_t(count * DTypeSize(t)));
      return int32_t(FLX_DEVICE_OK);
    }
    const std::vector<void*> sums = what == FLX_COLLECTIVE_ALL_REDUCE ? targets : std::vector<void*>{targets[size_t(root)]};
    if (t == DType::kFloat64) Sum<double>(sources, sums, count, dtype);
    else if (IsFloat(t)) Sum<float>(sources, sums, count, dtype);
    else Sum<int64_t>(sources, sums, count, dtype);
    return int32_t(FLX_DEVICE_OK);
  });
}
}  // namespace
}  // namespace flx::cuda

void AddEmulatedCollectives(flx_device_table* t) {
  t->group_create = [](int32_t n, const int32_t*, void** out) -> int32_t {
    if (FakeDue("group")) return FakeFail(FLX_DEVICE_ERROR, "a test asked for this failure");
    *out = new flx::cuda::Group{n};
    return FLX_DEVICE_OK;
  };
  t->group_destroy = [](void* group) -> int32_t {
    delete static_cast<flx::cuda::Group*>(group);
    return FLX_DEVICE_OK;
  };
  t->collective = &flx::cuda::Collective;
}

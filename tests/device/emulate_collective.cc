// SPDX-License-Identifier: Apache-2.0
// The emulated device's collectives: sums in the opposite order of the devices, and parts from the last to the first, so that nobody can rely on an order.
#include <algorithm>
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
struct Part {
  std::vector<const void*> from;
  std::vector<void*> to;
  int64_t count;
  int32_t dtype, root;
  int64_t bytes() const { return count * DTypeSize(DType(dtype)); }
  void Run(int32_t what) const {
    if (what == FLX_COLLECTIVE_BROADCAST) {
      for (void* target : to) if (target != from[size_t(root)]) std::memcpy(target, from[size_t(root)], size_t(bytes()));
      return;
    }
    const std::vector<void*> sums = what == FLX_COLLECTIVE_ALL_REDUCE ? to : std::vector<void*>{to[size_t(root)]};
    if (DType(dtype) == DType::kFloat64) Sum<double>(from, sums, count, dtype);
    else if (IsFloat(DType(dtype))) Sum<float>(from, sums, count, dtype);
    else Sum<int64_t>(from, sums, count, dtype);
  }
  // Whether it writes what the other one reads or writes.
  bool Spoils(const Part& other) const {
    for (void* w : to)
      for (size_t i = 0; w && i < other.to.size(); ++i)
        for (const void* used : {other.from[i], const_cast<const void*>(other.to[i])}) {
          auto *a = static_cast<const char*>(w), *b = static_cast<const char*>(used);
          if (b && a < b + other.bytes() && b < a + bytes()) return true;
        }
    return false;
  }
};
int32_t Collective(void* given, int32_t what, flx_device_queue* const* queues, const flx_collective_part* parts, int32_t count) {
  if (FakeDue("collective")) return FakeFail(FLX_DEVICE_ERROR, "a test asked for this failure");
  const int32_t n = static_cast<Group*>(given)->n;
  std::vector<Part> all;
  for (const flx_collective_part* p = parts; p < parts + count; ++p)
    all.push_back({std::vector<const void*>(p->from, p->from + n), std::vector<void*>(p->to, p->to + n), p->count, p->dtype, p->root});
  for (auto& a : all)
    for (auto& b : all)
      if (&a != &b && a.Spoils(b)) return FakeFail(FLX_DEVICE_ERROR, "a part of a collective writes what another one uses");
  return FakeTogether(queues, n, [what, all = std::move(all)] {
    for (size_t i = all.size(); i-- > 0;) all[i].Run(what);
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

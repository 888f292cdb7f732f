// SPDX-License-Identifier: Apache-2.0
// The registry of operators and kernels, made once from the explicit lists.
#include <algorithm>
#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "op/op.h"
#include "tensor/array.h"

namespace flx {
namespace {
struct Registry {
  std::vector<OpDef> defs;
  std::vector<OpDef*> sorted;
  std::unordered_map<std::string_view, OpDef*> names;
  std::unordered_map<std::string_view, KernelSlot*> slots;
  std::deque<KernelSlot> slot_store;

  Registry() {
    FillAllOps(&defs);
    for (auto& d : defs) {
      Name(d.name, &d);
      for (auto* a : d.aliases) Name(a, &d);
      if (!d.kernel_name.empty()) {
        auto it = slots.find(d.kernel_name);
        if (it == slots.end()) {
          slot_store.emplace_back();
          slot_store.back().name = d.kernel_name, slot_store.back().hash = d.kernel_hash;
          it = slots.emplace(slot_store.back().name, &slot_store.back()).first;
        }
        if (it->second->hash != d.kernel_hash) Fail(Status::kInternal, d.name, "kernel `", d.kernel_name, "` has another signature elsewhere.");
        d.kernel = it->second;
      }
      sorted.push_back(&d);
    }
    std::sort(sorted.begin(), sorted.end(), [](OpDef* a, OpDef* b) { return std::string_view(a->name) < b->name; });
    for (size_t i = 0; i < sorted.size(); ++i) sorted[i]->id = int(i), sorted[i]->writer = WriterOf(sorted[i]->name);
    KernelList cpu;
    FillAllCpuKernels(&cpu);
    Add(cpu);
  }
  void Name(const char* n, OpDef* d) {
    if (!names.emplace(n, d).second) Fail(Status::kInternal, n, "this operator name is registered twice.");
  }
  void Add(const KernelList& list) {
    for (auto& e : list) {
      auto it = slots.find(e.name);
      if (it == slots.end()) Fail(Status::kInternal, e.name, "a kernel was handed over that no operator names.");
      KernelSlot& s = *it->second;
      if (s.hash != e.hash) Fail(Status::kInternal, e.name, "the kernel's signature is not the operator's.");
      if (s.fn[0] || s.loops) Fail(Status::kInternal, e.name, "the kernel was handed over twice.");
      s.fn[0] = e.fn, s.fn[kOnDevice] = e.device_fn, s.loops = e.loops;
    }
  }
};
Registry& TheRegistry() {
  static Registry* r = new Registry;  // never destroyed: a collector may still call at exit
  return *r;
}
// What was added since, in immutable lists: readers take no lock. An old list stays, someone may still read it.
struct Added {
  std::unordered_map<std::string_view, const OpDef*> names;
  std::vector<OpDef*> sorted;  // all operators
  const Added* older = nullptr;
};
std::atomic<const Added*> g_added{nullptr};
std::mutex g_add_mutex;
bool ByName(const OpDef* a, const OpDef* b) { return std::string_view(a->name) < b->name; }
}  // namespace

const std::vector<OpDef*>& AllOps() {
  const Added* added = g_added.load(std::memory_order_acquire);
  return added ? added->sorted : TheRegistry().sorted;
}
const OpDef* FindOpOrNull(std::string_view name) {
  auto& names = TheRegistry().names;
  if (auto it = names.find(name); it != names.end()) return it->second;
  const Added* added = g_added.load(std::memory_order_acquire);
  if (!added) return nullptr;
  auto it = added->names.find(name);
  return it == added->names.end() ? nullptr : it->second;
}
const OpDef& FindOp(std::string_view name) {
  if (const OpDef* d = FindOpOrNull(name)) return *d;
  std::vector<std::string> all;
  for (const OpDef* d : AllOps()) {
    all.emplace_back(d->name);
    for (auto* a : d->aliases) all.emplace_back(a);
  }
  std::sort(all.begin(), all.end());
  Fail(Status::kName, name.empty() ? "operator" : name, "no operator has this name.", DidYouMean(name, all));
}
const OpDef& AddOp(OpDef def) {
  std::lock_guard<std::mutex> lock(g_add_mutex);
  if (FindOpOrNull(def.name)) Fail(Status::kName, def.name, "an operator of this name is there already. Choose another name.");
  const Added* old = g_added.load(std::memory_order_relaxed);
  auto next = std::make_unique<Added>();
  if (old) *next = *old;
  else next->sorted = TheRegistry().sorted;
  auto d = std::make_unique<OpDef>(std::move(def));
  d->id = int(next->sorted.size()), d->writer = WriterOf(d->name);
  next->names.emplace(d->name, d.get());
  next->sorted.insert(std::upper_bound(next->sorted.begin(), next->sorted.end(), d.get(), ByName), d.get());
  next->older = old;
  g_added.store(next.release(), std::memory_order_release);
  return *d.release();
}

}  // namespace flx

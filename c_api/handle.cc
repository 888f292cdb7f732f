// SPDX-License-Identifier: Apache-2.0
#include "handle.h"

#include <sys/mman.h>

#include <algorithm>
#include <mutex>

#include "base/error.h"
#include "base/fork.h"

namespace flx::capi {
namespace {

constexpr uint32_t kSlabSlots = 1u << kSlabBits, kSlabs = 1u << (kSlotBits - kSlabBits);
constexpr int kBatch = 64;
std::atomic<Slot*> g_slabs[kSlabs];
std::atomic<uint32_t> g_top{kBatch};  // slot 0 is never used, so that no handle is null; batches begin with a cache line
uint32_t g_free = 0;  // the central list's first slot; 0: empty
std::atomic<int64_t> g_given{0};  // slots that threads have, in use or kept for the next handle

// A batch of numbers belongs to one thread and fills whole cache lines; in it, numbers that follow each other lie on different ones: neither threads of
// their own handles nor threads that were given handles made side by side share a line.
static_assert(kBatch == 64 && sizeof(Slot) == 16);
uint32_t PlaceOf(uint32_t i) { return (i & ~63u) | (i << 2 & 63) | (i >> 4 & 3); }
uint32_t NumberOf(uint32_t place) { return (place & ~63u) | (place >> 2 & 15) | (place << 4 & 63); }
// Of a slot in use, whose room is its object's: from the slab it lies in.
uint32_t FindIndex(const Slot* s) {
  for (uint32_t k = 0;; ++k) {
    const Slot* slab = g_slabs[k].load(std::memory_order_relaxed);
    if (slab && s >= slab && s < slab + kSlabSlots) return k << kSlabBits | NumberOf(uint32_t(s - slab));
  }
}

std::mutex& CentralMutex() {
  // a child of fork must not find it locked by a thread that is not there any more
  static auto* m = [] {
    static std::mutex mutex;
    auto unlock = [] { mutex.unlock(); };
    AddForkHooks(ForkStage::kStorage, {[] { mutex.lock(); }, unlock, unlock});
    return &mutex;
  }();
  return *m;
}

struct Local { uint32_t head = 0; int count = 0; bool registered = false; };
void Drain(Local* l, int keep) {
  std::lock_guard<std::mutex> lock(CentralMutex());
  g_given.fetch_sub(std::max(0, l->count - keep), std::memory_order_relaxed);
  for (; l->count > keep; --l->count) {
    uint32_t i = l->head;
    Slot* s = SlotAt(i);
    l->head = s->next;
    s->next = g_free, g_free = i;
  }
}
struct AtExit {
  Local* l = nullptr;
  ~AtExit() { if (l) Drain(l, 0); }
};
Local& local() {
  static thread_local Local l __attribute__((tls_model("initial-exec")));
  return l;
}

__attribute__((noinline)) void Refill(Local* l) {
  if (!l->registered) {
    static thread_local AtExit at_exit;
    at_exit.l = l, l->registered = true;
  }
  std::lock_guard<std::mutex> lock(CentralMutex());
  for (; l->count < kBatch; ++l->count) {
    uint32_t i = g_free;
    if (i) {
      g_free = SlotAt(i)->next;
    } else {
      i = g_top.load(std::memory_order_relaxed);
      if (i >= 1u << kSlotBits) {
        if (l->count) return;
        Fail(Status::kMemory, "handle", "all ", (1u << kSlotBits) - kBatch, " handles are in use. Free those that are not needed (flx_free).");
      }
      uint32_t slab = i >> kSlabBits;
      if (!g_slabs[slab].load(std::memory_order_relaxed)) {
        void* p = mmap(nullptr, sizeof(Slot) * kSlabSlots, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED) Fail(Status::kMemory, "handle", "the system has no memory for more handles.");
        g_slabs[slab].store(static_cast<Slot*>(p), std::memory_order_release);  // zero pages are valid slots
      }
      g_top.store(i + 1, std::memory_order_release);
    }
    SlotAt(i)->next = l->head, l->head = i;
    g_given.fetch_add(1, std::memory_order_relaxed);
  }
}
}  // namespace

Slot* SlotAt(uint32_t index) {
  Slot* slab = g_slabs[index >> kSlabBits].load(std::memory_order_acquire);
  return slab ? slab + PlaceOf(index & (kSlabSlots - 1)) : nullptr;
}

void* NewHandle(Object* object) {
  if (!object) return nullptr;
  Local& l = local();
  if (__builtin_expect(!l.head, 0)) {
    try {
      Refill(&l);
    } catch (...) {
      object->Unref();
      throw;
    }
  }
  uint32_t index = l.head;
  Slot* s = SlotAt(index);
  l.head = s->next, --l.count;
  s->object = object;
  uint64_t generation = s->word.load(std::memory_order_relaxed) >> 32, kind = uint64_t(object->kind());
  s->word.store(generation << 32 | kind << 24, std::memory_order_release);
  return reinterpret_cast<void*>(kind << 56 | uint64_t(index) << 32 | generation);
}

void Reclaim(Slot* s) noexcept {
  Object* object = s->object;
  uint64_t generation = (s->word.load(std::memory_order_relaxed) >> 32) + 1;
  s->word.store(generation << 32, std::memory_order_release);
  if (generation <= 0xffffffff) {  // else retired: no handle may ever mean two objects
    Local& l = local();
    s->next = l.head, l.head = FindIndex(s);
    if (++l.count > 4 * kBatch) Drain(&l, 2 * kBatch);
  }
  object->Unref();
}

void FreeHandle(void* handle) noexcept {
  Kind kind = Kind(reinterpret_cast<uint64_t>(handle) >> 56);
  if (kind == Kind::kNone) return;
  Slot* s = PinSlot(handle, kind);
  if (!s) return;
  uint64_t before = s->word.fetch_or(Slot::kFreed, std::memory_order_acq_rel);
  // two frees at once: only the one that set the bit may count as the free, the other just unpins
  (void)before;
  UnpinSlot(s);
}

Kind KindOf(void* handle) noexcept {
  Kind kind = Kind(reinterpret_cast<uint64_t>(handle) >> 56);
  if (kind == Kind::kNone) return kind;
  Slot* s = PinSlot(handle, kind);
  if (!s) return Kind::kNone;
  UnpinSlot(s);
  return kind;
}

namespace {
constexpr const char* kKindNames[] = {"",       "ndarray",   "mapping",  "entry",       "call",   "symbol", "graph",  "layer", "params", "model",
                                      "optimizer", "schedule", "initializer", "metric", "iter", "record", "store", "task",   "span",  "native_op", "context"};
constexpr int kKindCount = int(sizeof kKindNames / sizeof *kKindNames);
}  // namespace
const char* KindName(Kind kind) { return int(kind) < kKindCount ? kKindNames[int(kind)] : ""; }
Kind KindFromName(const char* name) {
  std::vector<std::string> names;
  for (int i = 1; i < kKindCount; ++i) {
    if (std::string_view(name) == kKindNames[i]) return Kind(i);
    names.emplace_back(kKindNames[i]);
  }
  Fail(Status::kName, "flx_handle_live", "no kind of handle is named `", name, "`.", DidYouMean(name, names), " There are: ", Join(names, ", "), ".");
}
int64_t CountLive(Kind kind) {
  int64_t n = 0;
  uint32_t top = g_top.load(std::memory_order_acquire);
  for (uint32_t i = kBatch; i < top; ++i) {
    uint64_t w = SlotAt(i)->word.load(std::memory_order_relaxed);
    Kind k = Kind(w >> 24 & 0xff);
    n += k != Kind::kNone && !(w & Slot::kFreed) && (kind == Kind::kNone || k == kind);
  }
  return n;
}
int64_t AboutLive() noexcept { return g_given.load(std::memory_order_relaxed); }
void FailHandle(const char* who, const char* arg, void* handle, Kind wanted) {
  Kind is = KindOf(handle), said = Kind(reinterpret_cast<uint64_t>(handle) >> 56);
  const char* name = KindName(wanted);
  if (!handle) Fail(Status::kHandle, who, "`", arg, "` must be a handle of kind ", name, ", given null.");
  if (is != Kind::kNone) Fail(Status::kHandle, who, "`", arg, "` must be a handle of kind ", name, ", given one of kind ", KindName(is), ".");
  if (said != Kind::kNone && int(said) < kKindCount)
    Fail(Status::kHandle, who, "`", arg, "` must be a handle of kind ", name, ", given one of kind ", KindName(said), " that was freed.");
  Fail(Status::kHandle, who, "`", arg, "` must be a handle of kind ", name, "; what was given is no handle.");
}

}  // namespace flx::capi

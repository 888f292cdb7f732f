// SPDX-License-Identifier: Apache-2.0
// The handle table. A handle is kind (8 bits), slot (24) and generation (32), never an address. Slots lie in slabs that are never unmapped, so a
// stale handle is read safely and recognised by its generation; a slot whose generations are used up is retired.
//   A call pins each handle it was given: another thread may free it meanwhile, and the object goes when the last pin does.
#pragma once
#include <atomic>
#include <cstdint>

#include "base/ref.h"
#include "base/text.h"

namespace flx::capi {

constexpr uint64_t kSlotBits = 24, kSlabBits = 16;

struct Slot {
  static constexpr uint64_t kPins = 0x7fffff, kFreed = 1ull << 23;
  std::atomic<uint64_t> word{0};  // generation << 32 | kind << 24 | freed << 23 | pins; kind 0: not in use
  union {
    Object* object = nullptr;     // one reference
    uint32_t next;                // not in use: the next free slot's number; 0: none
  };
};
static_assert(sizeof(Slot) == 16);

Slot* SlotAt(uint32_t index);                 // null if never made
void* NewHandle(Object* object);              // takes over the reference
void FreeHandle(void* handle) noexcept;       // stale or null: nothing
void Reclaim(Slot* slot) noexcept;
Kind KindOf(void* handle) noexcept;           // kNone if null, freed or garbage
int64_t CountLive(Kind kind);
int64_t AboutLive() noexcept;                 // of all kinds, up to a few hundred too many a thread; as cheap as a load
const char* KindName(Kind kind);
Kind KindFromName(const char* name);          // or a name error
[[noreturn]] void FailHandle(const char* who, const char* arg, void* handle, Kind wanted);

inline Slot* PinSlot(void* handle, Kind kind) noexcept {
  auto h = reinterpret_cast<uint64_t>(handle);
  if (h >> 56 != uint64_t(kind)) return nullptr;
  Slot* s = SlotAt(uint32_t(h >> 32) & ((1u << kSlotBits) - 1));
  if (!s) return nullptr;
  uint64_t w = s->word.load(std::memory_order_relaxed), tag = (h & 0xffffffff) << 32 | uint64_t(kind) << 24;
  do {
    if ((w & ~Slot::kPins) != tag) return nullptr;  // another generation, kind, or freed
  } while (!s->word.compare_exchange_weak(w, w + 1, std::memory_order_acquire, std::memory_order_relaxed));
  return s;
}
inline void UnpinSlot(Slot* s) noexcept {
  uint64_t w = s->word.fetch_sub(1, std::memory_order_acq_rel);
  if ((w & (Slot::kPins | Slot::kFreed)) == (Slot::kFreed | 1)) Reclaim(s);
}

// A pinned handle of one kind: `Pin<Array> a(array, "array", who);` throws a named handle error.
template <class T> class Pin {
 public:
  Pin(void* handle, Kind kind, const char* arg, const char* who) : slot_(PinSlot(handle, kind)) {
    if (__builtin_expect(!slot_, 0)) FailHandle(who, arg, handle, kind);
  }
  Pin(Pin&& o) noexcept : slot_(o.slot_) { o.slot_ = nullptr; }
  Pin(const Pin&) = delete;
  Pin& operator=(const Pin&) = delete;
  ~Pin() { if (slot_) UnpinSlot(slot_); }
  T* get() const { return static_cast<T*>(slot_->object); }
  T* operator->() const { return get(); }
  T& operator*() const { return *get(); }
  Ref<T> ref() const { return Ref<T>(get()); }

 private:
  Slot* slot_;
};

}  // namespace flx::capi

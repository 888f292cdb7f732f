// SPDX-License-Identifier: Apache-2.0
// From pointers to small numbers, by open addressing: a backward pass over a few nodes allocates nothing.
#pragma once
#include <cstdint>
#include <memory>

namespace flx {

class PointerMap {
 public:
  // The number kept for p; `fresh` is kept and given if there is none.
  int32_t FindOrAdd(const void* p, int32_t fresh) {
    if (2 * (count_ + 1) > capacity_) Grow();
    Slot& s = Look(p);
    if (!s.key) s = {p, fresh}, ++count_;
    return s.value;
  }
  int32_t Find(const void* p) const {  // -1: none
    const Slot& s = const_cast<PointerMap*>(this)->Look(p);
    return s.key ? s.value : -1;
  }
  void Set(const void* p, int32_t value) { Look(p).value = value; }  // p must be there

 private:
  struct Slot { const void* key; int32_t value; };
  static constexpr uint32_t kInline = 64;
  Slot& Look(const void* p) {
    for (uint32_t i = uint32_t((reinterpret_cast<uintptr_t>(p) >> 4) * 0x9E3779B97F4A7C15ull >> 32);; ++i) {
      Slot& s = slots_[i & (capacity_ - 1)];
      if (!s.key || s.key == p) return s;
    }
  }
  void Grow() {
    std::unique_ptr<Slot[]> old = std::move(more_);
    const Slot* from = slots_;
    uint32_t n = capacity_;
    more_.reset(new Slot[4 * n]());
    slots_ = more_.get(), capacity_ = 4 * n;
    for (uint32_t i = 0; i < n; ++i) if (from[i].key) Look(from[i].key) = from[i];
  }
  Slot inline_[kInline] = {};
  std::unique_ptr<Slot[]> more_;
  Slot* slots_ = inline_;
  uint32_t capacity_ = kInline;
  uint32_t count_ = 0;
};

}  // namespace flx

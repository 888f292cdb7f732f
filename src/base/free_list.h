// SPDX-License-Identifier: Apache-2.0
// Per-thread lists of free objects of one type, refilled from and drained to a central list in batches. Objects live in slabs that are never
// unmapped. Under AddressSanitizer there is no pooling, so that a use after free is seen.
#pragma once
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <new>

#include "base/fork.h"

namespace flx {

// T must offer `T* FreeNext()`-like access through Next(T*) -> T*&. Raw memory: the user runs constructors and resets.
template <class T, T*& (*Next)(T*)>
class FreeList {
 public:
  static constexpr int kBatch = 64, kSlabBatches = 8, kStep = 27;
  // A constructed object, or memory from which `construct` makes one; objects are constructed once and reused as they are.
  template <class C> static T* Get(C construct) {
#if defined(__SANITIZE_ADDRESS__)
    return construct(::operator new(sizeof(T), std::align_val_t(alignof(T))));
#else
    Local& l = local();
    if (__builtin_expect(l.head == nullptr, 0)) Refill(&l, construct);
    T* p = l.head;
    l.head = Next(p), --l.count;
    return p;
#endif
  }
  template <class D> static void Put(T* p, D destroy) {
#if defined(__SANITIZE_ADDRESS__)
    destroy(p);
    ::operator delete(static_cast<void*>(p), std::align_val_t(alignof(T)));
#else
    (void)destroy;
    Local& l = local();
    Next(p) = l.head, l.head = p;
    if (__builtin_expect(++l.count > 4 * kBatch, 0)) Drain(&l, 2 * kBatch);
#endif
  }

 private:
  struct Local { T* head = nullptr; int count = 0; bool registered = false; };
  struct AtExit {  // gives a finished thread's list back; the trivially destroyed Local stays usable after it ran
    Local* l = nullptr;
    ~AtExit() { if (l) Drain(l, 0); }
  };
  static Local& local() {
    static thread_local Local l __attribute__((tls_model("initial-exec")));
    return l;
  }
  template <class C> __attribute__((noinline)) static void Refill(Local* l, C construct) {
    if (!l->registered) {
      static thread_local AtExit at_exit;
      at_exit.l = l, l->registered = true;
    }
    std::lock_guard<std::mutex> lock(mutex());
    T*& central = Central();
    for (; l->count < kBatch && central; ++l->count) {
      T* p = central;
      central = Next(p);
      Next(p) = l->head, l->head = p;
    }
    if (l->count) return;
    Slab& slab = CurrentSlab();
    if (slab.left == 0) slab.at = static_cast<char*>(::operator new(sizeof(T) * kBatch * kSlabBatches, std::align_val_t(alignof(T)))), slab.left = kSlabBatches;
    for (int i = 0; i < kBatch; ++i, ++l->count) {
      // Objects made one after the other lie apart: used by different threads, they share no cache line.
      T* p = construct(static_cast<void*>(slab.at + size_t(i * kStep % kBatch) * sizeof(T)));
      Next(p) = l->head, l->head = p;
    }
    slab.at += kBatch * sizeof(T), --slab.left;
  }
  __attribute__((noinline)) static void Drain(Local* l, int keep) {
    std::lock_guard<std::mutex> lock(mutex());
    for (; l->count > keep; --l->count) {
      T* p = l->head;
      l->head = Next(p);
      Next(p) = Central(), Central() = p;
    }
  }
  static std::mutex& mutex() {
    static auto* m = [] {
      auto unlock = [] { mutex().unlock(); };
      AddForkHooks(ForkStage::kStorage, {[] { mutex().lock(); }, unlock, unlock});  // a thread of the host may end during a fork
      return new std::mutex;
    }();
    return *m;
  }
  struct Slab { char* at = nullptr; int left = 0; };  // batches not handed out yet
  static Slab& CurrentSlab() { static Slab slab; return slab; }
  static T*& Central() { static T* head = nullptr; return head; }
};

}  // namespace flx

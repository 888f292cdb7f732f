// SPDX-License-Identifier: Apache-2.0
// A priority queue of tasks that needs no memory of its own (a pairing heap: Fredman et al., 1986), so that queueing cannot fail. Push is O(1),
// Pop O(log n) amortised; equal priorities leave in the order they came. Not thread-safe.
#pragma once
#include "base/thread_pool.h"

namespace flx {

class TaskHeap {
 public:
  bool empty() const { return !root_; }
  PoolTask* top() const { return root_; }
  void Push(PoolTask* t) {
    t->next = t->child = nullptr, t->order = order_++;
    root_ = root_ ? Meld(root_, t) : t;
  }
  PoolTask* Pop() {
    PoolTask* t = root_;
    if (!t) return nullptr;
    // Meld the children in pairs from the left, stacking the results, then from the right into one.
    PoolTask* pairs = nullptr;
    for (PoolTask* c = t->child; c;) {
      PoolTask *a = c, *b = c->next;
      c = b ? b->next : nullptr;
      PoolTask* m = b ? Meld(a, b) : a;
      m->next = pairs, pairs = m;
    }
    root_ = nullptr;
    while (pairs) {
      PoolTask* m = pairs;
      pairs = pairs->next, m->next = nullptr;
      root_ = root_ ? Meld(root_, m) : m;
    }
    t->child = t->next = nullptr;
    return t;
  }

 private:
  static bool Before(const PoolTask* a, const PoolTask* b) {
    return a->priority != b->priority ? a->priority > b->priority : a->order < b->order;
  }
  static PoolTask* Meld(PoolTask* a, PoolTask* b) {
    if (Before(b, a)) { PoolTask* t = a; a = b; b = t; }
    b->next = a->child, a->child = b, a->next = nullptr;
    return a;
  }
  PoolTask* root_ = nullptr;
  uint64_t order_ = 0;
};

}  // namespace flx

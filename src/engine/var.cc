// SPDX-License-Identifier: Apache-2.0
// A variable's queue. Holders are counted in the word, so that inline runs take and leave a variable without the lock; who waits stands in a list
// under the lock bit, and the queued bit tells a leaving holder to look at the list. The bit is set before the list is looked at, so no wake-up is lost.
#include "engine/internals.h"

namespace flx {

namespace {
Use* Head(const Var* v) { return v->tail ? v->tail->next : nullptr; }
}  // namespace

bool Granted(uint64_t word, Access a) { return !(word & (a == Access::kRead ? Var::kWriter : Var::kReaders | Var::kWriter)); }

void Grant(Var* v, Ready* ready) {
  while (Use* u = Head(v)) {
    uint64_t w = v->word.load(std::memory_order_acquire);
    if (!Granted(w, u->access)) break;
    if ((w & Var::kStreams) && !u->op->on_stream && !StreamsReady(v, u->access)) break;
    // The queued bit keeps inline runs out, so no holder can have come since; some may have left.
    if (u->access == Access::kRead) v->word.fetch_add(1, std::memory_order_acquire);
    else v->word.fetch_or(Var::kWriter, std::memory_order_acquire);
    if (v->tail == u) v->tail = nullptr;
    else v->tail->next = u->next;
    Operation* op = u->op;  // u may be gone as soon as the count says so
    if (op->pending.fetch_sub(1, std::memory_order_acq_rel) == 1) op->next = *ready, *ready = op;
  }
  if (!v->tail) v->word.fetch_and(~Var::kQueued, std::memory_order_relaxed);
}

void Enqueue(Use* u, Ready* ready) {
  Var* v = u->var;
  if (v->tail) u->next = v->tail->next, v->tail->next = u;
  else u->next = u;
  v->tail = u;
  v->word.fetch_or(Var::kQueued, std::memory_order_relaxed);
  Grant(v, ready);
}

bool Unlink(Use* u) {
  Var* v = u->var;
  if (!v->tail) return false;
  for (Use* before = v->tail;; before = before->next) {
    if (before->next == u) {
      before->next = u->next;
      if (v->tail == u) v->tail = before == u ? nullptr : before;
      return true;
    }
    if (before->next == v->tail) return false;
  }
}

bool PollVar(Var* v, Access a) {
  LockVar(v);
  uint64_t w = v->word.load(std::memory_order_acquire);
  bool free = Granted(w, a);
  for (Use* u = Head(v); free && u; u = u == v->tail ? nullptr : u->next) free = a == Access::kRead && u->access == Access::kRead;
  if (free && (w & Var::kStreams)) free = StreamsPoll(v, a, true);
  UnlockVar(v);
  return free;
}

void SetPoisonLocked(Var* v, const Ref<const Poison>& p) {
  Ref<const Poison> given = p;
  if (const Poison* old = v->poison.exchange(given.Leak(), std::memory_order_acq_rel)) old->Unref();
}
void Var::SetPoison(const Ref<const Poison>& p) {
  if (!p && !poison.load(std::memory_order_relaxed)) return;
  LockVar(this);  // GetPoison may be taking a reference
  SetPoisonLocked(this, p);
  UnlockVar(this);
}
Ref<const Poison> Var::GetPoison() {
  if (!poisoned()) return nullptr;
  LockVar(this);
  Ref<const Poison> p(poison.load(std::memory_order_relaxed));
  UnlockVar(this);
  return p;
}
void Var::Reset() {
  if (const Poison* p = poison.exchange(nullptr, std::memory_order_acq_rel)) p->Unref();
  if (streams) DropStreams(this);
  word.store(0, std::memory_order_relaxed);
  version.store(0, std::memory_order_relaxed);
  tail = nullptr;
}

}  // namespace flx

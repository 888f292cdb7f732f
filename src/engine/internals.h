// SPDX-License-Identifier: Apache-2.0
// What the engine's files share: variables' locks and queues (var.cc), operations and waits (engine.cc), lanes (lane.cc), streams (stream.cc).
#pragma once
#include <thread>
#include <vector>

#include "engine/engine.h"

namespace flx {

// Operations whose turn has come, linked by PoolTask::next, to be dispatched when no lock is held.
using Ready = PoolTask*;

inline void LockVar(Var* v) {
  for (int spins = 0;; ++spins) {
    uint64_t w = v->word.load(std::memory_order_relaxed);
    if (!(w & Var::kLock) && v->word.compare_exchange_weak(w, w | Var::kLock, std::memory_order_acquire, std::memory_order_relaxed)) return;
    if (spins > 100) std::this_thread::yield();  // the holder may have lost its core
  }
}
inline void UnlockVar(Var* v) { v->word.fetch_and(~Var::kLock, std::memory_order_release); }

// var.cc, all with v locked
void Grant(Var* v, Ready* ready);                 // gives their turn to all at the head of the queue that can have it; may be called at any time
void Enqueue(Use* u, Ready* ready);               // appends and grants
bool Unlink(Use* u);                              // takes it out of the queue again; false: it had been granted
void SetPoisonLocked(Var* v, const Ref<const Poison>& p);
bool Granted(uint64_t word, Access a);            // whether the holders in `word` leave room for a
bool PollVar(Var* v, Access a);                   // whether a use of this kind pushed now would have its turn at once

// stream.cc
bool StreamsReady(Var* v, Access a);              // with v locked: whether stream work lets the host in; else the completion thread will call Grant
bool StreamsPoll(Var* v, Access a, bool again = false);  // the same, without asking to be called. again: the caller will poll once more
void DropStreams(Var* v);                         // v is going
bool WaitStreams(int64_t timeout_ms);             // all work issued to streams so far
void StopStreams();

// lane.cc
void SubmitToLane(Lane lane, PoolTask* task);
bool InLaneThread();
void StopLanes();

// engine.cc
void Dispatch(Ready list);                        // sends each where it runs
Ready ReleaseUses(Operation* op);                 // after its work: what it lets run
int64_t MsLeft(int64_t timeout_ms, int64_t start_ms);
int64_t NowMs();

}  // namespace flx

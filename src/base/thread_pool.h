// SPDX-License-Identifier: Apache-2.0
// The one pool: cores - 1 threads (FLEXOR_NUM_THREADS - 1, but at least one), started with the first work, all signals blocked. Loops and the
// engine's ready operations share it. Nested loops run serially. Whoever waits may help: take part in open loops, or run tasks.
//   Rules: a loop body and a task never wait for another task. A task must not throw.
#pragma once
#include <cstdint>

namespace flx {

using LoopBody = void (*)(void* arg, int64_t begin, int64_t end);
// Runs body over [0, n) in chunks of `grain` (the last may be shorter). Chunk borders depend on n and grain only, never on thread count. The caller
// takes part; a call from inside a loop, or with one chunk, runs serially. Bodies that throw: the first error (by chunk order) is rethrown here.
void ParallelFor(int64_t n, int64_t grain, LoopBody body, void* arg);
template <class F> void ParallelFor(int64_t n, int64_t grain, const F& f) {
  ParallelFor(n, grain, [](void* q, int64_t b, int64_t e) { (*static_cast<const F*>(q))(b, e); }, const_cast<F*>(&f));
}
int PoolThreads();   // threads that may run a loop at once, the caller included
bool InPoolThread(); // true on the pool's own threads

// A task for any pool thread, higher priority first, first come first served within one. The pool does not own it.
struct PoolTask {
  void (*run)(PoolTask*) = nullptr;  // must not throw
  int32_t priority = 0;
  float cost_us = 0;                 // estimate: a waiter with a time limit runs only what should fit into it
  // the queue's own
  PoolTask *next = nullptr, *child = nullptr;
  uint64_t order = 0;
};
// `wake` false: the caller will look for tasks itself in a moment, so no sleeping thread is woken for it.
void SubmitTask(PoolTask* task, bool wake = true);
bool HigherTaskWaiting(int32_t priority);  // a hint: a queued task of higher priority than this

bool HelpOnce();  // the caller takes part in an open loop or runs one task; false: there was nothing to do
// Helps until ready(arg), or sleeps where there is nothing to help with. timeout_ms < 0: no limit, 0: one look. False: time is up.
// ready() is called with no lock held or with the pool's, so it must be a plain load; who makes it true calls NotifyWaiters() after.
bool HelpUntil(bool (*ready)(void*), void* arg, int64_t timeout_ms);
void NotifyWaiters();

void StopPool();  // finishes queued tasks and joins the threads; later work starts them again. Not from a pool thread.
int LivePoolThreads();  // started and not stopped; for tests

}  // namespace flx

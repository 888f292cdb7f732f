// SPDX-License-Identifier: Apache-2.0
// The one pool: cores - 1 threads (FLEXOR_NUM_THREADS - 1), started with the first work, all signals blocked. Loops and the engine's ready
// operations share it. Nested loops run serially. Whoever waits may help: take part in open loops, or run tasks.
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
  PoolTask* next = nullptr;
};
void SubmitTask(PoolTask* task);
bool HelpOnce();  // the caller runs one chunk of an open loop or one task; false: there was nothing to do
}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
#include "base/parallel_steps.h"

#include <sched.h>

#include <atomic>

#include "base/text.h"
#include "base/thread_pool.h"

namespace flx {
namespace {

inline void Pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#endif
}
// One line for each part, written by the thread whose part it is; others look at `done` only, unless that thread is not there.
struct alignas(64) Part {
  std::atomic<int64_t> next{0};  // the step that is to be taken
  std::atomic<int64_t> done{0};  // steps
  std::atomic<bool> home{false};  // a thread has come for this part
};
constexpr int kPatience = 1 << 10;  // looks, some tens of microseconds: who is waited for longer was put aside by the system

}  // namespace

void ParallelSteps(int64_t steps, int64_t parts, StepBody body, void* arg) {
  if (parts > kMaxStepParts) Fail(Status::kInternal, "pool", parts, " parts of a step, of at most ", kMaxStepParts, ".");
  if (parts <= 1) {
    for (int64_t s = 0; s < steps && parts == 1; ++s) body(arg, s, 0);
    return;
  }
  Part part[kMaxStepParts];
  auto take = [&](int64_t p, int64_t s) {
    int64_t expected = s;
    if (part[p].next.load(std::memory_order_relaxed) != s || !part[p].next.compare_exchange_strong(expected, s + 1, std::memory_order_relaxed)) return;
    body(arg, s, p);
    part[p].done.store(s + 1, std::memory_order_release);
  };
  ParallelFor(parts, 1, [&](int64_t own, int64_t) {
    part[own].home.store(true, std::memory_order_relaxed);
    for (int64_t s = 0; s < steps; ++s) {
      take(own, s);
      for (int64_t p = 0; p < parts; ++p)
        for (int looks = 0; part[p].done.load(std::memory_order_acquire) <= s; ++looks) {
          if (looks > kPatience || !part[p].home.load(std::memory_order_relaxed)) take(p, s);
          if (looks < kPatience) Pause();
          else sched_yield();
        }
    }
  });
}

}  // namespace flx

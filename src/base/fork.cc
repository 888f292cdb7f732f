// SPDX-License-Identifier: Apache-2.0
#include "base/fork.h"

#include <pthread.h>

#include <atomic>
#include <mutex>

#include "base/text.h"

namespace flx {
namespace {
constexpr int kPerStage = 8, kStages = int(ForkStage::kCount);
struct Stages {
  std::mutex turn;                 // one fork at a time: the system runs the handlers of several threads at once
  std::mutex mutex;
  ForkHooks hooks[kStages][kPerStage];
  std::atomic<int> count[kStages] = {};
  std::atomic<int> forks{0};
};
Stages& S();

void Before() {
  S().turn.lock();
  for (int s = 0; s < kStages; ++s)
    for (int i = 0; i < S().count[s].load(std::memory_order_acquire); ++i) if (auto* f = S().hooks[s][i].prepare) f();
  // Taken last: adding hooks takes it only for a moment, and no hook adds one.
  S().mutex.lock();
}
void After(bool child) {
  S().mutex.unlock();
  if (child) S().forks.fetch_add(1);
  for (int s = kStages; s-- > 0;)
    for (int i = S().count[s].load(std::memory_order_acquire); i-- > 0;) {
      ForkHooks& h = S().hooks[s][i];
      if (auto* f = child ? h.child : h.parent) f();
    }
  S().turn.unlock();
}
Stages& S() {
  static Stages* s = [] {
    pthread_atfork(Before, [] { After(false); }, [] { After(true); });
    return new Stages;
  }();
  return *s;
}
}  // namespace

void AddForkHooks(ForkStage stage, ForkHooks hooks) {
  std::lock_guard<std::mutex> lock(S().mutex);
  auto& n = S().count[int(stage)];
  int i = n.load(std::memory_order_relaxed);
  if (i == kPerStage) Fail(Status::kInternal, "fork", "too many hooks in a stage: raise kPerStage.");
  S().hooks[int(stage)][i] = hooks;
  n.store(i + 1, std::memory_order_release);  // published whole: a fork in another thread sees it or not
}
int ForkCount() { return S().forks.load(std::memory_order_relaxed); }

}  // namespace flx

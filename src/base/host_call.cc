// SPDX-License-Identifier: Apache-2.0
#include "base/host_call.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <mutex>
#include <new>
#include <thread>

#include "base/fork.h"
#include "base/log.h"

namespace flx {

__thread HostMark* t_host_mark = nullptr;
std::atomic<bool> g_host_forking{false};
HostMark g_own_mark{{true}, nullptr, false, true};

namespace {
using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;

struct Marks {
  std::mutex mutex;
  HostMark* all = nullptr;
  HostMark* forker = nullptr;  // of the thread that forks: its own handlers may call us
};
Marks& M();

void BeforeFork() {
  Marks& m = M();
  HostMark* own = t_host_mark;
  m.mutex.lock();
  m.forker = own;
  g_host_forking.store(true, std::memory_order_seq_cst);
  PassFence();  // after it every thread's mark is seen here, or that thread sees g_host_forking
  auto patience = Clock::now() + std::chrono::minutes(1);
  auto pause = microseconds(10);
  for (HostMark* h = m.all; h; h = h->next)
    while (h != own && h->inside.load(std::memory_order_acquire)) {
      if (Clock::now() > patience) {
        Log(LogLevel::kWarning, "fork: a thread has been inside one call for a minute; what it does is lost to the child");
        return;
      }
      std::this_thread::sleep_for(pause);
      if (pause < microseconds(1000)) pause *= 2;
    }
}
void AfterFork() {
  M().forker = nullptr;
  g_host_forking.store(false, std::memory_order_seq_cst);
  M().mutex.unlock();
}
void AfterForkInChild() {
  for (HostMark* h = M().all; h; h = h->next)
    if (h != t_host_mark) h->inside.store(false, std::memory_order_relaxed), h->unused = true;
  AfterFork();
}
Marks& M() {
  static Marks* m = [] {
    AddForkHooks(ForkStage::kHost, {&BeforeFork, &AfterFork, &AfterForkInChild});
    return new Marks;  // never destroyed: finalizers may outlive main
  }();
  return *m;
}
struct AtExit {
  HostMark* mark = nullptr;
  ~AtExit() {
    t_host_mark = nullptr;
    std::lock_guard<std::mutex> lock(M().mutex);
    if (mark) mark->unused = true;
  }
};
}  // namespace

void PassFence() noexcept {
#ifdef SYS_membarrier
  if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0 && syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0) return;
#endif
  std::this_thread::sleep_for(std::chrono::milliseconds(5));  // the system refuses: a processor's pending stores take far less
}

HostMark* MakeHostMark() noexcept try {
  static thread_local AtExit at_exit;
  Marks& m = M();
  std::lock_guard<std::mutex> lock(m.mutex);
  HostMark* h = m.all;
  while (h && !h->unused) h = h->next;
  if (!h) h = new HostMark, h->next = m.all, m.all = h;
  h->unused = false;
  at_exit.mark = h;
  return t_host_mark = h;
} catch (...) {
  static HostMark unseen;  // no memory: a fork does not wait for this call
  return &unseen;
}

void WaitForHostFork(HostMark* m) noexcept {
  if (m == M().forker) return;
  do {
    m->inside.store(false, std::memory_order_release);
    while (g_host_forking.load(std::memory_order_acquire)) std::this_thread::sleep_for(microseconds(50));
    m->inside.store(true, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
  } while (g_host_forking.load(std::memory_order_acquire));
}

}  // namespace flx

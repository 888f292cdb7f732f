// SPDX-License-Identifier: Apache-2.0
#include "base/thread.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cfenv>

#include "base/host_call.h"

extern "C" int __cxa_thread_atexit_impl(void (*destroy)(void*), void* object, void* library);  // glibc's
extern "C" __attribute__((visibility("hidden"))) void* __dso_handle;

namespace flx {
namespace {
using AtExit = std::atomic<void (*)()>;
AtExit (&AtExits())[8] {  // used by other files' static objects, before this file's may be there
  static AtExit list[8] = {};
  return list;
}

// exit() destroys the calling thread's objects first, then what was registered last: so the order in which libraries were used does not matter here.
void MainThreadEnds(void*) {
  for (auto& fn : AtExits())
    if (auto f = fn.load(std::memory_order_acquire)) f();
}
}  // namespace

void AtExitBegin(void (*fn)()) {
  for (auto& slot : AtExits()) {
    void (*none)() = nullptr;
    if (slot.compare_exchange_strong(none, fn, std::memory_order_acq_rel)) return;
  }
}
// As a thread_local object's destructor, without the object: thread-local memory is scarce (tests/host).
void WatchExit() {
  static std::atomic<pid_t> watched{0};
  pid_t here = getpid();
  if (syscall(SYS_gettid) == here && watched.exchange(here, std::memory_order_relaxed) != here) __cxa_thread_atexit_impl(&MainThreadEnds, nullptr, &__dso_handle);
}

BlockSignals::BlockSignals() {
  sigset_t all;
  sigfillset(&all);
  // A fault of the thread's own must still reach the host's crash handler: blocked, the kernel would kill the process without it.
  for (int s : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) sigdelset(&all, s);
  pthread_sigmask(SIG_BLOCK, &all, &before_);
}
BlockSignals::~BlockSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
void BeginThread(const char* name) {
  pthread_setname_np(pthread_self(), name);
  std::fesetenv(FE_DFL_ENV);
  t_host_mark = &g_own_mark;
}

}  // namespace flx

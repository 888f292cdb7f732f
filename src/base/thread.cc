// SPDX-License-Identifier: Apache-2.0
#include "base/thread.h"

#include <pthread.h>

#include <cfenv>

#include "base/host_call.h"

namespace flx {

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

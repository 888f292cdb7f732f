// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <pthread.h>
#include <signal.h>

#include <thread>

namespace ps {

// A thread that never takes the host's signals.
template <class F> std::thread StartThread(const char* name, F&& body) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread;
  try {
    thread = std::thread(std::forward<F>(body));
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(thread.native_handle(), name);
  return thread;
}

}  // namespace ps

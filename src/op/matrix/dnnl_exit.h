// SPDX-License-Identifier: Apache-2.0
// oneDNN destroys its tables and kernels at exit, while other threads may be at work and finalizers may still call: from then on our own kernels serve.
//   A process whose main thread started ours hears of its exit before anything is destroyed (base/thread.h). For the others: a handler registered after a table
//   was made runs before its destruction. Tables are made with the first call of each kind, so the handler is registered after each of those. What is left: a
//   process that another thread than the main one ends (a JVM) while the very first call of a kind is made.
#pragma once
#include <atomic>

namespace flx {

extern std::atomic<bool> g_dnnl_ended;
extern std::atomic<int> g_dnnl_running;
void DnnlMadeTables();  // after a call that may have made some; the process's first ones count

struct DnnlRunning {  // around calls of oneDNN; false: it must not be called any more
  DnnlRunning() { g_dnnl_running.fetch_add(1, std::memory_order_seq_cst); }
  ~DnnlRunning() { g_dnnl_running.fetch_sub(1, std::memory_order_release); }
  DnnlRunning(const DnnlRunning&) = delete;
  DnnlRunning& operator=(const DnnlRunning&) = delete;
  explicit operator bool() const { return !g_dnnl_ended.load(std::memory_order_seq_cst); }
};

}  // namespace flx

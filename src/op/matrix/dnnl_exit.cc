// SPDX-License-Identifier: Apache-2.0
#include "op/matrix/dnnl_exit.h"

#include <chrono>
#include <cstdlib>
#include <thread>

#include "base/thread.h"

namespace flx {

std::atomic<bool> g_dnnl_ended{false};
std::atomic<int> g_dnnl_running{0};

namespace {
void AtExit() {
  g_dnnl_ended.store(true, std::memory_order_seq_cst);
  for (int i = 0; i < 50000 && g_dnnl_running.load(std::memory_order_seq_cst) > 0; ++i) std::this_thread::sleep_for(std::chrono::microseconds(100));
}
[[maybe_unused]] const bool g_told = (AtExitBegin(&AtExit), true);
}  // namespace

void DnnlMadeTables() {
  constexpr int kMost = 256;
  static std::atomic<int> handlers{0};
  if (handlers.load(std::memory_order_relaxed) < kMost && handlers.fetch_add(1, std::memory_order_relaxed) < kMost) std::atexit(AtExit);
}

}  // namespace flx

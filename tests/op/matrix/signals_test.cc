// SPDX-License-Identifier: Apache-2.0
// Signals of the host while its thread works in products and convolutions: a handler always runs on the thread's own stack. (oneDNN moves the stack
// register into the heap for products with a long k, where a handler's frame overwrites what lies below.)
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/time.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <thread>
#include <vector>

#include "op/matrix/gemm.h"

namespace flx {
namespace {

std::atomic<const char*> g_low{nullptr}, g_high{nullptr};
std::atomic<int> g_seen{0}, g_astray{0};

void Handler(int) {
  const char* at = static_cast<const char*>(__builtin_frame_address(0));
  g_seen.fetch_add(1);
  if (at < g_low.load() || at >= g_high.load()) g_astray.fetch_add(1);
}

// Sends `target` a signal again and again until `stop`.
void Disturb(pthread_t target, const std::atomic<bool>& stop) {
  while (!stop.load()) {
    pthread_kill(target, SIGUSR1);
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
}

TEST(Signals, HandlersRunOnTheThreadsOwnStack) {
  std::atomic<bool> done{false};
  std::thread host([&] {  // a thread of its own, so that its stack is known and other tests' are not disturbed
    pthread_attr_t attr;
    void* low = nullptr;
    size_t size = 0;
    ASSERT_EQ(pthread_getattr_np(pthread_self(), &attr), 0);
    ASSERT_EQ(pthread_attr_getstack(&attr, &low, &size), 0);
    pthread_attr_destroy(&attr);
    g_low = static_cast<char*>(low), g_high = static_cast<char*>(low) + size;
    struct sigaction action {}, before {};
    action.sa_handler = Handler;
    action.sa_flags = SA_RESTART;
    ASSERT_EQ(sigaction(SIGUSR1, &action, &before), 0);
    pthread_t self = pthread_self();
    std::thread other([&done, self] { Disturb(self, done); });
    struct Sizes { int64_t m, n, k; };
    for (Sizes s : {Sizes{64, 500, 3200}, Sizes{48, 64, 3072}, Sizes{500, 800, 64}, Sizes{96, 96, 8192}}) {
      std::vector<float> a(size_t(s.m * s.k), 1.0f), b(size_t(s.k * s.n), 2.0f), c(size_t(s.m * s.n));
      for (bool ta : {false, true})
        for (bool tb : {false, true})
          for (auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(40); std::chrono::steady_clock::now() < until;)
            Gemm(DType::kFloat32, ta, tb, s.m, s.n, s.k, 1, a.data(), ta ? s.m : s.k, b.data(), tb ? s.k : s.n, 0, c.data(), s.n);
      EXPECT_EQ(c.front(), 2.0f * float(s.k));
      EXPECT_EQ(c.back(), 2.0f * float(s.k));
    }
    done = true;
    other.join();
    sigaction(SIGUSR1, &before, nullptr);
  });
  host.join();
  EXPECT_GT(g_seen.load(), 50);
  EXPECT_EQ(g_astray.load(), 0) << "of " << g_seen.load() << " handlers";
}

}  // namespace
}  // namespace flx

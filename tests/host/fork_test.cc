// SPDX-License-Identifier: Apache-2.0
// fork() in the middle of work: the child may read what was computed and compute afresh; the parent goes on.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "library.h"

namespace {

// 0: all is well in the child.
int InChild(const std::function<bool()>& body) {
  pid_t child = fork();
  if (child == 0) {
    alarm(60);
    _exit(body() ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  return status;
}

TEST(Fork, InTheMiddleOfAFit) {
  Alone([] {
    Library flx;
    std::string fitted = flx.Fit();
    std::atomic<bool> stop{false};
    std::thread at_work([&] { while (!stop) EXPECT_EQ(flx.Fit(), fitted); });
    flx_ndarray a = flx.Random({300, 300}, 1);
    for (int i = 0; i < 10; ++i) {
      flx_ndarray y = flx.Invoke("dot", {a, a});  // may be under way
      std::vector<float> seen;
      EXPECT_EQ(InChild([&] { return flx.Read(y, 90000).size() == 90000 && flx.Read(y, 90000) == flx.Read(flx.Invoke("dot", {a, a}), 90000) && flx.Fit() == fitted; }), 0);
      flx.flx_free(y);
    }
    stop = true;
    at_work.join();
    EXPECT_EQ(flx.Fit(), fitted);
    flx.Stop();
  });
}

// Threads of the host run small operations in place, all on the same arrays: a child must never find one of these held, nor a lock of theirs.
TEST(Fork, WhileHostThreadsAreInsideCalls) {
  Alone([] {
    Library flx;
    constexpr int kArrays = 4;
    flx_ndarray arrays[kArrays];
    for (auto& a : arrays) a = flx.Full({1000}, 1);
    flx_call add = nullptr;
    flx.Ok(flx.flx_call_create("_plus_scalar", nullptr, nullptr, 0, &add), "flx_call_create");
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t)
      threads.emplace_back([&, t] {
        const double one = 1;
        for (int i = t; !stop; ++i) {
          flx_ndarray x = arrays[i % kArrays], y = nullptr;
          if (i % 8 == 0) flx.flx_free(flx.Full({i % 5000 + 1}, 1));
          else if (i % 8 == 1) flx.flx_free(flx.Invoke("exp", {x}));
          else if (i % 2) flx.flx_call_run_into(add, 0, &x, 1, &one, 1, &x, 1);
          else flx.flx_call_scalar(add, 0, x, 1, &y), flx.flx_free(y);
          if (i % 50 == 0) flx.Read(x, 1000);  // so that what is queued behind a fork is little
        }
      });
    for (int i = 0; i < 15; ++i) {
      int status = InChild([&] {
        for (auto& a : arrays) {
          flx_ndarray y = nullptr;
          const double one = 1;
          if (flx.flx_call_scalar(add, 0, a, 1, &y) || flx.flx_call_run_into(add, 0, &a, 1, &one, 1, &a, 1)) return false;
          if (flx.Read(y, 1000) != flx.Read(a, 1000)) return false;
          flx.flx_free(y);
        }
        flx_ndarray big = flx.Random({128, 128}, 2);
        return flx.Read(flx.Invoke("dot", {big, big}), 128 * 128).size() > 0;
      });
      ASSERT_EQ(status, 0) << "fork " << i;
    }
    stop = true;
    for (auto& t : threads) t.join();
  });
}

TEST(Fork, ByTwoThreadsAtOnce) {
  Alone([] {
    Library flx;
    std::string fitted = flx.Fit();
    auto forks = [&] { for (int i = 0; i < 10; ++i) EXPECT_EQ(InChild([&] { return flx.Fit() == fitted; }), 0); };
    std::thread other(forks);
    forks();
    other.join();
  });
}

// A thread that waits in the library does not keep fork waiting, and is not disturbed by it.
TEST(Fork, WhileAThreadWaitsInside) {
  Alone([] {
    Library flx;
    flx_ndarray a = flx.Random({1500, 1500}, 1), y = a;
    for (int i = 0; i < 5; ++i) y = flx.Invoke("dot", {y, a});
    std::vector<float> got;
    std::thread waits([&] { got = flx.Read(y, 2250000); });
    EXPECT_EQ(InChild([&] { return flx.Read(y, 2250000).size() > 0; }), 0);
    waits.join();
    EXPECT_EQ(got, flx.Read(y, 2250000));
  });
}

}  // namespace

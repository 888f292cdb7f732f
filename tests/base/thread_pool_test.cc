// SPDX-License-Identifier: Apache-2.0
#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <numeric>
#include <random>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/config.h"
#include "base/error.h"
#include "base/task_heap.h"

namespace flx {
namespace {

// Runs a test on a given number of threads and puts the setting back.
struct Threads {
  explicit Threads(const char* n) { SetOption("FLEXOR_NUM_THREADS", n); }
  ~Threads() { SetOption("FLEXOR_NUM_THREADS", ""); }
};
struct Counted : PoolTask {
  std::atomic<int>* count;
  explicit Counted(std::atomic<int>* c) : count(c) {
    run = [](PoolTask* t) { static_cast<Counted*>(t)->count->fetch_add(1); NotifyWaiters(); };
  }
};
struct Want { std::atomic<int>* count; int want; };
bool Reached(void* p) { return static_cast<Want*>(p)->count->load() >= static_cast<Want*>(p)->want; }
bool WaitFor(std::atomic<int>* c, int n, int64_t ms = 60000) { Want w{c, n}; return HelpUntil(&Reached, &w, ms); }

class PoolTest : public testing::TestWithParam<const char*> {
 protected:
  Threads threads_{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Threads, PoolTest, testing::Values("1", "2", "3", "8"));

TEST_P(PoolTest, EveryElementOnceInTheSameChunks) {
  for (auto [n, grain] : std::vector<std::pair<int64_t, int64_t>>{{0, 4}, {1, 4}, {7, 3}, {1000, 1}, {1000, 7}, {5, 0}, {100000, 999}}) {
    std::vector<std::atomic<int>> hits(static_cast<size_t>(n));
    std::atomic<int> odd{0};
    int64_t g = std::max<int64_t>(1, grain), size = n;
    ParallelFor(n, grain, [&](int64_t b, int64_t e) {
      if (b % g != 0 || e != std::min(b + g, size)) ++odd;
      for (int64_t i = b; i < e; ++i) ++hits[size_t(i)];
    });
    EXPECT_EQ(odd, 0);
    for (auto& h : hits) ASSERT_EQ(h, 1);
  }
}
TEST_P(PoolTest, TheLowestFailingChunkIsTheError) {
  for (int round = 0; round < 50; ++round) {
    try {
      ParallelFor(1000, 1, [](int64_t b, int64_t) { if (b % 100 == 37) throw std::runtime_error(std::to_string(b)); });
      FAIL();
    } catch (const std::runtime_error& e) {
      ASSERT_STREQ(e.what(), "37");
    }
  }
  std::atomic<int> n{0};
  ParallelFor(100, 1, [&](int64_t, int64_t) { ++n; });
  EXPECT_EQ(n, 100) << "the pool is well afterwards";
}
TEST_P(PoolTest, NestedLoopsAreSerial) {
  std::atomic<int> bad{0}, inner{0};
  ParallelFor(16, 1, [&](int64_t, int64_t) {
    auto me = std::this_thread::get_id();
    ParallelFor(64, 1, [&](int64_t, int64_t) { ++inner; if (std::this_thread::get_id() != me) ++bad; });
  });
  EXPECT_EQ(bad, 0);
  EXPECT_EQ(inner, 16 * 64);
}
TEST_P(PoolTest, ManyCallersAtOnce) {
  std::atomic<int64_t> sum{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 4; ++t)
    callers.emplace_back([&] {
      for (int i = 0; i < 200; ++i) ParallelFor(64, 4, [&](int64_t b, int64_t e) { sum += e - b; });
    });
  for (auto& c : callers) c.join();
  EXPECT_EQ(sum, 4 * 200 * 64);
}
TEST_P(PoolTest, TasksRunWhileTheSubmitterDoesNothing) {
  std::atomic<int> count{0};
  Counted t(&count);
  SubmitTask(&t);
  for (int i = 0; i < 20000 && count == 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(count, 1) << "also where one thread computes";
  EXPECT_TRUE(WaitFor(&count, 1));
}
TEST_P(PoolTest, TasksInGreatNumbers) {
  std::atomic<int> count{0};
  std::vector<std::unique_ptr<Counted>> tasks;
  for (int i = 0; i < 5000; ++i) {
    tasks.push_back(std::make_unique<Counted>(&count));
    tasks.back()->priority = i % 7;
    SubmitTask(tasks.back().get());
  }
  EXPECT_TRUE(WaitFor(&count, 5000));
  StopPool();  // so that no thread is still inside a task when they go
}
TEST_P(PoolTest, StopsAndStartsAgain) {
  std::atomic<int> count{0};
  for (int i = 1; i <= 3; ++i) {
    Counted t(&count);
    SubmitTask(&t);
    StopPool();
    EXPECT_EQ(count, i);
    EXPECT_EQ(LivePoolThreads(), 0);
  }
}

TEST(Pool, FollowsTheNumberOfThreads) {
  std::atomic<int> count{0};
  for (const char* n : {"4", "2", "1", "6"}) {
    Threads t(n);
    Counted task(&count);
    EXPECT_EQ(PoolThreads(), atoi(n));
    SubmitTask(&task);
    WaitFor(&count, 1);
    int want = std::max(1, atoi(n) - 1);
    for (int i = 0; i < 5000 && LivePoolThreads() != want; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_EQ(LivePoolThreads(), want);
    StopPool();
    count = 0;
  }
  EXPECT_FALSE(InPoolThread());
}
TEST(Pool, AWaiterTakesPartInLoopsOfOthers) {
  Threads t("2");  // one worker, which opens a loop; the waiter is the only one who can help it
  StopPool();
  struct Outer : PoolTask { std::atomic<int> seen{0}, done{0}; std::thread::id waiter; } task;
  task.waiter = std::this_thread::get_id();
  task.run = [](PoolTask* p) {
    auto* o = static_cast<Outer*>(p);
    if (InPoolThread())
      ParallelFor(200, 1, [o](int64_t, int64_t) {
        std::this_thread::sleep_for(std::chrono::microseconds(200));
        if (std::this_thread::get_id() == o->waiter) ++o->seen;
      });
    else ++o->seen;
    ++o->done;
    NotifyWaiters();
  };
  SubmitTask(&task);
  EXPECT_TRUE(WaitFor(&task.done, 1));
  EXPECT_GT(task.seen, 0);
  StopPool();
}
TEST(Pool, ALimitedWaitKeepsItsLimit) {
  Threads t("2");
  std::atomic<int> never{0};
  auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(WaitFor(&never, 1, 50));
  EXPECT_FALSE(WaitFor(&never, 1, 0));
  double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  EXPECT_GE(ms, 49);
  EXPECT_LT(ms, 5000);
  // A task known to take longer than the wait is left to the workers.
  struct Slow : PoolTask { std::atomic<int> done{0}; std::thread::id who; } a, b;
  for (Slow* s : {&a, &b}) {
    s->cost_us = 1e8f;
    s->run = [](PoolTask* p) {
      auto* q = static_cast<Slow*>(p);
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      q->who = std::this_thread::get_id();
      ++q->done;
      NotifyWaiters();
    };
    SubmitTask(s);
  }
  EXPECT_TRUE(WaitFor(&a.done, 1, 10000) && WaitFor(&b.done, 1, 10000));
  EXPECT_NE(a.who, std::this_thread::get_id());
  EXPECT_NE(b.who, std::this_thread::get_id());
  StopPool();
}
TEST(Pool, ThreadsBlockSignals) {
  struct Mask : PoolTask { sigset_t set; std::atomic<int> done{0}; } m;
  m.run = [](PoolTask* p) {
    auto* q = static_cast<Mask*>(p);
    pthread_sigmask(SIG_BLOCK, nullptr, &q->set);
    q->done = 1;
  };
  SubmitTask(&m);
  while (!m.done) std::this_thread::yield();  // no help: it must run on a thread of the pool
  for (int s : {SIGINT, SIGTERM, SIGCHLD, SIGUSR1, SIGALRM, SIGPIPE, SIGPROF}) EXPECT_EQ(sigismember(&m.set, s), 1) << s;
  StopPool();
}
TEST(TaskHeap, PriorityThenOrder) {
  std::mt19937 g(1);
  std::vector<PoolTask> tasks(2000);
  TaskHeap heap;
  std::vector<PoolTask*> in;
  auto check_pop = [&] {
    auto best = std::max_element(in.begin(), in.end(), [](auto* a, auto* b) { return a->priority != b->priority ? a->priority < b->priority : a > b; });
    ASSERT_EQ(heap.Pop(), *best);
    in.erase(best);
  };
  for (auto& t : tasks) {  // addresses grow in order of pushing
    t.priority = int32_t(g() % 5) - 2;
    heap.Push(&t);
    in.push_back(&t);
    if (g() % 3 == 0) check_pop();
  }
  while (!in.empty()) check_pop();
  EXPECT_EQ(heap.Pop(), nullptr);
  EXPECT_TRUE(heap.empty());
}

}  // namespace
}  // namespace flx

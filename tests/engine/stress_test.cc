// SPDX-License-Identifier: Apache-2.0
// Random programs checked against what one thread computes, under the same conditions: each reports how much of it ran inline.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <random>
#include <thread>

#include "cell.h"
#include "engine/internals.h"
#include "storage/pool.h"

namespace flx {
namespace {

int64_t Mix(int64_t a, int64_t b) {
  uint64_t z = uint64_t(a) * 0x9E3779B97F4A7C15ull + uint64_t(b);
  return int64_t(z ^ (z >> 29));
}
struct Share {  // of inline operations while it lives
  const char* name;
  int64_t inline0 = Engine::Get().inline_count(), queued0 = Engine::Get().queued_count();
  explicit Share(const char* n) : name(n) {}
  double value() const {
    double i = double(Engine::Get().inline_count() - inline0), q = double(Engine::Get().queued_count() - queued0);
    return i / std::max(1.0, i + q);
  }
  ~Share() { std::printf("%s: share of inline operations %.3f\n", name, value()); }
};
struct StressTest : testing::TestWithParam<const char*> {
  WithOption mode{"FLEXOR_ENGINE", GetParam()};
  WithOption threads{"FLEXOR_NUM_THREADS", "4"};
  void TearDown() override {
    ASSERT_TRUE(Engine::Get().WaitAll(120000));
    EXPECT_EQ(Cell::alive, 0);
    while (Engine::Get().NextUnseen()) {}
  }
};
INSTANTIATE_TEST_SUITE_P(Modes, StressTest, testing::Values("auto", "threaded", "inline", "naive"));

// One operation of a random program: y = mix of y (unless it is overwritten) and the inputs.
struct Step {
  int reads[3], nreads, writes[2], nwrites;
  bool update;
  int64_t salt;
  void Run(const std::vector<int64_t*>& v) const {
    int64_t h = salt;
    for (int i = 0; i < nreads; ++i) h = Mix(h, *v[size_t(reads[i])]);
    for (int i = 0; i < nwrites; ++i) *v[size_t(writes[i])] = update ? Mix(*v[size_t(writes[i])], h) : h + i;
  }
};
Step RandomStep(std::mt19937& g, int nvars) {
  Step s;
  std::vector<int> p(static_cast<size_t>(nvars));
  for (int i = 0; i < nvars; ++i) p[size_t(i)] = i;
  std::shuffle(p.begin(), p.end(), g);
  s.nreads = int(g() % 4), s.nwrites = 1 + int(g() % 2), s.update = g() % 2, s.salt = int64_t(g());
  for (int i = 0; i < s.nreads; ++i) s.reads[i] = p[size_t(i)];
  for (int i = 0; i < s.nwrites; ++i) s.writes[i] = p[size_t(3 + i)];
  return s;
}

// 8 threads push 100,000 operations over shared variables. What the order of pushes from several threads was is seen from the variables themselves:
// each operation notes its place, and the sequential run repeats the operations in an order that agrees with every variable's.
TEST_P(StressTest, RandomGraphsFromManyThreads) {
  constexpr int kThreads = 8, kOps = 100000 / kThreads, kVars = 64;
  Share share("random graphs");
  struct Shared { CellRef cell = Make<Cell>(); std::atomic<int> readers{0}, writers{0}; };
  std::vector<Shared> vars(kVars);
  std::atomic<int64_t> violations{0}, clock{0};
  struct Ran { int64_t when; Step step; };
  std::vector<std::vector<Ran>> ran(kThreads);
  std::vector<std::thread> pushers;
  for (int t = 0; t < kThreads; ++t) {
    ran[size_t(t)].resize(kOps);
    pushers.emplace_back([&, t] {
      std::mt19937 g{unsigned(t) + 17};
      for (int i = 0; i < kOps; ++i) {
        Ran* r = &ran[size_t(t)][size_t(i)];
        r->step = RandomStep(g, kVars);
        std::vector<CellUse> uses;
        for (int k = 0; k < r->step.nreads; ++k) uses.push_back({vars[size_t(r->step.reads[k])].cell, Access::kRead});
        for (int k = 0; k < r->step.nwrites; ++k)
          uses.push_back({vars[size_t(r->step.writes[k])].cell, r->step.update ? Access::kUpdate : Access::kWrite});
        auto body = [&, r] {
          const Step& s = r->step;
          for (int k = 0; k < s.nreads; ++k) { ++vars[size_t(s.reads[k])].readers; if (vars[size_t(s.reads[k])].writers) ++violations; }
          for (int k = 0; k < s.nwrites; ++k)
            if (vars[size_t(s.writes[k])].writers++ || vars[size_t(s.writes[k])].readers) ++violations;
          r->when = clock++;  // while everything is held: an order that agrees with every variable's
          std::vector<int64_t*> v(kVars);
          for (int k = 0; k < kVars; ++k) v[size_t(k)] = &vars[size_t(k)].cell->value;
          s.Run(v);
          for (int k = 0; k < s.nwrites; ++k) --vars[size_t(s.writes[k])].writers;
          for (int k = 0; k < s.nreads; ++k) --vars[size_t(s.reads[k])].readers;
        };
        RunOrPush(uses, body, g() % 16 == 0 ? 1e6 : 1);
        if (g() % 8 == 0) Engine::Get().WaitToRead(&uses.back().cell->var, -1);  // as programs do; else the queues never run dry
      }
    });
  }
  for (auto& p : pushers) p.join();
  ASSERT_TRUE(Engine::Get().WaitAll(300000));
  EXPECT_EQ(violations, 0);
  EXPECT_EQ(clock, kThreads * kOps) << "every one ran, once";
  std::vector<const Step*> order(size_t(kThreads) * kOps);
  for (auto& r : ran) for (auto& o : r) order[size_t(o.when)] = &o.step;
  std::vector<int64_t> values(kVars);
  std::vector<int64_t*> v;
  for (auto& x : values) v.push_back(&x);
  for (auto* s : order) s->Run(v);
  for (int k = 0; k < kVars; ++k) EXPECT_EQ(vars[size_t(k)].cell->value, values[size_t(k)]) << k;
  if (std::string(GetParam()) == "auto") {
    EXPECT_GT(share.value(), 0.1);
    EXPECT_LT(share.value(), 0.9);
  }
}
// One pusher: program order is the order of the calls, so the result is known beforehand.
void OneThreadsProgram(unsigned seed, int ops, int look) {
  constexpr int kVars = 12;
  std::vector<CellRef> cells;
  for (int i = 0; i < kVars; ++i) cells.push_back(Make<Cell>());
  std::vector<int64_t> values(kVars);
  std::vector<int64_t*> v, w;
  for (auto& x : values) v.push_back(&x);
  for (auto& c : cells) w.push_back(&c->value);
  std::mt19937 g(seed);
  for (int i = 0; i < ops; ++i) {
    Step s = RandomStep(g, kVars);
    s.Run(v);
    std::vector<CellUse> uses;
    for (int k = 0; k < s.nreads; ++k) uses.push_back({cells[size_t(s.reads[k])], Access::kRead});
    for (int k = 0; k < s.nwrites; ++k) uses.push_back({cells[size_t(s.writes[k])], s.update ? Access::kUpdate : Access::kWrite});
    RunOrPush(uses, [s, &w] { s.Run(w); }, g() % 3 == 0 ? 1e6 : 1);
    if (i % look == 0) {
      int k = int(g() % kVars);
      ASSERT_TRUE(Engine::Get().WaitToRead(&cells[size_t(k)]->var, -1));
      ASSERT_EQ(cells[size_t(k)]->value, values[size_t(k)]) << "seed " << seed << ", operation " << i;
    }
  }
  for (int k = 0; k < kVars; ++k) {
    ASSERT_TRUE(Engine::Get().WaitToRead(&cells[size_t(k)]->var, -1));
    ASSERT_EQ(cells[size_t(k)]->value, values[size_t(k)]) << "seed " << seed;
  }
  ASSERT_TRUE(Engine::Get().WaitAll(120000));  // an operation may still let go of `w`
}
TEST_P(StressTest, OneThreadGetsItsProgramsResult) {
  Share share("one thread");
  OneThreadsProgram(5, 20000, 1000);
}
// FLEXOR_TEST_SEEDS: how many (tools/test --all: 100,000).
TEST_P(StressTest, ShortProgramsOfManySeeds) {
  Share share("many seeds");
  const char* given = std::getenv("FLEXOR_TEST_SEEDS");
  for (int seed = 0, n = given ? std::atoi(given) : 300; seed < n && !HasFatalFailure(); ++seed) OneThreadsProgram(unsigned(seed), 40, 16);
}
TEST_P(StressTest, OverlappingSetsInOppositeOrders) {
  constexpr int kVars = 6, kOps = 3000;
  Share share("opposite orders");
  std::vector<CellRef> cells;
  for (int i = 0; i < kVars; ++i) cells.push_back(Make<Cell>());
  std::vector<std::thread> pushers;
  for (int t = 0; t < 4; ++t)
    pushers.emplace_back([&, t] {
      std::vector<CellUse> uses;
      for (int i = 0; i < kVars; ++i) uses.push_back({cells[size_t(t % 2 ? i : kVars - 1 - i)], Access::kUpdate});
      for (int i = 0; i < kOps; ++i) RunOrPush(uses, [&] { for (auto& c : cells) ++c->value; }, i % 2 ? 1 : 1e6);
    });
  for (auto& p : pushers) p.join();
  ASSERT_TRUE(Engine::Get().WaitAll(120000));
  for (auto& c : cells) EXPECT_EQ(c->value, 4 * kOps);
}
TEST_P(StressTest, OperationsThatPush) {
  Share share("operations that push");
  auto total = Make<Cell>();
  std::function<void(int)> grow = [&](int depth) {
    auto own = Make<Cell>();
    Push({{own, Access::kUpdate}}, [&, own, depth] {
      own->value = depth;
      RunOrPush({{own, Access::kRead}, {total, Access::kUpdate}}, [own, total] { total->value += own->value > 0; });
      if (depth > 1) for (int i = 0; i < 2; ++i) grow(depth - 1);
    });
  };
  for (int i = 0; i < 8; ++i) grow(9);
  ASSERT_TRUE(Engine::Get().WaitAll(120000));
  EXPECT_EQ(total->value, 8 * 511);
}
TEST_P(StressTest, ArraysDroppedByAnotherThreadWhileUsed) {
  Share share("dropped while used");
  std::mutex mutex;
  std::vector<CellRef> bin;
  std::atomic<bool> stop{false};
  std::thread dropper([&] {
    while (!stop) {
      std::vector<CellRef> mine;
      { std::lock_guard<std::mutex> l(mutex); mine.swap(bin); }
      mine.clear();  // often the last references
      std::this_thread::yield();
    }
  });
  std::atomic<int64_t> sum{0};
  std::vector<std::thread> pushers;
  for (int t = 0; t < 3; ++t)
    pushers.emplace_back([&, t] {
      std::mt19937 g{unsigned(t)};
      CellRef before = Make<Cell>();
      for (int i = 0; i < 5000; ++i) {
        CellRef next = Make<Cell>();
        Cell *from = before.get(), *to = next.get();  // the operation's references keep them
        RunOrPush({{before, Access::kRead}, {next, Access::kWrite}}, [=, &sum] { to->value = from->value + 1; ++sum; }, g() % 2 ? 1 : 1e6);
        { std::lock_guard<std::mutex> l(mutex); bin.push_back(std::move(before)); }
        before = std::move(next);
      }
      Engine::Get().WaitToRead(&before->var, -1);
      EXPECT_EQ(before->value, 5000);
    });
  for (auto& p : pushers) p.join();
  stop = true;
  dropper.join();
  EXPECT_EQ(sum, 15000);
}
TEST_P(StressTest, FailuresInjected) {
  Share share("failures injected");
  constexpr int kVars = 10, kOps = 5000;
  std::vector<CellRef> cells;
  for (int i = 0; i < kVars; ++i) cells.push_back(Make<Cell>());
  std::vector<bool> sick(kVars);
  std::mt19937 g(3);
  for (int i = 0; i < kOps; ++i) {
    Step s = RandomStep(g, kVars);
    bool fails = g() % 10 == 0, skipped = false;
    for (int k = 0; k < s.nreads; ++k) skipped = skipped || sick[size_t(s.reads[k])];
    for (int k = 0; k < s.nwrites; ++k) skipped = skipped || (s.update && sick[size_t(s.writes[k])]);
    for (int k = 0; k < s.nwrites; ++k) sick[size_t(s.writes[k])] = skipped || fails;
    std::vector<CellUse> uses;
    for (int k = 0; k < s.nreads; ++k) uses.push_back({cells[size_t(s.reads[k])], Access::kRead});
    for (int k = 0; k < s.nwrites; ++k) uses.push_back({cells[size_t(s.writes[k])], s.update ? Access::kUpdate : Access::kWrite});
    size_t bytes = 1000 + g() % 100000;
    RunOrPush(uses, [=] {
      void* p = HostAlloc(bytes);
      HostFree(p, bytes);
      if (skipped) ADD_FAILURE() << "ran on a poisoned input";
      if (fails && i % 2) throw std::bad_alloc();
      if (fails) Fail(Status::kArgument, "stress", "operation ", i, " fails.");
    }, g() % 2 ? 1 : 1e6);
    if (i % 100 == 0)
      for (int k = 0; k < kVars; ++k) {
        ASSERT_TRUE(Engine::Get().WaitToRead(&cells[size_t(k)]->var, -1));
        ASSERT_EQ(cells[size_t(k)]->var.poisoned(), bool(sick[size_t(k)])) << i;
      }
  }
}
// Waits that run out of time take their places in the queues back, whatever happens to these meanwhile.
TEST_P(StressTest, WaitsThatTimeOut) {
  Share share("waits that time out");
  auto a = Make<Cell>();
  std::atomic<bool> stop{false};
  std::vector<std::thread> waiters;
  for (int t = 0; t < 3; ++t)
    waiters.emplace_back([&, t] {
      while (!stop) {
        if (t % 2) Engine::Get().WaitToWrite(&a->var, t);
        else Engine::Get().WaitToRead(&a->var, t + 1);
      }
    });
  for (int i = 0; i < 3000; ++i) {
    RunOrPush({{a, i % 3 ? Access::kUpdate : Access::kRead}}, [=] {
      if (i % 3) ++a->value;
      if (i % 500 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }, i % 2 ? 1 : 1e6);
  }
  EXPECT_TRUE(Engine::Get().WaitToRead(&a->var, -1));
  EXPECT_EQ(a->value, 2000);
  stop = true;
  for (auto& w : waiters) w.join();
}

}  // namespace
}  // namespace flx

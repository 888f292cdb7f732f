// SPDX-License-Identifier: Apache-2.0
#include "engine/engine.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <stdexcept>
#include <thread>

#include "cell.h"

#if defined(__SANITIZE_THREAD__)
#define FLX_TSAN 1
#else
#define FLX_TSAN 0
#endif

namespace flx {
std::atomic<int> Cell::alive{0};
namespace {
using Clock = std::chrono::steady_clock;
double MsSince(Clock::time_point t) { return std::chrono::duration<double, std::milli>(Clock::now() - t).count(); }
void Sleep(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }
CellRef NewCell() { return Make<Cell>(); }

// A gate that an operation stands at until the test opens it. The operation may leave it after the test: hence shared. The test waits with nothing
// but AwaitReached until an engine thread stands there, lest it help and stand there itself.
struct Gate {
  struct State { std::atomic<bool> open{false}, reached{false}; };
  std::shared_ptr<State> s = std::make_shared<State>();
  void Pass() const { s->reached = true; while (!s->open) std::this_thread::yield(); }
  void AwaitReached() const { while (!s->reached) std::this_thread::yield(); }
  void Open() const { s->open = true; }
};

struct EngineTest : testing::Test {
  void TearDown() override {
    ASSERT_TRUE(Engine::Get().WaitAll(60000));
    while (Engine::Get().NextUnseen()) {}
    EXPECT_EQ(Cell::alive, 0);
  }
  Engine& engine = Engine::Get();
};
struct ModeTest : EngineTest, testing::WithParamInterface<const char*> { WithOption mode{"FLEXOR_ENGINE", GetParam()}; };
INSTANTIATE_TEST_SUITE_P(Modes, ModeTest, testing::Values("auto", "threaded", "inline", "naive"));

TEST_P(ModeTest, ProgramOrderPerVariable) {
  auto a = NewCell(), b = NewCell(), c = NewCell();
  for (int i = 0; i < 500; ++i) {
    RunOrPush({{a, Access::kUpdate}}, [=] { a->value = a->value * 3 + 1; a->value %= 1000003; });
    RunOrPush({{a, Access::kRead}, {b, Access::kUpdate}}, [=] { b->value = (b->value + a->value) % 1000003; });
    RunOrPush({{b, Access::kRead}, {a, Access::kRead}, {c, Access::kWrite}}, [=] { c->value = a->value ^ b->value; }, 1e6);
  }
  int64_t x = 0, y = 0;
  for (int i = 0; i < 500; ++i) x = (x * 3 + 1) % 1000003, y = (y + x) % 1000003;
  EXPECT_TRUE(engine.WaitToRead(&c->var, -1));
  EXPECT_EQ(c->value, x ^ y);
}
TEST_P(ModeTest, ErrorsBecomePoisonAndTravel) {
  auto a = NewCell(), b = NewCell(), c = NewCell();
  RunOrPush({{a, Access::kWrite}}, []() -> void { Fail(Status::kArgument, "log", "x must be positive, given -1."); }, 1e6);
  RunOrPush({{a, Access::kRead}, {b, Access::kWrite}}, [=] { b->value = 1; });
  RunOrPush({{b, Access::kUpdate}}, [=] { b->value = 2; });
  RunOrPush({{b, Access::kRead}, {c, Access::kUpdate}}, [=] { c->value = 3; });
  EXPECT_TRUE(engine.WaitToRead(&c->var, -1)) << "a wait does not look at poison";
  ASSERT_TRUE(c->var.poisoned());
  EXPECT_EQ(c->var.GetPoison().get(), a->var.GetPoison().get()) << "one failure, one poison";
  EXPECT_EQ(c->var.GetPoison()->error.message(), "[log] x must be positive, given -1.");
  EXPECT_EQ(c->value, 0);
  RunOrPush({{b, Access::kWrite}}, [=] { b->value = 5; }, 1e6);
  EXPECT_TRUE(engine.WaitToRead(&b->var, -1));
  EXPECT_FALSE(b->var.poisoned()) << "a whole overwrite cures";
  auto p = engine.NextUnseen();
  ASSERT_TRUE(p);
  EXPECT_FALSE(engine.NextUnseen()) << "reported once";
}
TEST_P(ModeTest, RepeatedVariablesAreMerged) {
  auto a = NewCell();
  a->value = 1;
  Push({{a, Access::kRead}, {a, Access::kWrite}, {a, Access::kRead}, {a, Access::kUpdate}}, [=] { a->value *= 2; });
  Push({{a, Access::kRead}, {a, Access::kRead}}, [=] { EXPECT_EQ(a->value, 2); });
  EXPECT_TRUE(engine.WaitToWrite(&a->var, -1));
}
TEST_P(ModeTest, ManyVariablesInOneOperation) {
  std::vector<CellUse> uses;
  for (int i = 0; i < 300; ++i) uses.push_back({NewCell(), i % 3 ? Access::kUpdate : Access::kRead});
  for (int k = 0; k < 10; ++k) Push(uses, [uses] { for (auto& u : uses) if (u.access == Access::kUpdate) ++u.cell->value; });
  for (auto& u : uses) {
    EXPECT_TRUE(engine.WaitToRead(&u.cell->var, -1));
    EXPECT_EQ(u.cell->value, u.access == Access::kUpdate ? 10 : 0);
  }
}
TEST_P(ModeTest, OperationsPush) {
  auto a = NewCell(), b = NewCell();
  Push({{a, Access::kUpdate}}, [=] {
    ++a->value;
    Push({{b, Access::kUpdate}, {a, Access::kRead}}, [=] { b->value += a->value; });  // behind the one that pushes it
    Push({{a, Access::kUpdate}}, [=] { a->value += 10; });
  });
  EXPECT_TRUE(engine.WaitAll(-1));
  EXPECT_EQ(b->value, 1);
  EXPECT_EQ(a->value, 11);
}

TEST_F(EngineTest, ALongOperationReturnsAtOnceAndOverlaps) {
  WithOption mode("FLEXOR_ENGINE", "auto");
  auto a = NewCell(), b = NewCell(), c = NewCell();
  Gate gate;
  auto start = Clock::now();
  EXPECT_FALSE(RunOrPush({{a, Access::kUpdate}}, [=] { gate.Pass(); a->value = 1; }, 1e6));
  EXPECT_LT(MsSince(start), 5000);
  gate.AwaitReached();
  EXPECT_TRUE(RunOrPush({{b, Access::kUpdate}}, [=] { b->value = 2; })) << "an independent short one runs here meanwhile";
  EXPECT_FALSE(RunOrPush({{a, Access::kRead}, {b, Access::kUpdate}}, [=] { b->value += a->value; })) << "a dependent one is queued";
  EXPECT_FALSE(engine.WaitToRead(&b->var, 0));
  EXPECT_FALSE(engine.WaitToRead(&a->var, 20));
  std::atomic<bool> copied{false};
  Push({{c, Access::kUpdate}}, [&] { copied = true; }, "copy", 0, Lane::kCopy);
  while (!copied) std::this_thread::yield();
  gate.Open();
  EXPECT_TRUE(engine.WaitToRead(&b->var, -1));
  EXPECT_EQ(b->value, 3);
}
TEST_F(EngineTest, APusherBlockedBehindACopyIsNotHeldUp) {
  auto a = NewCell();
  Gate gate;
  Push({{a, Access::kRead}}, [=] { gate.Pass(); }, "copy", 0, Lane::kCopy);
  gate.AwaitReached();
  EXPECT_TRUE(RunOrPush({{a, Access::kRead}}, [] {})) << "a second reader needs no turn";
  auto start = Clock::now();
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(RunOrPush({{a, Access::kUpdate}}, [=] { ++a->value; }));
  EXPECT_LT(MsSince(start), 5000);
  EXPECT_FALSE(engine.WaitToWrite(&a->var, 10));
  EXPECT_TRUE(engine.WaitToRead(&a->var, 0) == false) << "writes are queued before this read";
  gate.Open();
  EXPECT_TRUE(engine.WaitToWrite(&a->var, -1));
  EXPECT_EQ(a->value, 1000);
}
TEST_F(EngineTest, TheWaitHelps) {
  WithOption threads("FLEXOR_NUM_THREADS", "2");
  auto a = NewCell(), b = NewCell();
  Gate gate;
  Push({{a, Access::kUpdate}}, [=] { gate.Pass(); });  // holds the only worker
  gate.AwaitReached();
  std::thread::id who;
  Push({{b, Access::kUpdate}}, [&] { who = std::this_thread::get_id(); EXPECT_TRUE(Engine::InEngineThread()); });
  EXPECT_TRUE(engine.WaitToRead(&b->var, -1));
  EXPECT_EQ(who, std::this_thread::get_id());
  EXPECT_FALSE(Engine::InEngineThread());
  gate.Open();
}
TEST_F(EngineTest, HigherPriorityFirstAmongTheReady) {
  WithOption threads("FLEXOR_NUM_THREADS", "2");
  auto a = NewCell();
  Gate gate;
  Push({{a, Access::kUpdate}}, [=] { gate.Pass(); }, "gate", 100);
  gate.AwaitReached();
  std::vector<int> order;  // only the one worker runs them: nobody waits meanwhile
  std::atomic<int> done{0};
  for (int p : {0, 5, -3, 9, 5}) Push({}, [&, p] { order.push_back(p); ++done; }, "p", p);
  gate.Open();
  while (done < 5) std::this_thread::yield();
  EXPECT_EQ(order, (std::vector<int>{9, 5, 5, 0, -3}));
}
TEST_F(EngineTest, AnEngineThreadMustNotWait) {
  auto a = NewCell(), b = NewCell();
  for (Lane lane : {Lane::kCompute, Lane::kCopy, Lane::kIo, Lane::kComm})
    Push({{a, Access::kWrite}}, [&] { engine.WaitToRead(&b->var, -1); }, "waiter", 0, lane);
  EXPECT_TRUE(engine.WaitToRead(&a->var, -1));
  ASSERT_TRUE(a->var.poisoned());
  EXPECT_EQ(a->var.GetPoison()->error.status(), Status::kState);
}
TEST_F(EngineTest, WhateverIsThrownIsNamed) {
  auto a = NewCell();
  auto what = [&](std::function<void()> f) {
    Push({{a, Access::kWrite}}, std::move(f), "relu");
    engine.WaitToRead(&a->var, -1);
    return a->var.GetPoison()->error;
  };
  EXPECT_EQ(what([] { throw std::bad_alloc(); }).status(), Status::kMemory);
  EXPECT_EQ(what([] { throw std::runtime_error("pow"); }).message(), "an operation failed: pow");
  EXPECT_EQ(what([] { throw 7; }).status(), Status::kInternal);
  Error e = what([] { throw Error(Status::kShape, "[relu] no"); });
  EXPECT_EQ(e.op, "relu");
  EXPECT_EQ(e.origin, "pushed at line 7");
}
TEST_F(EngineTest, WaitAllDoesNotWaitForWhatComesLater) {
  auto a = NewCell();
  std::atomic<bool> stop{false};
  std::thread pusher([&] { while (!stop) { Push({}, [] { std::this_thread::yield(); }); std::this_thread::yield(); } });
  for (int i = 0; i < 20; ++i) {
    std::atomic<bool> ran{false};
    Push({{a, Access::kUpdate}}, [&] { Sleep(1); ran = true; });
    EXPECT_TRUE(engine.WaitAll(60000));
    EXPECT_TRUE(ran);
  }
  stop = true;
  pusher.join();
}
TEST_F(EngineTest, ATimedOutWaitLeavesNoTrace) {
  auto a = NewCell();
  Gate gate;
  Push({{a, Access::kRead}}, [=] { gate.Pass(); });
  gate.AwaitReached();
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(engine.WaitToWrite(&a->var, 5));
  EXPECT_TRUE(engine.WaitToRead(&a->var, 0)) << "no writer stands in the queue any more";
  EXPECT_TRUE(RunOrPush({{a, Access::kRead}}, [] {}));
  gate.Open();
}
TEST_F(EngineTest, ReferencesAreGoneWhenAllIsDone) {
  auto a = NewCell();
  for (int i = 0; i < 100; ++i) Push({{a, Access::kUpdate}, {NewCell(), Access::kUpdate}}, [] {});
  EXPECT_TRUE(engine.WaitAll(-1));
  EXPECT_EQ(Cell::alive, 1);
}
TEST_F(EngineTest, NaiveRunsInTheCaller) {
  WithOption mode("FLEXOR_ENGINE", "naive");
  auto a = NewCell();
  std::thread::id who;
  for (Lane lane : {Lane::kCompute, Lane::kCopy}) {
    Push({{a, Access::kWrite}}, [&] { who = std::this_thread::get_id(); }, "n", 0, lane);
    EXPECT_EQ(who, std::this_thread::get_id());
  }
  EXPECT_TRUE(a->var.idle());
}
TEST_F(EngineTest, ModesDecideWhatRunsInline) {
  struct Case { const char* mode; bool cheap, dear; };
  for (Case c : {Case{"auto", true, false}, {"threaded", false, false}, {"inline", true, true}, {"naive", true, true}}) {
    WithOption mode("FLEXOR_ENGINE", c.mode);
    EXPECT_EQ(engine.MayInline(0), c.cheap) << c.mode;
    EXPECT_EQ(engine.MayInline(1e9), c.dear) << c.mode;
  }
  WithOption us("FLEXOR_ENGINE_INLINE_US", "500");
  EXPECT_TRUE(engine.MayInline(499));
  EXPECT_FALSE(engine.MayInline(501));
}
TEST_F(EngineTest, ShutdownAndStartAgain) {
  auto a = NewCell();
  for (int i = 0; i < 3; ++i) {
    for (Lane lane : {Lane::kCompute, Lane::kCopy, Lane::kIo}) Push({{a, Access::kUpdate}}, [=] { ++a->value; }, "s", 0, lane);
    EXPECT_TRUE(engine.Shutdown(60000));
    EXPECT_EQ(LivePoolThreads(), 0);
    EXPECT_EQ(a->value, 3 * (i + 1));
  }
}
TEST_F(EngineTest, LaneThreadsBlockSignals) {
  sigset_t set;
  auto a = NewCell();
  Push({{a, Access::kUpdate}}, [&] { pthread_sigmask(SIG_BLOCK, nullptr, &set); }, "io", 0, Lane::kIo);
  engine.WaitToRead(&a->var, -1);
  EXPECT_EQ(sigismember(&set, SIGINT), 1);
  EXPECT_EQ(sigismember(&set, SIGCHLD), 1);
}
TEST_F(EngineTest, TheChildOfAForkStartsAfresh) {
  auto a = NewCell();
  for (int i = 0; i < 100; ++i) Push({{a, Access::kUpdate}}, [=] { ++a->value; });
  Push({{a, Access::kUpdate}}, [=] { Sleep(20); ++a->value; }, "io", 0, Lane::kIo);
  pid_t child = fork();  // comes to rest first
  if (child == 0) {
    bool well = a->var.idle() && a->value == 101;
    if (!FLX_TSAN) {  // TSAN lets no child start threads
      for (Lane lane : {Lane::kCompute, Lane::kCopy, Lane::kIo}) Push({{a, Access::kUpdate}}, [=] { ++a->value; }, "child", 0, lane);
      std::atomic<int> sum{0};
      ParallelFor(100, 1, [&](int64_t, int64_t) { ++sum; });
      well = well && engine.WaitToRead(&a->var, 20000) && a->value == 104 && sum == 100 && engine.WaitAll(20000);
    }
    _exit(well ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  Push({{a, Access::kUpdate}}, [=] { ++a->value; });
  EXPECT_TRUE(engine.WaitToRead(&a->var, -1));
  EXPECT_EQ(a->value, 102);
}
TEST_F(EngineTest, ForksWhileOthersPush) {
  auto a = NewCell();
  std::atomic<bool> stop{false};
  std::thread pusher([&] {
    auto b = NewCell();
    while (!stop) { RunOrPush({{b, Access::kUpdate}}, [=] { ++b->value; }, 1e6); engine.WaitToRead(&b->var, -1); }
  });
  for (int i = 0; i < 10; ++i) {
    pid_t child = fork();
    if (child == 0) {
      bool well = true;
      if (!FLX_TSAN) {
        Push({{a, Access::kUpdate}}, [=] { a->value = 1; });
        well = engine.WaitToRead(&a->var, 20000);
      }
      _exit(well ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    ASSERT_EQ(status, 0);
  }
  stop = true;
  pusher.join();
}

}  // namespace
}  // namespace flx

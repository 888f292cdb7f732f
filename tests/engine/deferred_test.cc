// SPDX-License-Identifier: Apache-2.0
// Operations whose work ends elsewhere: they keep their variables until they are completed.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "cell.h"

namespace flx {
namespace {

// Its work is done by `end` in a thread of its own: true completes it well.
struct Sent final : Operation {
  CellRef from, to;
  std::atomic<bool>* go;
  std::atomic<int>* threads;
  bool good = true, at_once = false;
  void Execute() override {
    auto work = [this, count = threads] {
      while (!*go) std::this_thread::yield();
      to->value = from->value + 1;
      Error e(Status::kNetwork, "the peer is gone");
      Engine::Complete(this, good ? nullptr : &e);
      --*count;
    };
    ++*threads;
    if (at_once) work();
    else std::thread(work).detach();
  }
  void Describe(Error* e) const override { e->op = "send"; }
};
struct DeferredTest : testing::TestWithParam<const char*> {
  WithOption mode{"FLEXOR_ENGINE", GetParam()};
  std::atomic<bool> go{false};
  std::atomic<int> threads{0};
  bool naive() const { return std::string(GetParam()) == "naive"; }
  void Send(CellRef from, CellRef to, bool good = true, bool at_once = false) {
    if (naive()) go = true;  // the call waits
    auto* op = new Sent;
    op->from = from, op->to = to, op->go = &go, op->threads = &threads, op->good = good, op->at_once = at_once, op->deferred = true, op->lane = Lane::kComm;
    VarUse uses[] = {{&from->var, Access::kRead}, {&to->var, Access::kWrite}};
    Engine::Get().Push(op, uses, 2);
  }
  void TearDown() override {
    ASSERT_TRUE(Engine::Get().WaitAll(60000));
    while (threads) std::this_thread::yield();
    while (Engine::Get().NextUnseen()) {}
    EXPECT_EQ(Cell::alive, 0);
  }
};
INSTANTIATE_TEST_SUITE_P(Modes, DeferredTest, testing::Values("auto", "threaded", "inline", "naive"));

TEST_P(DeferredTest, KeepsItsVariablesUntilCompleted) {
  auto a = Make<Cell>(), b = Make<Cell>(), c = Make<Cell>();
  a->value = 1;
  Send(a, b);
  RunOrPush({{b, Access::kRead}, {c, Access::kWrite}}, [=] { c->value = b->value * 10; });
  RunOrPush({{a, Access::kWrite}}, [=] { a->value = 100; });
  if (!naive()) {
    EXPECT_FALSE(Engine::Get().WaitToRead(&c->var, 20));
    EXPECT_FALSE(Engine::Get().WaitToWrite(&a->var, 0)) << "it is still being read";
    EXPECT_FALSE(Engine::Get().WaitAll(20));
  }
  go = true;
  EXPECT_TRUE(Engine::Get().WaitToRead(&c->var, -1));
  EXPECT_EQ(c->value, 20);
  EXPECT_TRUE(Engine::Get().WaitToRead(&a->var, -1));
  EXPECT_EQ(a->value, 100);
}

TEST_P(DeferredTest, SeveralAreUnderWayAtOnce) {
  auto a = Make<Cell>();
  std::vector<CellRef> all;
  for (int i = 0; i < 20; ++i) all.push_back(Make<Cell>()), Send(a, all.back());
  go = true;  // none ends before all may have begun
  for (auto& c : all) {
    EXPECT_TRUE(Engine::Get().WaitToRead(&c->var, -1));
    EXPECT_EQ(c->value, 1);
  }
}

TEST_P(DeferredTest, FailsAsOthersDo) {
  auto a = Make<Cell>(), b = Make<Cell>(), c = Make<Cell>();
  Send(a, b, false);
  Send(b, c);  // does not begin: what it reads has no value
  go = true;
  EXPECT_TRUE(Engine::Get().WaitToRead(&c->var, -1));
  auto p = c->var.GetPoison();
  ASSERT_TRUE(p);
  EXPECT_EQ(p->error.status(), Status::kNetwork);
  EXPECT_EQ(p->error.op, "send");
  EXPECT_EQ(Engine::Get().NextUnseen(), p);
  Send(a, b), Send(b, c);  // overwritten
  EXPECT_TRUE(Engine::Get().WaitToRead(&c->var, -1));
  EXPECT_FALSE(b->var.poisoned() || c->var.poisoned());
}

TEST_P(DeferredTest, MayBeCompletedBeforeExecuteReturns) {
  auto a = Make<Cell>(), b = Make<Cell>(), c = Make<Cell>();
  go = true;
  Send(a, b, true, true), Send(b, c, true, true);
  EXPECT_TRUE(Engine::Get().WaitToRead(&c->var, -1));
  EXPECT_EQ(c->value, 2);
}

}  // namespace
}  // namespace flx

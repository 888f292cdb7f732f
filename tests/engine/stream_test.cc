// SPDX-License-Identifier: Apache-2.0
// Stream devices, seen with the fake one: its queues are in order and otherwise as disorderly as can be.
#include "engine/stream.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <thread>

#include "../device/fake_kernels.h"
#include "cell.h"
#include "engine/internals.h"

namespace flx {
namespace {

class AddOp : public StreamOp {  // y += x + a, on the device
 public:
  AddOp(const Ref<Stream>& s, CellRef out, CellRef in, int64_t k) : StreamOp(s), y(std::move(out)), x(std::move(in)), a(k) {}
  void Issue(flx_device_queue* q) override {
    if (slow_us) stream->device()->Check(FakeSlow(q, slow_us), "slow");
    if (gated) stream->device()->Check(FakeGate(q), "gate");
    stream->device()->Check(FakeAdd(q, &y->value, x ? &x->value : nullptr, a, 1), "add");
  }
  CellRef y, x;
  int64_t a, slow_us = 0;
  bool gated = false;  // runs when the gates are opened
};
void Add(const Ref<Stream>& s, const CellRef& y, const CellRef& x, int64_t a, int64_t slow_us = 0) {
  auto* op = new AddOp(s, y, x, a);
  op->slow_us = slow_us;
  VarUse uses[2] = {{&y->var, Access::kUpdate}, {x ? &x->var : nullptr, Access::kRead}};
  IssueOrPush(op, uses, x ? 2 : 1);
}
bool Get(const CellRef& c, int64_t* v) {
  EXPECT_TRUE(Engine::Get().WaitToRead(&c->var, 60000));
  *v = c->value;
  return !c->var.poisoned();
}

struct StreamTest : testing::Test {
  static void SetUpTestSuite() { SetOption("FLEXOR_TEST_DEVICE", FLEXOR_FAKE_DEVICE); }
  void TearDown() override {
    FakeHold(false);
    ASSERT_TRUE(Engine::Get().WaitAll(60000));
    while (Engine::Get().NextUnseen()) {}
    EXPECT_EQ(FakeCounts().waiting, 0);
    for (int i = 0; i < 10000 && Cell::alive > 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_EQ(Cell::alive, 0) << "what was let go under way is freed in the end";
  }
};

TEST_F(StreamTest, IssuingReturnsAtOnceAndTheHostWaits) {
  auto s = Stream::Make(FakeDevice());
  auto a = Make<Cell>();
  FakeHold(true);
  Add(s, a, nullptr, 1);
  EXPECT_FALSE(Engine::Get().WaitToRead(&a->var, 0));
  EXPECT_FALSE(Engine::Get().WaitToRead(&a->var, 1));
  EXPECT_TRUE(StreamsBusy(&a->var));
  EXPECT_FALSE(RunOrPush({{a, Access::kUpdate}}, [=] { a->value *= 10; })) << "host work stands back";
  FakeHold(false);
  int64_t v;
  EXPECT_TRUE(Get(a, &v));
  EXPECT_EQ(v, 10);
  EXPECT_FALSE(StreamsBusy(&a->var));
  EXPECT_TRUE(RunOrPush({{a, Access::kUpdate}}, [=] { ++a->value; })) << "inline again";
}
TEST_F(StreamTest, ReadsOfTheDeviceDoNotKeepTheHostFromReading) {
  auto s = Stream::Make(FakeDevice());
  auto a = Make<Cell>(), b = Make<Cell>();
  a->value = 5;
  FakeHold(true);
  Add(s, b, a, 0);
  EXPECT_TRUE(Engine::Get().WaitToRead(&a->var, 0));
  EXPECT_TRUE(RunOrPush({{a, Access::kRead}}, [=] { EXPECT_EQ(a->value, 5); }));
  EXPECT_FALSE(Engine::Get().WaitToWrite(&a->var, 0));
  EXPECT_FALSE(RunOrPush({{a, Access::kWrite}}, [=] { a->value = 7; }));
  FakeHold(false);
  int64_t v;
  Get(b, &v);
  EXPECT_EQ(v, 5) << "the write waited for the device's read";
  Get(a, &v);
  EXPECT_EQ(v, 7);
}
// Streams of both devices and the host, at random over shared variables, checked against program order. How many numbers were wrong.
int RandomProgram(unsigned seed, int steps) {
  constexpr int kVars = 8;
  int wrong = 0;
  std::vector<Ref<Stream>> streams;
  for (int i = 0; i < 4; ++i) streams.push_back(Stream::Make(FakeDevice(i % 2)));
  std::vector<CellRef> cells;
  for (int i = 0; i < kVars; ++i) cells.push_back(Make<Cell>());
  std::vector<int64_t> want(kVars);
  auto check = [&](const CellRef& c, int64_t v) {
    int64_t got = 0;
    Get(c, &got);
    wrong += got != v;
  };
  std::mt19937 g(seed);
  for (int i = 0; i < steps; ++i) {
    size_t y = g() % kVars, x = g() % kVars;
    auto a = int64_t(g() % 100);
    if (x == y) x = (x + 1) % kVars;
    CellRef cy = cells[y], cx = cells[x];
    if (g() % 3) {
      want[y] += want[x] % 1000 + a;  // the device adds what is small enough not to overflow
      RunOrPush({{cx, Access::kRead}, {cy, Access::kUpdate}}, [=] { cy->value += cx->value % 1000 + a; }, g() % 2 ? 1 : 1e6);
    } else {
      want[y] += a;
      Add(streams[g() % 4], cy, nullptr, a);
    }
    if (g() % 4 == 0) {  // a device's read between
      CellRef sink = Make<Cell>();
      Add(streams[g() % 4], sink, cx, 0);
      if (g() % 8 == 0) check(sink, want[x]);
      // else it is let go while the device may still write to it
    }
    if (g() % 50 == 0) check(cy, want[y]);
  }
  EXPECT_TRUE(Engine::Get().WaitAll(60000));
  for (size_t k = 0; k < kVars; ++k) check(cells[k], want[k]);
  return wrong;
}
TEST_F(StreamTest, RandomProgramsOverStreamsAndHost) { EXPECT_EQ(RandomProgram(11, 3000), 0); }
// Chains that go from stream to stream, each step of which reads what another stream wrote. The planted mistake, queues that do not wait for the events of
// others, must show in them. Every cell is kept until the queues have run empty: with the mistake in, its last event does not say that nothing reads it.
int ChainProgram(unsigned seed) {
  std::mt19937 g(seed);
  std::vector<Ref<Stream>> streams;
  for (int i = 0; i < 4; ++i) streams.push_back(Stream::Make(FakeDevice(i % 2)));
  std::vector<CellRef> cells;
  int wrong = 0;
  for (int k = 0; k < 20; ++k) {
    cells.push_back(Make<Cell>());
    int64_t want = 0, got = 0;
    for (int i = 0; i < 10; ++i) {
      CellRef next = Make<Cell>();
      want += i;
      Add(streams[g() % 4], next, cells.back(), i, g() % 3 ? 0 : 100);
      cells.push_back(next);
    }
    Get(cells.back(), &got);
    wrong += got != want;
  }
  for (int i = 0; i < 60000 && FakeCounts().waiting; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(FakeCounts().waiting, 0);
  return wrong;
}
TEST_F(StreamTest, AMissingEventIsCaught) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the mistake is a race, and the sanitizer would rightly say so";
#endif
  EXPECT_EQ(ChainProgram(5), 0);
  FakeDeaf(true);
  int wrong = 0;
  for (unsigned seed = 0; seed < 5; ++seed) wrong += ChainProgram(seed);
  FakeDeaf(false);
  EXPECT_GT(wrong, 0);
  EXPECT_EQ(ChainProgram(6), 0);
}
TEST_F(StreamTest, ManyThreadsIssue) {
  auto s = Stream::Make(FakeDevice()), t = Stream::Make(FakeDevice(1));
  auto a = Make<Cell>();
  std::vector<std::thread> threads;
  for (int k = 0; k < 4; ++k)
    threads.emplace_back([&, k] {
      for (int i = 0; i < 500; ++i) {
        if (i % 3 == 0) RunOrPush({{a, Access::kUpdate}}, [=] { ++a->value; });
        else Add(k % 2 ? s : t, a, nullptr, 1);
        if (i % 100 == 0) Engine::Get().WaitToRead(&a->var, k);
      }
    });
  for (auto& x : threads) x.join();
  int64_t v;
  Get(a, &v);
  EXPECT_EQ(v, 2000);
}
// Two threads issue reads to one stream, and the one that issued first is the last to note it: a write waits for both.
TEST_F(StreamTest, AWriteWaitsForTheLaterOfTwoReads) {
  struct HeldUp final : AddOp {  // between issuing and noting
    using AddOp::AddOp;
    void Issued(uint64_t) noexcept override { LockVar(&y->var), issued->store(true); }
    std::atomic<bool>* issued = nullptr;
  };
  auto s = Stream::Make(FakeDevice()), t = Stream::Make(FakeDevice());
  auto x = Make<Cell>(), first = Make<Cell>(), between = Make<Cell>(), second = Make<Cell>();
  x->value = 1;
  FakeHold(true);
  std::atomic<bool> issued{false};
  std::thread other([&] {
    auto* op = new HeldUp(s, first, x, 0);
    op->issued = &issued;
    VarUse uses[] = {{&first->var, Access::kUpdate}, {&x->var, Access::kRead}};
    IssueOrPush(op, uses, 2);
  });
  while (!issued) std::this_thread::yield();
  Add(s, between, nullptr, 5);
  EXPECT_FALSE(Engine::Get().WaitToRead(&between->var, 1));  // an event behind the first, and before the second
  auto* op = new AddOp(s, second, x, 0);
  op->gated = true;
  VarUse uses[] = {{&second->var, Access::kUpdate}, {&x->var, Access::kRead}};
  IssueOrPush(op, uses, 2);
  UnlockVar(&first->var);
  other.join();
  Add(t, x, nullptr, 100);
  FakeHold(false);
  int64_t v;
  for (int i = 0; i < 100 && !Engine::Get().WaitToRead(&x->var, 0); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  FakeGatesOpen();
  EXPECT_TRUE(Get(second, &v));
  EXPECT_EQ(v, 1) << "the write came before a read that was issued before it";
  EXPECT_TRUE(Get(x, &v));
  EXPECT_EQ(v, 101);
}
TEST_F(StreamTest, WaitAllWaitsForStreams) {
  auto s = Stream::Make(FakeDevice());
  auto a = Make<Cell>();
  FakeHold(true);
  Add(s, a, nullptr, 1);
  EXPECT_FALSE(Engine::Get().WaitAll(1));
  FakeHold(false);
  EXPECT_TRUE(Engine::Get().WaitAll(-1));
  EXPECT_EQ(a->value, 1);
}
TEST_F(StreamTest, AFailureToIssuePoisonsWhatItWrites) {
  auto s = Stream::Make(FakeDevice());
  auto a = Make<Cell>(), b = Make<Cell>();
  FakeFail("kernel", 1);
  Add(s, a, nullptr, 1);
  Add(s, b, a, 1);
  int64_t v;
  EXPECT_FALSE(Get(b, &v));
  EXPECT_EQ(b->var.GetPoison()->error.message(), "[fake(0)] add failed: a test asked for this failure");
  EXPECT_EQ(v, 0);
  RunOrPush({{b, Access::kWrite}}, [=] { b->value = 3; });
  Add(s, b, nullptr, 1);
  EXPECT_TRUE(Get(b, &v)) << "the device is well";
  EXPECT_EQ(v, 4);
}
TEST_F(StreamTest, ShutdownStopsTheCompletionThread) {
  auto s = Stream::Make(FakeDevice());
  for (int i = 0; i < 3; ++i) {
    auto a = Make<Cell>();
    Add(s, a, nullptr, 1, 1000);
    EXPECT_TRUE(Engine::Get().Shutdown(60000));
    EXPECT_EQ(a->value, 1);
  }
}
TEST_F(StreamTest, TheCpusTableServesToo) {
  auto s = Stream::Make(DeviceManager::Get().Cpu());
  class CopyOp final : public StreamOp {
   public:
    CopyOp(Ref<Stream> st, CellRef c) : StreamOp(std::move(st)), cell(std::move(c)) {}
    void Issue(flx_device_queue* q) override {
      int64_t v = 42;
      stream->device()->Check(stream->device()->table->copy(q, &cell->value, &v, 8, FLX_COPY_ON_DEVICE), "copy");
    }
    CellRef cell;
  };
  auto a = Make<Cell>();
  VarUse use{&a->var, Access::kWrite};
  IssueOrPush(new CopyOp(s, a), &use, 1);
  int64_t v;
  EXPECT_TRUE(Get(a, &v));
  EXPECT_EQ(v, 42);
}
// Last: the device stays lost.
TEST_F(StreamTest, ZzALostDevicePoisonsItsArrays) {
  auto s = Stream::Make(FakeDevice());
  auto a = Make<Cell>(), b = Make<Cell>(), before = Make<Cell>();
  Add(s, before, nullptr, 1);
  int64_t v;
  EXPECT_TRUE(Get(before, &v));
  FakeFail("lost", 1);
  Add(s, a, nullptr, 1);
  EXPECT_FALSE(Get(a, &v));
  EXPECT_NE(a->var.GetPoison()->error.message().find("the device is lost"), std::string::npos) << a->var.GetPoison()->error.message();
  Add(s, b, nullptr, 1);
  EXPECT_FALSE(Get(b, &v));
  EXPECT_FALSE(before->var.poisoned()) << "what the host has seen is sound";
  EXPECT_TRUE(Engine::Get().NextUnseen());
}

}  // namespace
}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// What the library records of itself: operators, waits, copies, memory.
#include <gtest/gtest.h>

#include <thread>

#include "base/config.h"
#include "exec/invoke.h"
#include "helpers.h"
#include "storage/pool.h"

namespace flx {
namespace {

struct EngineMode {
  explicit EngineMode(const char* mode) { SetOption("FLEXOR_ENGINE", mode); }
  ~EngineMode() { SetOption("FLEXOR_ENGINE", ""); }
};
int64_t OperatorsRun() { return Engine::Get().inline_count() + Engine::Get().queued_count(); }

class Runs : public testing::TestWithParam<const char*> {};

TEST_P(Runs, OneSpanForEachOperator) {
  EngineMode mode(GetParam());
  NDArray a = Array::Filled({2, 3}, DType::kFloat32, 1), big = Array::Filled({64, 512}, DType::kFloat32, 1);
  Engine::Get().WaitAll(-1);
  Recording recording(Only(ProfileBit(ProfileKind::kOperator)));
  int64_t before = OperatorsRun();
  for (int i = 0; i < 10; ++i) a = Invoke1("broadcast_add", {a, a});
  NDArray y = Invoke1("dot", {big, Invoke1("transpose", {big})});
  for (int i = 0; i < 5; ++i) y = Invoke1("sum", {Invoke1("relu", {y})}, {{"axis", "0"}, {"keepdims", "True"}});
  auto parts = Invoke("split", {big}, {{"num_outputs", "2"}, {"axis", "1"}});
  Engine::Get().WaitAll(-1);
  Trace t = ReadTrace();
  EXPECT_EQ(int64_t(t.Of("X").size()), OperatorsRun() - before);
  auto adds = t.Of("X", "broadcast_add");
  ASSERT_EQ(adds.size(), 10u);
  EXPECT_EQ(adds[0].category, "operator");
  EXPECT_EQ(adds[0].args.Find("inputs")->items.at(1).text, "float32 (2, 3)");
  EXPECT_EQ(adds[0].args.Find("outputs")->items.at(0).text, "float32 (2, 3)");
  EXPECT_EQ(adds[0].args.Find("queued") != nullptr, GetParam() == std::string("threaded"));
  auto dots = t.Of("X", "dot");
  ASSERT_EQ(dots.size(), 1u);
  EXPECT_EQ(dots[0].args.Find("outputs")->items.at(0).text, "float32 (64, 64)");
  EXPECT_EQ(t.dropped, 0);
}
INSTANTIATE_TEST_SUITE_P(Modes, Runs, testing::Values("auto", "inline", "threaded", "naive"));

TEST(RunsProfiled, WaitsThatWait) {
  EngineMode mode("threaded");
  NDArray a = Array::Filled({1 << 20}, DType::kFloat32, 1);
  Engine::Get().WaitAll(-1);
  Recording recording(Only(ProfileBit(ProfileKind::kWait)));
  for (int i = 0; i < 4; ++i) a = Invoke1("exp", {a});
  EXPECT_TRUE(WaitToRead(*a));
  EXPECT_TRUE(Engine::Get().WaitAll(-1));
  Trace t = ReadTrace();
  EXPECT_EQ(t.Of("X", "wait for all").size(), 1u);
  EXPECT_LE(t.Of("X", "wait to read").size(), 1u);  // none if it was done before
  EXPECT_EQ(t.Of("X").size(), t.Of("X", "wait to read").size() + 1);
}

TEST(RunsProfiled, Copies) {
  Recording recording(Only(ProfileBit(ProfileKind::kCopy)));
  std::vector<float> v(6, 2);
  NDArray a = FromHost(v.data(), 24, DType::kFloat32, false, {2, 3}, DType::kFloat32);
  WriteArray(a, v.data(), 24, DType::kFloat32, true);
  ReadArray(*a, v.data(), 24, DType::kFloat32, false);
  EXPECT_EQ(ItemOf(*Invoke1("sum", {a})), 12);
  Trace t = ReadTrace();
  auto to = t.Of("X", "host to array"), from = t.Of("X", "array to host");
  ASSERT_EQ(to.size(), 2u);
  ASSERT_EQ(from.size(), 2u);
  EXPECT_EQ(to[0].args.Find("outputs")->items.at(0).text, "float32 (2, 3)");
  EXPECT_EQ(to[0].args.Find("bytes")->integer, 24);
  EXPECT_EQ(from[0].args.Find("inputs")->items.at(0).text, "float32 (2, 3)");
}

TEST(RunsProfiled, MemoryIsStorages) {
  HostMemoryPeakReset();
  Recording recording(Only(ProfileBit(ProfileKind::kMemory)));
  {
    NDArray small = Array::Filled({50}, DType::kFloat32, 1), large = Array::Filled({1 << 20}, DType::kFloat32, 1);
    small = Invoke1("exp", {small});
    std::thread([] { Array::Filled({3000}, DType::kFloat32, 1); }).join();
    Engine::Get().WaitAll(-1);
  }
  StopProfile();
  Trace t = ReadTrace();
  MemoryStats m = HostMemoryStats();
  auto events = t.Of("C", "memory cpu");
  ASSERT_GT(events.size(), 6u);
  int64_t peak = 0, highest = 0;
  for (auto& e : events) peak = std::max(peak, e.args.Find("peak")->integer), highest = std::max(highest, e.args.Find("live")->integer);
  EXPECT_EQ(peak, m.peak);
  EXPECT_EQ(highest, m.peak);
  EXPECT_EQ(events.back().args.Find("live")->integer, m.live);
  JsonValue table = ReadTable();
  auto& row = table.Find("counters")->items.at(0);
  EXPECT_EQ(row.Find("max")->integer, m.peak);
  EXPECT_EQ(row.Find("last")->integer, m.live);
}

TEST(RunsProfiled, FailedOperatorsToo) {
  Recording recording(Only(ProfileBit(ProfileKind::kOperator)));
  NDArray a = Array::Filled({1 << 12}, DType::kFloat32, 1);
  TestFailAllocation(1);
  EXPECT_THROW(Invoke1("sort", {a}), Error);
  TestFailAllocation(-1);
  { NDArray b = Invoke1("exp", {a}); }
  Engine::Get().WaitAll(-1);
  Trace t = ReadTrace();  // nests, though one was left by an error
  EXPECT_EQ(t.Of("X", "exp").size(), 1u);
}

}  // namespace
}  // namespace flx

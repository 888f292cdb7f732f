// SPDX-License-Identifier: Apache-2.0
// Stores over arrays of two devices (the emulated ones, or GPUs): the same results by collectives, by copies and on the host, and what becomes of failures.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "../device/under_test.h"
#include "base/text.h"
#include "store_helpers.h"

namespace flx {
namespace {

using namespace kvstore_tests;

const Device* At(size_t i) { return i == 2 ? nullptr : i == 1 ? SecondDeviceUnderTest() : DeviceUnderTest(); }
NDArray On(size_t device, const Values& v) { return CopyOf(Of(v), At(device)); }

// With collectives, and without: FLEXOR_DETERMINISTIC demands sums in the order given.
struct DeviceStore : testing::TestWithParam<bool> {
  static void SetUpTestSuite() { PrepareDevice(); }
  void SetUp() override {
    if (!At(1)) GTEST_SKIP() << kOneGpu;
    SetOption("FLEXOR_DETERMINISTIC", GetParam() ? "0" : "1");
  }
  void TearDown() override {
    SetOption("FLEXOR_DETERMINISTIC", "");
    ExpectAllDone();
  }
};
INSTANTIATE_TEST_SUITE_P(Both, DeviceStore, testing::Bool(), [](auto& info) { return info.param ? "Collectives" : "Copies"; });

TEST_P(DeviceStore, SumsWhereTheArraysLieAndGivesToAll) {
  for (size_t start : {0, 1, 2}) {  // wherever the first value is
    auto store = Store::New("device", {});
    store->Init({"w"}, {On(start, {9, 9})});
    store->Push({"w", "w"}, {On(0, {1, 2}), On(1, {10, 20})}, {});
    NDArray a = On(0, {0, 0}), b = On(1, {0, 0}), c = On(2, {0, 0});
    store->Pull({"w", "w", "w"}, {a, b, c}, 0);
    for (auto& x : {a, b, c}) EXPECT_EQ(Floats(x), (Values{11, 22}));
    NDArray d = On(0, {0, 0}), e = On(1, {0, 0});
    store->Pull({"w", "w"}, {e, d}, 0);
    for (auto& x : {d, e}) EXPECT_EQ(Floats(x), (Values{11, 22}));
    store->PushPull({"w", "w"}, {a, e}, {a, e}, {});  // into what is pushed
    for (auto& x : {a, e}) EXPECT_EQ(Floats(x), (Values{22, 44}));
    store->Pull({"w"}, {c}, 0);
    EXPECT_EQ(Floats(c), (Values{22, 44}));
    store->PushPull({"w", "w", "w"}, {a, b, c}, {d, d, d}, {});  // the CPU's among them
    EXPECT_EQ(Floats(d), (Values{55, 110}));
  }
}
TEST_P(DeviceStore, NothingWaitsUntilAReadDoes) {
  if (GpuModule()) GTEST_SKIP() << kEmulatedOnly;
  auto store = Store::New("device", {});
  store->Init({"w"}, {Of({0, 0})});
  NDArray a = On(0, {1, 2}), b = On(1, {3, 4});
  ASSERT_TRUE(Engine::Get().WaitAll(60000));
  FakeHold(true);
  store->PushPull({"w", "w"}, {a, b}, {a, b}, {});
  store->PushPull({"w", "w"}, {a, b}, {a, b}, {});
  EXPECT_FALSE(WaitToRead(*a, 0));
  EXPECT_FALSE(WaitToRead(*b, 0));
  FakeHold(false);
  EXPECT_EQ(Floats(a), (Values{8, 12}));
  EXPECT_EQ(Floats(b), (Values{8, 12}));
}
TEST_P(DeviceStore, EveryDtypeAndViews) {
  for (auto t : {DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kBfloat16, DType::kInt32, DType::kInt64, DType::kUint8, DType::kInt8}) {
    auto store = Store::New("device", {});
    store->Init({"w"}, {Array::Filled({2, 3}, t, 0)});
    NDArray a = Array::Filled({2, 3}, t, 3, At(0)), b = Array::Filled({2, 3}, t, 4, At(1));
    store->PushPull({"w", "w"}, {a, b}, {a, b}, {});
    EXPECT_EQ(Floats(a), Values(6, 7)) << DTypeName(t);
    EXPECT_EQ(Floats(b), Values(6, 7)) << DTypeName(t);
  }
  auto store = Store::New("device", {});
  store->Init({"w"}, {Array::Filled({2, 2}, DType::kFloat32, 0)});
  auto turned = [](size_t device, const Values& v) { return Invoke1("transpose", {Invoke1("reshape", {On(device, v)}, {{"shape", "(2, 2)"}})}); };
  NDArray a = turned(0, {1, 2, 3, 4}), b = turned(1, {10, 20, 30, 40});
  store->PushPull({"w", "w"}, {a, b}, {a, b}, {});
  EXPECT_EQ(Floats(a), (Values{11, 33, 22, 44}));
  EXPECT_EQ(Floats(b), Floats(a));
  NDArray none = Array::New({0}, DType::kFloat32, At(0)), empty = Array::New({0}, DType::kFloat32, At(1));
  store->Init({"none"}, {none});
  store->PushPull({"none", "none"}, {none, empty}, {none, empty}, {});
}
TEST_P(DeviceStore, ValuesSpreadOverTheDevices) {
  auto store = Store::New("device", {});
  std::vector<std::string> keys;
  for (int i = 0; i < 4; ++i) {
    keys.push_back("k" + std::to_string(i));
    store->Init({keys.back()}, {Of({0, 0, 0, 0})});
    store->Push({keys.back(), keys.back()}, {On(0, {1, 1, 1, 1}), On(1, {1, 1, 1, 1})}, {});
  }
  std::string text = store->Describe();
  for (size_t i : {0, 1}) EXPECT_NE(text.find(Text("  on ", NameOf(At(i)), ": 32 bytes\n")), std::string::npos) << text;
  store->Forget({"k0"});
  store->Init({"k0"}, {Of({0})});
  store->Push({"k0"}, {On(0, {5})}, {});
  NDArray got = Of({0});
  store->Pull({"k0"}, {got}, 0);
  EXPECT_EQ(Floats(got), (Values{5}));
}
TEST_P(DeviceStore, AnOptimizerUpdatesWhereTheValueIs) {
  for (const char* rule : {"sgd", "adam"}) {
    auto optimizer = Optimizer::New(rule, {{"learning_rate", "0.5"}});
    auto store = Store::New("device", {}), local = Store::New("local", {});
    for (auto& s : {store, local}) s->Init({"w"}, {Of({1, 2})}), s->SetOptimizer(*optimizer);
    NDArray a = On(0, {0, 0}), b = On(1, {0, 0}), want = Of({0, 0});
    for (int i = 0; i < 3; ++i) {
      store->PushPull({"w", "w"}, {On(0, {1, 2}), On(1, {3, float(i)})}, {a, b}, {});
      local->PushPull({"w"}, {Of({4, 2 + float(i)})}, {want}, {});
    }
    for (auto& x : {a, b})
      for (size_t i : {0, 1}) EXPECT_NEAR(Floats(x)[i], Floats(want)[i], GpuModule() ? 1e-6 : 0) << rule;
  }
}
// The order of the sum is that of the arrays given, whatever the devices: the same bits as on the host.
TEST_P(DeviceStore, SumsInTheOrderGivenWhereThatIsDemanded) {
  const std::vector<Values> parts = {{1e8f, 1}, {-1e8f, 2}, {1, 3}};
  auto store = Store::New("device", {}), local = Store::New("local", {});
  for (auto& s : {store, local}) s->Init({"w"}, {Of({0, 0})});
  NDArray got = On(1, {0, 0}), want = Of({0, 0});
  store->Push({"w", "w", "w"}, {On(1, parts[0]), On(0, parts[1]), On(1, parts[2])}, {});
  local->Push({"w", "w", "w"}, {On(1, parts[0]), On(0, parts[1]), Of(parts[2])}, {});  // brought to the host
  store->Pull({"w"}, {got}, 0), local->Pull({"w"}, {want}, 0);
  EXPECT_EQ(Floats(want), (Values{1, 6}));
  EXPECT_EQ(Floats(got), Floats(want));
}

// Pushes and pulls of several keys from both devices and the host, at random, against a local store on the host. What was read right, wrong, or failed.
struct Outcome { int right = 0, wrong = 0, failed = 0; };
Outcome RandomProgram(unsigned seed, int steps, const std::vector<const char*>& faults) {
  constexpr size_t kKeys = 3;
  const size_t sizes[kKeys] = {1, 7, 1000};
  std::mt19937 g(seed);
  auto store = Store::New("device", {}), local = Store::New("local", {});
  std::vector<std::string> names;
  std::vector<NDArray> here[kKeys], want;
  for (size_t k = 0; k < kKeys; ++k) {
    names.push_back("k" + std::to_string(k));
    const Values v(sizes[k], float(g() % 10));
    store->Init({names[k]}, {On(g() % 3, v)}), local->Init({names[k]}, {Of(v)});
    for (size_t i = 0; i < 3; ++i) here[k].push_back(On(i, v));
    want.push_back(Of(v));
  }
  Outcome o;
  for (int step = 0; step < steps; ++step) {
    const size_t k = g() % kKeys, first = g() % 3, count = 1 + g() % 3;
    std::vector<NDArray> pushed, host, pulled;
    for (size_t i = 0; i < count; ++i) {
      const Values v(sizes[k], float(g() % 100));
      pushed.push_back(On((first + i) % 3, v)), host.push_back(Of(v)), pulled.push_back(here[k][(first + i) % 3]);
    }
    const std::vector<std::string> each(count, names[k]);
    bool called = true;
    try {
      if (!faults.empty() && g() % 2) FakeFail(faults[g() % faults.size()], 1 + g() % 4);
      if (g() % 2) store->PushPull(each, pushed, pulled, {});
      else store->Push(each, pushed, {}), store->Pull(each, pulled, 0);
    } catch (const Error&) {
      called = false;
    }
    local->PushPull(each, host, std::vector<NDArray>(count, want[k]), {});
    try {
      if (!called) throw Error(Status::kError, "");
      const Values v = Floats(pulled[g() % count]);
      ++(v == Floats(want[k]) ? o.right : o.wrong);
    } catch (const Error&) {
      ++o.failed;
    }
  }
  for (const char* f : faults) FakeFail(f, 0);
  return o;
}
TEST_P(DeviceStore, RandomProgramsGiveWhatTheHostGives) {
  for (unsigned seed = 0; seed < 15; ++seed) {
    Outcome o = RandomProgram(seed, 40, {});
    EXPECT_TRUE(o.right == 40 && !o.wrong && !o.failed) << "seed " << seed << ": " << o.right << " right, " << o.wrong << " wrong, " << o.failed << " failed";
  }
}
// Copies, kernels, memory and collectives that fail: what is read is right or an error, nothing hangs, and all is well again afterwards.
TEST_P(DeviceStore, FailuresAreErrorsAndNeverWrongNumbers) {
  if (GpuModule()) GTEST_SKIP() << kEmulatedOnly;
  int failed = 0;
  for (unsigned seed = 0; seed < 20; ++seed) {
    Outcome o = RandomProgram(seed, 30, {"copy", "kernel", "alloc", "collective"});
    EXPECT_EQ(o.wrong, 0) << "seed " << seed;
    failed += o.failed;
  }
  EXPECT_GT(failed, 20);
  ASSERT_TRUE(Engine::Get().WaitAll(60000));
  while (Engine::Get().NextUnseen()) {}
  Outcome o = RandomProgram(99, 20, {});
  EXPECT_EQ(o.right, 20);
}
TEST_P(DeviceStore, AFailedCollectiveSaysOfWhat) {
  if (GpuModule()) GTEST_SKIP() << kEmulatedOnly;
  if (!GetParam()) GTEST_SKIP() << "of collectives";
  auto store = Store::New("device", {});
  store->Init({"w"}, {Of({0, 0})});
  NDArray a = On(0, {1, 2}), b = On(1, {3, 4});
  FakeFail("collective", 1);
  store->PushPull({"w", "w"}, {a, b}, {a, b}, {});
  Error e = ErrorOf([&] { Floats(b); });
  EXPECT_EQ(e.message().find("[all_reduce] float32 (2,) on emu(0), emu(1): [emu(0)] all_reduce failed: "), 0u) << e.message();
  EXPECT_EQ(e.op, "all_reduce");
  while (Engine::Get().NextUnseen()) {}
  Engine::Get().WaitAll(-1);
  while (Engine::Get().NextUnseen()) {}
}
TEST_P(DeviceStore, ALocalStoreSumsOnTheHost) {
  NDArray a = On(0, {1});
  auto local = Store::New("local", {});
  local->Init({"w"}, {a});
  local->Push({"w", "w"}, {a, On(1, {5})}, {});
  NDArray got = On(1, {0});
  local->Pull({"w"}, {got}, 0);
  EXPECT_EQ(Floats(got), (Values{6}));
}
// Last: the device stays lost. Whoever took part has nothing that counts; the other device goes on alone.
TEST_P(DeviceStore, ZzALostDeviceSpoilsWhatWasMadeTogether) {
  if (GpuModule()) GTEST_SKIP() << kEmulatedOnly;
  if (!GetParam()) GTEST_SKIP() << "once: the device stays lost";
  auto store = Store::New("device", {});
  store->Init({"w"}, {Of({0, 0})});
  NDArray a = On(0, {1, 2}), b = On(1, {3, 4}), fine = On(0, {5, 6});
  store->PushPull({"w", "w"}, {a, b}, {a, b}, {});
  EXPECT_EQ(Floats(a), (Values{4, 6}));
  FakeHold(true);
  FakeFail("lost", 1);
  NDArray c = Invoke1("exp", {b});
  store->PushPull({"w", "w"}, {a, c}, {a, c}, {});
  NDArray after = Invoke1("elemwise_add", {a, fine});
  FakeHold(false);
  for (auto& x : {after, a, c}) {
    Error e = ErrorOf([&] { Floats(x); });
    EXPECT_TRUE(Has(e, "[emu(1)]") && Has(e, "lost")) << e.message();
  }
  EXPECT_EQ(Floats(Invoke1("elemwise_add", {fine, fine})), (Values{10, 12}));
  auto alone = Store::New("device", {});
  alone->Init({"w"}, {Of({0, 0})});
  alone->PushPull({"w", "w"}, {fine, fine}, {fine, fine}, {});
  EXPECT_EQ(Floats(fine), (Values{10, 12}));
  ASSERT_TRUE(Engine::Get().WaitAll(60000));
  while (Engine::Get().NextUnseen()) {}
}

}  // namespace
}  // namespace flx

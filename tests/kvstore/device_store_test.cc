// SPDX-License-Identifier: Apache-2.0
// Stores over arrays of two devices (the emulated ones, or GPUs): the same results by collectives, by copies and on the host, and what becomes of failures.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <thread>

#include "../device/under_test.h"
#include "base/text.h"
#include "store_helpers.h"
#include "tensor/collective.h"

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
  bool done = false;  // seen by who only asks, too
  for (int i = 0; i < 60000 && !done; ++i) done = WaitToRead(*a, 0), std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_TRUE(done);
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
// ---- calls of many keys: small ones are issued together
struct ManyKeys {
  std::vector<std::string> names, twice;   // each once, and each twice
  std::vector<NDArray> arrays;             // of both devices: 1 and the key's number
  ManyKeys(const std::vector<int64_t>& sizes, Store* store) {
    for (size_t k = 0; k < sizes.size(); ++k) {
      names.push_back("k" + std::to_string(k));
      twice.insert(twice.end(), 2, names[k]);
      if (store) store->Init({names[k]}, {Array::Filled({sizes[k]}, DType::kFloat32, 0)});
      for (size_t i : {0, 1}) arrays.push_back(Array::Filled({sizes[k]}, DType::kFloat32, i ? double(k) : 1, At(i)));
    }
  }
  bool Right(size_t k, float sign = 1) const { return Floats(arrays[2 * k]) == Values(size_t(arrays[2 * k]->size()), sign * float(k + 1)) && Floats(arrays[2 * k + 1]) == Floats(arrays[2 * k]); }
  bool Fails(size_t k) const {
    int failed = 0;
    for (size_t i : {0, 1}) {
      try { Floats(arrays[2 * k + i]); } catch (const Error&) { ++failed; }
    }
    return failed == 2;
  }
};
void ForgetFailures() {
  ASSERT_TRUE(Engine::Get().WaitAll(60000));
  while (Engine::Get().NextUnseen()) {}
}
TEST_P(DeviceStore, ManySmallKeysGoTogetherAndFailTogether) {
  const std::vector<int64_t> sizes(100, 3);  // 64 and 36
  auto store = Store::New("device", {});
  ManyKeys well(sizes, store.get());
  store->PushPull(well.twice, well.arrays, well.arrays, {});
  for (size_t k = 0; k < 100; ++k) EXPECT_TRUE(well.Right(k)) << k;
  if (GpuModule() || !GetParam()) return;
  for (int failing : {1, 2, 3}) {
    ManyKeys all(sizes, nullptr);
    FakeFail("collective", failing);
    store->PushPull(all.twice, all.arrays, all.arrays, {});
    for (size_t k = 0; k < 100; ++k) EXPECT_TRUE((k < 64 ? 1 : 2) == failing ? all.Fails(k) : all.Right(k)) << failing << ", key " << k;
    if (failing == 1) {
      const Error e = ErrorOf([&] { Floats(all.arrays[0]); });
      EXPECT_TRUE(Has(e, "[all_reduce] float32 (3,) and 63 more on emu(0), emu(1): ")) << e.message();
    }
    FakeFail("collective", 0);
    ForgetFailures();
  }
}
TEST_P(DeviceStore, LargeKeysGoAlone) {
  constexpr int64_t kSmall = 64 << 10;  // 256 KiB; 16 of them are 4 MiB
  std::vector<int64_t> sizes(20, kSmall);
  sizes[5] = kSmall + 1;
  auto store = Store::New("device", {});
  ManyKeys well(sizes, store.get());
  store->PushPull(well.twice, well.arrays, well.arrays, {});
  for (size_t k = 0; k < 20; ++k) EXPECT_TRUE(well.Right(k)) << k;
  if (GpuModule() || !GetParam()) return;
  auto call_of = [](size_t k) { return k == 5 ? 1 : k < 17 ? 2 : 3; };
  for (int failing : {1, 3}) {
    ManyKeys all(sizes, nullptr);
    FakeFail("collective", failing);
    store->PushPull(all.twice, all.arrays, all.arrays, {});
    for (size_t k = 0; k < 20; ++k) EXPECT_TRUE(call_of(k) == failing ? all.Fails(k) : all.Right(k)) << failing << ", key " << k;
    ForgetFailures();
  }
}
TEST_P(DeviceStore, AnOptimizersKeysGoTogetherToo) {
  const std::vector<int64_t> sizes(40, 2);
  auto store = Store::New("device", {});
  ManyKeys first(sizes, store.get());
  store->SetOptimizer(*Optimizer::New("sgd", {{"learning_rate", "1"}}));
  store->PushPull(first.twice, first.arrays, first.arrays, {});
  for (size_t k = 0; k < 40; ++k) EXPECT_TRUE(first.Right(k, -1)) << k;
  if (GpuModule() || !GetParam()) return;
  ManyKeys zeros(sizes, nullptr);
  for (auto& a : zeros.arrays) a = Array::Filled({2}, DType::kFloat32, 0, a->device());
  FakeFail("collective", 2);  // the sums arrive, what is given back does not
  store->PushPull(zeros.twice, zeros.arrays, zeros.arrays, {});
  for (size_t k = 0; k < 40; ++k) EXPECT_TRUE(zeros.Fails(k)) << k;
  ForgetFailures();
  store->Pull(zeros.twice, zeros.arrays, 0);
  for (size_t k = 0; k < 40; ++k) EXPECT_TRUE(zeros.Right(k, -1)) << k;
}
TEST_P(DeviceStore, ArraysOfSeveralKeysAreTakenInTheOrderGiven) {
  auto store = Store::New("device", {});
  store->Init({"a", "b"}, {Of({0}), Of({0})});
  NDArray x = On(0, {1}), x1 = On(1, {2}), y = On(0, {0}), y1 = On(1, {0}), z = On(0, {0}), z1 = On(1, {0});
  store->PushPull({"a", "a", "b", "b"}, {x, x1, y, y1}, {y, y1, z, z1}, {});  // what the first key gives, the second takes
  EXPECT_EQ(Floats(y1), (Values{3}));
  EXPECT_EQ(Floats(z1), (Values{6}));
  store->Pull({"b", "b", "a", "a"}, {z, z1, z, z1}, 0);  // what is pulled last stays
  EXPECT_EQ(Floats(z), (Values{3}));
  EXPECT_EQ(Floats(z1), (Values{3}));
}
TEST_P(DeviceStore, ABatchOrdersWhatTouchesTheSameMemory) {
  if (!GetParam()) GTEST_SKIP() << "of collectives";
  NDArray a = On(0, {1, 2, 3, 4}), b = On(1, {10, 20, 30, 40});
  auto half = [](const NDArray& whole, int64_t at) { return Array::NewView(whole, {2}, {1}, at * 8); };
  std::vector<int> done;
  auto note = [&](int i) { return [&done, i] { done.push_back(i); }; };
  collective::Batch batch;
  EXPECT_TRUE(batch.AllReduce({half(a, 0), half(b, 0)}, {half(a, 0), half(b, 0)}, note(1)));
  EXPECT_TRUE(batch.AllReduce({half(a, 1), half(b, 1)}, {half(a, 1), half(b, 1)}, note(2)));  // other elements: together
  EXPECT_TRUE(done.empty());
  EXPECT_TRUE(batch.AllReduce({half(b, 0), half(a, 0)}, {half(a, 0), half(b, 0)}, note(3)));  // the sums of the first
  EXPECT_EQ(done, (std::vector<int>{1, 2}));
  EXPECT_FALSE(batch.AllReduce({half(a, 0), half(b, 0)}, {half(a, 1), half(b, 0)})) << "over itself, but elsewhere";
  batch.Issue();
  EXPECT_EQ(done, (std::vector<int>{1, 2, 3}));
  for (auto& whole : {a, b}) EXPECT_EQ(Floats(whole), (Values{22, 44, 33, 44}));
  {
    collective::Batch dropped;
    EXPECT_TRUE(dropped.Reduce({a, b}, a, note(4)));
  }
  EXPECT_EQ(done.size(), 3u);
  EXPECT_EQ(Floats(a), (Values{22, 44, 33, 44})) << "never issued";
}
// Lists of keys, whose arrays come from a few that all of them use, against a local store on the host.
TEST_P(DeviceStore, RandomListsGiveWhatTheHostGives) {
  constexpr size_t kForms = 3, kEach = 3;
  const int64_t sizes[kForms] = {1, 900, 70000};
  for (unsigned seed = 0; seed < 12; ++seed) {
    std::mt19937 g(seed);
    auto store = Store::New("device", {}), local = Store::New("local", {});
    auto name = [](size_t form, size_t i) { return "k" + std::to_string(form) + std::to_string(i); };
    struct Pair { NDArray there, host; };
    std::vector<Pair> pool[kForms][3];  // of each place
    for (size_t f = 0; f < kForms; ++f) {
      const Values zeros(static_cast<size_t>(sizes[f]), 0);
      for (size_t i = 0; i < kEach; ++i) store->Init({name(f, i)}, {Of(zeros)}), local->Init({name(f, i)}, {Of(zeros)});
      for (size_t place : {0, 1, 2})
        for (size_t i = 0; i < kEach; ++i) pool[f][place].push_back({On(place, zeros), Of(zeros)});
    }
    for (int step = 0; step < 15; ++step) {
      std::vector<size_t> order = {0, 1, 2, 3, 4, 5, 6, 7, 8};
      std::shuffle(order.begin(), order.end(), g);
      std::vector<std::string> keys;
      std::vector<NDArray> pushed[2], pulled[2];
      for (size_t n = 1 + g() % 6, at = 0; at < n; ++at) {
        const size_t f = order[at] / kEach, first = g() % 4, count = first == 3 ? 2 : 1 + g() % 3;  // mostly of both devices
        for (size_t i = 0; i < count; ++i) {
          auto& place = pool[f][((first == 3 ? 0 : first) + i) % 3];
          Pair &from = place[g() % kEach], &to = place[g() % kEach];
          const Values v(static_cast<size_t>(sizes[f]), float(g() % 50));
          CopyInto(Of(v), from.there), CopyInto(Of(v), from.host);
          keys.push_back(name(f, order[at] % kEach));
          pushed[0].push_back(from.there), pushed[1].push_back(from.host), pulled[0].push_back(to.there), pulled[1].push_back(to.host);
        }
      }
      const unsigned what = g() % 3;
      for (int k : {0, 1}) {
        Store& s = k ? *local : *store;
        if (what == 0) s.PushPull(keys, pushed[k], pulled[k], {});
        else if (what == 1) s.Push(keys, pushed[k], {});
        else s.Pull(keys, pulled[k], 0);
      }
      for (auto& form : pool)
        for (auto& place : form)
          for (auto& p : place) ASSERT_EQ(Floats(p.there), Floats(p.host)) << "seed " << seed << ", step " << step;
    }
  }
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

// SPDX-License-Identifier: Apache-2.0
// Arrays and operators on an emulated device (tests/device/fake_device.cc with the kernels of src/cuda): what is queued, what is waited for, what fails and
// how, and whose memory it is.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <random>
#include <thread>

#include "../base/failing.h"
#include "base/text.h"
#include "device_helpers.h"
#include "exec/autograd.h"
#include "exec/invoke.h"

namespace flx {
namespace {

struct DeviceArrays : testing::Test {
  static void SetUpTestSuite() { PrepareDevice(); }
  const Device* d = DeviceUnderTest();
  void TearDown() override { ExpectAllDone({d}); }
};

TEST_F(DeviceArrays, MadeWrittenReadAndPrinted) {
  NDArray a = Make({1, 2, 3, 4, 5, 6}, {2, 3}, d);
  EXPECT_EQ(a->device(), d);
  EXPECT_FALSE(a->on_cpu());
  EXPECT_EQ(Read(a), (Values{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(ToText(*a), "[[1, 2, 3],\n [4, 5, 6]]\nfloat32 (2, 3)");
  double column[6] = {1, 4, 2, 5, 3, 7};
  WriteArray(a, column, sizeof column, DType::kFloat64, true);
  EXPECT_EQ(Read(a), (Values{1, 2, 3, 4, 5, 7}));
  EXPECT_EQ(Read(Array::Filled({3}, DType::kBfloat16, 1.5, d)), (Values{1.5, 1.5, 1.5}));
  EXPECT_EQ(ItemOf(*Array::Scalar(2)), 2);
  EXPECT_EQ(ItemOf(*Array::Filled({}, DType::kInt64, -7, d)), -7);
  EXPECT_EQ(Read(Array::Filled({0, 4}, DType::kFloat32, 1, d)), Values{});
  EXPECT_EQ(Read(Make({300, -1, 0.5}, {3}, d, DType::kUint8)), (Values{255, 0, 0})) << "the host's conversion";
}
TEST_F(DeviceArrays, NothingWaitsUntilAReadDoes) {
  if (GpuModule()) GTEST_SKIP() << "a GPU cannot be held";
  FakeHold(true);
  NDArray a = Make({1, 2}, {2}, d), b = Array::Filled({2}, DType::kFloat32, 10, d);
  NDArray c = Invoke1("elemwise_add", {a, b}), e = Invoke1("_mul_scalar", {c}, {{"scalar", "2"}});
  NDArray h = CopyOf(e, nullptr);
  EXPECT_FALSE(WaitToRead(*e, 0));
  EXPECT_FALSE(WaitToRead(*h, 20)) << "a copy on the CPU waits as well";
  double v[2];
  EXPECT_FALSE(ReadArray(*e, v, sizeof v, DType::kFloat64, false, 1));
  EXPECT_FALSE(Engine::Get().WaitAll(1));
  FakeHold(false);
  EXPECT_EQ(Read(h), (Values{22, 24}));
  EXPECT_EQ(Read(e), (Values{22, 24}));
  EXPECT_TRUE(Engine::Get().WaitAll(60000));
}
TEST_F(DeviceArrays, ViewsShareMemory) {
  NDArray a = Make({1, 2, 3, 4, 5, 6}, {2, 3}, d);
  NDArray turned = Invoke1("transpose", {a}), row = Array::NewRows(a, 1, 2, true);
  EXPECT_EQ(turned->storage, a->storage);
  EXPECT_EQ(Read(turned), (Values{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(Read(row), (Values{4, 5, 6}));
  double v[] = {7, 8, 9};
  WriteArray(row, v, sizeof v, DType::kFloat64, false);
  EXPECT_EQ(Read(a), (Values{1, 2, 3, 7, 8, 9}));
  double w[] = {1, 1, 2, 2, 3, 3};
  WriteArray(turned, w, sizeof w, DType::kFloat64, false);  // through strides, by a copy on the device
  EXPECT_EQ(Read(a), (Values{1, 2, 3, 1, 2, 3}));
  EXPECT_EQ(Read(Invoke1("elemwise_add", {turned, turned})), (Values{2, 2, 4, 4, 6, 6}));
  CopyInto(Make({0, 0, 0}, {3}, nullptr), row);
  EXPECT_EQ(Read(a), (Values{1, 2, 3, 0, 0, 0}));
}
TEST_F(DeviceArrays, CopiesCrossDevicesAndDtypes) {
  const Device* other = GpuModule() ? d : FakeDevice(1);
  NDArray a = Make({1.5, -2.5, 1e9}, {3}, d), i = Array::New({3}, DType::kInt32, other), h = Array::New({3}, DType::kFloat64);
  CopyInto(a, i);
  EXPECT_EQ(Read(i), (Values{1, -2, 1e9}));
  CopyInto(i, h);
  EXPECT_EQ(Read(h), (Values{1, -2, 1e9}));
  CopyInto(h, a);
  EXPECT_EQ(Read(a), (Values{1, -2, 1e9}));
  NDArray strided = Invoke1("transpose", {Make({1, 2, 3, 4}, {2, 2}, nullptr)});
  EXPECT_EQ(Read(CopyOf(strided, d)), (Values{1, 3, 2, 4}));
  EXPECT_EQ(Read(CopyOf(Invoke1("transpose", {CopyOf(strided, d)}), other)), (Values{1, 2, 3, 4}));
  EXPECT_EQ(MessageOf([&] { CopyInto(a, Array::New({4}, DType::kFloat32, d)); }), "[copy] the target must have the source's shape (3,), given (4,).");
}
TEST_F(DeviceArrays, DevicesDoNotMix) {
  if (GpuModule()) GTEST_SKIP() << "the texts have the fake device's name";
  NDArray a = Make({1}, {1}, d), b = Make({1}, {1}, nullptr);
  EXPECT_EQ(MessageOf([&] { Invoke1("elemwise_add", {a, b}); }),
            "[elemwise_add] expected all inputs on one device; input 0 is on emu(0), given input 1 on cpu(0). Copy one of them (flx_ndarray_copy).");
  auto call = Call::New("elemwise_add");
  Array *in[] = {a.get(), a.get()}, *to = b.get();
  EXPECT_EQ(MessageOf([&] { InvokeInto(*call, kPlain, in, 2, nullptr, 0, &to, 1); }),
            "[elemwise_add] expected target 0 on emu(0), as the inputs are, given one on cpu(0).");
}
TEST_F(DeviceArrays, AnOperatorWithoutAKernelSaysSoAndHowToGoOn) {
  if (GpuModule()) GTEST_SKIP() << "the texts have the fake device's name";
  NDArray x = Array::Filled({2, 3}, DType::kFloat32, 1, d);
  NDArray blocked = Array::Filled({1, 1, 1, 1, 2}, DType::kFloat32, 1, d), v = Array::Filled({2}, DType::kFloat32, 1, d);  // of the CPU's libraries, and nobody's composition
  EXPECT_EQ(MessageOf([&] { Invoke("_blocked_batch_norm", {blocked, v, v, v, v}); }),
            "[_blocked_batch_norm] has no kernel for emu(0). Copy the inputs to the CPU (flx_ndarray_copy with device \"cpu\"), call it there, and copy the result back.");
  std::string m = MessageOf([&] { Invoke1("take", {x, Array::Filled({1}, DType::kInt32, 0, d)}, {{"mode", "raise"}}); });
  EXPECT_EQ(m.find("[take] has no kernel for emu(0) and mode raise"), 0u) << m;
  EXPECT_FALSE(Engine::Get().NextUnseen()) << "the call itself said it";
}
TEST_F(DeviceArrays, GradientsStayOnTheDevice) {
  NDArray w = Make({1, 2, 3}, {3}, d), x = Make({4, 5, 6}, {3}, d);
  AttachGrad(w, GradReq::kWrite);
  NDArray y = Invoke1("sum", {Invoke1("elemwise_mul", {w, x}, {}, kRecord)}, {}, kRecord);
  Backward({y}, {}, kTrain);
  EXPECT_EQ(GradOf(*w)->device(), d);
  EXPECT_EQ(Read(GradOf(*w)), (Values{4, 5, 6}));
  EXPECT_EQ(ItemOf(*y), 32);
  EXPECT_EQ(MessageOf([&] { AttachGrad(w, GradReq::kWrite, Array::Filled({3}, DType::kFloat32, 0)); }),
            "[attach] the gradient must be on the array's device. Copy it there (flx_ndarray_copy), or give none to have it made.");
}
TEST_F(DeviceArrays, AFailingKernelFailsTheCallWithOperatorAndShapes) {
  if (GpuModule()) GTEST_SKIP() << "only the fake device fails when told to";
  NDArray a = Array::Filled({2, 3}, DType::kFloat32, 1, d);
  Engine::Get().WaitAll(-1);
  FakeFail("kernel", 1);
  EXPECT_EQ(MessageOf([&] { Invoke1("exp", {a}); }), "[exp] exp failed: a test asked for this failure Inputs: float32 (2, 3).");
  EXPECT_EQ(Read(Invoke1("negative", {a}))[0], -1) << "the device is well";
  // Queued behind work of the CPU, it poisons what it would have written.
  NDArray slow = Array::Filled({1 << 20}, DType::kFloat32, 1), b = CopyOf(slow, d);
  FakeFail("kernel", 1);
  NDArray c;
  std::string now;
  try {
    c = Invoke1("exp", {b});  // fails here if the CPU was quick
    WaitToRead(*c);
  } catch (const Error& e) {
    now = e.message();
  }
  EXPECT_EQ(now.find("[exp] exp failed: a test asked"), 0u) << now;
}
TEST_F(DeviceArrays, OutOfMemoryTrimsCachesAndThenSaysWhoHasIt) {
  if (GpuModule()) GTEST_SKIP() << "only the fake device fails when told to";
  { NDArray a = Array::Filled({1 << 18}, DType::kFloat32, 1, d), b = Array::Filled({1 << 18}, DType::kFloat32, 1, d); }
  EXPECT_GE(DeviceMemoryStats(d).cached, 2 << 20);
  DeviceMemoryLimit(d, 3 << 20);
  NDArray big = Array::Filled({5 << 17}, DType::kFloat32, 1, d);  // 2.5 MiB fit only when the cache has gone
  EXPECT_EQ(Read(big)[0], 1);
  std::string m = MessageOf([&] { Array::Filled({1 << 20}, DType::kFloat32, 1, d); Engine::Get().WaitAll(-1); if (auto p = Engine::Get().NextUnseen()) throw p->error; });
  EXPECT_NE(m.find("no device memory for 4.0 MiB (4194304 bytes): the limit would be passed. 2.5 MiB are live"), std::string::npos) << m;
  DeviceMemoryLimit(d, 0);
  DeviceMemoryReleaseUnused(d);
  FakeFail("alloc", 1);
  EXPECT_EQ(Read(Array::Filled({1 << 20}, DType::kFloat32, 2, d))[7], 2) << "once the device had none, then it had";
}
TEST_F(DeviceArrays, MemoryIsReusedAtOnceAndCounted) {
  DeviceMemoryReleaseUnused(d);
  DeviceMemoryPeakReset(d);
  HoldDevice(true);
  NDArray y = Array::Filled({1 << 16}, DType::kFloat32, 0, d);
  for (int i = 0; i < 50; ++i) y = Invoke1("_plus_scalar", {y}, {{"scalar", "1"}});
  MemoryStats m = DeviceMemoryStats(d);
  EXPECT_EQ(m.live, 1 << 18);
  EXPECT_LE(m.peak, 2 << 18) << "freed while the device has not even begun, and used again";
  EXPECT_LE(m.cached, 1 << 18);
  HoldDevice(false);
  EXPECT_EQ(Read(y)[12345], 50);
}
// Programs over several arrays, both ways between host and device, at random against the same on the host. True: all was right.
bool RandomProgram(const Device* d, unsigned seed, int steps) {
  std::mt19937 g(seed);
  constexpr size_t kArrays = 5;
  const Shape s{64};
  std::vector<NDArray> dev, cpu;
  for (size_t i = 0; i < kArrays; ++i) dev.push_back(Array::Filled(s, DType::kInt64, double(i), d)), cpu.push_back(Array::Filled(s, DType::kInt64, double(i)));
  bool right = true;
  for (int k = 0; k < steps; ++k) {
    size_t i = g() % kArrays, j = g() % kArrays;
    const double v = double(g() % 100);
    switch (g() % 6) {
      case 0: dev[i] = Invoke1("elemwise_add", {dev[i], dev[j]}), cpu[i] = Invoke1("elemwise_add", {cpu[i], cpu[j]}); break;
      case 1: {
        Values fresh(64, v);
        WriteArray(dev[i], fresh.data(), 512, DType::kFloat64, false), WriteArray(cpu[i], fresh.data(), 512, DType::kFloat64, false);
        break;
      }
      case 2: CopyInto(dev[i], dev[j]), CopyInto(cpu[i], cpu[j]); break;
      case 3: {  // by way of the host and back
        NDArray h = CopyOf(dev[i], nullptr);
        dev[j] = CopyOf(h, d), cpu[j] = CopyOf(cpu[i]);
        break;
      }
      case 4: dev[i] = Invoke1("_mod_scalar", {dev[i]}, {{"scalar", "1009"}}), cpu[i] = Invoke1("_mod_scalar", {cpu[i]}, {{"scalar", "1009"}}); break;
      default: {
        NDArray part = Array::NewRows(dev[i], 8, 24, false), same = Array::NewRows(cpu[i], 8, 24, false);
        CopyInto(Array::NewRows(dev[j], 40, 56, false), part), CopyInto(Array::NewRows(cpu[j], 40, 56, false), same);
      }
    }
    if (g() % 16 == 0) right &= Read(dev[i]) == Read(cpu[i]);
  }
  for (size_t i = 0; i < kArrays; ++i) right &= Read(dev[i]) == Read(cpu[i]);
  return right;
}
int Seeds() {
  const char* n = std::getenv("FLEXOR_TEST_SEEDS");
  return n ? std::max(20, std::atoi(n) / 500) : 20;
}
TEST_F(DeviceArrays, RandomProgramsGiveWhatTheHostGives) {
  for (int seed = 0; seed < Seeds(); ++seed) ASSERT_TRUE(RandomProgram(d, unsigned(seed), 120)) << "seed " << seed;
}
// The planted mistake: streams that ignore the events of others. If the programs above could not tell, they would prove nothing.
TEST_F(DeviceArrays, AMissingEventIsCaught) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the mistake is a race, and the sanitizer would rightly say so";
#endif
  if (GpuModule()) GTEST_SKIP() << "only the fake device can be told to make it";
  int wrong = 0;
  FakeDeaf(true);
  for (unsigned seed = 0; seed < 20; ++seed) wrong += !RandomProgram(d, seed, 120);
  FakeDeaf(false);
  EXPECT_GT(wrong, 0);
  EXPECT_TRUE(RandomProgram(d, 0, 120));
}
TEST_F(DeviceArrays, ManyThreads) {
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (unsigned k = 0; k < 4; ++k) threads.emplace_back([&, k] { right += RandomProgram(d, 100 + k, 60); });
  for (auto& t : threads) t.join();
  EXPECT_EQ(right, 4);
}
// Last: the device stays lost.
TEST_F(DeviceArrays, ZzALostDeviceSaysSoEverywhere) {
  if (GpuModule()) GTEST_SKIP() << "only the fake device fails when told to";
  const Device* other = FakeDevice(1);
  NDArray a = Array::Filled({4}, DType::kFloat32, 1, other);
  Engine::Get().WaitAll(-1);
  FakeFail("lost", 1);
  NDArray b;
  std::string m = MessageOf([&] { b = Invoke1("exp", {a}); Read(b); });
  EXPECT_NE(m.find("[emu(1)]"), std::string::npos) << m;
  EXPECT_NE(m.find("lost"), std::string::npos) << m;
  EXPECT_NE(MessageOf([&] { Read(Array::Filled({1}, DType::kFloat32, 1, other)); }).find("lost"), std::string::npos);
  EXPECT_EQ(Read(Array::Filled({1}, DType::kFloat32, 3, d)), Values{3}) << "the other device is well";
  while (Engine::Get().NextUnseen()) {}
}

}  // namespace
}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// Copies between two devices (the emulated ones, or GPUs) and the host: what overlaps with what, what fails and how, and what becomes of values when one
// device is lost.
#include <gtest/gtest.h>

#include <random>

#include "../base/failing.h"
#include "device_helpers.h"
#include "exec/invoke.h"
#include "tensor/device_work.h"

namespace flx {
namespace {

bool Has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

// From device 0 to device 1 there is a direct way, back there is none: what is asked first is remembered.
struct SeveralDevices : testing::Test {
  static void SetUpTestSuite() {
    PrepareDevice();
    if (GpuModule()) return;
    FakePeers(false);
    EXPECT_FALSE(FakeDevice(1)->CopiesTo(FakeDevice(0)));
    FakePeers(true);
    EXPECT_TRUE(FakeDevice(0)->CopiesTo(FakeDevice(1)));
    EXPECT_FALSE(FakeDevice(0)->CopiesTo(FakeDevice(0))) << "its own memory is not a peer's";
  }
  const Device *d = DeviceUnderTest(), *other = SecondDeviceUnderTest();
  void SetUp() override {
    if (!other) GTEST_SKIP() << kOneGpu;
  }
  void TearDown() override {
    if (!other) return;
    if (!GpuModule()) FakeGatesOpen();
    ExpectAllDone({d, other});
  }
};

// Keeps the device's compute stream, and x, busy until the gates are opened.
void ShutGate(const NDArray& x) {
  struct Op final : StreamOp {
    explicit Op(NDArray a) : StreamOp(StreamOf(a->device(), StreamRole::kCompute)), x(std::move(a)) {}
    void Prepare() override { x->storage->Ensure(); }
    void Issue(flx_device_queue* q) override { stream->device()->Check(FakeGate(q), "gate"); }
    NDArray x;
  };
  VarUse use{&x->storage->var, Access::kUpdate};
  IssueOrPush(new Op(x), &use, 1);
}

TEST_F(SeveralDevices, CopiesOverlapWithComputing) {
  if (GpuModule()) GTEST_SKIP() << kEmulatedOnly;
  NDArray busy = Make({1}, {1}, d), in = Make({0, 0}, {2}, d), out = Make({5, 6}, {2}, d), away = Make({0, 0}, {2}, other), back = Make({7, 8}, {2}, other);
  ASSERT_TRUE(Engine::Get().WaitAll(kLong));
  ShutGate(busy);
  double v[] = {3, 4};
  WriteArray(in, v, sizeof v, DType::kFloat64, false);
  EXPECT_TRUE(WaitToRead(*in, kLong)) << "to the device";
  EXPECT_EQ(Read(out), (Values{5, 6})) << "to the host";
  CopyInto(out, away);
  EXPECT_EQ(Read(away), (Values{5, 6})) << "to the other device";
  CopyInto(back, in);
  EXPECT_EQ(Read(in), (Values{7, 8})) << "from the other device, by way of the host";
  EXPECT_FALSE(WaitToRead(*busy, 0)) << "and all the while it computes";
  NDArray after = Invoke1("elemwise_add", {in, in});
  EXPECT_FALSE(WaitToRead(*after, 5)) << "what is computed stands behind it";
  FakeGatesOpen();
  EXPECT_EQ(Read(after), (Values{14, 16}));
}
TEST_F(SeveralDevices, ADirectCopyIsOneCopy) {
  if (GpuModule()) GTEST_SKIP() << kEmulatedOnly;
  NDArray a = Make({1, 2, 3}, {3}, d), b = Make({0, 0, 0}, {3}, other);
  ASSERT_TRUE(Engine::Get().WaitAll(kLong));
  auto copies = [&](const NDArray& from, const NDArray& to) {
    const int64_t before = FakeCounts().ran;
    CopyInto(from, to);
    EXPECT_TRUE(Engine::Get().WaitAll(kLong));
    return FakeCounts().ran - before;
  };
  EXPECT_EQ(copies(a, b), 1);
  EXPECT_EQ(Read(b), (Values{1, 2, 3}));
  EXPECT_EQ(copies(b, a), 2) << "through the host's memory";
  EXPECT_EQ(Read(a), (Values{1, 2, 3}));
}
TEST_F(SeveralDevices, ViewsAndDtypesGoDirectlyToo) {
  NDArray turned = Invoke1("transpose", {Make({1, 2, 3, 4, 5, 6}, {2, 3}, d)}), target = Invoke1("transpose", {Make({0, 0, 0, 0, 0, 0}, {2, 3}, other)});
  CopyInto(turned, target);
  EXPECT_EQ(Read(target), (Values{1, 4, 2, 5, 3, 6}));
  NDArray whole = Array::New({3}, DType::kInt32, other);
  CopyInto(Make({1.5, -2.5, 1e9}, {3}, d), whole);
  EXPECT_EQ(Read(whole), (Values{1, -2, 1e9}));
  EXPECT_EQ(Read(CopyOf(Make({}, {0, 4}, d), other)), Values{});
  NDArray rows = Array::Filled({4, 2}, DType::kFloat32, 0, other);
  CopyInto(Make({8, 9}, {1, 2}, d), Array::NewRows(rows, 1, 2, false));
  EXPECT_EQ(Read(rows), (Values{0, 0, 8, 9, 0, 0, 0, 0})) << "the rest stays";
}
// Programs over arrays of both devices and the host, at random against the same on the host. True: all was right.
bool RandomProgram(const Device* const devices[2], unsigned seed, int steps, bool trim) {
  std::mt19937 g(seed);
  constexpr size_t kArrays = 6;
  const Shape s{64};
  auto place = [&](size_t i) { return i < 4 ? devices[i % 2] : nullptr; };
  std::vector<NDArray> here, want;
  for (size_t i = 0; i < kArrays; ++i) here.push_back(Array::Filled(s, DType::kInt64, double(i), place(i))), want.push_back(Array::Filled(s, DType::kInt64, double(i)));
  bool right = true;
  for (int k = 0; k < steps; ++k) {
    const size_t i = g() % kArrays, j = g() % kArrays;
    switch (g() % 5) {
      case 0: here[i] = Invoke1("elemwise_add", {here[i], CopyOf(here[j], place(i))}), want[i] = Invoke1("elemwise_add", {want[i], want[j]}); break;
      case 1: here[i] = Invoke1("_mod_scalar", {here[i]}, {{"scalar", "1009"}}), want[i] = Invoke1("_mod_scalar", {want[i]}, {{"scalar", "1009"}}); break;
      case 2: CopyInto(here[i], here[j]), CopyInto(want[i], want[j]); break;
      case 3: here[i] = CopyOf(here[j], place(i)), want[i] = CopyOf(want[j]); break;  // what was there is let go, under way
      default:
        if (i == j) break;
        CopyInto(Array::NewRows(here[j], 40, 56, false), Array::NewRows(here[i], 8, 24, false)), CopyInto(Array::NewRows(want[j], 40, 56, false), Array::NewRows(want[i], 8, 24, false));
    }
    if (trim && g() % 32 == 0) DeviceMemoryReleaseUnused(devices[g() % 2]);  // waits for what the other device does with it
    if (g() % 16 == 0) right &= Read(here[i]) == Read(want[i]);
  }
  for (size_t i = 0; i < kArrays; ++i) right &= Read(here[i]) == Read(want[i]);
  return right;
}
TEST_F(SeveralDevices, RandomProgramsGiveWhatTheHostGives) {
  const Device* both[] = {d, other};
  for (unsigned seed = 0; seed < 20; ++seed) ASSERT_TRUE(RandomProgram(both, seed, 120, true)) << "seed " << seed;
}
TEST_F(SeveralDevices, AMissingEventIsCaught) {
  if (GpuModule()) GTEST_SKIP() << kEmulatedOnly;
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the mistake is a race, and the sanitizer would rightly say so";
#endif
  const Device* both[] = {d, other};
  int wrong = 0;
  FakeDeaf(true);
  for (unsigned seed = 0; seed < 20; ++seed) wrong += !RandomProgram(both, seed, 120, false);
  FakeDeaf(false);
  EXPECT_GT(wrong, 0);
}
TEST_F(SeveralDevices, AFailedCopySaysWhatItCopiedFromWhereToWhere) {
  if (GpuModule()) GTEST_SKIP() << kEmulatedOnly;
  NDArray a = Make({1, 2, 3, 4, 5, 6}, {2, 3}, d), b = Array::Filled({2, 3}, DType::kFloat32, 0, other);
  ASSERT_TRUE(Engine::Get().WaitAll(kLong));
  FakeFail("copy", 1);
  CopyInto(a, b);
  EXPECT_EQ(MessageOf([&] { Read(b); }), "[copy] float32 (2, 3) from emu(0) to emu(1): [emu(0)] copy failed: a test asked for this failure");
  CopyInto(a, b);
  EXPECT_EQ(Read(b), (Values{1, 2, 3, 4, 5, 6})) << "both devices are well";
  NDArray fresh = Array::New({2, 3}, DType::kFloat32, other);
  DeviceMemoryLimit(other, 1);
  CopyInto(a, fresh);
  std::string m = MessageOf([&] { Read(fresh); });
  DeviceMemoryLimit(other, 0);
  EXPECT_EQ(m.find("[copy] float32 (2, 3) from emu(0) to emu(1): [emu(1)] no device memory for "), 0u) << m;
  FakeFail("alloc", 1);
  DeviceMemoryReleaseUnused(other);
  CopyInto(a, fresh);
  EXPECT_EQ(Read(fresh)[5], 6) << "once the device had none, then it had";
  while (Engine::Get().NextUnseen()) {}
}
TEST_F(SeveralDevices, OnlyDeterministicKernelsWhereTheyAreDemanded) {
  if (GpuModule()) GTEST_SKIP() << kEmulatedOnly;
  struct Op final : DeviceOp {
    explicit Op(const Device* device) : DeviceOp(StreamOf(device, StreamRole::kCompute)) {}
    const char* Name() const override { return "Loose"; }
    void Run() override {
      float x = 0;
      const TensorView v = MakeView(&x, DType::kFloat32, {});
      DeviceWork::Given g;
      g.in = &v, g.nin = 1;
      DeviceWork::Current()->Call("fake_loose", 1, g);
    }
  };
  auto run = [&] {
    NDArray x = Make({1}, {1}, d);
    VarUse use{&x->storage->var, Access::kUpdate};
    IssueOrPush(new Op(d), &use, 1);
    Read(x);
  };
  run();
  SetOption("FLEXOR_DETERMINISTIC", "1");
  EXPECT_EQ(MessageOf(run), "[Loose] the kernel `fake_loose` of emu(0) does not give the same bits each time for float32, as FLEXOR_DETERMINISTIC=1 demands. Set it to 0 "
                            "(flx_config_set), or copy the inputs to the CPU (flx_ndarray_copy with device \"cpu\") and call it there.");
  SetOption("FLEXOR_DETERMINISTIC", "");
  run();
  while (Engine::Get().NextUnseen()) {}
}
TEST_F(SeveralDevices, FragmentationIsWhatNoArrayAskedFor) {
  for (auto* device : {d, other}) DeviceMemoryReleaseUnused(device);
  NDArray a = Make({1}, {1}, d);
  NDArray gone = Array::Filled({1 << 10}, DType::kFloat32, 1, d);
  Read(gone);
  gone = nullptr;
  ASSERT_TRUE(Engine::Get().WaitAll(kLong));
  MemoryStats m = DeviceMemoryStats(d);
  EXPECT_EQ(m.requested, 4);
  EXPECT_GE(m.live, 4);
  EXPECT_GE(m.cached, 4 << 10);
  EXPECT_GE(m.peak, m.live + (4 << 10));
}
// Last: the device stays lost. What the other one made of its values is lost with it, though each of its own operations went well.
TEST_F(SeveralDevices, ZzALostDeviceTakesAlongWhatOthersMadeOfItsValues) {
  if (GpuModule()) GTEST_SKIP() << kEmulatedOnly;
  NDArray a = Make({1, 2}, {2}, other), sound = Make({5, 6}, {2}, other), kept = Array::New({2}, DType::kFloat32, d), ones = Make({1, 1}, {2}, d);
  CopyInto(sound, kept);
  Read(kept);
  FakeHold(true);
  FakeFail("lost", 1);
  NDArray b = Invoke1("exp", {a}), c = CopyOf(b, d), e = Invoke1("elemwise_add", {c, ones}), h = CopyOf(e, nullptr), fine = Invoke1("elemwise_add", {kept, ones});
  FakeHold(false);
  for (auto& x : {h, e, c, b}) {
    std::string m = MessageOf([&] { Read(x); });
    EXPECT_TRUE(Has(m, "[emu(1)]") && Has(m, "lost")) << m;
  }
  EXPECT_EQ(Read(fine), (Values{6, 7})) << "copied before, and the other device is well";
  EXPECT_EQ(Read(Invoke1("elemwise_add", {ones, ones})), (Values{2, 2}));
  // And to it, nothing goes any more.
  NDArray target = Array::New({2}, DType::kFloat32, other);
  CopyInto(ones, target);
  EXPECT_TRUE(Has(MessageOf([&] { Read(target); }), "lost"));
  ASSERT_TRUE(Engine::Get().WaitAll(kLong));
  while (Engine::Get().NextUnseen()) {}
}

}  // namespace
}  // namespace flx

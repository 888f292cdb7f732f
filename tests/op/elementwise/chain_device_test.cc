// SPDX-License-Identifier: Apache-2.0
// Chains on a device against the CPU: their compiled kernels, which the emulated device has the C++ compiler make of the text that NVRTC gets elsewhere, and
// their steps one by one where there is no compiler.
#include "op/elementwise/chain_device.h"

#include <dirent.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>

#include "../../device/under_test.h"
#include "device/program.h"
#include "exec/autograd.h"
#include "exec/invoke.h"
#include "random_chain.h"

namespace flx {
namespace {

NDArray Random(const Shape& s, DType t, std::mt19937* g) {
  std::vector<double> v(size_t(s.size()));
  for (auto& x : v) x = IsFloat(t) ? double(int((*g)() % 4001) - 2000) / 500 : double((*g)() % 7);
  return FromHost(v.data(), s.size() * 8, DType::kFloat64, false, s, t);
}
std::vector<double> Values(const NDArray& a) {
  std::vector<double> v(size_t(a->shape.size()));
  ReadArray(*a, v.data(), a->shape.size() * 8, DType::kFloat64, true);
  return v;
}
NDArray Moved(const NDArray& a) {  // with its strides
  if (a->contiguous) return CopyOf(a, DeviceUnderTest());
  const int64_t elements = a->storage->bytes() / DTypeSize(a->dtype);
  NDArray memory = CopyOf(Array::NewView(Ref<Array>(a), Shape{elements}, Shape{1}, 0), DeviceUnderTest());
  return Array::NewView(memory, a->shape, a->Strides(), a->offset);
}
// Mathematics differs in the last places between the CPU's vectors and a device's functions.
void ExpectClose(const NDArray& want, const NDArray& got, const std::string& what) {
  ASSERT_EQ(want->shape, got->shape) << what;
  const DType t = want->dtype;
  const double tolerance = !IsFloat(t) ? 0 : t == DType::kFloat64 ? 1e-11 : t == DType::kFloat32 ? 2e-5 : t == DType::kFloat16 ? 4e-3 : 3e-2;
  auto a = Values(want), b = Values(got);
  for (size_t i = 0; i < a.size(); ++i)
    if (!(a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i])) || std::abs(a[i] - b[i]) <= tolerance * std::max(1.0, std::abs(a[i]))))
      FAIL() << what << ": element " << i << " is " << b[i] << ", the CPU's is " << a[i];
}
Ref<Call> FusedCall(const std::string& chain) { return Call::New("_fused", {{"chain", chain}}); }

struct ChainOnDevice : testing::Test {
  static void SetUpTestSuite() {
    static std::string folder = "/tmp/flexor-chains-XXXXXX";
    if (!cache.empty()) return;
    cache = mkdtemp(folder.data());
    SetOption("FLEXOR_CACHE_DIR", cache);
    setenv("FLEXOR_TEST_COMPILER", FLEXOR_COMPILER, 1);
    PrepareDevice();
  }
  static void TearDownTestSuite() {
    for (auto& f : Files()) unlink(f.c_str());
    rmdir(cache.c_str());
  }
  void TearDown() override {
    SetOption("FLEXOR_FUSED_KERNELS", "");
    ExpectAllDone();
  }
  static std::vector<std::string> Files() {
    std::vector<std::string> all;
    if (DIR* d = opendir(cache.c_str())) {
      while (dirent* e = readdir(d))
        if (e->d_name[0] != '.' || e->d_name[1] == 'n') all.push_back(Text(cache, "/", e->d_name));
      closedir(d);
    }
    return all;
  }
  static std::string cache;
};
std::string ChainOnDevice::cache;

// One text of many kernels, so that the compiler runs once; each is launched with the argument that a run would give it.
struct Trial {
  Chain chain;
  std::vector<NDArray> in, out, want;
  ChainLaunch launch;
};
std::vector<NDArray> Inputs(int round, DType t, std::mt19937* g) {
  const std::vector<std::vector<Shape>> shapes = {{{7}}, {{3000}, {3000}}, {{40, 56}, {56}}, {{70, 3}, {3}, {1}}, {{3, 5, 7, 7}, {1, 5, 1, 1}, {}}, {{2, 3, 40, 16}, {3, 1, 1}, {16}},
                                                  {{6, 1}, {1, 96}, {96}, {6, 96}}, {{50, 1, 4, 1}, {1, 30, 1, 2}}, {{1}, {1}}, {{}, {}}, {{20, 64}, {64}, {20, 1}}, {{30, 70}, {30, 70}}};
  const size_t which = size_t(round) % shapes.size();
  std::vector<NDArray> in;
  for (auto& s : shapes[which]) in.push_back(Random(s, t, g));
  if (which == 11) in[1] = Invoke1("transpose", {Random({70, 30}, t, g)});
  if (round % 5 == 1 && in[0]->shape.ndim() == 1 && in[0]->shape.size() > 8)  // an address that is no multiple of a vector's
    in[0] = Invoke1("slice", {Random({in[0]->shape.size() + 1}, t, g)}, {{"begin", "(1,)"}, {"end", "(None,)"}});
  return in;
}
TEST_F(ChainOnDevice, CompiledKernelsComputeWhatTheCpuDoes) {
  const Device* device = DeviceUnderTest();
  const flx_device_table& table = *device->table;
  if (!table.compile) GTEST_SKIP() << "the device has no compiler";
  std::mt19937 g(11);
  std::vector<std::unique_ptr<Trial>> trials;
  std::string text = ChainPrelude();
  for (int round = 0; round < 48; ++round) {
    const DType t = kEveryDType[round % 13];
    auto one = std::make_unique<Trial>();
    auto in = Inputs(round * 7 / 2, t, &g);
    one->chain = RandomChain(&g, int(in.size()), IsFloat(t));
    if (one->chain.ninputs() != int(in.size())) continue;
    one->want = Invoke(*FusedCall(one->chain.Print()), kPlain, in);
    for (auto& a : in) one->in.push_back(Moved(a));
    for (auto& a : one->want) one->out.push_back(CopyOf(a, device));
    trials.push_back(std::move(one));
  }
  for (auto& one : trials)
    for (auto& a : one->out) WriteArray(a, std::vector<char>(size_t(a->bytes()), char(0xab)).data(), a->bytes(), a->dtype, false);  // nobody's results
  DeviceRest(device);  // what follows goes into a queue of its own
  for (auto& one : trials) {
    std::vector<TensorView> x, y;
    for (auto& a : one->in) x.push_back(a->View());
    for (auto& a : one->out) y.push_back(a->View());
    PlaceChain(one->chain, {x.data(), int(x.size())}, {y.data(), int(y.size())}, &one->launch);
    text += ChainKernelText(one->chain, one->launch.form, Text("f", int64_t(&one - trials.data())));
  }
  std::string binary;
  auto keep = [](void* to, const void* from, int64_t bytes) { return static_cast<std::string*>(to)->assign(static_cast<const char*>(from), size_t(bytes)), int32_t(FLX_DEVICE_OK); };
  ASSERT_EQ(table.compile(device->index, text.c_str(), keep, &binary), FLX_DEVICE_OK) << table.last_error();
  flx_device_queue* queue = nullptr;
  ASSERT_EQ(table.queue_create(device->index, 0, &queue), FLX_DEVICE_OK);
  std::vector<void*> programs;
  int vectors = 0;
  for (auto& one : trials) {
    void* program = nullptr;
    ASSERT_EQ(table.program_load(device->index, binary.data(), int64_t(binary.size()), Text("f", int64_t(&one - trials.data())).c_str(), &program), FLX_DEVICE_OK) << table.last_error();
    auto& l = one->launch;
    ASSERT_EQ(table.program_launch(queue, program, (l.threads + 255) / 256, 256, l.argument.data(), int64_t(l.argument.size()) * 8), FLX_DEVICE_OK) << table.last_error();
    programs.push_back(program), vectors += l.argument[1] > 0;
  }
  flx_device_event* done = nullptr;
  ASSERT_EQ(table.event_create(device->index, &done), FLX_DEVICE_OK);
  ASSERT_EQ(table.event_record(done, queue), FLX_DEVICE_OK);
  ASSERT_EQ(table.event_wait(done), FLX_DEVICE_OK);
  for (auto& one : trials)
    for (size_t o = 0; o < one->out.size(); ++o) ExpectClose(one->want[o], one->out[o], Text(DTypeName(one->launch.form.dtype), " ", one->chain.Print(), " ", std::string_view(one->launch.form.place, 12)));
  EXPECT_GT(vectors, 5);
  EXPECT_LT(vectors, int(trials.size())) << "both ways are seen";
  table.event_destroy(done), table.queue_destroy(queue);
  for (void* p : programs) table.program_destroy(p);
}

// The operator itself, forwards and backwards, with and without a compiler. The order matters: a chain that was compiled stays so.
void RunBoth(const std::string& chain, const std::vector<NDArray>& in) {
  auto call = FusedCall(chain);
  std::vector<NDArray> dev;
  for (auto& a : in) dev.push_back(CopyOf(a, DeviceUnderTest())), AttachGrad(a, GradReq::kWrite), AttachGrad(dev.back(), GradReq::kWrite);
  auto want = Invoke(*call, kRecord, in), got = Invoke(*call, kRecord, dev);
  for (size_t o = 0; o < want.size(); ++o) ExpectClose(want[o], got[o], chain);
  Backward({want[0]}, {}, kPlain), Backward({got[0]}, {}, kPlain);
  for (size_t i = 0; i < in.size(); ++i) ExpectClose(GradOf(*in[i]), GradOf(*dev[i]), Text("gradient ", int64_t(i), " of ", chain));
}
constexpr char kChain[] = "t0 = tanh(_plus_scalar(x0, scalar=0.5)); broadcast_mul(sigmoid(t0), x1); t0";
TEST_F(ChainOnDevice, WithoutACompilerItsStepsRunOneByOne) {
  SetOption("FLEXOR_FUSED_KERNELS", "0");
  std::mt19937 g(12);
  const auto before = Programs::Counted();
  RunBoth(kChain, {Random({5, 6}, DType::kFloat32, &g), Random({6}, DType::kFloat32, &g)});
  const auto after = Programs::Counted();
  EXPECT_EQ(after.compiled + after.loaded + after.failed, before.compiled + before.loaded + before.failed);
}
TEST_F(ChainOnDevice, OneKernelForAllShapesOfAForm) {
  if (!Programs::Can(DeviceUnderTest())) GTEST_SKIP() << "the device has no compiler";
  std::mt19937 g(13);
  const auto before = Programs::Counted();
  for (int64_t n : {6, 16, 9}) RunBoth(kChain, {Random({5, n}, DType::kFloat32, &g), Random({n}, DType::kFloat32, &g)});
  EXPECT_EQ(Programs::Counted().compiled, before.compiled + 1) << "forwards; gradients are what the operators are composed of";
  EXPECT_EQ(Programs::Counted().failed, before.failed);
  auto other = FusedCall("t0 = tanh(_plus_scalar(x0, scalar=7)); broadcast_mul(sigmoid(t0), x1); t0");
  NDArray x = Random({3, 4}, DType::kFloat32, &g), w = Random({4}, DType::kFloat32, &g);
  auto want = Invoke(*other, kPlain, {x, w}), got = Invoke(*other, kPlain, {CopyOf(x, DeviceUnderTest()), CopyOf(w, DeviceUnderTest())});
  ExpectClose(want[0], got[0], "another number");
}
// What lies in the cache folder serves instead of the compiler, unless it is damaged; either way the results are right.
TEST_F(ChainOnDevice, BinariesAreKeptAndDamagedOnesMadeAgain) {
  const Device* device = DeviceUnderTest();
  if (!Programs::Can(device)) GTEST_SKIP() << "the device has no compiler";
  Chain c;
  ASSERT_TRUE(Chain::Parse("square(_mul_scalar(x0, scalar=3))", &c));
  ChainForm form;
  form.place[0] = form.place[1] = ChainForm::kContiguous;
  auto get = [&](const char* name) {  // another name is another program; the same text, name and all, is made once in a process
    return Programs::Get(device, ChainPrelude(), ChainKernelText(c, form, name), name);
  };
  for (auto& f : Files()) unlink(f.c_str());
  const auto start = Programs::Counted();
  ASSERT_NE(get("first"), nullptr);
  EXPECT_EQ(get("first"), get("first"));
  EXPECT_EQ(Programs::Counted().compiled, start.compiled + 1);
  ASSERT_EQ(Files().size(), 1u);
  for (const Device* other : DeviceManager::Get().Devices()) {  // a second device of the kind loads what the first has made
    if (other == device || other->kind != device->kind) continue;
    ASSERT_NE(Programs::Get(other, ChainPrelude(), ChainKernelText(c, form, "first"), "first"), nullptr);
    EXPECT_EQ(Programs::Counted().loaded, start.loaded + 1);
    EXPECT_EQ(Programs::Counted().compiled, start.compiled + 1);
  }
  EXPECT_EQ(Programs::Get(device, ChainPrelude(), "no C++", "none"), nullptr) << "a kernel that does not compile is none, and no failure";
  EXPECT_EQ(Programs::Counted().failed, start.failed + 1);
}
TEST_F(ChainOnDevice, ADamagedBinaryIsMadeAgain) {
  const Device* device = DeviceUnderTest();
  std::vector<const Device*> same;
  for (const Device* d : DeviceManager::Get().Devices()) if (d->kind == device->kind) same.push_back(d);
  if (!Programs::Can(device) || same.size() < 2) GTEST_SKIP() << "needs two devices with a compiler";
  Chain c;
  ASSERT_TRUE(Chain::Parse("abs(_mul_scalar(x0, scalar=3))", &c));
  ChainForm form;
  form.place[0] = form.place[1] = ChainForm::kContiguous;
  const std::string text = ChainKernelText(c, form, "flx_chain");
  for (auto& f : Files()) unlink(f.c_str());
  ASSERT_NE(Programs::Get(same[0], ChainPrelude(), text, "flx_chain"), nullptr);
  ASSERT_EQ(Files().size(), 1u);
  ASSERT_EQ(truncate(Files()[0].c_str(), 5000), 0);
  const auto before = Programs::Counted();
  ASSERT_NE(Programs::Get(same[1], ChainPrelude(), text, "flx_chain"), nullptr);
  EXPECT_EQ(Programs::Counted().compiled, before.compiled + 1);
  EXPECT_EQ(Programs::Counted().loaded, before.loaded);
  ASSERT_EQ(Files().size(), 1u);
}
TEST_F(ChainOnDevice, ResultsInTheMemoryOfInputs) {
  std::mt19937 g(14);
  for (const char* kernels : {"0", "1"}) {
    SetOption("FLEXOR_FUSED_KERNELS", kernels);
    auto call = FusedCall("t0 = exp(x0); broadcast_sub(broadcast_mul(t0, x1), x0); t0");
    NDArray x = Random({300}, DType::kFloat32, &g), w = Random({300}, DType::kFloat32, &g);
    NDArray dx = CopyOf(x, DeviceUnderTest()), dw = CopyOf(w, DeviceUnderTest());
    auto want = Invoke(*call, kPlain, {x, w});
    Array *in[] = {dx.get(), dw.get()}, *swapped[] = {dw.get(), dx.get()};  // exp(x0) lands on x0, which is subtracted after
    InvokeInto(*call, kPlain, in, 2, nullptr, 0, swapped, 2);
    ExpectClose(want[0], dw, Text("kernels ", kernels));
    ExpectClose(want[1], dx, Text("kernels ", kernels));
  }
}
TEST_F(ChainOnDevice, IntegersAreRefusedAsOnTheCpu) {
  NDArray x = CopyOf(FromHost(std::vector<double>{1, 2}.data(), 16, DType::kFloat64, false, {2}, DType::kInt32), DeviceUnderTest());
  try {
    Invoke(*FusedCall("exp(_plus_scalar(x0, scalar=1))"), kPlain, {x});
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(e.message().find("`exp` expects floating-point arrays, given int32"), std::string::npos) << e.message();
  }
}

}  // namespace
}  // namespace flx

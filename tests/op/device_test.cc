// SPDX-License-Identifier: Apache-2.0
// Every case of every operator on an emulated device (tests/device/emulate.h) against the CPU: results, what is updated in place, and gradients. The device
// is held while an operation is issued, and fresh memory is filled with nonsense: a kernel that looked at an element itself would find the nonsense.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "../device/under_test.h"
#include "exec/autograd.h"
#include "setup.h"

namespace flx::cases {
namespace {

struct Outcome {
  std::string wrong, missing;  // missing: no kernel, or nothing to compare with
};
NDArray OnDevice(const NDArray& a) {
  if (a->contiguous) return CopyOf(a, DeviceUnderTest());
  int64_t elements = a->storage->bytes() / DTypeSize(a->dtype);  // the strided array's memory goes as it is
  NDArray memory = CopyOf(Array::NewView(Ref<Array>(a), Shape{elements}, Shape{1}, 0), DeviceUnderTest());
  return Array::NewView(memory, a->shape, a->Strides(), a->offset);
}
std::string Compare(const Array& want, const Array& got, double tolerance) {
  if (want.shape != got.shape || want.dtype != got.dtype) return Text("is ", Describe(got), ", the CPU's is ", Describe(want), "\n");
  Vector a = ToVector(want), b = ToVector(got);
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) continue;
    if (std::abs(a[i] - b[i]) <= tolerance * std::max(1.0, std::abs(a[i]))) continue;
    return Text("element ", int64_t(i), " is ", b[i], ", the CPU's is ", a[i], "\n");
  }
  return "";
}
struct Held {
  Held() { HoldDevice(true); }
  ~Held() { HoldDevice(false); }
};
std::vector<NDArray> RunOn(const Setup& s, const std::vector<NDArray>& in, int mode, const Device* device) {
  SeedRandom(17);
  SmallVector<Array*, 8> raw(int(in.size()));
  for (size_t i = 0; i < in.size(); ++i) raw[int(i)] = in[i].get();
  std::vector<NDArray> out(size_t(s.call->nvisible));
  Invoke(*s.call, mode | (s.c.train ? kTrain : kPlain), raw.data(), raw.size(), nullptr, 0, out.data(), int(out.size()), device);
  return out;
}
bool Missing(const Error& e) { return e.message().find(Text("has no kernel for ", DeviceUnderTest()->name)) != std::string::npos; }
Outcome Run(const Case& c, DType t, bool strided) {
  cases::Setup s(c);
  const Point p = Start(c);
  auto cpu = s.Inputs(p, t, strided);
  std::vector<NDArray> dev;
  for (auto& a : cpu) dev.push_back(OnDevice(a));
  bool record = false;
  for (size_t i = 0; i < cpu.size(); ++i) record |= s.Differentiable(i);
  record &= !c.no_gradient && !c.only_runs && s.call->op.differentiable();
  if (record)
    for (size_t i = 0; i < cpu.size(); ++i)
      if (s.Differentiable(i)) AttachGrad(cpu[i], GradReq::kWrite), AttachGrad(dev[i], GradReq::kWrite);
  const int mode = record ? kRecord : kPlain;
  std::vector<NDArray> want, got;
  try {
    want = RunOn(s, cpu, mode, nullptr);
  } catch (const Error&) {
    return {"", "not on the CPU either, with these dtypes"};
  }
  Outcome o;
  try {
    Held hold;
    got = RunOn(s, dev, mode, DeviceUnderTest());
  } catch (const Error& e) {
    if (Missing(e) && e.message().find("Copy the inputs to the CPU") != std::string::npos) o.missing = e.message();
    else if (DTypeSize(t) == 2 && s.call->op.trait(kInternal) && e.status() == Status::kType) o.missing = "its kernel keeps float32 beside 16-bit data; its composition does not";
    else o.wrong = Text("fails on the device: ", e.message());
    return o;
  }
  const OpDef& op = s.call->op;
  if (op.trait(kRandom) && op.run_kernel && !op.kernel->fn[kOnDevice]) {  // RNN with dropout: the parts take tickets of their own
    o.missing = "its composition draws other numbers";
    return o;
  }
  const double tolerance = c.tolerance * (t == DType::kFloat64 ? 1e-11 : t == DType::kFloat32 ? 2e-5 : t == DType::kFloat16 ? 4e-3 : 3e-2);
  for (size_t i = 0; i < want.size() && o.wrong.empty() && !c.only_runs; ++i) {
    std::string text = Compare(*want[i], *got[i], tolerance);
    if (!text.empty()) o.wrong = Text("output ", int64_t(i), " ", text);
  }
  for (size_t i = 0; i < cpu.size() && o.wrong.empty() && !c.only_runs; ++i) {
    std::string text = Compare(*cpu[i], *dev[i], tolerance);
    if (!text.empty()) o.wrong = Text("input ", int64_t(i), " afterwards ", text);
  }
  if (!record || !o.wrong.empty()) return o;
  std::vector<NDArray> heads, dev_heads;
  for (size_t i = 0; i < want.size(); ++i)
    if (IsRecorded(*want[i])) heads.push_back(want[i]), dev_heads.push_back(got[i]);
  if (heads.empty()) return o;
  Backward(heads, {}, kTrain);
  try {
    Held hold;
    Backward(dev_heads, {}, kTrain);
  } catch (const Error& e) {
    if (Missing(e)) o.missing = Text("backward: ", e.message());
    else o.wrong = Text("backward fails on the device: ", e.message());
    return o;
  }
  for (size_t i = 0; i < cpu.size() && o.wrong.empty(); ++i) {
    if (!s.Differentiable(i)) continue;
    std::string text = Compare(*GradOf(*cpu[i]), *GradOf(*dev[i]), tolerance * 4);
    if (!text.empty()) o.wrong = Text("the gradient of input ", int64_t(i), " ", text);
  }
  return o;
}

struct DeviceOperators : testing::Test {
  static void SetUpTestSuite() { PrepareDevice(); }
  void TearDown() override {
    HoldDevice(false);
    EXPECT_TRUE(Engine::Get().WaitAll(60000));
    while (auto p = Engine::Get().NextUnseen()) ADD_FAILURE() << p->error.message();
  }
};
struct Served {
  std::set<std::string> whole, some;  // operators that run on a device with each of their cases, backward too; or with one of them
  int cases = 0;                      // that were compared
};
Served Sweep(DType t, bool strided) {
  std::map<std::string, bool> whole;
  Served served;
  for (const Case& c : AllCases()) {
    if (strided && c.no_strides) continue;
    if (t != DType::kFloat64 && c.no_float32) continue;
    const OpDef* d = FindOpOrNull(c.op);
    if (!d || d->trait(kHost) || d->trait(kDynamic) || d->subgraphs) continue;
    Outcome o;
    try {
      o = Run(c, t, strided);
    } catch (const std::exception& e) {
      o.wrong = e.what();
    }
    if (!o.wrong.empty()) ADD_FAILURE() << c.op << " " << c.what << " " << DTypeName(t) << (strided ? ", strided: " : ": ") << o.wrong;
    auto [it, fresh] = whole.emplace(d->name, true);
    it->second &= o.missing.empty();
    if (o.missing.empty()) served.some.insert(d->name), ++served.cases;
  }
  for (auto& w : whole) if (w.second) served.whole.insert(w.first);
  return served;
}
TEST_F(DeviceOperators, Float32) {
  const Served served = Sweep(DType::kFloat32, false);
  std::string names, parts;
  for (auto& s : served.some) (served.whole.count(s) ? names : parts) += s + " ";
  std::set<std::string> none;
  for (const Case& c : AllCases())
    if (const OpDef* d = FindOpOrNull(c.op); d && !d->trait(kHost) && !d->trait(kDynamic) && !d->subgraphs && !served.some.count(d->name)) none.insert(d->name);
  std::string lacking;
  for (auto& s : none) lacking += s + " ";
  std::printf("No kernel for devices: %s\n", lacking.c_str());
  std::printf("%d cases are right. %d operators have kernels for devices: %s\n%d have them for some of their forms: %s\n", served.cases, int(served.whole.size()), names.c_str(),
              int(served.some.size() - served.whole.size()), parts.c_str());
  // What a network of dense layers and its training are made of may never be missing again.
  for (const char* op : {"elemwise_add", "broadcast_mul", "_plus_scalar", "exp", "sigmoid", "Cast", "where", "sum", "mean", "_np_max", "argmax", "norm", "dot", "batch_dot",
                         "FullyConnected", "softmax", "log_softmax", "Activation", "transpose", "Reshape", "Concat", "slice", "broadcast_to", "_zeros", "_full", "_arange", "_eye",
                         "_random_uniform", "_random_normal", "take", "sgd_mom_update", "adam_update", "add_n", "clip", "relu", "tanh", "square", "_copy"})
    EXPECT_TRUE(served.some.count(op)) << op;
  EXPECT_GE(served.whole.size(), 200u);
  EXPECT_GE(served.cases, 400);
}
TEST_F(DeviceOperators, Float64) { EXPECT_GE(Sweep(DType::kFloat64, false).cases, 300); }
TEST_F(DeviceOperators, Float16) { EXPECT_GE(Sweep(DType::kFloat16, false).cases, 300); }
TEST_F(DeviceOperators, Bfloat16) { EXPECT_GE(Sweep(DType::kBfloat16, false).cases, 300); }
TEST_F(DeviceOperators, StridedFloat32) { EXPECT_GE(Sweep(DType::kFloat32, true).cases, 300); }

TEST_F(DeviceOperators, ALabelThatIsNoClassGivesNaN) {  // a device cannot look at it before it goes on
  Case c{"softmax_cross_entropy", {Uniform({3, 4}, -1, 1), Constant(Values({0, 4, 1}))}, {}};
  cases::Setup s(c);
  auto cpu = s.Inputs(Start(c), DType::kFloat32);
  std::vector<NDArray> in{OnDevice(cpu[0]), OnDevice(cpu[1])};
  EXPECT_THROW(ToVector(*RunOn(s, cpu, kPlain, nullptr)[0]), Error);
  AttachGrad(in[0], GradReq::kWrite);
  auto loss = RunOn(s, in, kRecord, DeviceUnderTest());
  EXPECT_TRUE(std::isnan(ToVector(*loss[0])[0]));
  Backward(loss, {}, kTrain);
  Vector d = ToVector(*GradOf(*in[0]));
  for (size_t i = 0; i < d.size(); ++i) EXPECT_EQ(std::isnan(d[i]), i / 4 == 1) << i;
}

// Windows of any form: whoever lays them out in parts has a part of each kind here.
std::string Tuple(const std::vector<int64_t>& v) {
  std::string s = "(";
  for (int64_t k : v) s += Text(k, ",");
  return s + ")";
}
struct Windows {
  Numbers random{20261122};
  int64_t Of(int64_t low, int64_t high) { return low + int64_t(random.Next() * double(high - low + 1)); }
  std::vector<int64_t> kernel, stride, dilate, pad, size;
  bool last = false;
  std::vector<std::pair<std::string, std::string>> attrs;
  void Draw(bool dilated) {
    const int64_t axes = Of(1, 3);
    kernel.clear(), stride.clear(), dilate.clear(), pad.clear(), size.clear();
    last = Of(0, 2) == 0;
    for (int64_t i = 0; i < axes; ++i) {
      kernel.push_back(Of(1, axes == 3 ? 2 : 3)), stride.push_back(Of(1, 3)), dilate.push_back(dilated ? Of(1, 2) : 1), pad.push_back(Of(0, kernel.back() / 2));
      size.push_back((kernel.back() - 1) * dilate.back() + 1 + Of(0, axes == 1 ? 40 : axes == 2 ? 9 : 4));
    }
    attrs = {{"kernel", Tuple(kernel)}, {"stride", Tuple(stride)}, {"pad", Tuple(pad)}};
    if (dilated) attrs.push_back({"dilate", Tuple(dilate)});
    if (last) attrs.push_back({"layout", axes == 1 ? "NWC" : axes == 2 ? "NHWC" : "NDHWC"});
  }
  Shape Laid(int64_t first, int64_t channels, const std::vector<int64_t>& places) const {  // of data or a weight
    Shape s{first};
    if (!last) s.push_back(channels);
    for (int64_t k : places) s.push_back(k);
    if (last) s.push_back(channels);
    return s;
  }
};
TEST_F(DeviceOperators, RandomWindows) {
  Windows w;
  for (int i = 0; i < 400; ++i) {
    const int kind = i % 4;
    w.Draw(kind < 2);
    Case c;
    const int64_t n = w.Of(0, 12) == 0 ? 0 : w.Of(1, 4);
    if (kind < 2) {
      const int64_t g = w.Of(1, 3), in = g * w.Of(1, 3), out = g * w.Of(1, 2), filters = kind == 0 ? out : in;
      c.op = kind == 0 ? "Convolution" : "Deconvolution";
      w.attrs.push_back({"num_group", Text(g)}), w.attrs.push_back({"num_filter", Text(filters)}), w.attrs.push_back({"no_bias", "False"});
      c.inputs = {Uniform(w.Laid(n, kind == 0 ? in : out, w.size), -1, 1), Uniform(w.Laid(out, in / g, w.kernel), -1, 1), Uniform({filters}, -1, 1)};
    } else {
      static const char* const kTypes[] = {"max", "avg", "sum", "lp"};
      c.op = "Pooling";
      w.attrs.push_back({"pool_type", kTypes[w.Of(0, 3)]}), w.attrs.push_back({"p_value", "2"}), w.attrs.push_back({"count_include_pad", w.Of(0, 1) ? "True" : "False"});
      w.attrs.push_back({"pooling_convention", w.Of(0, 1) ? "full" : "valid"}), w.attrs.push_back({"global_pool", w.Of(0, 5) == 0 ? "True" : "False"});
      c.inputs = {Uniform(w.Laid(n, w.Of(1, 3), w.size), 0.2, 2)};
    }
    c.attrs = w.attrs, c.tolerance = 5;
    static constexpr DType kOf[] = {DType::kFloat32, DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kBfloat16, DType::kInt32};
    const DType t = kOf[w.Of(0, kind < 2 ? 5 : 4)];
    c.no_gradient = t == DType::kInt32;
    std::string text = Text(c.op, " ", DTypeName(t));
    for (auto& in : c.inputs) text += Text(" ", in.shape);
    for (auto& kv : c.attrs) text += Text(" ", kv.first, "=", kv.second);
    Outcome o;
    try {
      o = cases::Run(c, t, w.Of(0, 3) == 0);
    } catch (const std::exception& e) {
      o.wrong = e.what();
    }
    ASSERT_EQ(o.wrong + o.missing, "") << text;
  }
}

}  // namespace
}  // namespace flx::cases

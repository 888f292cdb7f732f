// SPDX-License-Identifier: Apache-2.0
// Every case of every operator on an emulated device (tests/device/emulate.h) against the CPU: results, what is updated in place, and gradients. The device
// is held while an operation is issued, and fresh memory is filled with nonsense: a kernel that looked at an element itself would find the nonsense.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "device_run.h"

namespace flx::cases {
namespace {

using DeviceOperators = OnDeviceTest;
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
      o = RunCase(c, t, strided);
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

// Rows of every length, with equal elements and NaN; places that repeat.
TEST_F(DeviceOperators, RandomOrders) {
  Numbers random{7};
  const auto of = [&](int64_t low, int64_t high) { return low + int64_t(random.Next() * double(high - low + 1)); };
  static const char* const kTypes[] = {"value", "indices", "mask", "both"};
  for (int i = 0; i < 120; ++i) {
    const Shape x{of(1, 3), of(1, 37), of(1, 3)};
    Vector v(size_t(x.size()), 0), rows, places;
    for (auto& e : v) e = of(0, 12) == 0 ? std::nan("") : double(of(-6, 6));
    Case c;
    if (i % 3 == 2) {  // the last of equal places counts; sums are in the order of the places
      const int64_t n = of(1, 20), rest = x[2];
      for (int64_t k = 0; k < n * rest; ++k) rows.push_back(double(of(-6, 6)));
      for (int64_t k = 0; k < 2 * n; ++k) places.push_back(double(of(-x[k < n ? 0 : 1], x[k < n ? 0 : 1] - 1)));
      c.op = i % 2 ? "scatter_nd" : "_scatter_add_nd";
      c.inputs = {Values({n, rest}, rows), Integers({2, n}, places)};
      c.attrs = {{"shape", Text("(", x[0], ",", x[1], ",", x[2], ")")}};
    } else {
      c.op = i % 3 ? "sort" : "topk";
      c.inputs = {Values(x, v)};
      c.attrs = {{"axis", Text(of(0, 2))}, {"is_ascend", of(0, 1) ? "True" : "False"}};
      if (i % 3 == 0) c.attrs.push_back({"k", Text(of(0, 9))}), c.attrs.push_back({"ret_typ", kTypes[of(0, 3)]});
    }
    const Outcome o = RunCase(c, of(0, 1) ? DType::kFloat32 : DType::kFloat16, false);
    ASSERT_EQ(o.wrong + o.missing, "") << Text(c.op, " ", i, " of ", x);
  }
}

}  // namespace
}  // namespace flx::cases

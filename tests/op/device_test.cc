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

}  // namespace
}  // namespace flx::cases

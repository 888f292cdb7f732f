// SPDX-License-Identifier: Apache-2.0
// A case on the device under test and on the CPU: what is different.
#pragma once
#include <gtest/gtest.h>

#include <cmath>

#include "../device/under_test.h"
#include "exec/autograd.h"
#include "setup.h"

namespace flx::cases {

struct Outcome {
  std::string wrong, missing;  // missing: no kernel, or nothing to compare with
};
inline NDArray OnDevice(const NDArray& a) {
  if (a->contiguous) return CopyOf(a, DeviceUnderTest());
  int64_t elements = a->storage->bytes() / DTypeSize(a->dtype);  // the strided array's memory goes as it is
  NDArray memory = CopyOf(Array::NewView(Ref<Array>(a), Shape{elements}, Shape{1}, 0), DeviceUnderTest());
  return Array::NewView(memory, a->shape, a->Strides(), a->offset);
}
inline std::string Compare(const Array& want, const Array& got, double tolerance) {
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
inline std::vector<NDArray> RunOn(const Setup& s, const std::vector<NDArray>& in, int mode, const Device* device) {
  SeedRandom(17);
  SmallVector<Array*, 8> raw(int(in.size()));
  for (size_t i = 0; i < in.size(); ++i) raw[int(i)] = in[i].get();
  std::vector<NDArray> out(size_t(s.call->nvisible));
  Invoke(*s.call, mode | (s.c.train ? kTrain : kPlain), raw.data(), raw.size(), nullptr, 0, out.data(), int(out.size()), device);
  return out;
}
inline bool Missing(const Error& e) { return e.message().find(Text("has no kernel for ", DeviceUnderTest()->name)) != std::string::npos; }
inline Outcome RunCase(const Case& c, DType t, bool strided) {
  Setup s(c);
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
  try {
    Backward(heads, {}, kTrain);
  } catch (const Error& e) {
    if (DTypeSize(t) != 2 || !s.call->op.trait(kInternal) || e.status() != Status::kType) throw;
    return {"", "its kernel keeps float32 beside 16-bit data; its gradient's composition does not, on the CPU either"};
  }
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

struct OnDeviceTest : testing::Test {
  static void SetUpTestSuite() { PrepareDevice(); }
  void TearDown() override { ExpectAllDone(); }
};

}  // namespace flx::cases

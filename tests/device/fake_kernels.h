// SPDX-License-Identifier: Apache-2.0
// The fake device's kernels as the tests call them.
#pragma once
#include <cstdint>

#include "device/device.h"

namespace flx {

// Of the kind that the test has loaded: "fake", or "emu", which has the kernels of src/cuda as well.
inline const Device* FakeDevice(int i = 0) {
#ifdef FLEXOR_EMULATED_DEVICE
  return DeviceManager::Get().Find(i ? "emu(1)" : "emu(0)");
#else
  return DeviceManager::Get().Find(i ? "fake(1)" : "fake(0)");
#endif
}
template <class F> F FakeKernel(const char* name) { return reinterpret_cast<F>(FakeDevice()->Kernel(name, 1)); }
inline int32_t FakeAdd(flx_device_queue* q, int64_t* y, const int64_t* x, int64_t a, int64_t n) {
  static auto f = FakeKernel<int32_t (*)(flx_device_queue*, int64_t*, const int64_t*, int64_t, int64_t)>("fake_add");
  return f(q, y, x, a, n);
}
inline int32_t FakeSlow(flx_device_queue* q, int64_t us) {
  static auto f = FakeKernel<int32_t (*)(flx_device_queue*, int64_t)>("fake_slow");
  return f(q, us);
}
inline void FakeFail(const char* what, int64_t after) { FakeKernel<void (*)(const char*, int64_t)>("fake_fail")(what, after); }
inline void FakeHold(bool on) { FakeKernel<void (*)(int64_t)>("fake_hold")(on); }
inline void FakeDeaf(bool on) { FakeKernel<void (*)(int64_t)>("fake_deaf")(on); }
inline void FakePeers(bool on) { FakeKernel<void (*)(int64_t)>("fake_peers")(on); }
inline int32_t FakeGate(flx_device_queue* q) { return FakeKernel<int32_t (*)(flx_device_queue*)>("fake_gate")(q); }
inline void FakeGatesOpen() { FakeKernel<void (*)()>("fake_gates_open")(); }
struct FakeCount { int64_t ran, waiting, live; };
inline FakeCount FakeCounts() {
  FakeCount c;
  FakeKernel<void (*)(int64_t*, int64_t*, int64_t*)>("fake_counts")(&c.ran, &c.waiting, &c.live);
  return c;
}

}  // namespace flx

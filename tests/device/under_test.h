// SPDX-License-Identifier: Apache-2.0
// The devices that tests of arrays, operators and stores run on: the emulated ones, or GPUs, by the module that FLEXOR_TEST_GPU names (tools/test --cuda).
#pragma once
#include <cstdlib>

#include "../device/fake_kernels.h"
#include "base/config.h"

namespace flx {

inline const char* GpuModule() { return std::getenv("FLEXOR_TEST_GPU"); }
inline void PrepareDevice() {
  static const bool loaded = [] {
    if (GpuModule()) DeviceManager::Get().Load(GpuModule());
    else SetOption("FLEXOR_TEST_DEVICE", FLEXOR_EMULATED_DEVICE);
    return true;
  }();
  (void)loaded;
}
inline const Device* DeviceUnderTest() { return GpuModule() ? DeviceManager::Get().Find("gpu(0)") : FakeDevice(); }
// Null: there is but one GPU.
inline const Device* SecondDeviceUnderTest() {
  if (!GpuModule()) return FakeDevice(1);
  for (auto* d : DeviceManager::Get().Devices()) if (d->name == "gpu(1)") return d;
  return nullptr;
}
constexpr const char* kOneGpu = "there is one GPU, and this needs two";
constexpr const char* kEmulatedOnly = "only the emulated device waits and fails when told to";
inline void HoldDevice(bool on) { if (!GpuModule()) FakeHold(on); }

}  // namespace flx

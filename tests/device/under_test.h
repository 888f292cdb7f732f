// SPDX-License-Identifier: Apache-2.0
// The device that tests of arrays and operators run on: the emulated one, or a GPU, by the module that FLEXOR_TEST_GPU names (tools/test --cuda).
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
inline void HoldDevice(bool on) { if (!GpuModule()) FakeHold(on); }

}  // namespace flx

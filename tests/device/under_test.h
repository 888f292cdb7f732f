// SPDX-License-Identifier: Apache-2.0
// The devices that tests of arrays, operators and stores run on: the emulated ones, or GPUs, by the module that FLEXOR_TEST_GPU names (tools/test --cuda).
#pragma once
#include <gtest/gtest.h>

#include <cstdlib>
#include <initializer_list>

#include "../device/fake_kernels.h"
#include "base/config.h"
#include "engine/engine.h"
#include "storage/device_pool.h"

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
constexpr int64_t kLong = 60000;  // ms that a wait for what is not held up may take
inline void HoldDevice(bool on) { if (!GpuModule()) FakeHold(on); }
// The end of a test: what it asked for is done, it has seen every failure, and on the devices `emptied` no array is left.
inline void ExpectAllDone(std::initializer_list<const Device*> emptied = {}) {
  HoldDevice(false);
  ASSERT_TRUE(Engine::Get().WaitAll(kLong));
  while (auto p = Engine::Get().NextUnseen()) ADD_FAILURE() << p->error.message();
  for (auto* d : emptied) EXPECT_EQ(DeviceMemoryStats(d).live, 0) << "every array's memory came back, on " << d->name;
}

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// Devices by name. A Device is made once for each that exists, is never destroyed, and is passed as `const Device*`; null stands for the CPU.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "device/device_table.h"

namespace flx {

struct Device {
  const flx_device_table* table;
  int32_t index;
  std::string name;   // "gpu(0)"
  std::string kind;   // "gpu"
  bool cpu() const { return kind == "cpu"; }
  // Throws what a call of the table answered, naming device and call: device.Check(device.table->alloc(...), "alloc").
  void Check(int32_t result, const char* what) const { if (result != FLX_DEVICE_OK) FailCall(result, what); }
  Error CallError(int32_t result, const char* what) const;
  [[noreturn]] void FailCall(int32_t result, const char* what) const { throw CallError(result, what); }
  std::string Properties() const;                                    // lines of `key value`
  flx_device_function Kernel(std::string_view name, uint64_t signature) const;  // null: the device has none
  bool CopiesTo(const Device* peer) const;  // whether its queues reach the other's memory (FLX_COPY_TO_PEER)
};

class DeviceManager {
 public:
  static DeviceManager& Get();
  // "cpu", "cpu(0)", "gpu(1)", "fake(0)"; no number is number 0. Any CPU number is the one CPU (MXNet's programs use cpu(1) to mean it).
  // A device that is not there is an error that names those that are, and why a module did not load.
  const Device* Find(std::string_view text);
  const Device* Cpu();
  std::vector<std::string> Names();        // all there are, the CPU first
  std::vector<const Device*> Devices();
  // Loads a device module; a kind that is there already is an error. Returns its kind.
  std::string Load(const std::string& path);
  // Whether a module for this kind lies beside the library, whatever it would find here.
  static bool HasModule(std::string_view kind);

 private:
  DeviceManager();
  void FindModules();                      // once: FLEXOR_TEST_DEVICE, and libflexor_cuda.so beside this library where a driver is
  struct Impl;
  Impl* impl_;
};

inline std::string NameOf(const Device* d) { return d ? d->name : "cpu(0)"; }

const flx_device_table* CpuDeviceTable();  // cpu_device.cc

}  // namespace flx

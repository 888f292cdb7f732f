// SPDX-License-Identifier: Apache-2.0
// Device names at the ABI: null and "cpu" are the CPU, which the core writes as a null Device.
#pragma once
#include <string>

#include "device/device.h"

namespace flx::capi {
inline const Device* ResolveDevice(const char* text) {
  if (!text || !*text) return nullptr;
  const Device* d = DeviceManager::Get().Find(text);
  return d->cpu() ? nullptr : d;
}
inline int32_t CountDevices(std::string_view kind) {
  int32_t n = 0;
  for (const Device* d : DeviceManager::Get().Devices()) n += d->kind == kind;
  return n;
}
}  // namespace flx::capi

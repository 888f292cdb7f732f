// SPDX-License-Identifier: Apache-2.0
// Pooled memory of stream devices, and the pinned host memory that copies to and from them go through. Blocks are kept by size class (size_class.h).
// A block that a stream may still use is kept at once, together with what is still done with it, which its next owner inherits: on the stream that used
// it last nothing has to wait.
#pragma once
#include <cstddef>

#include "base/ref.h"
#include "device/device.h"
#include "storage/pool.h"

namespace flx {

struct DeviceBlock {
  void* p = nullptr;
  Ref<Object> uses;  // the engine's: what streams still do with it; null: nothing
};

// At least 256-byte aligned where the device's own memory is. Throws Error(kMemory) beyond the limit or when the device has none, after what is kept was
// given back.
DeviceBlock DeviceAlloc(const Device* device, size_t bytes);
void DeviceFree(const Device* device, void* p, size_t bytes, Ref<Object> uses) noexcept;  // `bytes` as asked for
// Pinned host memory; null if there is none: pageable memory serves as well, more slowly.
void* PinnedAlloc(const Device* device, size_t bytes) noexcept;
void PinnedFree(const Device* device, void* p, size_t bytes) noexcept;  // nothing uses it any more

MemoryStats DeviceMemoryStats(const Device* device);  // total: the device's
void DeviceMemoryLimit(const Device* device, int64_t bytes);  // live + cached may not exceed it; 0: none
void DeviceMemoryPeakReset(const Device* device);
void DeviceMemoryReleaseUnused(const Device* device);  // waits for what streams still do with it

// Waits until the device has done all that was issued to it; the engine's (storage knows no streams). May be called while something is being issued.
extern void (*g_device_rest)(const Device* device);

}  // namespace flx

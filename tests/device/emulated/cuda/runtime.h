// SPDX-License-Identifier: Apache-2.0
// What src/cuda/runtime.h is for the emulated device: the same names, for the files that call a library, without a driver.
#pragma once
#include <cuda_runtime_api.h>

#include <cstdint>

#include "device/device_call.h"

namespace flx::cuda {

int32_t Failed(int32_t code, const char* text);  // emulate_cudnn.cc
inline int32_t Result(cudaError_t, const char* what) { return Failed(FLX_DEVICE_ERROR, what); }
inline int32_t DeviceOf(const flx_device_queue*) { return 0; }
cudaStream_t StreamOf(flx_device_queue* q);      // points to a FakeStream (fake_cudnn.h)
inline bool Capturing(const flx_device_queue*) { return false; }
struct OnDevice {
  explicit OnDevice(int32_t) {}
  cudaError_t result() const { return cudaSuccess; }
};

}  // namespace flx::cuda

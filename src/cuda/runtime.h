// SPDX-License-Identifier: Apache-2.0
// Inside the CUDA module: what a queue and an event are, and how a failure of CUDA becomes a result with a text. Nothing here throws.
#pragma once
#include <cuda_runtime_api.h>

#include <cstdint>
#include <string>

#include "device/device_call.h"
#include "device/device_table.h"

struct flx_device_queue { int32_t device; cudaStream_t stream; };
struct flx_device_event { int32_t device; cudaEvent_t event; };

namespace flx::cuda {

std::string Number(int64_t n);
int32_t Failed(int32_t code, const char* text);        // keeps the text for last_error()
// What `e` means for the device. A failure that CUDA will not forget (an illegal address, a launch that failed ...) is a lost device; another one is taken
// out of CUDA's own memory of the last error, so that no later call reports it again.
int32_t Result(cudaError_t e, const char* what);
const char* LastError();

inline int32_t DeviceOf(const flx_device_queue* q) { return q->device; }
inline cudaStream_t StreamOf(const flx_device_queue* q) { return q->stream; }
inline bool Capturing(const flx_device_queue* q) {  // what is issued goes into a graph and does not run yet
  cudaStreamCaptureStatus s = cudaStreamCaptureStatusNone;
  return cudaStreamIsCapturing(q->stream, &s) != cudaSuccess || s != cudaStreamCaptureStatusNone;
}

// The host's current device is its own: it is put back.
class OnDevice {
 public:
  explicit OnDevice(int32_t device) {
    result_ = cudaGetDevice(&before_);
    if (result_ == cudaSuccess && before_ != device) result_ = cudaSetDevice(device), changed_ = true;
  }
  ~OnDevice() { if (changed_) cudaSetDevice(before_); }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;
  cudaError_t result() const { return result_; }

 private:
  int before_ = 0;
  bool changed_ = false;
  cudaError_t result_;
};

void FillDeviceTable(flx_device_table* t);             // device.cc
void FillPrograms(flx_device_table* t);                // program.cc
void FillGraphs(flx_device_table* t);                  // graph.cc
int32_t FillPattern(cudaStream_t stream, void* to, uint64_t pattern, int32_t size, int64_t count);  // fill.cu: 2, 4 or 8 bytes

}  // namespace flx::cuda

// SPDX-License-Identifier: Apache-2.0
// What src/cuda/*.cu is compiled with by g++, for the emulated device: a launch becomes work of a fake queue (emulated_device.cc), in which the kernel is
// called for every thread of a small grid. Kernels whose threads meet get real threads and a real barrier, so that ThreadSanitizer sees what they share.
#pragma once
#include <cstdint>
#include <functional>

#include "device/device_table.h"

#define __global__
#define __device__
#define __host__
#define __shared__ static  // one block runs at a time (RunBlocks)

namespace flx::cuda {

struct Dim { unsigned x; };
extern thread_local Dim threadIdx, blockIdx, blockDim, gridDim;
constexpr int kBlock = 256;
constexpr int64_t kColumnBytes = 2048, kPartSize = 24, kSortWidth = 4, kShortRow = 2;  // small, so that there are several parts

void Meet();
inline void AtomicMax(int64_t* p, int64_t v) { if (*p < v) *p = v; }  // these two in kernels whose threads run one after another
inline void AtomicAdd(int64_t* p, int64_t v) { *p += v; }
int32_t IssueGrid(flx_device_queue* q, int64_t blocks, std::function<void()> kernel);    // threads on their own, one after another
int32_t IssueBlocks(flx_device_queue* q, int64_t blocks, std::function<void()> kernel);  // threads that meet
template <class... P, class... A> int32_t Launch(flx_device_queue* q, int64_t blocks, void (*kernel)(P...), A... a) {
  return IssueGrid(q, blocks, [=] { kernel(P(a)...); });
}
template <class... P, class... A> int32_t LaunchBlocks(flx_device_queue* q, int64_t blocks, void (*kernel)(P...), A... a) {
  return IssueBlocks(q, blocks, [=] { kernel(P(a)...); });
}

}  // namespace flx::cuda

// SPDX-License-Identifier: Apache-2.0
// What every file of kernels begins with. The same files are compiled by g++ for the tests' emulated device (tests/device/emulate.h), where a launch is a
// loop: so a kernel walks over all its elements whatever grid and block it gets (Index, Step), and its threads meet at Meet() only.
#pragma once
#include <cstdint>

#include "cuda/kernel_table.h"
#include "device/device_call.h"
#include "device/kernels.h"

#ifdef __CUDACC__
#include <cuda_runtime.h>

#include "cuda/runtime.h"

namespace flx::cuda {
// At most this many threads of a block: a kernel's shared arrays have that size.
constexpr int kBlock = 256;
constexpr int64_t kMostBlocks = 1 << 16;
constexpr int64_t kColumnBytes = int64_t(128) << 20;  // of a part of a convolution's columns
constexpr int64_t kSortWidth = 2048;                  // places that a block sorts in shared memory
constexpr int64_t kShortRow = 32;                     // elements that one thread is better off with than a block, whose threads wait for each other
constexpr int64_t kPartSize = 16384;                  // elements of a channel that one block adds up
template <class... P, class... A> int32_t Launch(flx_device_queue* q, int64_t blocks, void (*kernel)(P...), A... a) {
  OnDevice on(q->device);
  if (on.result() != cudaSuccess) return Result(on.result(), "cudaSetDevice");
  kernel<<<unsigned(blocks < 1 ? 1 : blocks < kMostBlocks ? blocks : kMostBlocks), kBlock, 0, q->stream>>>(P(a)...);
  return Result(cudaGetLastError(), "a launch");
}
// The same for kernels whose threads meet.
template <class... P, class... A> int32_t LaunchBlocks(flx_device_queue* q, int64_t blocks, void (*kernel)(P...), A... a) { return Launch(q, blocks, kernel, a...); }
__device__ inline void Meet() { __syncthreads(); }
__device__ inline void AtomicMax(int64_t* p, int64_t v) { atomicMax(reinterpret_cast<long long*>(p), static_cast<long long>(v)); }
__device__ inline void AtomicAdd(int64_t* p, int64_t v) { atomicAdd(reinterpret_cast<unsigned long long*>(p), static_cast<unsigned long long>(v)); }
}  // namespace flx::cuda
#else
#include "emulate.h"
#endif

namespace flx::cuda {

// Elements of a grid, each once: for (int64_t i = Index(); i < n; i += Step()).
__device__ inline int64_t Index() { return blockIdx.x * int64_t(blockDim.x) + threadIdx.x; }
__device__ inline int64_t Step() { return int64_t(gridDim.x) * blockDim.x; }
// Blocks for n elements, `each` to a thread.
inline int64_t BlocksFor(int64_t n, int64_t each = 1) { return (n + kBlock * each - 1) / (kBlock * each); }

}  // namespace flx::cuda

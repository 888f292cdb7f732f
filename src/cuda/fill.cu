// SPDX-License-Identifier: Apache-2.0
// Memory filled with a pattern that cudaMemset has no form for.
#include <cuda_runtime.h>

#include "cuda/runtime.h"

namespace flx::cuda {
namespace {
template <class T> __global__ void FillWith(T* to, T pattern, int64_t count) {
  for (int64_t i = blockIdx.x * int64_t(blockDim.x) + threadIdx.x, step = int64_t(gridDim.x) * blockDim.x; i < count; i += step) to[i] = pattern;
}
template <class T> void Launch(cudaStream_t stream, void* to, uint64_t pattern, int64_t count) {
  int64_t blocks = (count + 255) / 256;
  FillWith<T><<<unsigned(blocks < 4096 ? blocks : 4096), 256, 0, stream>>>(static_cast<T*>(to), T(pattern), count);
}
}  // namespace

int32_t FillPattern(cudaStream_t stream, void* to, uint64_t pattern, int32_t size, int64_t count) {
  if (size == 2) Launch<uint16_t>(stream, to, pattern, count);
  else if (size == 4) Launch<uint32_t>(stream, to, pattern, count);
  else Launch<uint64_t>(stream, to, pattern, count);
  return Result(cudaGetLastError(), "fill");
}

}  // namespace flx::cuda

// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "cuda/kernel.h"

namespace flx::cuda {

// Sums (or extremes) of what all threads of the block bring, joined in an order of their own; all get the result. `room` is free again at the next call.
template <class T, class F> __device__ T Together(T v, T* room, const F& merge) {
  Meet();
  room[threadIdx.x] = v;
  for (unsigned s = 1; s < blockDim.x; s *= 2) {
    Meet();
    if (threadIdx.x % (2 * s) == 0 && threadIdx.x + s < blockDim.x) room[threadIdx.x] = merge(room[threadIdx.x], room[threadIdx.x + s]);
  }
  Meet();
  return room[0];
}
// The sum of what the threads before this one bring, in their order.
template <class T> __device__ T Preceding(T v, T* room) {
  Meet();
  room[threadIdx.x] = v;
  Meet();
  T sum = T(0);
  for (unsigned s = 0; s < threadIdx.x; ++s) sum += room[s];
  return sum;
}
struct Plus { template <class T> FLX_HD T operator()(T a, T b) const { return a + b; } };

}  // namespace flx::cuda

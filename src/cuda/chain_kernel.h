// SPDX-License-Identifier: Apache-2.0
// What the kernels of fused chains share, as text (op/elementwise/chain_source.h): their one argument, and how elements come and go.
#pragma once
#include "base/convert.h"
#include "cuda/math.h"

#ifdef __CUDACC_RTC__
#define FLX_UNROLL _Pragma("unroll")
#define FLX_CHAIN_LAUNCHER(name, ...)
#else
#define FLX_UNROLL
namespace flx::cuda {
struct Dim { unsigned x; };
inline Dim threadIdx{0}, blockIdx{0}, blockDim{1}, gridDim{1};  // not a thread's own: who calls the launcher calls it once at a time
}  // namespace flx::cuda
// How the emulated device calls a kernel, and how long its argument is.
#define FLX_CHAIN_LAUNCHER(name, ...)                                                                                                         \
  extern "C" __attribute__((visibility("default"))) const int64_t name##_bytes = int64_t(sizeof(__VA_ARGS__));                                \
  extern "C" __attribute__((visibility("default"))) void name##_launch(unsigned grid, unsigned block, const void* call) {                     \
    flx::cuda::gridDim.x = grid, flx::cuda::blockDim.x = block;                                                                               \
    for (unsigned b = 0; b < grid; ++b)                                                                                                       \
      for (unsigned t = 0; t < block; ++t) flx::cuda::blockIdx.x = b, flx::cuda::threadIdx.x = t, name(*static_cast<const __VA_ARGS__*>(call)); \
  }
#endif

namespace flx::cuda {

// A chain's argument, K arrays (inputs, then outputs) in A axes, and N numbers. The library fills it word by word (chain_device.cc): all members have 8 bytes.
template <int K, int A, int N> struct ChainCall {
  int64_t size, vectors;             // elements; how many vectors of them, from the first on, may be loaded and stored as a whole
  int64_t dim[A];
  uint64_t magic[A];                 // for divisions by dim: a factor below, a shift above 32 bits
  void* data[K];
  int64_t stride[K][A];              // in elements
  double number[N];
};

// i / dim and its remainder. Short ones for fewer than 2^31 elements.
FLX_HD inline uint32_t ChainDivide(uint32_t i, int64_t dim, uint64_t magic, uint32_t* rest) {
  const uint32_t q = uint32_t(uint64_t(i) * uint32_t(magic) >> (magic >> 32));
  *rest = i - q * uint32_t(dim);
  return q;
}
FLX_HD inline int64_t ChainDivide(int64_t i, int64_t dim, uint64_t, int64_t* rest) {
  const int64_t q = i / dim;
  *rest = i - q * dim;
  return q;
}
// The coordinates of element i.
template <class I, class Call, int A> FLX_HD void ChainPlace(const Call& call, I i, I (&at)[A]) {
  FLX_UNROLL for (int a = A - 1; a > 0; --a) i = ChainDivide(i, call.dim[a], call.magic[a], &at[a]);
  at[0] = i;
}
template <class I, int A> FLX_HD int64_t ChainOffset(const int64_t (&stride)[A], const I (&at)[A]) {
  int64_t offset = 0;
  FLX_UNROLL for (int a = 0; a < A; ++a) offset += int64_t(at[a]) * stride[a];
  return offset;
}

template <class T, int W> struct alignas(sizeof(T) * W) ChainVector { T v[W]; };
template <int W, class T> FLX_HD ChainVector<T, W> ChainRead(const T* p) { return *reinterpret_cast<const ChainVector<T, W>*>(p); }
template <int W, class T> FLX_HD void ChainWrite(T* p, const ChainVector<T, W>& v) { *reinterpret_cast<ChainVector<T, W>*>(p) = v; }

// An element (T) as a formula's value by way of the loop's type (L), and back. What an operator gives is an element: between two steps it is rounded to one.
template <class L, class T> FLX_HD typename ValueOf<L>::Type ChainUp(T v) { return Value<L>(ConvertTo<L>(v)); }
template <class L, class T> FLX_HD T ChainDown(typename ValueOf<L>::Type v) { return ConvertTo<T>(Plain<L>(v)); }
template <class L, class T> FLX_HD typename ValueOf<L>::Type ChainRounded(typename ValueOf<L>::Type v) {
  if constexpr (std::is_same_v<L, T>) return v;
  else return ChainUp<L>(ChainDown<L, T>(v));
}

template <class I> __device__ I ChainIndex() { return I(blockIdx.x) * I(blockDim.x) + I(threadIdx.x); }
template <class I> __device__ I ChainStep() { return I(gridDim.x) * I(blockDim.x); }

}  // namespace flx::cuda

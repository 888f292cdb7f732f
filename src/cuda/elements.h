// SPDX-License-Identifier: Apache-2.0
// Elements of any dtype as a computing type and back, and where they lie. Loops exist for few types; what is not of the loop's type is converted on its
// way, by a switch that all threads of a launch take alike.
#pragma once
#include "base/convert.h"
#include "base/dtype.h"
#include "cuda/kernel.h"

namespace flx::cuda {

constexpr int kMaxAxes = 32;

#ifdef __CUDACC__
#define FLX_APART __noinline__
#else
#define FLX_APART
#endif
template <class L> FLX_HD FLX_APART L LoadOther(const void* p, int32_t dtype, int64_t i) {
  L r = L(0);
  Dispatch(DType(dtype), [&](auto zero) { r = ConvertTo<L>(static_cast<const decltype(zero)*>(p)[i]); });
  return r;
}
template <class L> FLX_HD FLX_APART void StoreOther(void* p, int32_t dtype, int64_t i, L v) {
  Dispatch(DType(dtype), [&](auto zero) { static_cast<decltype(zero)*>(p)[i] = ConvertTo<decltype(zero)>(v); });
}
template <class L> FLX_HD inline L Load(const void* p, int32_t dtype, int64_t i) {
  if (dtype == int32_t(kDTypeOf<L>)) return static_cast<const L*>(p)[i];
  if constexpr (std::is_same_v<L, float>) {
    if (dtype == int32_t(DType::kFloat16)) return ToFloat(static_cast<const Half*>(p)[i]);
    if (dtype == int32_t(DType::kBfloat16)) return ToFloat(static_cast<const Bfloat16*>(p)[i]);
  }
  return LoadOther<L>(p, dtype, i);
}
template <class L> FLX_HD inline void Store(void* p, int32_t dtype, int64_t i, L v) {
  if (dtype == int32_t(kDTypeOf<L>)) { static_cast<L*>(p)[i] = v; return; }
  if constexpr (std::is_same_v<L, float>) {
    if (dtype == int32_t(DType::kFloat16)) { static_cast<Half*>(p)[i] = ToHalf(v); return; }
    if (dtype == int32_t(DType::kBfloat16)) { static_cast<Bfloat16*>(p)[i] = ToBfloat16(v); return; }
  }
  StoreOther<L>(p, dtype, i, v);
}

// ---- places: K arrays of one shape, each with its strides, in as few axes as they allow
template <int K> struct Places {
  int32_t naxes;
  int32_t dtype[K];
  int64_t size;
  void* data[K];
  int64_t dim[kMaxAxes], stride[K][kMaxAxes];

  bool Contiguous() const {  // all of them, row-major without gaps
    for (int k = 0; k < K; ++k) if (naxes > 1 || (naxes == 1 && stride[k][0] != 1)) return false;
    return true;
  }
  // The elements' offsets, of index i.
  FLX_HD void At(int64_t i, int64_t* offset) const {
    for (int k = 0; k < K; ++k) offset[k] = 0;
    if (size <= 0x7fffffff) {  // short divisions
      uint32_t rest = uint32_t(i);
      for (int a = naxes - 1; a > 0; --a) {
        const uint32_t d = uint32_t(dim[a]), q = rest / d, r = rest - q * d;
        for (int k = 0; k < K; ++k) offset[k] += int64_t(r) * stride[k][a];
        rest = q;
      }
      for (int k = 0; k < K; ++k) offset[k] += naxes ? int64_t(rest) * stride[k][0] : 0;
      return;
    }
    for (int a = naxes - 1; a > 0; --a) {
      const int64_t q = i / dim[a], r = i - q * dim[a];
      for (int k = 0; k < K; ++k) offset[k] += r * stride[k][a];
      i = q;
    }
    for (int k = 0; k < K; ++k) offset[k] += naxes ? i * stride[k][0] : 0;
  }
};
// Axes of one element go, and axes that lie on each other in all arrays are merged. An axis of no element makes the size 0.
template <int K> Places<K> PlacesOf(const flx_device_tensor* const (&t)[K]) {
  Places<K> p = {};
  p.size = 1;
  for (int k = 0; k < K; ++k) p.data[k] = t[k]->data, p.dtype[k] = t[k]->dtype;
  for (int a = 0; a < t[0]->ndim; ++a) {
    const int64_t d = t[0]->dims[a];
    p.size *= d;
    if (d == 1) continue;
    bool merge = p.naxes > 0;
    for (int k = 0; k < K && merge; ++k) merge = p.stride[k][p.naxes - 1] == t[k]->strides[a] * d;
    const int at = merge ? p.naxes - 1 : p.naxes++;
    p.dim[at] = merge ? p.dim[at] * d : d;
    for (int k = 0; k < K; ++k) p.stride[k][at] = t[k]->strides[a];
  }
  return p;
}
inline int64_t SizeOf(const flx_device_tensor& t) {
  int64_t n = 1;
  for (int a = 0; a < t.ndim; ++a) n *= t.dims[a];
  return n;
}

}  // namespace flx::cuda

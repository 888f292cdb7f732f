// SPDX-License-Identifier: Apache-2.0
// Kernels made of the elementwise formulas: over contiguous arrays of the loop's type, 16 bytes at a time where they are aligned, and over everything else
// element by element. Rules of dtypes as on the CPU (op/elementwise/driver.h).
#pragma once
#include <utility>

#include "cuda/elements.h"
#include "cuda/math.h"

namespace flx::cuda {

template <int N> struct Numbers { double v[N > 0 ? N : 1]; };

template <class F, class V, size_t... I> FLX_HD V Apply(const V* x, std::index_sequence<I...>) { return F()(x[I]...); }

template <class L, class F, int kIn, int kNumbers> __global__ void ContiguousKernel(Places<kIn + 1> p, Numbers<kNumbers> numbers, int64_t vectors) {
  using V = typename ValueOf<L>::Type;
  constexpr int kWidth = 16 / int(sizeof(L)), kArgs = kIn + kNumbers;
  struct alignas(16) Vector { L v[kWidth]; };
  V x[kArgs];
  for (int k = 0; k < kNumbers; ++k) x[kIn + k] = NumberOf<L>(numbers.v[k]);
  for (int64_t i = Index(); i < vectors; i += Step()) {
    Vector in[kIn], out;
    for (int k = 0; k < kIn; ++k) in[k] = static_cast<const Vector*>(p.data[k])[i];
    for (int j = 0; j < kWidth; ++j) {
      for (int k = 0; k < kIn; ++k) x[k] = Value<L>(in[k].v[j]);
      out.v[j] = Plain<L>(Apply<F>(x, std::make_index_sequence<kArgs>()));
    }
    static_cast<Vector*>(p.data[kIn])[i] = out;
  }
  for (int64_t i = vectors * kWidth + Index(); i < p.size; i += Step()) {
    for (int k = 0; k < kIn; ++k) x[k] = Value<L>(static_cast<const L*>(p.data[k])[i]);
    static_cast<L*>(p.data[kIn])[i] = Plain<L>(Apply<F>(x, std::make_index_sequence<kArgs>()));
  }
}
// An input whose dtype the loop's type does not hold exactly is a condition: 0 or 1.
template <class L, class F, int kIn, int kNumbers> __global__ void StridedKernel(Places<kIn + 1> p, Numbers<kNumbers> numbers, uint32_t conditions) {
  using V = typename ValueOf<L>::Type;
  constexpr int kArgs = kIn + kNumbers;
  V x[kArgs];
  for (int k = 0; k < kNumbers; ++k) x[kIn + k] = NumberOf<L>(numbers.v[k]);
  for (int64_t i = Index(); i < p.size; i += Step()) {
    int64_t at[kIn + 1];
    p.At(i, at);
    for (int k = 0; k < kIn; ++k)
      x[k] = conditions >> k & 1 ? V(LoadOther<bool>(p.data[k], p.dtype[k], at[k]) ? 1 : 0) : Value<L>(Load<L>(p.data[k], p.dtype[k], at[k]));
    Store<L>(p.data[kIn], p.dtype[kIn], at[kIn], Plain<L>(Apply<F>(x, std::make_index_sequence<kArgs>())));
  }
}

// Every value of `from` has its own in the loop's type (or is an integer, and that float64).
inline bool Exact(DType from, DType loop) {
  if (from == loop) return true;
  switch (loop) {
    case DType::kFloat64: return true;
    case DType::kFloat32: return from != DType::kFloat64 && from != DType::kInt32 && from != DType::kInt64 && from != DType::kUint32 && from != DType::kUint64;
    case DType::kInt32: return !IsFloat(from) && from != DType::kInt64 && from != DType::kUint32 && from != DType::kUint64;
    default: return !IsFloat(from);
  }
}
template <class L, class F, int kIn, int kNumbers> int32_t RunElementwise(flx_device_queue* q, const flx_device_call* c) {
  const flx_device_tensor* t[kIn + 1];
  for (int k = 0; k < kIn; ++k) t[k] = &c->in[k];
  t[kIn] = &c->out[0];
  const auto p = PlacesOf<kIn + 1>(t);
  if (p.size == 0) return FLX_DEVICE_OK;
  Numbers<kNumbers> numbers = {};
  for (int k = 0; k < kNumbers; ++k) numbers.v[k] = c->numbers[k];
  bool native = p.Contiguous(), aligned = true;
  uint32_t conditions = 0;
  for (int k = 0; k <= kIn; ++k) {
    native &= p.dtype[k] == int32_t(kDTypeOf<L>);
    aligned &= reinterpret_cast<uintptr_t>(p.data[k]) % 16 == 0;
    if (k < kIn && !Exact(DType(p.dtype[k]), kDTypeOf<L>)) conditions |= 1u << k;
  }
  if (!native) return Launch(q, BlocksFor(p.size), &StridedKernel<L, F, kIn, kNumbers>, p, numbers, conditions);
  constexpr int kWidth = 16 / int(sizeof(L));
  return Launch(q, BlocksFor(p.size, kWidth), &ContiguousKernel<L, F, kIn, kNumbers>, p, numbers, aligned ? p.size / kWidth : int64_t(0));
}
template <class F, int kIn, int kNumbers> int32_t Elementwise(flx_device_queue* q, const flx_device_call* c) {
  if (c->nin != kIn || c->nout != 1 || c->nnumbers != kNumbers || c->out[0].ndim > kMaxAxes) return FLX_DEVICE_NO_KERNEL;
  const DType t = DType(c->out[0].dtype);
  if constexpr ((F::kTypes & kFloatFormula) != 0) {
    if (t == DType::kFloat32 || t == DType::kFloat16 || t == DType::kBfloat16) return RunElementwise<float, F, kIn, kNumbers>(q, c);
    if (t == DType::kFloat64) return RunElementwise<double, F, kIn, kNumbers>(q, c);
  }
  if constexpr ((F::kTypes & kIntFormula) != 0) {
    if (t == DType::kUint64) return RunElementwise<uint64_t, F, kIn, kNumbers>(q, c);
    if (t == DType::kInt64 || t == DType::kUint32) return RunElementwise<int64_t, F, kIn, kNumbers>(q, c);
    if (!IsFloat(t)) return RunElementwise<int32_t, F, kIn, kNumbers>(q, c);
  }
  return FLX_DEVICE_NO_KERNEL;
}

// What a formulas header's list is given to; `Wanted` chooses a part of it, since the lists are compiled in several files at a time.
template <template <class, int, int> class Wanted> struct KernelList {
  KernelTable* to;
  template <class F, int kIn = 1, int kNumbers = 0> void Add(const char* name) {
    if constexpr (Wanted<F, kIn, kNumbers>::kValue) to->Add(name, DeviceSignature(name, kIn, kNumbers), &Elementwise<F, kIn, kNumbers>);
  }
};
template <class F, int kIn, int kNumbers> struct All { static constexpr bool kValue = true; };
template <class F, int, int> struct OfFloats { static constexpr bool kValue = F::kTypes == kFloatFormula; };
template <class F, int, int> struct OfAny { static constexpr bool kValue = F::kTypes != kFloatFormula; };
template <class F, int, int kNumbers> struct WithNumbers { static constexpr bool kValue = kNumbers > 0; };
template <class F, int, int kNumbers> struct WithoutNumbers { static constexpr bool kValue = kNumbers == 0; };

}  // namespace flx::cuda

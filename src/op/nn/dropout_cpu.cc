// SPDX-License-Identifier: Apache-2.0
#include "op/nn/dropout.h"

#include <algorithm>
#include <cstring>

#include "base/thread_pool.h"
#include "device/kernels.h"
#include "op/elementwise/driver.h"
#include "op/elementwise/formula.h"
#include "op/nn/random_words.h"
#include "op/nn/wide.h"
#include "tensor/device_work.h"

namespace flx {
namespace {

constexpr int64_t kBlock = 1024;  // a multiple of 4: Philox gives four words a time

template <class T> void MakeMask(Ticket ticket, float p, int64_t n, T* mask, const T* x, T* y) {
  Philox philox(ticket);
  const T scale = p < 1 ? T(1 / (1 - double(p))) : T(0);
  ParallelFor((n + kBlock - 1) / kBlock, 16, [&](int64_t b, int64_t e) {
    uint32_t words[kBlock];
    for (int64_t i = b; i < e; ++i) {
      int64_t at = i * kBlock, m = std::min(kBlock, n - at);
      RandomWords(philox, uint64_t(at), m, words);
      for (int64_t j = 0; j < m; ++j) mask[at + j] = ToUnitFloat(words[j]) >= p ? scale : T(0);
      if (y) for (int64_t j = 0; j < m; ++j) y[at + j] = mask[at + j] != 0 ? x[at + j] * mask[at + j] : T(0);
    }
  });
}
// y = x * mask, where mask is 1 along some axes.
template <class T> void Apply(const Shape& s, const Shape& ms, const T* x, const T* mask, T* y) {
  Shape strides = ContiguousStrides(ms);
  int last = s.ndim() - 1;
  int64_t rows = s.Product(0, last), n = s[last], step = ms[last] == 1 ? 0 : 1;
  ParallelFor(rows, GrainOf(rows, n), [&](int64_t b, int64_t e) {
    for (int64_t r = b; r < e; ++r) {
      int64_t at = 0, rest = r;
      for (int d = last - 1; d >= 0; --d) {
        if (ms[d] != 1) at += rest % s[d] * strides[d];
        rest /= s[d];
      }
      for (int64_t i = 0; i < n; ++i) {
        T m = mask[at + i * step];
        y[r * n + i] = m != 0 ? x[r * n + i] * m : T(0);
      }
    }
  });
}

void MaskOnDevice(DeviceWork* w, KernelContext& ctx, float p, const TensorView& mask) {
  const int64_t ints[] = {kRandomMask, 0, 0};
  // kept elements grow as the CPU's do: by a factor rounded to the array's type
  const double factor = p < 1 ? 1 / (1 - double(p)) : 0, numbers[] = {p, mask.dtype == DType::kFloat64 ? factor : double(float(factor))};
  w->Call(kDeviceRandom, kDeviceRandomForm, {nullptr, 0, &mask, 1, ints, 3, numbers, 2, ctx.random});
}
}  // namespace

void DropoutMask(KernelContext& ctx, float p, TensorView& mask) {
  if (DeviceWork* w = DeviceWork::Current()) return MaskOnDevice(w, ctx, p, mask);
  ForFloats(mask.dtype, [&](auto zero) {
    using T = decltype(zero);
    MakeMask<T>(ctx.random, p, mask.size(), mask.data<T>(), nullptr, nullptr);
  });
}

// A dropped element is 0 even where it was infinite or NaN.
void DropoutCpu(KernelContext& ctx, const DropoutAttrs& a, const TensorView& x0, TensorView& y0, TensorView& mask0) {
  if (!a.Active(ctx.training)) {
    if (x0.raw() != y0.raw()) CopyStrided(x0, y0);
    if (mask0) FillStrided(mask0, 1);
    return;
  }
  TensorView x = Widen(ctx, x0);
  WideOut y(ctx, y0), mask(ctx, mask0);
  Shape ms = x.shape;
  for (int64_t axis : a.axes) ms[int(axis < 0 ? axis + ms.ndim() : axis)] = 1;
  if (DeviceWork* w = DeviceWork::Current()) {
    TensorView m = mask.view ? mask.view : MakeView(ctx.Scratch(ms.size() * DTypeSize(x.dtype)), x.dtype, ms);
    TensorView product = MakeView(ctx.Scratch(x.bytes()), x.dtype, x.shape), zero = MakeView(ctx.Scratch(8), x.dtype, Shape{});
    MaskOnDevice(w, ctx, a.p, m);
    FillStrided(zero, 0);
    const TensorView factors[] = {x, m}, choice[] = {m, product, zero};
    RunElementwise(*ctx.op, CpuLoops("mul"), ctx, nullptr, factors, 2, product);
    RunElementwise(*ctx.op, CpuLoops("where"), ctx, nullptr, choice, 3, y.view);
    y.Store();
    if (mask0) mask.Store();
    return;
  }
  ForFloats(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    T* m = mask.data<T>() ? mask.data<T>() : ctx.Scratch<T>(ms.size());
    bool whole = ms == x.shape;
    MakeMask(ctx.random, a.p, ms.size(), m, x.data<T>(), whole ? y.data<T>() : nullptr);
    if (!whole) Apply(x.shape, ms, x.data<T>(), m, y.data<T>());
  });
  y.Store();
  if (mask0) mask.Store();
}

}  // namespace flx

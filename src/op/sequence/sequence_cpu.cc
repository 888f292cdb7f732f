// SPDX-License-Identifier: Apache-2.0
// Steps are moved as bytes, so that all dtypes share one loop.
#include <algorithm>
#include <cstring>

#include "base/thread_pool.h"
#include "device/kernels.h"
#include "op/sequence/sequence.h"
#include "tensor/array.h"
#include "tensor/device_work.h"

namespace flx {
namespace {

struct Steps {
  int64_t n, batch, rest;  // rest: the bytes of one step of one sequence
  bool steps_first;
  int64_t At(int64_t step, int64_t i) const { return (steps_first ? step * batch + i : i * n + step) * rest; }
  // Runs body(step, sequence) over all, in chunks worth a thread.
  template <class F> void Each(const F& body) const {
    ParallelFor(n * batch, std::max<int64_t>(1, 65536 / std::max<int64_t>(1, rest)), [&](int64_t k, int64_t e) {
      for (; k < e; ++k) steps_first ? body(k / batch, k % batch) : body(k % n, k / n);
    });
  }
};
Steps StepsOf(const SequenceAttrs& a, const Shape& s, DType t) {
  bool first = a.axis == 0;
  return {s[first ? 0 : 1], s[first ? 1 : 0], s.Product(2, s.ndim()) * DTypeSize(t), first};
}
// The length of each sequence, or null; those out of [low, n] are an error, or cut down.
const int64_t* Lengths(KernelContext& ctx, const TensorView& length, const Steps& s, int64_t low, bool cut) {
  if (!length) return nullptr;
  auto* out = ctx.Scratch<int64_t>(s.batch);
  CopyStrided(length, MakeView(out, DType::kInt64, Shape{s.batch}));
  for (int64_t i = 0; i < s.batch; ++i) {
    if (!cut && (out[i] < low || out[i] > s.n))
      Fail(Status::kIndex, ctx.op->name, "the length of sequence ", i, " must be in [", low, ", ", s.n, "], the steps there are, given ", out[i], ".");
    out[i] = std::min(std::max<int64_t>(out[i], 0), s.n);
  }
  return out;
}
// A device cannot look at lengths before it goes on: it cuts those that are out of range.
bool OnDevice(SequenceWay way, const SequenceAttrs& a, const Shape& steps, const TensorView& x, const TensorView& length, double value, const TensorView& y) {
  DeviceWork* w = DeviceWork::Current();
  if (!w) return false;
  const Steps s = StepsOf(a, steps, x.dtype);
  const int64_t ints[] = {s.n, s.batch, s.rest / DTypeSize(x.dtype), s.steps_first, way};
  const TensorView in[] = {x, length};
  w->Call(kDeviceSequence, DeviceSignature(kDeviceSequence), {in, 2, &y, 1, ints, 5, &value, 1});
  return true;
}
const char* From(const TensorView& x) { return static_cast<const char*>(x.raw()); }
char* To(const TensorView& y) { return static_cast<char*>(y.raw()); }

}  // namespace

void SequenceMaskCpu(KernelContext& ctx, const SequenceMaskAttrs& a, const TensorView& x, const TensorView& length, TensorView& y) {
  if (OnDevice(kSequenceMask, a, x.shape, x, length, a.value, y)) return;
  Steps s = StepsOf(a, x.shape, x.dtype);
  const int64_t* n = Lengths(ctx, length, s, 0, true);
  if (!n) return CopyStrided(x, y);
  int64_t count = s.rest / DTypeSize(x.dtype);
  TensorView blank = MakeView(ctx.Scratch(s.rest), x.dtype, Shape{count});
  FillStrided(blank, a.value);
  s.Each([&](int64_t step, int64_t i) { std::memcpy(To(y) + s.At(step, i), step < n[i] ? From(x) + s.At(step, i) : From(blank), size_t(s.rest)); });
}
void SequenceLastCpu(KernelContext& ctx, const SequenceAttrs& a, const TensorView& x, const TensorView& length, TensorView& y) {
  if (OnDevice(kSequenceLast, a, x.shape, x, length, 0, y)) return;
  Steps s = StepsOf(a, x.shape, x.dtype);
  const int64_t* n = Lengths(ctx, length, s, 1, false);
  for (int64_t i = 0; i < s.batch; ++i) std::memcpy(To(y) + i * s.rest, From(x) + s.At((n ? n[i] : s.n) - 1, i), size_t(s.rest));
}
void SequenceLastGradCpu(KernelContext& ctx, const SequenceIntoAttrs& a, const TensorView& dy, const TensorView& length, TensorView& dx) {
  if (OnDevice(kSequenceLastGrad, a, dx.shape, dy, length, 0, dx)) return;
  Steps s = StepsOf(a, dx.shape, dx.dtype);
  const int64_t* n = Lengths(ctx, length, s, 1, false);
  FillStrided(dx, 0);
  for (int64_t i = 0; i < s.batch; ++i) std::memcpy(To(dx) + s.At((n ? n[i] : s.n) - 1, i), From(dy) + i * s.rest, size_t(s.rest));
}
void SequenceReverseCpu(KernelContext& ctx, const SequenceAttrs& a, const TensorView& x, const TensorView& length, TensorView& y) {
  if (OnDevice(kSequenceReverse, a, x.shape, x, length, 0, y)) return;
  Steps s = StepsOf(a, x.shape, x.dtype);
  const int64_t* n = Lengths(ctx, length, s, 0, false);
  s.Each([&](int64_t step, int64_t i) {
    int64_t len = n ? n[i] : s.n, from = step < len ? len - 1 - step : step;
    std::memcpy(To(y) + s.At(step, i), From(x) + s.At(from, i), size_t(s.rest));
  });
}

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
#include "op/loss/softmax_output.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/thread_pool.h"
#include "device/kernels.h"
#include "op/nn/softmax.h"
#include "op/nn/spans.h"
#include "op/nn/wide.h"
#include "tensor/device_work.h"

namespace flx {
namespace {

struct Distributions { int64_t outer, n, inner; };  // over the middle
Distributions Split(const SoftmaxOutputAttrs& a, const Shape& s) {
  if (a.multi_output) return {s[0], s[1], s.Product(2, s.ndim())};
  if (a.preserve_shape) return {s.Product(0, s.ndim() - 1), s[s.ndim() - 1], 1};
  return {s[0], s.Product(1, s.ndim()), 1};
}
// Labels of any dtype as doubles.
const double* LabelsOf(KernelContext& ctx, const TensorView& label) {
  TensorView v = MakeView(ctx.Scratch(label.size() * 8), DType::kFloat64, label.shape);
  CopyStrided(label, v);
  return v.data<double>();
}
int64_t ClassOf(const KernelContext& ctx, double label, int64_t classes) {
  if (!(label >= 0 && label < double(classes)))
    Fail(Status::kIndex, ctx.op->name, "a label must be a class in [0, ", classes, "), given ", label, ". Classes are counted from 0.");
  return int64_t(label);
}

// What the parts of a gradient by labels are multiplied with; normalization by the labels that count is left to the caller.
struct Factors {
  double scale, own, other;
  Factors(const SoftmaxOutputAttrs& a, const Shape& shape, const Distributions& d, bool soft) : scale(double(a.grad_scale)), own(1), other(0) {
    if (soft) return;
    if (a.normalization == LossNorm::kBatch) scale /= double(shape[0]);
    if (a.multi_output && a.normalization != LossNorm::kValid) scale /= double(d.inner);
    own = 1 - double(a.smooth_alpha), other = d.n > 1 ? double(a.smooth_alpha) / double(d.n - 1) : 0;
  }
};
template <class T> void Gradient(const SoftmaxOutputAttrs& a, const Shape& shape, const T* y, const double* label, bool soft, const T* dy, T* dx) {
  Distributions d = Split(a, shape);
  Factors f(a, shape, d, soft);
  int64_t rows = d.outer * d.inner;
  double valid = 1;
  if (a.normalization == LossNorm::kValid && !soft) {
    valid = 0;
    for (int64_t i = 0; i < rows; ++i) valid += label[i] != double(a.ignore_label);
    valid = std::max(valid, 1.0);
  }
  if (soft) {
    T k = T(f.scale);
    for (int64_t i = 0; i < rows * d.n; ++i) dx[i] = (y[i] - T(label[i])) * k * (dy ? dy[i] : T(1));
    return;
  }
  T k = T(f.scale / valid), other = T(f.other), own = T(f.own);
  ParallelFor(rows, GrainOf(rows, d.n), [&](int64_t b, int64_t e) {
    for (int64_t r = b; r < e; ++r) {
      int64_t at = r / d.inner * d.n * d.inner + r % d.inner;
      bool skip = a.use_ignore && label[r] == double(a.ignore_label);
      // A label that is no class counts as none: only its own term is missing, as for labels kept from the loss by their weight.
      int64_t cls = label[r] >= 0 && label[r] < double(d.n) ? int64_t(label[r]) : -1;
      for (int64_t i = 0; i < d.n; ++i) {
        int64_t p = at + i * d.inner;
        dx[p] = skip ? T(0) : (y[p] - (i == cls ? own : other)) * k * (dy ? dy[p] : T(1));
      }
    }
  });
}
// (y - one_hot(label)) scale dy
void LabelGradOnDevice(const TensorView& y, const TensorView& label, const TensorView& dy, const Distributions& d, bool soft, bool skips, bool strict, bool by_valid, double ignored,
                       const Factors& f, const TensorView& dx) {
  const TensorView in[] = {y, label, dy};
  const int64_t ints[] = {d.outer, d.n, d.inner, dy && dy.size() == y.size(), soft, skips, strict, by_valid};
  const double numbers[] = {f.scale, ignored, f.own, f.other};
  DeviceWork::Current()->Call(kDeviceLabelGrad, DeviceSignature(kDeviceLabelGrad), {in, 3, &dx, 1, ints, 8, numbers, 4});
}

}  // namespace

void SoftmaxOutputCpu(KernelContext& ctx, const SoftmaxOutputAttrs& a, const TensorView& x0, const TensorView&, TensorView& y0) {
  Distributions d = Split(a, x0.shape);
  if (DeviceWork* w = DeviceWork::Current()) return SoftmaxOnDevice(w, x0, {}, d.outer, d.n, d.inner, 1, false, y0);
  TensorView x = Widen(ctx, x0);
  WideOut y(ctx, y0);
  ForFloats(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    SoftmaxLoop(x.data<T>(), d.outer, d.n, d.inner, T(1), false, y.data<T>());
  });
  y.Store();
}
void SoftmaxOutputGradCpu(KernelContext& ctx, const SoftmaxOutputAttrs& a, const TensorView& y0, const TensorView& label, const TensorView& dy0, TensorView& dx0) {
  if (DeviceWork::Current()) {
    const Distributions d = Split(a, y0.shape);
    const bool soft = label.shape == y0.shape;
    return LabelGradOnDevice(y0, label, dy0, d, soft, a.use_ignore, false, a.normalization == LossNorm::kValid && !soft, double(a.ignore_label), Factors(a, y0.shape, d, soft), dx0);
  }
  TensorView y = Widen(ctx, y0), dy = Widen(ctx, dy0);
  WideOut dx(ctx, dx0);
  const double* labels = LabelsOf(ctx, label);
  ForFloats(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    Gradient(a, y.shape, y.data<T>(), labels, label.shape == y.shape, dy ? dy.data<T>() : nullptr, dx.data<T>());
  });
  dx.Store();
}

void SoftmaxCrossEntropyCpu(KernelContext& ctx, const NoAttrs&, const TensorView& x0, const TensorView& label, TensorView& y0) {
  int64_t rows = x0.dim(0), n = x0.dim(1);
  if (DeviceWork* w = DeviceWork::Current()) {
    const TensorView in[] = {x0, label};
    const int64_t ints[] = {rows, n};
    return w->Call(kDeviceCrossEntropy, DeviceSignature(kDeviceCrossEntropy), {in, 2, &y0, 1, ints, 2});
  }
  TensorView x = Widen(ctx, x0);
  WideOut y(ctx, y0);
  const double* labels = LabelsOf(ctx, label);
  double* losses = ctx.Scratch<double>(rows);
  ForFloats(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto& f = SpansOf<T>();
    ParallelFor(rows, GrainOf(rows, n, 8192), [&](int64_t b, int64_t e) {
      for (int64_t r = b; r < e; ++r) {
        const T* p = x.data<T>() + r * n;
        int64_t cls = ClassOf(ctx, labels[r], n);
        T most = f.max(p, n);
        losses[r] = std::log(double(f.exp_sum(p, most, 1, n, nullptr))) + double(most) - double(p[cls]);
      }
    });
    double sum = 0;
    for (int64_t r = 0; r < rows; ++r) sum += losses[r];
    *y.data<T>() = T(sum);
  });
  y.Store();
}
void SoftmaxCrossEntropyGradCpu(KernelContext& ctx, const NoAttrs&, const TensorView& x0, const TensorView& label, const TensorView& dy0, TensorView& dx0) {
  int64_t rows = x0.dim(0), n = x0.dim(1);
  if (DeviceWork* w = DeviceWork::Current()) {
    SoftmaxOnDevice(w, x0, {}, rows, n, 1, 1, false, dx0);
    const SoftmaxOutputAttrs plain;
    const Distributions d{rows, n, 1};
    return LabelGradOnDevice(dx0, label, dy0, d, false, false, true, false, 0, Factors(plain, x0.shape, d, false), dx0);
  }
  TensorView x = Widen(ctx, x0), dy = Widen(ctx, dy0);
  WideOut dx(ctx, dx0);
  const double* labels = LabelsOf(ctx, label);
  ForFloats(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    SoftmaxLoop(x.data<T>(), rows, n, 1, T(1), false, dx.data<T>());
    T k = *dy.data<T>();
    ParallelFor(rows, GrainOf(rows, n), [&](int64_t b, int64_t e) {
      for (int64_t r = b; r < e; ++r) {
        T* p = dx.data<T>() + r * n;
        p[ClassOf(ctx, labels[r], n)] -= 1;
        for (int64_t i = 0; i < n; ++i) p[i] *= k;
      }
    });
  });
  dx.Store();
}

}  // namespace flx

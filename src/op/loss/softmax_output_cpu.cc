// SPDX-License-Identifier: Apache-2.0
#include "op/loss/softmax_output.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/thread_pool.h"
#include "op/nn/softmax.h"
#include "op/nn/spans.h"
#include "op/nn/wide.h"

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

template <class T> void Gradient(KernelContext& ctx, const SoftmaxOutputAttrs& a, const Shape& shape, const T* y, const double* label, bool soft, const T* dy, T* dx) {
  Distributions d = Split(a, shape);
  int64_t rows = d.outer * d.inner;
  double valid = 1;
  if (a.normalization == LossNorm::kBatch) {
    valid = double(shape[0]);
  } else if (a.normalization == LossNorm::kValid && !soft) {
    valid = 0;
    for (int64_t i = 0; i < rows; ++i) valid += label[i] != double(a.ignore_label);
    valid = std::max(valid, 1.0);
  }
  if (soft) {
    T k = a.grad_scale;
    for (int64_t i = 0; i < rows * d.n; ++i) dx[i] = (y[i] - T(label[i])) * k * (dy ? dy[i] : T(1));
    return;
  }
  T k = T(double(a.grad_scale) / valid / (a.multi_output && a.normalization != LossNorm::kValid ? double(d.inner) : 1.0));
  T other = d.n > 1 ? T(double(a.smooth_alpha) / double(d.n - 1)) : T(0), own = T(1) - T(a.smooth_alpha);
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
  (void)ctx;
}

}  // namespace

void SoftmaxOutputCpu(KernelContext& ctx, const SoftmaxOutputAttrs& a, const TensorView& x0, const TensorView&, TensorView& y0) {
  TensorView x = Widen(ctx, x0);
  WideOut y(ctx, y0);
  Distributions d = Split(a, x.shape);
  ForFloats(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    SoftmaxLoop(x.data<T>(), d.outer, d.n, d.inner, T(1), false, y.data<T>());
  });
  y.Store();
}
void SoftmaxOutputGradCpu(KernelContext& ctx, const SoftmaxOutputAttrs& a, const TensorView& y0, const TensorView& label, const TensorView& dy0, TensorView& dx0) {
  TensorView y = Widen(ctx, y0), dy = Widen(ctx, dy0);
  WideOut dx(ctx, dx0);
  const double* labels = LabelsOf(ctx, label);
  ForFloats(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    Gradient(ctx, a, y.shape, y.data<T>(), labels, label.shape == y.shape, dy ? dy.data<T>() : nullptr, dx.data<T>());
  });
  dx.Store();
}

void SoftmaxCrossEntropyCpu(KernelContext& ctx, const NoAttrs&, const TensorView& x0, const TensorView& label, TensorView& y0) {
  TensorView x = Widen(ctx, x0);
  WideOut y(ctx, y0);
  const double* labels = LabelsOf(ctx, label);
  int64_t rows = x.dim(0), n = x.dim(1);
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
  TensorView x = Widen(ctx, x0), dy = Widen(ctx, dy0);
  WideOut dx(ctx, dx0);
  const double* labels = LabelsOf(ctx, label);
  int64_t rows = x.dim(0), n = x.dim(1);
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

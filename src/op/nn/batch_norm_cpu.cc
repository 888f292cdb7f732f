// SPDX-License-Identifier: Apache-2.0
// Data is seen as (outer, channels, inner). Sums are taken per part, a plane of one channel or a block of rows where the channels come last, and
// joined in double in the order of the parts: the same bits on any number of threads.
#include "op/nn/batch_norm.h"

#include <algorithm>
#include <cmath>

#include "base/thread_pool.h"
#include "device/kernels.h"
#include "op/nn/blocked_spans.h"
#include "op/nn/spans.h"
#include "op/nn/wide.h"
#include "tensor/device_work.h"

namespace flx {
namespace {

constexpr int64_t kRows = 128;      // of a part where channels come last
constexpr int64_t kColumns = 1024;  // channels of one task there

struct Layout {
  int64_t outer, channels, inner, parts;
  int64_t block = 0;  // channels that lie side by side in a blocked array (op/nn/blocked.h)
  explicit Layout(const Shape& s) : outer(s[0]), channels(s[1] * s[4]), inner(s[2] * s[3]), parts(s[0]), block(s[4]) {}
  Layout(const Shape& s, int axis) {
    axis = axis < 0 ? axis + s.ndim() : axis;
    outer = s.Product(0, axis), channels = s[axis], inner = s.Product(axis + 1, s.ndim());
    parts = inner == 1 ? (outer + kRows - 1) / kRows : outer;
  }
  bool rows() const { return !block && inner == 1; }
  int64_t count(int64_t part) const { return rows() ? std::min(kRows, outer - part * kRows) : inner; }  // elements of a channel in it
  int64_t total() const { return outer * inner; }
};
// body(part, first channel, channels, first element): planes one by one, or blocks of rows.
template <class F> void ForParts(const Layout& l, const F& body) {
  int64_t columns = l.block ? l.block : l.rows() ? kColumns : 1, blocks = (l.channels + columns - 1) / columns, tasks = l.parts * blocks;
  int64_t work = l.rows() ? std::min(kColumns, l.channels) * kRows : l.inner * std::max<int64_t>(l.block, 1);
  ParallelFor(tasks, GrainOf(tasks, work), [&](int64_t b, int64_t e) {
    for (int64_t i = b; i < e; ++i) {
      int64_t part = i / blocks, c = i % blocks * columns;
      body(part, c, std::min(columns, l.channels - c), l.rows() ? part * kRows * l.channels + c : (part * l.channels + c) * l.inner);
    }
  });
}
// mean and the sum of squared differences of each part, to out[part][channel][2]
template <class T> void PartMoments(const Layout& l, const T* x, T* mean, T* m2) {
  const auto& f = SpansOf<T>();
  ForParts(l, [&](int64_t part, int64_t c, int64_t n, int64_t at) {
    T *m = mean + part * l.channels + c, *q = m2 + part * l.channels + c;
    if (l.block) return BlockSpansOf<T>().moments(x + at, l.inner, l.block, m, q);
    if (l.inner != 1) {
      T out[2];
      f.moments(x + at, l.inner, out);
      *m = out[0], *q = out[1];
      return;
    }
    int64_t rows = l.count(part);
    std::fill(m, m + n, T(0));
    std::fill(q, q + n, T(0));
    for (int64_t r = 0; r < rows; ++r) f.add_rows(x + at + r * l.channels, n, m);
    for (int64_t j = 0; j < n; ++j) m[j] /= T(rows);
    for (int64_t r = 0; r < rows; ++r) f.square_rows(x + at + r * l.channels, m, n, q);
  });
}
// Sums of dy and dy * (x - mean) of each part.
template <class T> void PartSums(const Layout& l, const T* x, const T* dy, const T* mean, T* sum, T* dot) {
  const auto& f = SpansOf<T>();
  ForParts(l, [&](int64_t part, int64_t c, int64_t n, int64_t at) {
    T *s = sum + part * l.channels + c, *q = dot + part * l.channels + c;
    if (l.block) return BlockSpansOf<T>().sum_and_dot(dy + at, x + at, mean + c, l.inner, l.block, s, q);
    if (l.inner != 1) {
      T out[2];
      f.sum_and_dot(dy + at, x + at, mean[c], l.inner, out);
      *s = out[0], *q = out[1];
      return;
    }
    std::fill(s, s + n, T(0));
    std::fill(q, q + n, T(0));
    for (int64_t r = 0; r < l.count(part); ++r) f.dot_rows(dy + at + r * l.channels, x + at + r * l.channels, mean + c, n, s, q);
  });
}

template <class T> void Forward(KernelContext& ctx, const Layout& l, const BatchNormAttrs& a, const TensorView& x, const T* gamma, const T* beta, const T* moving_mean,
                                const T* moving_var, T* y, T* mean, T* inv, T* new_mean, T* new_var) {
  const auto& f = SpansOf<T>();
  int64_t ch = l.channels;
  bool batch = ctx.training && !a.use_global_stats;
  T* var = ctx.Scratch<T>(ch * 2);
  T* scale = var + ch;
  if (batch) {
    T* part_mean = ctx.Scratch<T>(l.parts * ch * 2);
    T* part_m2 = part_mean + l.parts * ch;
    PartMoments(l, x.data<T>(), part_mean, part_m2);
    ParallelFor(ch, GrainOf(ch, l.parts), [&](int64_t b, int64_t e) {
      for (int64_t c = b; c < e; ++c) {  // joined as by Chan, Golub and LeVeque (1979)
        double n = 0, m = 0, q = 0;
        for (int64_t p = 0; p < l.parts; ++p) {
          double k = double(l.count(p)), d = double(part_mean[p * ch + c]) - m;
          q += double(part_m2[p * ch + c]) + d * d * n * k / (n + k);
          m += d * k / (n + k);
          n += k;
        }
        mean[c] = T(m), var[c] = n > 0 ? T(q / n) : T(0);
      }
    });
  } else {
    std::copy(moving_mean, moving_mean + ch, mean);
    std::copy(moving_var, moving_var + ch, var);
  }
  for (int64_t c = 0; c < ch; ++c) {
    inv[c] = T(1 / std::sqrt(double(var[c]) + a.eps));
    scale[c] = a.fix_gamma ? inv[c] : inv[c] * gamma[c];
  }
  if (new_mean && new_var) {
    T keep = T(batch ? a.momentum : 1), take = T(batch && l.total() ? 1 - double(a.momentum) : 0);
    for (int64_t c = 0; c < ch; ++c) {
      new_mean[c] = take != 0 ? moving_mean[c] * keep + mean[c] * take : moving_mean[c];
      new_var[c] = take != 0 ? moving_var[c] * keep + var[c] * take : moving_var[c];
    }
  }
  ForParts(l, [&](int64_t part, int64_t c, int64_t n, int64_t at) {
    const T* from = x.data<T>() + at;
    if (l.block) return BlockSpansOf<T>().affine(from, mean + c, scale + c, beta + c, l.inner, l.block, y + at);
    if (l.inner != 1) { f.affine(from, mean[c], scale[c], beta[c], l.inner, y + at); return; }
    for (int64_t r = 0; r < l.count(part); ++r) f.affine_rows(from + r * ch, mean + c, scale + c, beta + c, n, y + at + r * ch);
  });
}
template <class T> void Backward(KernelContext& ctx, const Layout& l, const BatchNormGradAttrs& a, const TensorView& x, const T* gamma, const T* mean, const T* inv, const T* dy, T* dx,
                                 T* dgamma, T* dbeta) {
  const auto& f = SpansOf<T>();
  int64_t ch = l.channels;
  T* sum = ctx.Scratch<T>(l.parts * ch * 2);
  T* dot = sum + l.parts * ch;
  T* ka = ctx.Scratch<T>(ch * 3);
  T *kb = ka + ch, *kc = kb + ch;
  PartSums(l, x.data<T>(), dy, mean, sum, dot);
  double total = double(std::max<int64_t>(l.total(), 1));
  ParallelFor(ch, GrainOf(ch, l.parts), [&](int64_t b, int64_t e) {
    for (int64_t c = b; c < e; ++c) {
      double s = 0, q = 0, i = inv[c], g = a.fix_gamma ? 1.0 : double(gamma[c]);
      for (int64_t p = 0; p < l.parts; ++p) s += double(sum[p * ch + c]), q += double(dot[p * ch + c]);
      dgamma[c] = a.fix_gamma ? T(0) : T(q * i);
      dbeta[c] = T(s);
      ka[c] = T(g * i);
      kb[c] = a.batch_stats ? T(-g * i * i * i * q / total) : T(0);
      kc[c] = a.batch_stats ? T(-g * i * s / total) : T(0);
    }
  });
  ForParts(l, [&](int64_t part, int64_t c, int64_t n, int64_t at) {
    const T* px = x.data<T>() + at;
    if (l.block) return BlockSpansOf<T>().affine2(dy + at, px, mean + c, ka + c, kb + c, kc + c, l.inner, l.block, dx + at);
    if (l.inner != 1) { f.affine2(dy + at, px, mean[c], ka[c], kb[c], kc[c], l.inner, dx + at); return; }
    for (int64_t r = 0; r < l.count(part); ++r) f.affine2_rows(dy + at + r * ch, px + r * ch, mean + c, ka + c, kb + c, kc + c, n, dx + at + r * ch);
  });
}

void RunOnDevice(DeviceWork* w, const Layout& l, const BatchNormAttrs& a, bool batch, const TensorView* in, const TensorView* out) {
  const int64_t ints[] = {l.outer, l.channels, l.inner, batch, a.fix_gamma};
  const double numbers[] = {a.eps, double(a.momentum)};
  w->Call(kDeviceBatchNorm, DeviceSignature(kDeviceBatchNorm), {in, 5, out, 5, ints, 5, numbers, 2});
}
void Run(KernelContext& ctx, const Layout& l, const BatchNormAttrs& a, const TensorView& x0, const TensorView& gamma, const TensorView& beta, const TensorView& moving_mean,
                  const TensorView& moving_var, TensorView& y0, TensorView& mean, TensorView& inv, TensorView& new_mean, TensorView& new_var) {
  TensorView x = Widen(ctx, x0);
  WideOut y(ctx, y0);
  ForFloats(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    int64_t ch = gamma.size();
    T* m = mean ? mean.data<T>() : ctx.Scratch<T>(ch);
    T* i = inv ? inv.data<T>() : ctx.Scratch<T>(ch);
    Forward(ctx, l, a, x, gamma.data<T>(), beta.data<T>(), moving_mean.data<T>(), moving_var.data<T>(), y.data<T>(), m, i,
            new_mean ? new_mean.data<T>() : nullptr, new_var ? new_var.data<T>() : nullptr);
  });
  y.Store();
}
void RunGrad(KernelContext& ctx, const Layout& l, const BatchNormGradAttrs& a, const TensorView& x0, const TensorView& gamma, const TensorView& mean, const TensorView& inv,
                      const TensorView& dy0, TensorView& dx0, TensorView& dgamma, TensorView& dbeta) {
  TensorView x = Widen(ctx, x0), dy = Widen(ctx, dy0);
  WideOut dx(ctx, dx0);
  ForFloats(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    Backward(ctx, l, a, x, gamma.data<T>(), mean.data<T>(), inv.data<T>(), dy.data<T>(), dx.data<T>(), dgamma.data<T>(), dbeta.data<T>());
  });
  dx.Store();
}

}  // namespace

void BatchNormCpu(KernelContext& ctx, const BatchNormAttrs& a, const TensorView& x, const TensorView& gamma, const TensorView& beta, const TensorView& moving_mean,
                  const TensorView& moving_var, TensorView& y, TensorView& mean, TensorView& inv, TensorView& new_mean, TensorView& new_var) {
  if (DeviceWork* w = DeviceWork::Current()) {
    const TensorView in[] = {x, gamma, beta, moving_mean, moving_var}, out[] = {y, mean, inv, new_mean, new_var};
    return RunOnDevice(w, Layout(x.shape, a.axis), a, ctx.training && !a.use_global_stats, in, out);
  }
  Run(ctx, Layout(x.shape, a.axis), a, x, gamma, beta, moving_mean, moving_var, y, mean, inv, new_mean, new_var);
}
void BatchNormGradCpu(KernelContext& ctx, const BatchNormGradAttrs& a, const TensorView& x, const TensorView& gamma, const TensorView& mean, const TensorView& inv,
                      const TensorView& dy, TensorView& dx, TensorView& dgamma, TensorView& dbeta) {
  if (DeviceWork* w = DeviceWork::Current()) {
    const Layout l(x.shape, a.axis);
    const TensorView in[] = {x, gamma, mean, inv, dy}, out[] = {dx, dgamma, dbeta};
    const int64_t ints[] = {l.outer, l.channels, l.inner, a.batch_stats, a.fix_gamma};
    return w->Call(kDeviceBatchNormGrad, DeviceSignature(kDeviceBatchNormGrad), {in, 5, out, 3, ints, 5});
  }
  RunGrad(ctx, Layout(x.shape, a.axis), a, x, gamma, mean, inv, dy, dx, dgamma, dbeta);
}
void BlockedBatchNormCpu(KernelContext& ctx, const BatchNormAttrs& a, const TensorView& x, const TensorView& gamma, const TensorView& beta, const TensorView& moving_mean,
                  const TensorView& moving_var, TensorView& y, TensorView& mean, TensorView& inv, TensorView& new_mean, TensorView& new_var) {
  Run(ctx, Layout(x.shape), a, x, gamma, beta, moving_mean, moving_var, y, mean, inv, new_mean, new_var);
}
void BlockedBatchNormGradCpu(KernelContext& ctx, const BatchNormGradAttrs& a, const TensorView& x, const TensorView& gamma, const TensorView& mean, const TensorView& inv,
                      const TensorView& dy, TensorView& dx, TensorView& dgamma, TensorView& dbeta) {
  RunGrad(ctx, Layout(x.shape), a, x, gamma, mean, inv, dy, dx, dgamma, dbeta);
}

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// Rows along the last axis are taken where they lie; along another axis, each is gathered, normalised and put back.
#include "op/nn/layer_norm.h"

#include <algorithm>
#include <cmath>

#include "base/cache.h"
#include "base/thread_pool.h"
#include "op/nn/spans.h"
#include "op/nn/wide.h"
#include "tensor/tile.h"

namespace flx {
namespace {

constexpr int64_t kPastRow = 65536;  // the longest row that is kept for a moment on its way past the caches
constexpr int64_t kRowParts = 32;  // partial sums of gamma's and beta's gradients, whatever the number of threads

struct Rows {
  int64_t outer, n, inner;
  Rows(const Shape& s, int axis) {
    axis = axis < 0 ? axis + s.ndim() : axis;
    outer = s.Product(0, axis), n = s[axis], inner = s.Product(axis + 1, s.ndim());
  }
  int64_t count() const { return outer * inner; }
  int64_t start(int64_t r) const { return r / inner * n * inner + r % inner; }
};
template <class T> const T* Gather(const Rows& l, const T* x, int64_t r, T* room) {
  if (l.inner == 1) return x + r * l.n;
  const T* from = x + l.start(r);
  for (int64_t i = 0; i < l.n; ++i) room[i] = from[i * l.inner];
  return room;
}
template <class T> void Scatter(const Rows& l, const T* room, int64_t r, T* x) {
  T* to = x + l.start(r);
  if (room != to) for (int64_t i = 0; i < l.n; ++i) to[i * l.inner] = room[i];
}

template <class T> T Deviation(const T moments[2], int64_t n, double eps) { return T(std::sqrt(double(moments[1]) / double(std::max<int64_t>(n, 1)) + eps)); }
template <class T> void Forward(const LayerNormAttrs& a, const Rows& l, const T* x, const T* gamma, const T* beta, T* y, T* mean, T* std) {
  const auto& f = SpansOf<T>();
  bool past = l.inner == 1 && l.n <= kPastRow && PastCaches(2 * l.count() * l.n * int64_t(sizeof(T)));
  ParallelFor(l.count(), GrainOf(l.count(), l.n), [&](int64_t b, int64_t e) {
    std::vector<T> room(size_t(l.n) * 4);
    T *shift = room.data() + l.n, *scale = shift + l.n, *row = scale + l.n;
    for (int64_t r = b; r < e; ++r) {
      const T* p = Gather(l, x, r, room.data());
      T m[2];
      f.moments(p, l.n, m);
      T s = Deviation(m, l.n, double(a.eps));
      if (mean) mean[r] = m[0];
      if (std) std[r] = s;
      T* q = l.inner == 1 && !past ? y + r * l.n : row;
      f.normalize(p, m[0], 1 / s, gamma, beta, l.n, q);
      if (past) CopyPast(y + r * l.n, q, l.n * int64_t(sizeof(T)));
      else Scatter(l, q, r, y);
    }
    if (past) FlushPast();
  });
}
template <class T> void Backward(KernelContext& ctx, const Rows& l, double eps, const T* x, const T* gamma, const T* dy, T* dx, T* dgamma, T* dbeta) {
  const auto& f = SpansOf<T>();
  int64_t rows = l.count(), parts = std::max<int64_t>(1, std::min(kRowParts, (rows * l.n + 16383) / 16384)), each = (rows + parts - 1) / parts;
  T* sums = ctx.Scratch<T>(parts * l.n * 2);
  ParallelFor(parts, 1, [&](int64_t b, int64_t e) {
    std::vector<T> room(size_t(l.n) * 3);
    for (int64_t part = b; part < e; ++part) {
      T *sg = sums + part * l.n * 2, *sb = sg + l.n;
      std::fill(sg, sg + 2 * l.n, T(0));
      for (int64_t r = part * each; r < std::min(rows, (part + 1) * each); ++r) {
        const T *px = Gather(l, x, r, room.data()), *pd = Gather(l, dy, r, room.data() + l.n);
        T *t = l.inner == 1 ? dx + r * l.n : room.data() + 2 * l.n;
        T m[2];
        f.moments(px, l.n, m);
        T mu = m[0], inv = 1 / Deviation(m, l.n, eps);
        f.normalize_back(px, mu, inv, gamma, pd, l.n, sg, sb, t);
        T s[2];
        f.sum_and_dot(t, px, mu, l.n, s);
        f.affine2(t, px, mu, inv, -inv * inv * inv * s[1] / T(l.n), -inv * s[0] / T(l.n), l.n, t);
        Scatter(l, t, r, dx);
      }
    }
  });
  for (int64_t i = 0; i < l.n; ++i) {
    double g = 0, b = 0;
    for (int64_t p = 0; p < parts; ++p) g += double(sums[p * l.n * 2 + i]), b += double(sums[p * l.n * 2 + l.n + i]);
    dgamma[i] = T(g), dbeta[i] = T(b);
  }
}

}  // namespace

void LayerNormCpu(KernelContext& ctx, const LayerNormAttrs& a, const TensorView& x0, const TensorView& gamma0, const TensorView& beta0, TensorView& y0, TensorView& mean0,
                  TensorView& std0) {
  TensorView x = Widen(ctx, x0), gamma = Widen(ctx, gamma0), beta = Widen(ctx, beta0);
  WideOut y(ctx, y0), mean(ctx, mean0), std(ctx, std0);
  ForFloats(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    Forward(a, Rows(x.shape, a.axis), x.data<T>(), gamma.data<T>(), beta.data<T>(), y.data<T>(), mean.data<T>(), std.data<T>());
  });
  y.Store();
  if (mean0) mean.Store();
  if (std0) std.Store();
}
void LayerNormGradCpu(KernelContext& ctx, const LayerNormGradAttrs& a, const TensorView& x0, const TensorView& gamma0, const TensorView& dy0, TensorView& dx0,
                      TensorView& dgamma0, TensorView& dbeta0) {
  TensorView x = Widen(ctx, x0), gamma = Widen(ctx, gamma0), dy = Widen(ctx, dy0);
  WideOut dx(ctx, dx0), dgamma(ctx, dgamma0), dbeta(ctx, dbeta0);
  ForFloats(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    Backward(ctx, Rows(x.shape, a.axis), a.eps, x.data<T>(), gamma.data<T>(), dy.data<T>(), dx.data<T>(), dgamma.data<T>(), dbeta.data<T>());
  });
  dx.Store(), dgamma.Store(), dbeta.Store();
}

}  // namespace flx

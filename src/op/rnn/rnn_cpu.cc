// SPDX-License-Identifier: Apache-2.0
// Forward: one product gives all steps' input halves, then rows go through the steps, each with a product of its state and the gates.
#include <cmath>
#include <cstring>

#include "op/nn/dropout.h"
#include "op/rnn/rnn_run.h"

namespace flx {
namespace {

constexpr DType kTypes[] = {DType::kFloat32, DType::kFloat64};
template <class T> void Copy(const T* from, int64_t n, T* to) { std::memcpy(to, from, size_t(n) * sizeof(T)); }
template <class T> void Zero(int64_t n, T* to) { std::fill(to, to + n, T(0)); }

// The biases as the gates take them: both halves added, but for GRU's n, whose hidden half stays apart (behind the others).
template <class T> void Biases(const RnnSizes& s, const T* in, const T* hidden, bool gru, T* to) {
  int64_t n = s.G * s.H, whole = gru ? 2 * s.H : n;
  for (int64_t i = 0; i < n; ++i) to[i] = i < whole ? in[i] + hidden[i] : in[i];
  if (gru) Copy(hidden + 2 * s.H, s.H, to + n);
}

template <class T> struct Side {  // a layer's direction
  T *x, *cells, *hidden;          // of all steps: gates or inputs' products, LSTM's raw cells, values before projection
  int64_t width;                  // of a row of x
  T *h, *c, *product, *projected, *bias;
  StateProduct<T> recur, project;
};

template <class T> Side<T> Begin(KernelContext& ctx, const RnnAttrs& a, const RnnSizes& s, const RnnArrays<T>& v, int64_t l, int64_t d, const T* in) {
  Side<T> side{};
  int64_t gh = s.G * s.H, all = s.T * s.N, state = l * s.D + d;
  side.width = s.keeps_gates ? s.gate_width() : s.H;
  side.x = s.keeps_gates ? v.reserve + s.gates_at(l, d) : ctx.Scratch<T>(all * side.width);
  side.cells = v.reserve + s.cells_at(l, d), side.hidden = v.reserve + s.hidden_at(l, d);
  side.h = ctx.Scratch<T>(s.N * (s.R + s.H + gh + s.R)), side.c = side.h + s.N * s.R, side.product = side.c + s.N * s.H, side.projected = side.product + s.N * gh;
  side.bias = ctx.Scratch<T>(4 * s.H);
  Biases(s, v.w + s.i2h_bias(l, d), v.w + s.h2h_bias(l, d), a.mode == RnnMode::kGru, side.bias);
  Copy(v.h0 + state * s.N * s.R, s.N * s.R, side.h);
  if (s.keeps_cells) Copy(v.c0 + state * s.N * s.H, s.N * s.H, side.c);
  Gemm(kTypes[sizeof(T) == 8], false, true, all, gh, s.in(l), 1, in, s.in(l), v.w + s.i2h(l, d), s.in(l), 0, side.x, side.width);
  side.recur = StateProduct<T>(ctx, v.w + s.h2h(l, d), true, s.R, gh, s.N, s.T);
  if (s.projects) side.project = StateProduct<T>(ctx, v.w + s.h2r(l, d), true, s.H, s.R, s.N, s.T);
  return side;
}

// All steps of rows [r0, r1).
template <class T> void Steps(const RnnAttrs& a, const RnnSizes& s, const RnnArrays<T>& v, const Side<T>& side, int64_t d, int64_t r0, int64_t r1, T* out) {
  const auto& f = GatesOf<T>();
  int64_t gh = s.G * s.H, m = r1 - r0;
  T *h = side.h + r0 * s.R, *projected = side.projected + r0 * s.R;
  for (int64_t k = 0; k < s.T; ++k) {
    int64_t t = d ? s.T - 1 - k : k;
    side.recur(m, h, s.R, side.product + r0 * gh, gh);
    for (int64_t r = r0; r < r1; ++r) {
      int64_t at = t * s.N + r;
      T *x = side.x + at * side.width, *hr = side.h + r * s.R, *cr = side.c + r * s.H, *hidden = s.projects ? side.hidden + at * s.H : hr;
      const T* p = side.product + r * gh;
      if (!v.inside(r, t)) {  // the row's state stays
        if (s.keeps_gates) Zero(side.width, x);
        if (s.keeps_cells) Zero(s.H, side.cells + at * s.H);
        if (s.projects) Zero(s.H, hidden);
      } else if (a.lstm()) {
        f.lstm(s.H, x, p, side.bias, cr, v.clips, x, side.cells + at * s.H, cr, hidden);
      } else if (a.mode == RnnMode::kGru) {
        f.gru(s.H, x, p, side.bias, side.bias + gh, hr, x, hr);
      } else {
        f.rnn(s.H, a.mode == RnnMode::kRelu, x, p, side.bias, hr);
      }
    }
    if (s.projects) side.project(m, side.hidden + (t * s.N + r0) * s.H, s.H, projected, s.R);
    for (int64_t r = r0; r < r1; ++r) {
      T* y = out + (t * s.N + r) * s.D * s.R + d * s.R;
      if (!v.inside(r, t)) { Zero(s.R, y); continue; }
      if (s.projects) Copy(side.projected + r * s.R, s.R, side.h + r * s.R);
      Copy(side.h + r * s.R, s.R, y);
    }
  }
}

}  // namespace

int64_t* RnnLengths(KernelContext& ctx, const TensorView& length, int64_t steps) {
  if (!length) return nullptr;
  int64_t n = length.size();
  TensorView wide = MakeView(ctx.Scratch<double>(n), DType::kFloat64, length.shape);
  CopyStrided(length, wide);
  auto* to = ctx.Scratch<int64_t>(n);
  for (int64_t i = 0; i < n; ++i) {
    double x = std::ceil(wide.data<double>()[i]);
    to[i] = x >= double(steps) ? steps : x > 0 ? int64_t(x) : 0;
  }
  return to;
}

template <class T> void RnnForward(KernelContext& ctx, const RnnAttrs& a, const RnnSizes& s, const RnnArrays<T>& v) {
  T* dropped = a.drops() ? ctx.Scratch<T>(s.T * s.N * s.D * s.R) : nullptr;
  for (int64_t l = 0; l < s.L; ++l) {
    const T* in = l ? RnnLayerInput(a, s, v, l, dropped) : v.x;
    T* out = l + 1 < s.L ? v.reserve + s.outputs_at(l) : v.y;
    Side<T> sides[2];
    for (int64_t d = 0; d < s.D; ++d) sides[d] = Begin(ctx, a, s, v, l, d, in);
    ForRowBlocks(s, [&](int64_t d, int64_t r0, int64_t r1) { Steps(a, s, v, sides[d], d, r0, r1, out); });
    for (int64_t d = 0; d < s.D; ++d) {
      if (v.hn) Copy(sides[d].h, s.N * s.R, v.hn + (l * s.D + d) * s.N * s.R);
      if (v.cn && s.keeps_cells) Copy(sides[d].c, s.N * s.H, v.cn + (l * s.D + d) * s.N * s.H);
    }
  }
}
template void RnnForward<float>(KernelContext&, const RnnAttrs&, const RnnSizes&, const RnnArrays<float>&);
template void RnnForward<double>(KernelContext&, const RnnAttrs&, const RnnSizes&, const RnnArrays<double>&);

void RnnCpu(KernelContext& ctx, const RnnAttrs& a, const TensorView& data, const TensorView& parameters, const TensorView& state, const TensorView& cell,
            const TensorView& length, TensorView& y0, TensorView& state_y, TensorView& cell_y, TensorView& mask0, TensorView& reserve) {
  RnnSizes s(a, data.dim(0), data.dim(1), data.dim(2));
  TensorView x = Widen(ctx, data), w = Widen(ctx, parameters), h = Widen(ctx, state), c = Widen(ctx, cell), mask = mask0;
  WideOut y(ctx, y0), hn(ctx, state_y), cn(ctx, cell_y);
  if (a.drops()) {
    if (!mask) mask = MakeView(ctx.Scratch(s.mask(true).size() * DTypeSize(x.dtype)), x.dtype, s.mask(true));
    if (ctx.training) DropoutMask(ctx, a.p, mask);
    else FillStrided(mask, 1);
  }
  ForFloats(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    RnnArrays<T> v{x.data<T>(), w.data<T>(), h.data<T>(), c.data<T>(), RnnLengths(ctx, length, s.T), y.data<T>(), hn.data<T>(), cn.data<T>(), mask.data<T>(),
                   reserve ? reserve.data<T>() : ctx.Scratch<T>(s.reserve()), {}, nullptr};
    SetClip(a, &v);
    RnnForward(ctx, a, s, v);
  });
  y.Store();
  if (state_y) hn.Store();
  if (cell_y && a.lstm()) cn.Store();
}

}  // namespace flx

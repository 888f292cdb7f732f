// SPDX-License-Identifier: Apache-2.0
// Backward: rows go through the steps from the last to the first, which gives the gradients of the gates' sums; then a few large products of all steps give
// those of weights and inputs.
#include <cstring>

#include "op/nn/spans.h"
#include "op/rnn/rnn_run.h"

namespace flx {
namespace {

template <class T> constexpr DType kType = sizeof(T) == 4 ? DType::kFloat32 : DType::kFloat64;
template <class T> void Copy(const T* from, int64_t n, T* to) { std::memcpy(to, from, size_t(n) * sizeof(T)); }
template <class T> void Zero(int64_t n, T* to) { std::fill(to, to + n, T(0)); }

template <class T> struct Grads { const T *dy, *dhn, *dcn; T *dx, *dw, *dh0, *dc0; };  // dcn, dc0: LSTM's, else null

template <class T> struct Back {  // a layer's direction
  const T *gates, *cells, *hidden, *out;
  T *dx, *dh;                     // of the two products, all steps; dh is dx but for GRU
  T *before, *dproj;              // the states before each step; the gradients of what was projected
  T *run, *run_c, *step, *unit;   // of the state and cell, as they come from later steps; scratch of a step
  StateProduct<T> recur, project;
};

// The sum of each column of rows x n.
template <class T> void ColumnSums(const T* x, int64_t rows, int64_t n, T* to) {
  const auto& f = SpansOf<T>();
  ParallelFor(n, std::max<int64_t>(64, GrainOf(n, rows)), [&](int64_t b, int64_t e) {
    std::fill(to + b, to + e, T(0));
    for (int64_t r = 0; r < rows; ++r) f.add_rows(x + r * n + b, e - b, to + b);
  });
}

template <class T> Back<T> Begin(KernelContext& ctx, const RnnAttrs& a, const RnnSizes& s, const RnnArrays<T>& v, const Grads<T>& g, int64_t l, int64_t d, const T* out) {
  Back<T> b{};
  int64_t gh = s.G * s.H, all = s.T * s.N, state = l * s.D + d;
  b.gates = v.reserve + s.gates_at(l, d), b.cells = v.reserve + s.cells_at(l, d), b.hidden = v.reserve + s.hidden_at(l, d), b.out = out + d * s.R;
  b.dx = ctx.Scratch<T>(all * gh), b.dh = a.mode == RnnMode::kGru ? ctx.Scratch<T>(all * gh) : b.dx;
  b.before = ctx.Scratch<T>(all * s.R), b.dproj = s.projects ? ctx.Scratch<T>(all * s.R) : nullptr;
  b.run = ctx.Scratch<T>(s.N * (2 * s.R + 2 * s.H)), b.run_c = b.run + s.N * s.R, b.step = b.run_c + s.N * s.H, b.unit = b.step + s.N * s.R;
  Copy(g.dhn + state * s.N * s.R, s.N * s.R, b.run);
  if (s.keeps_cells) Copy(g.dcn + state * s.N * s.H, s.N * s.H, b.run_c);
  b.recur = StateProduct<T>(ctx, v.w + s.h2h(l, d), false, gh, s.R, s.N, s.T);
  if (s.projects) b.project = StateProduct<T>(ctx, v.w + s.h2r(l, d), false, s.R, s.H, s.N, s.T);
  return b;
}

// All steps of rows [r0, r1), the last first. dout: of the layer's outputs.
template <class T> void Steps(const RnnAttrs& a, const RnnSizes& s, const RnnArrays<T>& v, const Back<T>& b, int64_t l, int64_t d, int64_t r0, int64_t r1, const T* dout) {
  const auto& f = GatesOf<T>();
  int64_t gh = s.G * s.H, m = r1 - r0, ld = s.D * s.R, state = l * s.D + d;
  for (int64_t k = s.T; k-- > 0;) {
    int64_t t = d ? s.T - 1 - k : k, earlier = d ? t + 1 : t - 1;
    auto first = [&](int64_t r) { return k == 0 || !v.inside(r, earlier); };  // the row's first step in this direction
    for (int64_t r = r0; r < r1; ++r) {
      int64_t at = t * s.N + r;
      const T* h = first(r) ? v.h0 + (state * s.N + r) * s.R : b.out + (earlier * s.N + r) * ld;
      Copy(h, s.R, b.before + at * s.R);
      T* run = b.run + r * s.R;
      if (v.inside(r, t)) for (int64_t i = 0; i < s.R; ++i) run[i] += dout[at * ld + d * s.R + i];
      if (s.projects) {
        if (v.inside(r, t)) Copy(run, s.R, b.dproj + at * s.R);
        else Zero(s.R, b.dproj + at * s.R);
      }
    }
    if (s.projects) b.project(m, b.dproj + (t * s.N + r0) * s.R, s.R, b.unit + r0 * s.H, s.H);
    for (int64_t r = r0; r < r1; ++r) {
      int64_t at = t * s.N + r;
      T *dx = b.dx + at * gh, *run = b.run + r * s.R;
      const T* dunit = s.projects ? b.unit + r * s.H : run;
      if (!v.inside(r, t)) {
        Zero(gh, dx);
        if (b.dh != b.dx) Zero(gh, b.dh + at * gh);
      } else if (a.lstm()) {
        bool begin = first(r);
        f.lstm_back(s.H, b.gates + at * 4 * s.H, begin ? v.c0 + (state * s.N + r) * s.H : b.cells + (earlier * s.N + r) * s.H, begin ? nullptr : v.clips,
                    b.cells + at * s.H, v.clips, dunit, b.run_c + r * s.H, dx);
      } else if (a.mode == RnnMode::kGru) {
        f.gru_back(s.H, b.gates + at * 4 * s.H, b.before + at * s.R, dunit, dx, b.dh + at * gh, run);
      } else {
        f.rnn_back(s.H, a.mode == RnnMode::kRelu, b.out + at * ld, dunit, dx);
      }
    }
    b.recur(m, b.dh + (t * s.N + r0) * gh, gh, b.step + r0 * s.R, s.R);
    for (int64_t r = r0; r < r1; ++r) {
      if (!v.inside(r, t)) continue;
      T *run = b.run + r * s.R, *step = b.step + r * s.R;
      if (a.mode == RnnMode::kGru) for (int64_t i = 0; i < s.R; ++i) run[i] += step[i];
      else Copy(step, s.R, run);
    }
  }
}

// The layer's parameters, and its input: dx, to which the second direction adds.
template <class T> void Finish(const RnnSizes& s, const RnnArrays<T>& v, const Grads<T>& g, const Back<T>& b, int64_t l, int64_t d, const T* in, T* din) {
  int64_t gh = s.G * s.H, all = s.T * s.N, state = l * s.D + d, width = s.in(l);
  auto product = [](bool ta, int64_t m, int64_t n, int64_t k, const T* x, int64_t ldx, const T* y, int64_t ldy, double beta, T* to) {
    Gemm(kType<T>, ta, false, m, n, k, 1, x, ldx, y, ldy, beta, to, n);
  };
  product(true, gh, width, all, b.dx, gh, in, width, 0, g.dw + s.i2h(l, d));
  product(true, gh, s.R, all, b.dh, gh, b.before, s.R, 0, g.dw + s.h2h(l, d));
  if (s.projects) product(true, s.R, s.H, all, b.dproj, s.R, b.hidden, s.H, 0, g.dw + s.h2r(l, d));
  ColumnSums(b.dx, all, gh, g.dw + s.i2h_bias(l, d));
  if (b.dh == b.dx) Copy(g.dw + s.i2h_bias(l, d), gh, g.dw + s.h2h_bias(l, d));
  else ColumnSums(b.dh, all, gh, g.dw + s.h2h_bias(l, d));
  product(false, all, width, gh, b.dx, gh, v.w + s.i2h(l, d), width, d ? 1 : 0, din);
  Copy(b.run, s.N * s.R, g.dh0 + state * s.N * s.R);
  if (s.keeps_cells) Copy(b.run_c, s.N * s.H, g.dc0 + state * s.N * s.H);
}

template <class T> void Backward(KernelContext& ctx, const RnnAttrs& a, const RnnSizes& s, const RnnArrays<T>& v, const Grads<T>& g) {
  int64_t n = s.T * s.N * s.D * s.R;
  T *dropped = a.drops() ? ctx.Scratch<T>(n) : nullptr, *below = s.L > 1 ? ctx.Scratch<T>(n) : nullptr, *above = s.L > 2 ? ctx.Scratch<T>(n) : nullptr;
  const T *dout = g.dy, *x = v.x;
  if (v.length) {  // what lies behind a row's length counts for nothing, even if it is no number
    T* inside = ctx.Scratch<T>(s.T * s.N * s.C);
    for (int64_t i = 0; i < s.T * s.N; ++i) {
      if (v.inside(i % s.N, i / s.N)) Copy(v.x + i * s.C, s.C, inside + i * s.C);
      else Zero(s.C, inside + i * s.C);
    }
    x = inside;
  }
  for (int64_t l = s.L; l-- > 0;) {
    const T *in = l ? RnnLayerInput(a, s, v, l, dropped) : x, *out = l + 1 < s.L ? v.reserve + s.outputs_at(l) : v.y;
    T* din = l ? below : g.dx;
    Back<T> sides[2];
    for (int64_t d = 0; d < s.D; ++d) sides[d] = Begin(ctx, a, s, v, g, l, d, out);
    ForRowBlocks(s, [&](int64_t d, int64_t r0, int64_t r1) { Steps(a, s, v, sides[d], l, d, r0, r1, dout); });
    for (int64_t d = 0; d < s.D; ++d) Finish(s, v, g, sides[d], l, d, in, din);
    if (l && a.drops()) {
      const T* mask = v.mask + (l - 1) * n;
      ParallelFor(n, 1 << 14, [&](int64_t b, int64_t e) { for (; b < e; ++b) din[b] *= mask[b]; });
    }
    dout = din, std::swap(below, above);
  }
}

}  // namespace

void RnnGradCpu(KernelContext& ctx, const RnnAttrs& a, Views in, OutViews out) {
  const Shape& shape = in[kRnnData].shape;
  RnnSizes s(a, shape[0], shape[1], shape[2]);
  TensorView x[kRnnGradIns];
  for (int i = 0; i < kRnnGradIns; ++i) x[i] = i == kRnnLength ? in[i] : Widen(ctx, in[i]);
  WideOut dx(ctx, out[0]), dw(ctx, out[1]), dh0(ctx, out[2]), dc0(ctx, out[3]);
  ForFloats(x[kRnnData].dtype, [&](auto zero) {
    using T = decltype(zero);
    auto at = [&](int i) { return x[i].data<T>(); };
    RnnArrays<T> v{at(kRnnData), at(kRnnParameters), at(kRnnState), at(kRnnCell), RnnLengths(ctx, x[kRnnLength], s.T), at(kRnnY), nullptr, nullptr, at(kRnnMask),
                   at(kRnnReserve), {}, nullptr};
    SetClip(a, &v);
    if (x[kRnnReserve].size() < s.reserve()) {  // not kept
      v.reserve = ctx.Scratch<T>(s.reserve()), v.y = ctx.Scratch<T>(s.T * s.N * s.D * s.R);
      RnnForward(ctx, a, s, v);
    }
    auto result = [&](const WideOut& w, int64_t n) { return w.view ? w.template data<T>() : ctx.Scratch<T>(n); };
    Grads<T> g{at(kRnnDy), at(kRnnDstate), at(kRnnDcell), result(dx, s.T * s.N * s.C), result(dw, s.parameters()), result(dh0, s.L * s.D * s.N * s.R),
               a.lstm() ? result(dc0, s.L * s.D * s.N * s.H) : nullptr};
    Backward(ctx, a, s, v, g);
  });
  for (const WideOut* w : {&dx, &dw, &dh0, &dc0}) if (w->view) w->Store();
}

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// Forward: one product gives all steps' input halves, then rows go through the steps, each with a product of its state and the gates.
#include <cmath>
#include <cstring>

#include "base/parallel_steps.h"
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
  T *h, *h2, *c, *product, *projected, *bias;  // h2: where the next state goes, if threads share a step
  StateProduct<T> recur, project;
};

// Few rows: threads share the units of each step. (Else each has rows of its own, and a projection needs all units.)
bool SharesSteps(const RnnSizes& s) { return OneRowBlock(s) && !s.projects; }

template <class T> Side<T> Begin(KernelContext& ctx, const RnnAttrs& a, const RnnSizes& s, const RnnArrays<T>& v, int64_t l, int64_t d, const T* in) {
  Side<T> side{};
  int64_t gh = s.G * s.H, all = s.T * s.N, state = l * s.D + d;
  side.width = s.keeps_gates ? s.gate_width() : s.H;
  side.x = s.keeps_gates ? v.reserve + s.gates_at(l, d) : ctx.Scratch<T>(all * side.width);
  side.cells = v.reserve + s.cells_at(l, d), side.hidden = v.reserve + s.hidden_at(l, d);
  side.h = ctx.Scratch<T>(s.N * (3 * s.R + s.H + gh)), side.h2 = side.h + s.N * s.R, side.projected = side.h2 + s.N * s.R, side.c = side.projected + s.N * s.R;
  side.product = side.c + s.N * s.H;
  side.bias = ctx.Scratch<T>(4 * s.H);
  Biases(s, v.w + s.i2h_bias(l, d), v.w + s.h2h_bias(l, d), a.mode == RnnMode::kGru, side.bias);
  Copy(v.h0 + state * s.N * s.R, s.N * s.R, side.h);
  if (s.keeps_cells) Copy(v.c0 + state * s.N * s.H, s.N * s.H, side.c);
  Gemm(kTypes[sizeof(T) == 8], false, true, all, gh, s.in(l), 1, in, s.in(l), v.w + s.i2h(l, d), s.in(l), 0, side.x, side.width);
  side.recur = StateProduct<T>(ctx, v.w + s.h2h(l, d), true, s.R, gh, s.N, s.T, SharesSteps(s) ? s.G : 1);
  if (s.projects) side.project = StateProduct<T>(ctx, v.w + s.h2r(l, d), true, s.H, s.R, s.N, s.T);
  return side;
}

// Units [u, u + n) of row r in step t, whose product is there. h: the row's state, next: the new one; may be the same.
template <class T> void Units(const RnnAttrs& a, const RnnSizes& s, const RnnArrays<T>& v, const Side<T>& side, int64_t t, int64_t r, int64_t u, int64_t n, const T* h, T* next) {
  const auto& f = GatesOf<T>();
  int64_t at = t * s.N + r, gh = s.G * s.H;
  T *x = side.x + at * side.width + u, *c = side.c + r * s.H + u, *raw = side.cells + at * s.H + u, *to = s.projects ? side.hidden + at * s.H + u : next + u;
  const T *p = side.product + r * gh + u, *b = side.bias + u;
  if (!v.inside(r, t)) {  // the row's state stays
    for (int64_t g = 0; g < side.width; g += s.H) Zero(n, x + g);
    if (s.keeps_cells) Zero(n, raw);
    if (s.projects) Zero(n, to);
    else if (next != h) Copy(h + u, n, to);
  } else if (a.lstm()) {
    f.lstm(n, s.H, x, p, b, c, v.clips, v.keeps ? x : nullptr, raw, c, to);
  } else if (a.mode == RnnMode::kGru) {
    f.gru(n, s.H, x, p, b, b + gh, h + u, v.keeps ? x : nullptr, to);
  } else {
    f.rnn(n, a.mode == RnnMode::kRelu, x, p, b, to);
  }
}
// All steps of rows [r0, r1).
template <class T> void Steps(const RnnAttrs& a, const RnnSizes& s, const RnnArrays<T>& v, const Side<T>& side, int64_t d, int64_t r0, int64_t r1, T* out) {
  int64_t gh = s.G * s.H, m = r1 - r0;
  T *h = side.h + r0 * s.R, *projected = side.projected + r0 * s.R;
  for (int64_t k = 0; k < s.T; ++k) {
    int64_t t = d ? s.T - 1 - k : k;
    side.recur(m, h, s.R, side.product + r0 * gh, gh);
    for (int64_t r = r0; r < r1; ++r) Units(a, s, v, side, t, r, 0, s.H, side.h + r * s.R, side.h + r * s.R);
    if (s.projects) side.project(m, side.hidden + (t * s.N + r0) * s.H, s.H, projected, s.R);
    for (int64_t r = r0; r < r1; ++r) {
      T* y = out + (t * s.N + r) * s.D * s.R + d * s.R;
      if (!v.inside(r, t)) { Zero(s.R, y); continue; }
      if (s.projects) Copy(side.projected + r * s.R, s.R, side.h + r * s.R);
      Copy(side.h + r * s.R, s.R, y);
    }
  }
}
// All steps of all rows, one direction; each thread has units of its own, and so a part of the matrix that stays in its cache.
template <class T> void SharedSteps(const RnnAttrs& a, const RnnSizes& s, const RnnArrays<T>& v, const Side<T>& side, T* out) {
  const int64_t unit = side.recur.unit(), wanted = std::min<int64_t>({PoolThreads(), kMaxStepParts, side.recur.threads(s.N)});
  const int64_t each = std::max<int64_t>(1, (s.H + wanted * unit - 1) / (wanted * unit)) * unit;
  T* states[] = {side.h, side.h2};
  ParallelSteps(s.T, (s.H + each - 1) / each, [&](int64_t t, int64_t part) {
    const int64_t from = part * each, to = std::min(s.H, from + each), blocks = (to - from + unit - 1) / unit;
    const bool odd = t % 2;
    const T* h = states[odd];
    T* next = states[!odd];
    for (int64_t i = 0; i < blocks; ++i) {  // every other step goes backwards, and finds what it read last in the first cache
      const int64_t u = from + (odd ? blocks - 1 - i : i) * unit, n = std::min(unit, to - u);
      side.recur.Part(s.N, h, s.R, side.product, s.G * s.H, u, u + n, odd);
      for (int64_t r = 0; r < s.N; ++r) {
        Units(a, s, v, side, t, r, u, n, h + r * s.R, next + r * s.R);
        T* y = out + (t * s.N + r) * s.R + u;
        if (v.inside(r, t)) Copy(next + r * s.R + u, n, y);
        else Zero(n, y);
      }
    }
  });
  if (s.T % 2) Copy(side.h2, s.N * s.R, side.h);
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
    if (SharesSteps(s) && sides[0].recur.by_part()) SharedSteps(a, s, v, sides[0], out);
    else ForRowBlocks(s, [&](int64_t d, int64_t r0, int64_t r1) { Steps(a, s, v, sides[d], d, r0, r1, out); });
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
                   reserve ? reserve.data<T>() : ctx.Scratch<T>(s.reserve()), {}, nullptr, bool(reserve)};
    SetClip(a, &v);
    RnnForward(ctx, a, s, v);
  });
  y.Store();
  if (state_y) hn.Store();
  if (cell_y && a.lstm()) cn.Store();
}

}  // namespace flx

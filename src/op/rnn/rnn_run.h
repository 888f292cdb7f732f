// SPDX-License-Identifier: Apache-2.0
// What the forward and the backward kernel share.
#pragma once
#include <algorithm>

#include "base/thread_pool.h"
#include "op/matrix/gemm.h"
#include "op/nn/wide.h"
#include "op/rnn/rnn.h"
#include "op/rnn/rnn_loops.h"

namespace flx {

template <class T> struct RnnArrays {
  const T *x, *w, *h0, *c0;
  const int64_t* length;                // per row, within [0, T]; null: all steps
  T *y, *hn, *cn, *mask, *reserve;      // hn, cn may be null
  T clip[3];                            // see rnn_loops.h
  const T* clips;                       // clip, or null
  bool keeps = true;                    // whether anybody reads the gates and cells in reserve
  bool inside(int64_t row, int64_t t) const { return !length || t < length[row]; }
};
// Fills y, hn, cn and reserve; mask is there already.
template <class T> void RnnForward(KernelContext& ctx, const RnnAttrs& a, const RnnSizes& s, const RnnArrays<T>& v);
int64_t* RnnLengths(KernelContext& ctx, const TensorView& length, int64_t steps);  // null for none
template <class T> void SetClip(const RnnAttrs& a, RnnArrays<T>* v) {
  v->clips = a.clips() ? v->clip : nullptr;
  if (v->clips) v->clip[0] = T(*a.lstm_state_clip_min), v->clip[1] = T(*a.lstm_state_clip_max), v->clip[2] = a.lstm_state_clip_nan ? T(1) : T(0);
}
// The input of layer l > 0: the outputs of the one below, in `to` after dropout.
template <class T> const T* RnnLayerInput(const RnnAttrs& a, const RnnSizes& s, const RnnArrays<T>& v, int64_t l, T* to) {
  const T* below = v.reserve + s.outputs_at(l - 1);
  int64_t n = s.T * s.N * s.D * s.R;
  if (!a.drops()) return below;
  const T* mask = v.mask + (l - 1) * n;
  ParallelFor(n, 1 << 14, [&](int64_t b, int64_t e) { for (; b < e; ++b) to[b] = below[b] * mask[b]; });
  return to;
}

// The matrix that each step multiplies its state with, made ready once: c = a B, B (k, n), or given as its transpose (n, k). Its columns may be `groups` of
// equal size (the gates), of which Part takes the same columns each.
template <class T> class StateProduct {
 public:
  StateProduct() = default;
  StateProduct(KernelContext& ctx, const T* b, bool transposed, int64_t k, int64_t n, int64_t rows, int64_t steps, int64_t groups = 1)
      : b_(b), k_(k), n_(n), groups_(groups), transposed_(transposed), way_(rows == 1 && transposed ? kDots : steps < 8 ? kGemm : kPacked) {
    const auto& f = ProductsOf<T>();
    grain_ = std::max<int64_t>(1, kChunk / std::max<int64_t>(1, k) / f.panel) * f.panel;
    if (way_ != kPacked) return;
    int64_t width = n / groups, panels = (width + f.panel - 1) / f.panel;
    group_ = panels * f.panel * k;
    packed_ = ctx.Scratch<T>(std::max<int64_t>(1, groups * group_));
    ParallelFor(groups * panels, GrainOf(groups * panels, f.panel * k), [&](int64_t first, int64_t last) {
      for (; first < last; ++first) {
        int64_t g = first / panels, p = first % panels;
        f.pack(b + g * width * k, transposed, k, width, p, p + 1, packed_ + g * group_);
      }
    });
  }
  // Columns are shared among threads, unless it is called from within a loop. One group only.
  void operator()(int64_t m, const T* a, int64_t lda, T* c, int64_t ldc) const {
    if (way_ == kGemm) return Gemm(sizeof(T) == 4 ? DType::kFloat32 : DType::kFloat64, false, transposed_, m, n_, k_, 1, a, lda, b_, transposed_ ? k_ : n_, 0, c, ldc);
    ParallelFor(n_, grain_, [&](int64_t from, int64_t to) { Part(m, a, lda, c, ldc, from, to); });
  }
  // Columns [from, to) of each group, by this thread; from is a multiple of unit(). `last_first`: in the other order.
  void Part(int64_t m, const T* a, int64_t lda, T* c, int64_t ldc, int64_t from, int64_t to, bool last_first = false) const {
    const auto& f = ProductsOf<T>();
    const int64_t width = n_ / groups_;
    for (int64_t i = 0; i < groups_; ++i) {
      const int64_t g = last_first ? groups_ - 1 - i : i;
      if (way_ == kPacked) f.packed(m, k_, a, lda, packed_ + g * group_, from, to, c + g * width, ldc);
      else for (int64_t r = 0; r < m; ++r) f.dots(k_, a + r * lda, b_ + g * width * k_, from, to, c + r * ldc + g * width);
    }
  }
  int64_t unit() const { return way_ == kPacked ? ProductsOf<T>().panel : 16; }
  bool by_part() const { return way_ != kGemm; }
  // How many threads its columns are worth, for m rows.
  int64_t threads(int64_t m) const { return std::max<int64_t>(1, m * n_ * k_ / kChunk); }

 private:
  enum Way { kDots, kGemm, kPacked };
  static constexpr int64_t kChunk = 1 << 16;  // elements of B worth a thread
  const T* b_ = nullptr;
  int64_t k_ = 0, n_ = 0, groups_ = 1, group_ = 0, grain_ = 1;
  bool transposed_ = false;
  Way way_ = kGemm;
  T* packed_ = nullptr;
};

// Rows of the batch go through all steps on their own: body(direction, first row, last row). One part runs outside of a loop, so that products share threads.
constexpr int64_t kLeastRows = 8;
inline bool OneRowBlock(const RnnSizes& s) { return s.N <= kLeastRows && s.D == 1; }
template <class F> void ForRowBlocks(const RnnSizes& s, const F& body) {
  constexpr int64_t kParts = 16;
  int64_t rows = std::max(kLeastRows, ((s.N + kParts - 1) / kParts + 3) / 4 * 4), blocks = (s.N + rows - 1) / rows, tasks = blocks * s.D;
  auto run = [&](int64_t i) { body(i / blocks, i % blocks * rows, std::min(s.N, (i % blocks + 1) * rows)); };
  if (tasks == 1) return run(0);
  ParallelFor(tasks, 1, [&](int64_t b, int64_t e) { for (; b < e; ++b) run(b); });
}

}  // namespace flx

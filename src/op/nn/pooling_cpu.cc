// SPDX-License-Identifier: Apache-2.0
// Work goes line by line: a line is a row of outputs of one channel, or, where channels come last, the channels of one output. For a line, each
// window element is a tap: places of the data at a fixed stride, so that the inner loops run over a line and are free of bounds.
#include "op/nn/pooling.h"

#include <cmath>
#include <limits>
#include <vector>

#include "base/thread_pool.h"
#include "op/nn/halve.h"
#include "op/nn/wide.h"
#include "op/nn/window.h"

namespace flx {
namespace {

struct Tap { int64_t at, first, last; };  // output i of [first, last) reads data[at + i * stride]

class Lines {
 public:
  explicit Lines(const PoolGeometry& g) : g_(g), wide_(g.lanes > 1) {
    for (int64_t k = 0; k < g.k[2]; ++k) columns_.push_back(InsideOf(g.in[2], g.out[2], g.s[2], k - g.p[2]));
  }
  int64_t count() const { return g_.planes * per_plane(); }
  int64_t per_plane() const { return g_.out[0] * g_.out[1] * (wide_ ? g_.out[2] : 1); }
  int64_t length() const { return wide_ ? g_.lanes : g_.out[2]; }
  int64_t stride() const { return wide_ ? 1 : g_.s[2]; }
  // The taps of a line, in the order of the window.
  void Taps(int64_t line, std::vector<Tap>* taps) const {
    taps->clear();
    int64_t plane = line / per_plane(), r = line % per_plane(), col = wide_ ? r % g_.out[2] : 0;
    if (wide_) r /= g_.out[2];
    int64_t a0 = r / g_.out[1] * g_.s[0] - g_.p[0], b0 = r % g_.out[1] * g_.s[1] - g_.p[1], base = plane * g_.InSize();
    for (int64_t a = std::max<int64_t>(a0, 0); a < std::min(a0 + g_.k[0], g_.in[0]); ++a)
      for (int64_t b = std::max<int64_t>(b0, 0); b < std::min(b0 + g_.k[1], g_.in[1]); ++b) {
        int64_t row = (a * g_.in[1] + b) * g_.in[2];
        if (!wide_) {
          for (int64_t k = 0; k < g_.k[2]; ++k)
            if (columns_[size_t(k)].first < columns_[size_t(k)].last) taps->push_back({base + row + k - g_.p[2], columns_[size_t(k)].first, columns_[size_t(k)].last});
        } else {
          int64_t c0 = col * g_.s[2] - g_.p[2];
          for (int64_t c = std::max<int64_t>(c0, 0); c < std::min(c0 + g_.k[2], g_.in[2]); ++c) taps->push_back({base + (row + c) * g_.lanes, 0, g_.lanes});
        }
      }
  }
  // 1 / (elements an average counts), for each output of a line.
  template <class T> void Shares(int64_t line, bool with_pad, T* share) const {
    int64_t r = line % per_plane(), col = wide_ ? r % g_.out[2] : 0;
    if (wide_) r /= g_.out[2];
    int64_t rows = Counted(0, r / g_.out[1], with_pad) * Counted(1, r % g_.out[1], with_pad);
    for (int64_t i = 0; i < length(); ++i) {
      int64_t n = rows * Counted(2, wide_ ? col : i, with_pad);
      share[i] = n > 0 ? T(1) / T(n) : T(0);
    }
  }

 private:
  int64_t Counted(int axis, int64_t o, bool with_pad) const {
    int64_t from = o * g_.s[axis] - g_.p[axis], to = std::min(from + g_.k[axis], g_.in[axis] + g_.p[axis]);
    if (!with_pad) from = std::max<int64_t>(from, 0), to = std::min(to, g_.in[axis]);
    return std::max<int64_t>(to - from, 0);
  }
  const PoolGeometry& g_;
  bool wide_;
  std::vector<Inside> columns_;
};

template <class T> void TakeMax(const T* x, int64_t stride, int64_t n, T* y) {
  auto larger = [](T a, T b) { return (a > b) | (a != a) ? a : b; };  // a NaN stays
  if (stride == 1) for (int64_t i = 0; i < n; ++i) y[i] = larger(x[i], y[i]);
  else if (stride == 2) for (int64_t i = 0; i < n; ++i) y[i] = larger(x[2 * i], y[i]);
  else for (int64_t i = 0; i < n; ++i) y[i] = larger(x[i * stride], y[i]);
}
template <class T> void Accumulate(const T* x, int64_t stride, int64_t n, int p, T* y) {
  for (int64_t i = 0; i < n; ++i) {
    T v = x[i * stride];
    y[i] += p == 1 ? v : p == 2 ? v * v : v * v * v;
  }
}
// Max pooling by two in both directions, whole rows at a time.
bool IsHalving(const PoolWindow& a, const PoolGeometry& g) {
  bool by_two = a.pool_type == PoolType::kMax && g.lanes == 1 && g.k[0] == 1 && g.s[0] == 1 && g.p[0] == 0;
  for (int i : {1, 2}) by_two &= g.k[i] == 2 && g.s[i] == 2 && g.p[i] == 0 && g.out[i] == g.in[i] / 2;
  return by_two;
}
template <class T> void Halve(const PoolGeometry& g, const T* x, T* y) {
  int64_t planes = g.planes * g.in[0], h = g.in[1], w = g.in[2], rows = g.out[1], n = g.out[2];
  ParallelFor(planes, GrainOf(planes, h * w), [&](int64_t b, int64_t e) {
    for (int64_t p = b; p < e; ++p) HalvePlane(x + p * h * w, rows, n, w, y + p * rows * n);
  });
}
template <class T> void HalveBack(const PoolGeometry& g, const T* dy, const T* x, T* dx) {
  int64_t planes = g.planes * g.in[0], h = g.in[1], w = g.in[2], rows = g.out[1], n = g.out[2];
  ParallelFor(planes, GrainOf(planes, h * w), [&](int64_t b, int64_t e) {
    for (int64_t p = b; p < e; ++p) {
      T* to = dx + p * h * w;
      if (w % 2) for (int64_t r = 0; r < h; ++r) to[r * w + w - 1] = T(0);
      if (h % 2) std::fill(to + (h - 1) * w, to + h * w, T(0));
      HalvePlaneBack(x + p * h * w, dy + p * rows * n, rows, n, w, to);
    }
  });
}
template <class T> void Forward(const PoolWindow& a, const PoolGeometry& g, const T* x, T* y) {
  if (IsHalving(a, g)) return Halve(g, x, y);
  Lines lines(g);
  int64_t n = lines.length(), s = lines.stride(), work = n * g.k[0] * g.k[1] * g.k[2];
  const size_t width = size_t(n);
  ParallelFor(lines.count(), GrainOf(lines.count(), work), [&](int64_t b, int64_t e) {
    std::vector<Tap> taps;
    std::vector<T> share(width);
    for (int64_t line = b; line < e; ++line) {
      T* out = y + line * n;
      lines.Taps(line, &taps);
      if (a.pool_type == PoolType::kMax) {
        std::fill(out, out + n, -std::numeric_limits<T>::infinity());
        for (auto& t : taps) TakeMax(x + t.at + t.first * s, s, t.last - t.first, out + t.first);
        continue;
      }
      int p = a.pool_type == PoolType::kLp ? *a.p_value : 1;
      std::fill(out, out + n, T(0));
      for (auto& t : taps) Accumulate(x + t.at + t.first * s, s, t.last - t.first, p, out + t.first);
      if (a.pool_type == PoolType::kAvg) {
        lines.Shares(line, a.count_include_pad.value_or(true), share.data());
        for (int64_t i = 0; i < n; ++i) out[i] *= share[size_t(i)];
      } else if (p > 1) {
        for (int64_t i = 0; i < n; ++i) out[i] = p == 2 ? std::sqrt(out[i]) : std::cbrt(out[i]);
      }
    }
  });
}
// Which tap holds the maximum of each output of a line; -1: none.
template <class T> void FindMax(const std::vector<Tap>& taps, const T* x, int64_t stride, int64_t n, T* best, int32_t* which) {
  std::fill(best, best + n, -std::numeric_limits<T>::infinity());
  std::fill(which, which + n, -1);
  for (size_t k = 0; k < taps.size(); ++k) {
    const Tap& t = taps[k];
    const T* p = x + t.at;
    int32_t me = int32_t(k);
    for (int64_t i = t.first; i < t.last; ++i) {
      T v = p[i * stride];
      bool more = (v > best[i]) | (which[i] < 0) | ((v != v) & (best[i] == best[i]));  // the first of equal ones, even where all are -inf; or of NaN
      best[i] = more ? v : best[i];
      which[i] = more ? me : which[i];
    }
  }
}
template <class T> void Backward(const PoolWindow& a, const PoolGeometry& g, const T* dy, const T* x, T* dx) {
  if (IsHalving(a, g)) return HalveBack(g, dy, x, dx);
  Lines lines(g);
  int64_t n = lines.length(), s = lines.stride(), per = lines.per_plane();
  const size_t width = size_t(n);
  ParallelFor(g.planes, GrainOf(g.planes, g.InSize()), [&](int64_t b, int64_t e) {
    std::vector<Tap> taps;
    std::vector<T> row(width);
    std::vector<int32_t> which(width);
    std::fill(dx + b * g.InSize(), dx + e * g.InSize(), T(0));
    for (int64_t line = b * per; line < e * per; ++line) {
      const T* d = dy + line * n;
      lines.Taps(line, &taps);
      if (a.pool_type == PoolType::kMax) {
        FindMax(taps, x, s, n, row.data(), which.data());
        for (int64_t i = 0; i < n; ++i)
          if (which[size_t(i)] >= 0) dx[taps[size_t(which[size_t(i)])].at + i * s] += d[i];
        continue;
      }
      if (a.pool_type == PoolType::kAvg) {
        lines.Shares(line, a.count_include_pad.value_or(true), row.data());
        for (int64_t i = 0; i < n; ++i) row[size_t(i)] *= d[i];
        d = row.data();
      }
      for (auto& t : taps)
        for (int64_t i = t.first; i < t.last; ++i) dx[t.at + i * s] += d[i];
    }
  });
}

}  // namespace

void PoolingCpu(KernelContext& ctx, const PoolingAttrs& a, const TensorView& x0, TensorView& y0) {
  TensorView x = Widen(ctx, x0);
  WideOut y(ctx, y0);
  PoolGeometry g = PoolGeometryOf(a, x.shape, y0.shape);
  ForFloats(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    Forward(a, g, x.data<T>(), y.data<T>());
  });
  y.Store();
}
void PoolingGradCpu(KernelContext& ctx, const PoolGradAttrs& a, const TensorView& dy0, const TensorView& x0, TensorView& dx0) {
  TensorView x = Widen(ctx, x0), dy = Widen(ctx, dy0);
  WideOut dx(ctx, dx0);
  PoolGeometry g = PoolGeometryOf(a, dx0.shape, dy0.shape);
  ForFloats(dy.dtype, [&](auto zero) {
    using T = decltype(zero);
    Backward(a, g, dy.data<T>(), x ? x.data<T>() : nullptr, dx.data<T>());
  });
  dx.Store();
}
void PoolingTakeCpu(KernelContext& ctx, const PoolingAttrs& a, const TensorView& v0, const TensorView& x0, TensorView& y0) {
  TensorView x = Widen(ctx, x0), v = Widen(ctx, v0);
  WideOut y(ctx, y0);
  PoolGeometry g = PoolGeometryOf(a, x0.shape, y0.shape);
  ForFloats(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    Lines lines(g);
    int64_t n = lines.length();
    const size_t width = size_t(n);
    ParallelFor(lines.count(), GrainOf(lines.count(), n * g.k[0] * g.k[1] * g.k[2]), [&](int64_t b, int64_t e) {
      std::vector<Tap> taps;
      std::vector<T> row(width);
      std::vector<int32_t> which(width);
      for (int64_t line = b; line < e; ++line) {
        lines.Taps(line, &taps);
        FindMax(taps, x.data<T>(), lines.stride(), n, row.data(), which.data());
        T* out = y.data<T>() + line * n;
        for (int64_t i = 0; i < n; ++i) {
          int32_t k = which[size_t(i)];
          out[i] = k < 0 ? T(0) : v.data<T>()[taps[size_t(k)].at + i * lines.stride()];
        }
      }
    });
  });
  y.Store();
}

}  // namespace flx

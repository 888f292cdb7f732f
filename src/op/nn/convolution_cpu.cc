// SPDX-License-Identifier: Apache-2.0
// Our own convolution: windows are laid out as the columns of a matrix, tile by tile, and multiplied. Any dtype, any CPU; the reference for libraries.
#include <algorithm>
#include <cstring>

#include "base/thread_pool.h"
#include "op/matrix/gemm.h"
#include "op/nn/convolution.h"
#include "op/nn/depthwise.h"
#include "op/nn/small_convolution.h"
#include "op/nn/wide.h"
#include "op/nn/window.h"

namespace flx {
namespace {

constexpr int64_t kTileBytes = 256 << 10;  // of columns: they should stay in the second-level cache
constexpr int64_t kWeightParts = 16;       // partial sums of a weight's gradient, whatever the number of threads

// Rows of the result (along its last spatial axis) that one tile of columns covers.
struct Tiles {
  int64_t rows, per_tile, count;  // rows of one image, rows of a tile, tiles of one image
  Tiles(const ConvGeometry& g, int bytes) {
    int64_t row = (g.c / g.g) * g.KernelSize() * g.out[2] * bytes;
    rows = g.out[0] * g.out[1];
    per_tile = std::max<int64_t>(1, std::min(rows, kTileBytes / std::max<int64_t>(row, 1)));
    count = (rows + per_tile - 1) / per_tile;
  }
};
// Calls f(row of columns, first place in it, from data or -1 where the window is outside, width) for each kernel element and row of a tile.
template <class F> void ForWindow(const ConvGeometry& g, int64_t row0, int64_t rows, const F& f) {
  int64_t r = 0, width = rows * g.out[2];
  for (int64_t c = 0; c < g.c / g.g; ++c)
    for (int64_t i = 0; i < g.k[0]; ++i)
      for (int64_t j = 0; j < g.k[1]; ++j)
        for (int64_t k = 0; k < g.k[2]; ++k, ++r)
          for (int64_t q = 0; q < rows; ++q) {
            int64_t a = (row0 + q) / g.out[1] * g.s[0] - g.p[0] + i * g.d[0], b = (row0 + q) % g.out[1] * g.s[1] - g.p[1] + j * g.d[1];
            bool in = a >= 0 && a < g.in[0] && b >= 0 && b < g.in[1];
            f(r * width + q * g.out[2], in ? (c * g.in[0] + a) * g.in[1] * g.in[2] + b * g.in[2] : -1, k * g.d[2] - g.p[2]);
          }
}
template <class T> void ToColumns(const ConvGeometry& g, const T* x, int64_t row0, int64_t rows, T* col) {
  int64_t n = g.out[2], s = g.s[2];
  ForWindow(g, row0, rows, [&](int64_t to, int64_t from, int64_t at) {
    T* y = col + to;
    if (from < 0) { std::fill(y, y + n, T(0)); return; }
    Inside in = InsideOf(g.in[2], n, s, at);
    std::fill(y, y + in.first, T(0));
    const T* p = x + from + at;
    if (s == 1) std::copy(p + in.first, p + in.last, y + in.first);
    else for (int64_t i = in.first; i < in.last; ++i) y[i] = p[i * s];
    std::fill(y + in.last, y + n, T(0));
  });
}
template <class T> void FromColumns(const ConvGeometry& g, const T* col, int64_t row0, int64_t rows, T* x) {  // adds
  int64_t n = g.out[2], s = g.s[2];
  ForWindow(g, row0, rows, [&](int64_t to, int64_t from, int64_t at) {
    if (from < 0) return;
    Inside in = InsideOf(g.in[2], n, s, at);
    const T* y = col + to;
    T* p = x + from + at;
    for (int64_t i = in.first; i < in.last; ++i) p[i * s] = T(p[i * s] + y[i]);
  });
}
// The window is one element and moves by one: data is the matrix of columns itself.
bool IsPlain(const ConvGeometry& g) {
  for (int i = 0; i < 3; ++i) if (g.k[i] != 1 || g.s[i] != 1 || g.p[i] != 0 || g.in[i] != g.out[i]) return false;
  return true;
}

template <class T> void Forward(KernelContext& ctx, const ConvGeometry& g, const T* x, const T* w, const T* bias, T* y) {
  const DType t = kDTypeOf<T>;
  Tiles tiles(g, sizeof(T));
  int64_t cg = g.c / g.g, og = g.o / g.g, k = cg * g.KernelSize(), places = g.OutSize();
  bool plain = IsPlain(g);
  int64_t tasks = g.n * g.g * tiles.count;
  (void)ctx;
  ParallelFor(tasks, 1, [&](int64_t b, int64_t e) {
    std::vector<T> col(plain ? 0 : size_t(k * tiles.per_tile * g.out[2]));
    for (int64_t i = b; i < e; ++i) {
      int64_t image = i / (g.g * tiles.count), group = i / tiles.count % g.g, row0 = i % tiles.count * tiles.per_tile;
      int64_t rows = std::min(tiles.per_tile, tiles.rows - row0), width = rows * g.out[2];
      const T* from = x + (image * g.c + group * cg) * g.InSize();
      T* to = y + (image * g.o + group * og) * places + row0 * g.out[2];
      const T* m = plain ? from + row0 * g.out[2] : col.data();
      if (!plain) ToColumns(g, from, row0, rows, col.data());
      if (bias)
        for (int64_t o = 0; o < og; ++o) std::fill(to + o * places, to + o * places + width, bias[group * og + o]);
      Gemm(t, false, false, og, width, k, 1, w + group * og * k, k, m, plain ? places : width, bias ? 1 : 0, to, places);
    }
  });
}
template <class T> void GradData(KernelContext& ctx, const ConvGeometry& g, const T* w, const T* dy, T* dx) {
  const DType t = kDTypeOf<T>;
  Tiles tiles(g, sizeof(T));
  int64_t cg = g.c / g.g, og = g.o / g.g, k = cg * g.KernelSize(), places = g.OutSize();
  bool plain = IsPlain(g);
  (void)ctx;
  ParallelFor(g.n * g.g, 1, [&](int64_t b, int64_t e) {
    std::vector<T> col(plain ? 0 : size_t(k * tiles.per_tile * g.out[2]));
    for (int64_t i = b; i < e; ++i) {
      int64_t image = i / g.g, group = i % g.g;
      T* to = dx + (image * g.c + group * cg) * g.InSize();
      const T* from = dy + (image * g.o + group * og) * places;
      if (plain) {
        Gemm(t, true, false, k, places, og, 1, w + group * og * k, k, from, places, 0, to, places);
        continue;
      }
      std::fill(to, to + cg * g.InSize(), T(0));
      for (int64_t row0 = 0; row0 < tiles.rows; row0 += tiles.per_tile) {
        int64_t rows = std::min(tiles.per_tile, tiles.rows - row0), width = rows * g.out[2];
        Gemm(t, true, false, k, width, og, 1, w + group * og * k, k, from + row0 * g.out[2], places, 0, col.data(), width);
        FromColumns(g, col.data(), row0, rows, to);
      }
    }
  });
}
template <class T> void GradWeight(KernelContext& ctx, const ConvGeometry& g, const T* x, const T* dy, T* dw) {
  const DType t = kDTypeOf<T>;
  Tiles tiles(g, sizeof(T));
  int64_t cg = g.c / g.g, og = g.o / g.g, k = cg * g.KernelSize(), places = g.OutSize(), size = g.WeightSize();
  bool plain = IsPlain(g);
  int64_t items = g.n * tiles.count, parts = std::max<int64_t>(1, std::min(items, kWeightParts)), each = (items + parts - 1) / parts;
  T* sums = parts > 1 ? ctx.Scratch<T>(parts * size) : dw;
  ParallelFor(parts, 1, [&](int64_t b, int64_t e) {
    std::vector<T> col(plain ? 0 : size_t(k * tiles.per_tile * g.out[2]));
    for (int64_t part = b; part < e; ++part) {
      T* sum = sums + part * size;
      std::fill(sum, sum + size, T(0));
      for (int64_t i = part * each; i < std::min(items, (part + 1) * each); ++i) {
        int64_t image = i / tiles.count, row0 = i % tiles.count * tiles.per_tile;
        int64_t rows = std::min(tiles.per_tile, tiles.rows - row0), width = rows * g.out[2];
        for (int64_t group = 0; group < g.g; ++group) {
          const T* from = x + (image * g.c + group * cg) * g.InSize();
          const T* m = plain ? from + row0 * g.out[2] : col.data();
          if (!plain) ToColumns(g, from, row0, rows, col.data());
          Gemm(t, false, true, og, k, width, 1, dy + (image * g.o + group * og) * places + row0 * g.out[2], places, m, plain ? places : width, 1,
               sum + group * og * k, k);
        }
      }
    }
  });
  if (parts > 1)
    ParallelFor(size, 4096, [&](int64_t b, int64_t e) {
      std::copy(sums + b, sums + e, dw + b);
      for (int64_t p = 1; p < parts; ++p)
        for (int64_t i = b; i < e; ++i) dw[i] = T(dw[i] + sums[p * size + i]);
    });
}
// (n, a, b) to (n, b, a): between channels first and channels last.
template <class T> void Swap(const T* x, int64_t n, int64_t a, int64_t b, T* y) {
  ParallelFor(n, GrainOf(n, a * b), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      for (int64_t j = 0; j < a; ++j)
        for (int64_t k = 0; k < b; ++k) y[(i * b + k) * a + j] = x[(i * a + j) * b + k];
  });
}
// Runs f on channels-first copies where the arrays have channels last.
template <class T> const T* FirstOf(KernelContext& ctx, bool last, const void* p, int64_t n, int64_t places, int64_t channels) {
  if (!last) return static_cast<const T*>(p);
  T* q = ctx.Scratch<T>(n * places * channels);
  Swap(static_cast<const T*>(p), n, places, channels, q);
  return q;
}
template <class T> T* RoomFor(KernelContext& ctx, bool last, void* p, int64_t size) { return last ? ctx.Scratch<T>(size) : static_cast<T*>(p); }
template <class T> void PutBack(bool last, const T* q, void* p, int64_t n, int64_t places, int64_t channels) {
  if (last) Swap(q, n, channels, places, static_cast<T*>(p));
}
template <class F> void ForGemmTypes(DType t, const F& f) {
  switch (t) {
    case DType::kFloat64: f(double{}); break;
    case DType::kInt32: f(int32_t{}); break;
    case DType::kInt64: f(int64_t{}); break;
    default: f(float{});
  }
}

}  // namespace

void OwnConvolution(KernelContext& ctx, const ConvGeometry& g, DType t, const void* x, const void* w, const void* bias, void* y) {
  ForGemmTypes(t, [&](auto zero) {
    using T = decltype(zero);
    T* to = RoomFor<T>(ctx, g.last, y, g.n * g.o * g.OutSize());
    Forward(ctx, g, FirstOf<T>(ctx, g.last, x, g.n, g.InSize(), g.c), FirstOf<T>(ctx, g.last, w, g.o, g.KernelSize(), g.c / g.g), static_cast<const T*>(bias), to);
    PutBack(g.last, to, y, g.n, g.OutSize(), g.o);
  });
}
void OwnConvolutionGradData(KernelContext& ctx, const ConvGeometry& g, DType t, const void* w, const void* dy, void* dx) {
  ForGemmTypes(t, [&](auto zero) {
    using T = decltype(zero);
    T* to = RoomFor<T>(ctx, g.last, dx, g.n * g.c * g.InSize());
    GradData(ctx, g, FirstOf<T>(ctx, g.last, w, g.o, g.KernelSize(), g.c / g.g), FirstOf<T>(ctx, g.last, dy, g.n, g.OutSize(), g.o), to);
    PutBack(g.last, to, dx, g.n, g.InSize(), g.c);
  });
}
void OwnConvolutionGradWeight(KernelContext& ctx, const ConvGeometry& g, DType t, const void* x, const void* dy, void* dw) {
  ForGemmTypes(t, [&](auto zero) {
    using T = decltype(zero);
    T* to = RoomFor<T>(ctx, g.last, dw, g.WeightSize());
    GradWeight(ctx, g, FirstOf<T>(ctx, g.last, x, g.n, g.InSize(), g.c), FirstOf<T>(ctx, g.last, dy, g.n, g.OutSize(), g.o), to);
    PutBack(g.last, to, dw, g.o, g.KernelSize(), g.c / g.g);
  });
}

// ---- the kernels: a library where it takes the case, our own otherwise ------------------------------------------------------------------
void ConvolutionCpu(KernelContext& ctx, const ConvolutionAttrs& a, const TensorView& x0, const TensorView& w0, const TensorView& bias0, TensorView& y0) {
  ConvGeometry g = GeometryOf(a, x0.shape, y0.shape);
  TensorView x = Widen(ctx, x0), w = Widen(ctx, w0), bias = Widen(ctx, bias0);
  WideOut y(ctx, y0);
  if (x.dtype == DType::kFloat32 && DepthwiseConvolution(g, x.data<float>(), w.data<float>(), bias ? bias.data<float>() : nullptr, y.data<float>())) return y.Store();
  if (x.dtype == DType::kFloat32 && SmallConvolution(g, x.data<float>(), w.data<float>(), bias ? bias.data<float>() : nullptr, y.data<float>())) return y.Store();
  if (x.dtype != DType::kFloat32 || !LibraryConvolution(ctx, g, x.data<float>(), w.data<float>(), bias ? bias.data<float>() : nullptr, y.data<float>()))
    OwnConvolution(ctx, g, x.dtype, x.raw(), w.raw(), bias ? bias.raw() : nullptr, y.view.raw());
  y.Store();
}
void ConvolutionGradDataCpu(KernelContext& ctx, const ConvGradAttrs& a, const TensorView& w0, const TensorView& dy0, TensorView& dx0) {
  ConvGeometry g = GeometryOf(a, dx0.shape, dy0.shape);
  TensorView w = Widen(ctx, w0), dy = Widen(ctx, dy0);
  WideOut dx(ctx, dx0);
  if (w.dtype != DType::kFloat32 || !LibraryConvolutionGradData(ctx, g, w.data<float>(), dy.data<float>(), dx.data<float>()))
    OwnConvolutionGradData(ctx, g, w.dtype, w.raw(), dy.raw(), dx.view.raw());
  dx.Store();
}
void ConvolutionGradWeightCpu(KernelContext& ctx, const ConvGradAttrs& a, const TensorView& x0, const TensorView& dy0, TensorView& dw0) {
  ConvGeometry g = GeometryOf(a, x0.shape, dy0.shape);
  TensorView x = Widen(ctx, x0), dy = Widen(ctx, dy0);
  WideOut dw(ctx, dw0);
  if (x.dtype != DType::kFloat32 || !LibraryConvolutionGradWeight(ctx, g, x.data<float>(), dy.data<float>(), dw.data<float>()))
    OwnConvolutionGradWeight(ctx, g, x.dtype, x.raw(), dy.raw(), dw.view.raw());
  dw.Store();
}

}  // namespace flx

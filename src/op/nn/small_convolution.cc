// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "op/nn/small_convolution.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "base/thread_pool.h"
#include "hwy/highway.h"
#include "op/nn/small_convolution.h"
#include "op/nn/window.h"

HWY_BEFORE_NAMESPACE();
namespace flx {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<float, 16>;
#if HWY_TARGET <= HWY_AVX3
constexpr int kMostRows = 12;  // of a tile: with two vectors each they fill the registers
#else
constexpr int kMostRows = 6;
#endif

// Rows of the weight times one panel of columns: kRows outputs, two vectors of places each.
template <int kRows> void Tile(const float* w, int64_t depth, const float* columns, const float* bias, float* out) {
  const D d;
  const int64_t lanes = int64_t(hn::Lanes(d));
  hn::Vec<D> a[kRows], b[kRows];
  for (int r = 0; r < kRows; ++r) a[r] = b[r] = hn::Set(d, bias ? bias[r] : 0.0f);
  // Three rows share a pointer: with one for each there would be more of them than registers.
  constexpr int kPointers = (kRows + 2) / 3;
  const float* at[kPointers];
  for (int i = 0; i < kPointers; ++i) at[i] = w + 3 * i * depth;
  for (int64_t k = 0; k < depth; ++k, columns += 2 * lanes) {
    auto p = hn::Load(d, columns), q = hn::Load(d, columns + lanes);
    for (int r = 0; r < kRows; ++r) {
      auto v = hn::Set(d, at[r / 3][r % 3 * depth]);
      a[r] = hn::MulAdd(v, p, a[r]), b[r] = hn::MulAdd(v, q, b[r]);
    }
    for (int i = 0; i < kPointers; ++i) ++at[i];
  }
  for (int r = 0; r < kRows; ++r) hn::Store(a[r], d, out + 2 * r * lanes), hn::Store(b[r], d, out + (2 * r + 1) * lanes);
}
using TileFn = void (*)(const float*, int64_t, const float*, const float*, float*);
template <int... kRows> constexpr std::array<TileFn, sizeof...(kRows)> TilesOf(std::integer_sequence<int, kRows...>) { return {&Tile<kRows + 1>...}; }

// Places of a panel that lie in one row of the result.
struct Segment { int64_t to, count, row, column; };

// One panel: places [first, first + count) of an image, as columns for each window element.
void FillColumns(const ConvGeometry& g, const float* x, const float* end, const std::vector<Segment>& segments, int64_t panel, float* columns) {
  const D d;
  const int64_t lanes = int64_t(hn::Lanes(d));
  for (int64_t c = 0; c < g.c; ++c, x += g.in[1] * g.in[2])
    for (int64_t i = 0; i < g.k[1]; ++i)
      for (int64_t j = 0; j < g.k[2]; ++j, columns += panel)
        for (auto& s : segments) {
          float* to = columns + s.to;
          int64_t row = s.row * g.s[1] - g.p[1] + i * g.d[1], at = s.column * g.s[2] - g.p[2] + j * g.d[2];
          if (row < 0 || row >= g.in[1]) {
            std::fill(to, to + s.count, 0.0f);
            continue;
          }
          const float* from = x + row * g.in[2] + at;
          const Inside in = InsideOf(g.in[2], s.count, g.s[2], at);
          int64_t n = 0;
          for (; n < in.first; ++n) to[n] = 0;
          if (g.s[2] == 1)  // whole vectors: what they write too much is overwritten next, or lies behind the panel's last row
            for (; n < in.last && from + n + lanes <= end; n += lanes) hn::StoreU(hn::LoadU(d, from + n), d, to + n);
          for (; n < in.last; ++n) to[n] = from[n * g.s[2]];
          for (n = in.last; n < s.count; ++n) to[n] = 0;
        }
}

void Convolve(const ConvGeometry& g, const float* x, const float* w, const float* bias, float* y) {
  static constexpr auto kTiles = TilesOf(std::make_integer_sequence<int, kMostRows>());
  const D d;
  const int64_t lanes = int64_t(hn::Lanes(d)), panel = 2 * lanes, places = g.OutSize(), depth = g.c * g.KernelSize();
  const int64_t panels = (places + panel - 1) / panel, tiles = (g.o + kMostRows - 1) / kMostRows, rows = (g.o + tiles - 1) / tiles;
  const double work = 2.0 * double(g.o) * double(depth) * double(panel);
  constexpr double kTaskFlops = 1e6;  // less is done sooner than another thread is there
  const int64_t grain = std::max<int64_t>(1, int64_t(kTaskFlops / std::max(work, 1.0)));
  const float* end = x + g.n * g.c * g.InSize();
  ParallelFor(g.n * panels, grain, [&](int64_t b, int64_t e) {
    std::vector<float> room(size_t(depth * panel + 16 + kMostRows * panel + 16));
    float* columns = room.data() + (16 - reinterpret_cast<uintptr_t>(room.data()) / sizeof(float) % 16) % 16;
    float* out = columns + (depth * panel + 15) / 16 * 16 + 16;
    std::vector<Segment> segments;
    for (int64_t t = b; t < e; ++t) {
      const int64_t image = t / panels, first = t % panels * panel, count = std::min(panel, places - first);
      segments.clear();
      for (int64_t p = first; p < first + count;) {
        int64_t n = std::min(g.out[2] - p % g.out[2], first + count - p);
        segments.push_back({p - first, n, p / g.out[2], p % g.out[2]});
        p += n;
      }
      FillColumns(g, x + image * g.c * g.InSize(), end, segments, panel, columns);
      for (int64_t o = 0; o < g.o; o += rows) {
        const int64_t m = std::min(rows, g.o - o);
        kTiles[size_t(m - 1)](w + o * depth, depth, columns, bias ? bias + o : nullptr, out);
        for (int64_t r = 0; r < m; ++r) {
          float* to = y + (image * g.o + o + r) * places + first;
          if (count == panel) hn::StoreU(hn::Load(d, out + r * panel), d, to), hn::StoreU(hn::Load(d, out + r * panel + lanes), d, to + lanes);
          else std::copy(out + r * panel, out + r * panel + count, to);
        }
      }
    }
  });
}

}  // namespace
void SmallConvolve(const ConvGeometry& g, const float* x, const float* w, const float* bias, float* y) { Convolve(g, x, w, bias, y); }
}  // namespace HWY_NAMESPACE
}  // namespace flx
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace flx {
HWY_EXPORT(SmallConvolve);
namespace {
// Where the library pads channels to blocks, or does a single image in one thread (measured).
bool Pays(const ConvGeometry& g) {
  if (g.KernelSize() == 1) return false;
  if (g.c == 1 || (g.c <= 4 && g.o % 16)) return true;
  return g.n <= 2 && (g.c % 16 || g.o % 16) && g.Flops() >= 1e6 && g.Flops() <= 8e6;
}
}  // namespace
bool SmallConvolution(const ConvGeometry& g, const float* x, const float* w, const float* bias, float* y) {
  if (g.g != 1 || g.last || g.k[0] != 1 || g.in[0] != 1 || g.out[0] != 1 || g.c == 0) return false;
  constexpr int64_t kMostDepth = 2048;  // of a panel: 256 KiB of columns at most
  if (g.c * g.KernelSize() > kMostDepth || !Pays(g)) return false;
  HWY_DYNAMIC_DISPATCH(SmallConvolve)(g, x, w, bias, y);
  return true;
}
}  // namespace flx
#endif

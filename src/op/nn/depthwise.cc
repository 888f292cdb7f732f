// SPDX-License-Identifier: Apache-2.0
// One channel in, one out: no channels to make vectors of, and nothing to gain from another layout. A plane is copied into a frame of zeros that stays
// in cache, and vectors run along its rows.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "op/nn/depthwise.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "hwy/highway.h"
#include "op/nn/depthwise.h"

HWY_BEFORE_NAMESPACE();
namespace flx {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// `count` rows of results, `step` floats apart: a register for each, so that weights and rows of the frame are loaded once for all.
template <int kRows, class D>
HWY_INLINE void Block(D d, const DepthwisePlane& p, const float* from, const float* w, float bias, float* y, int64_t n) {
  const int64_t lanes = int64_t(hn::Lanes(d));
  HWY_ALIGN float rest[HWY_MAX_BYTES / 4];
  for (int64_t j = 0; j < n; j += lanes) {
    auto a0 = hn::Set(d, bias), a1 = a0, a2 = a0, a3 = a0;
    const float *row = from + j, *k = w;
    for (int64_t r = 0; r < p.kernel[0]; ++r, row += p.dilate[0] * p.width)
      for (int64_t c = 0; c < p.kernel[1]; ++c) {
        const auto v = hn::Set(d, *k++);
        const float* q = row + c * p.dilate[1];
        a0 = hn::MulAdd(v, hn::LoadU(d, q), a0);
        if constexpr (kRows > 1) {
          a1 = hn::MulAdd(v, hn::LoadU(d, q + p.width), a1), a2 = hn::MulAdd(v, hn::LoadU(d, q + 2 * p.width), a2);
          a3 = hn::MulAdd(v, hn::LoadU(d, q + 3 * p.width), a3);
        }
      }
    auto put = [&](hn::Vec<D> v, float* to) {
      if (j + lanes <= n) return hn::StoreU(v, d, to);
      hn::Store(v, d, rest);
      for (int64_t i = 0; j + i < n; ++i) to[i] = rest[i];
    };
    put(a0, y + j);
    if constexpr (kRows > 1) put(a1, y + n + j), put(a2, y + 2 * n + j), put(a3, y + 3 * n + j);
  }
}
void Run(const DepthwisePlane& p, const float* frame, const float* w, float bias, float* y) {
  const hn::ScalableTag<float> d;
  int64_t i = 0;
  for (; i + 4 <= p.out[0]; i += 4) Block<4>(d, p, frame + i * p.width, w, bias, y + i * p.out[1], p.out[1]);
  for (; i < p.out[0]; ++i) Block<1>(d, p, frame + i * p.width, w, bias, y + i * p.out[1], p.out[1]);
}
}  // namespace
void RunOf(const DepthwisePlane& p, const float* frame, const float* w, float bias, float* y) { Run(p, frame, w, bias, y); }
}  // namespace HWY_NAMESPACE
}  // namespace flx
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <cstring>
#include <vector>

#include "base/thread_pool.h"
#include "op/nn/wide.h"

namespace flx {
HWY_EXPORT(RunOf);

bool DepthwiseConvolution(const ConvGeometry& g, const float* x, const float* w, const float* bias, float* y) {
  constexpr int64_t kVector = 16, kMostFrame = 1 << 17;  // floats behind the last row that a vector may touch; of a frame that stays in cache
  if (g.c != g.g || g.o != g.g || g.g == 1 || g.last || g.in[0] != 1 || g.k[0] != 1 || g.p[0] != 0 || g.s[1] != 1 || g.s[2] != 1) return false;
  DepthwisePlane p;
  int64_t height = g.in[1] + 2 * g.p[1];
  for (int i = 0; i < 2; ++i) p.out[i] = g.out[i + 1], p.kernel[i] = g.k[i + 1], p.dilate[i] = g.d[i + 1];
  p.width = g.in[2] + 2 * g.p[2];
  int64_t size = height * p.width + HWY_MAX_BYTES / 4 + kVector;
  if (size > kMostFrame || p.out[0] != height - (g.k[1] - 1) * g.d[1] || p.out[1] != p.width - (g.k[2] - 1) * g.d[2]) return false;
  int64_t in = g.in[1] * g.in[2], out = p.out[0] * p.out[1], planes = g.n * g.c;
  ParallelFor(planes, GrainOf(planes, out * g.KernelSize(), 1 << 17), [&](int64_t b, int64_t e) {
    std::vector<float> frame(size_t(size), 0.f);
    for (int64_t i = b; i < e; ++i) {
      for (int64_t r = 0; r < g.in[1]; ++r) std::memcpy(&frame[size_t((r + g.p[1]) * p.width + g.p[2])], x + i * in + r * g.in[2], size_t(g.in[2]) * sizeof(float));
      int64_t channel = i % g.c;
      HWY_DYNAMIC_DISPATCH(RunOf)(p, frame.data(), w + channel * g.KernelSize(), bias ? bias[channel] : 0.f, y + i * out);
    }
  });
  return true;
}

}  // namespace flx
#endif

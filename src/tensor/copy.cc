// SPDX-License-Identifier: Apache-2.0
// Copies between strided arrays of any dtypes, and fills. Work is split by shape only.
#include <algorithm>
#include <cmath>

#include "base/cache.h"
#include "base/convert.h"
#include "base/thread_pool.h"
#include "device/kernels.h"
#include "tensor/array.h"
#include "tensor/device_work.h"
#include "tensor/tile.h"

namespace flx {
namespace {

using RunFn = void (*)(const void* from, int64_t from_stride, void* to, int64_t to_stride, int64_t n);

template <class From, class To> void Run(const void* from, int64_t fs, void* to, int64_t ts, int64_t n) {
  auto* f = static_cast<const From*>(from);
  auto* t = static_cast<To*>(to);
  if (fs == 1 && ts == 1) {
    for (int64_t i = 0; i < n; ++i) t[i] = ConvertTo<To>(f[i]);
  } else {
    for (int64_t i = 0; i < n; ++i) t[i * ts] = ConvertTo<To>(f[i * fs]);
  }
}
template <class T> void RunSame(const void* from, int64_t fs, void* to, int64_t ts, int64_t n) {
  if (fs == 1 && ts == 1) return std::memcpy(to, from, size_t(n) * sizeof(T)), void();
  auto* f = static_cast<const T*>(from);
  auto* t = static_cast<T*>(to);
  if (fs == 0 && ts == 1) return std::fill(t, t + n, *f), void();
  for (int64_t i = 0; i < n; ++i) t[i * ts] = f[i * fs];
}
RunFn FindRun(DType from, DType to) {
  if (from == to) {
    switch (DTypeSize(from)) {
      case 1: return &RunSame<uint8_t>;
      case 2: return &RunSame<uint16_t>;
      case 4: return &RunSame<uint32_t>;
      default: return &RunSame<uint64_t>;
    }
  }
  RunFn fn = nullptr;
  Dispatch(from, [&](auto f) { Dispatch(to, [&](auto t) { fn = &Run<decltype(f), decltype(t)>; }); });
  return fn;
}

struct Loop { int n = 0; int64_t dim[kMaxNdim], fs[kMaxNdim], ts[kMaxNdim]; };
// Drops axes of one element and merges axes that lie on each other in both arrays.
Loop Collapse(const TensorView& from, const TensorView& to) {
  Loop l;
  for (int i = 0; i < to.ndim(); ++i) {
    int64_t d = to.shape[i];
    if (d == 1) continue;
    int64_t fs = from.strides[i], ts = to.strides[i];
    if (l.n && l.fs[l.n - 1] == fs * d && l.ts[l.n - 1] == ts * d) {
      l.dim[l.n - 1] *= d, l.fs[l.n - 1] = fs, l.ts[l.n - 1] = ts;
    } else {
      l.dim[l.n] = d, l.fs[l.n] = fs, l.ts[l.n] = ts, ++l.n;
    }
  }
  if (l.n == 0) l.n = 1, l.dim[0] = 1, l.fs[0] = l.ts[0] = 1;
  return l;
}
// Where the source runs along an outer axis (a transpose), square blocks keep both sides in cache. Rows [i, end) of the outer axis.
constexpr int64_t kBlock = kTileSide;
void Blocked(const Loop& l, int outer, int64_t i, int64_t end, const char* from, char* to, int fe, int te, RunFn run, TurnFn tile, bool stream) {
  int last = l.n - 1;
  for (; i < end; i += kBlock)
    for (int64_t j = 0; j < l.dim[last]; j += kBlock) {
      int64_t ni = std::min(kBlock, end - i), nj = std::min(kBlock, l.dim[last] - j);
      const char* f = from + (i * l.fs[outer] + j * l.fs[last]) * fe;
      char* t = to + (i * l.ts[outer] + j * l.ts[last]) * te;
      if (tile) tile(f, l.fs[last], t, l.ts[outer], ni, nj, stream);
      else for (int64_t a = 0; a < ni; ++a) run(f + a * l.fs[outer] * fe, l.fs[last], t + a * l.ts[outer] * te, l.ts[last], nj);
    }
  if (stream) FlushPast();
}
}  // namespace

void CopyStrided(const TensorView& from, const TensorView& to) {
  int64_t n = to.size();
  if (n == 0) return;
  if (DeviceWork* w = DeviceWork::Current()) return w->Call(kDeviceCopy, DeviceSignature(kDeviceCopy), {&from, 1, &to, 1});
  RunFn run = FindRun(from.dtype, to.dtype);
  int fe = DTypeSize(from.dtype), te = DTypeSize(to.dtype);
  Loop l = Collapse(from, to);
  auto* f0 = static_cast<const char*>(from.raw());
  auto* t0 = static_cast<char*>(to.raw());
  if (l.n == 1) {
    return ParallelFor(n, 1 << 16, [&](int64_t b, int64_t e) { run(f0 + b * l.fs[0] * fe, l.fs[0], t0 + b * l.ts[0] * te, l.ts[0], e - b); });
  }
  int last = l.n - 1, outer = -1;
  if (l.fs[last] != 1 && l.fs[last] != 0)
    for (int i = 0; i < last; ++i) if (l.fs[i] == 1) outer = i;
  int64_t inner = l.dim[last], strips = 1, strip = 0;
  if (outer >= 0) strip = std::max(kBlock, ((1 << 16) / inner + kBlock - 1) / kBlock * kBlock), strips = (l.dim[outer] + strip - 1) / strip, inner *= l.dim[outer];
  int64_t rows = n / inner;
  TurnFn tile = outer >= 0 && from.dtype == to.dtype && l.ts[last] == 1 ? TransposeTile(fe) : nullptr;
  bool stream = tile && PastCaches(n * te * 2);
  auto body = [&](int64_t b, int64_t e) {
    for (int64_t u = b; u < e; ++u) {
      int64_t q = u / strips, fo = 0, to_ = 0;
      for (int i = last - 1; i >= 0; --i) {
        if (i == outer) continue;
        int64_t k = q % l.dim[i];
        q /= l.dim[i], fo += k * l.fs[i], to_ += k * l.ts[i];
      }
      int64_t at = u % strips * strip;
      if (outer >= 0) Blocked(l, outer, at, std::min(l.dim[outer], at + strip), f0 + fo * fe, t0 + to_ * te, fe, te, run, tile, stream);
      else run(f0 + fo * fe, l.fs[last], t0 + to_ * te, l.ts[last], inner);
    }
  };
  ParallelFor(rows * strips, std::max<int64_t>(1, (1 << 16) * strips / inner), body);
}

void FillStrided(const TensorView& to, double v) {
  if (DeviceWork* w = DeviceWork::Current()) {
    if (to.size()) w->Call(kDeviceFill, DeviceSignature(kDeviceFill), {nullptr, 0, &to, 1, nullptr, 0, &v, 1});
    return;
  }
  alignas(8) char one[8] = {};
  Dispatch(to.dtype, [&](auto z) {
    using T = decltype(z);
    T x = ConvertTo<T>(v);
    std::memcpy(one, &x, sizeof x);
  });
  TensorView from = to;
  from.base = one, from.offset = 0;
  from.strides = Shape::Filled(to.ndim(), 0);
  CopyStrided(from, to);
}

}  // namespace flx

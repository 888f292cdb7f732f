// SPDX-License-Identifier: Apache-2.0
// Copies between strided arrays of any dtypes, fills, ranges, and rows by index.
#include "cuda/elements.h"

namespace flx::cuda {
namespace {

// One dtype: bits are moved, by their size.
template <class T> __global__ void MoveKernel(Places<2> p) {
  for (int64_t i = Index(); i < p.size; i += Step()) {
    int64_t at[2];
    p.At(i, at);
    static_cast<T*>(p.data[1])[at[1]] = static_cast<const T*>(p.data[0])[at[0]];
  }
}
// A transpose: the source runs along another axis than the target. Tiles go through shared memory, so that both sides are read and written in rows. The last
// axis of the places is the target's, axis `turned` the source's.
constexpr int kTile = 32;
template <class T> __global__ void TurnKernel(Places<2> p, int turned, int64_t tiles_i, int64_t tiles_j, int64_t tiles) {
  __shared__ T tile[kTile][kTile + 1];
  const int last = p.naxes - 1;
  const int64_t ni = p.dim[turned], nj = p.dim[last];
  for (int64_t t = blockIdx.x; t < tiles; t += gridDim.x) {
    int64_t rest = t / (tiles_i * tiles_j), from = 0, to = 0;
    for (int a = last - 1; a >= 0; --a) {
      if (a == turned) continue;
      const int64_t r = rest % p.dim[a];
      rest /= p.dim[a], from += r * p.stride[0][a], to += r * p.stride[1][a];
    }
    const int64_t i0 = t / tiles_j % tiles_i * kTile, j0 = t % tiles_j * kTile;
    Meet();
    for (int e = int(threadIdx.x); e < kTile * kTile; e += int(blockDim.x)) {
      const int64_t i = i0 + e % kTile, j = j0 + e / kTile;
      if (i < ni && j < nj) tile[e / kTile][e % kTile] = static_cast<const T*>(p.data[0])[from + i * p.stride[0][turned] + j * p.stride[0][last]];
    }
    Meet();
    for (int e = int(threadIdx.x); e < kTile * kTile; e += int(blockDim.x)) {
      const int64_t i = i0 + e / kTile, j = j0 + e % kTile;
      if (i < ni && j < nj) static_cast<T*>(p.data[1])[to + i * p.stride[1][turned] + j * p.stride[1][last]] = tile[e % kTile][e / kTile];
    }
  }
}
template <class T> int32_t Move(flx_device_queue* q, const Places<2>& p) {
  const int last = p.naxes - 1;
  int turned = -1;
  if (last > 0 && p.stride[1][last] == 1 && p.stride[0][last] != 1 && p.stride[0][last] != 0)
    for (int a = 0; a < last; ++a) if (p.stride[0][a] == 1) turned = a;
  if (turned < 0 || p.dim[turned] < 8 || p.dim[last] < 8) return Launch(q, BlocksFor(p.size), &MoveKernel<T>, p);
  const int64_t ti = (p.dim[turned] + kTile - 1) / kTile, tj = (p.dim[last] + kTile - 1) / kTile, tiles = p.size / (p.dim[turned] * p.dim[last]) * ti * tj;
  return LaunchBlocks(q, tiles, &TurnKernel<T>, p, turned, ti, tj, tiles);
}
// Two dtypes, by way of L, which holds the source's values.
template <class L> __global__ void ConvertKernel(Places<2> p) {
  for (int64_t i = Index(); i < p.size; i += Step()) {
    int64_t at[2];
    p.At(i, at);
    Store<L>(p.data[1], p.dtype[1], at[1], Load<L>(p.data[0], p.dtype[0], at[0]));
  }
}
int32_t Copy(flx_device_queue* q, const flx_device_call* c) {
  if (c->nin != 1 || c->nout != 1) return FLX_DEVICE_NO_KERNEL;
  const flx_device_tensor* const t[] = {&c->in[0], &c->out[0]};
  const auto p = PlacesOf(t);
  if (p.size == 0) return FLX_DEVICE_OK;
  const DType from = DType(p.dtype[0]);
  if (p.dtype[0] == p.dtype[1]) {
    switch (DTypeSize(from)) {
      case 1: return Move<uint8_t>(q, p);
      case 2: return Move<uint16_t>(q, p);
      case 4: return Move<uint32_t>(q, p);
      default: return Move<uint64_t>(q, p);
    }
  }
  if (from == DType::kFloat64) return Launch(q, BlocksFor(p.size), &ConvertKernel<double>, p);
  if (IsFloat(from)) return Launch(q, BlocksFor(p.size), &ConvertKernel<float>, p);
  if (from == DType::kUint64) return Launch(q, BlocksFor(p.size), &ConvertKernel<uint64_t>, p);
  return Launch(q, BlocksFor(p.size), &ConvertKernel<int64_t>, p);
}

__global__ void FillKernel(Places<1> p, double v) {
  for (int64_t i = Index(); i < p.size; i += Step()) {
    int64_t at[1];
    p.At(i, at);
    Store<double>(p.data[0], p.dtype[0], at[0], v);
  }
}
int32_t Fill(flx_device_queue* q, const flx_device_call* c) {
  if (c->nin != 0 || c->nout != 1 || c->nnumbers != 1) return FLX_DEVICE_NO_KERNEL;
  const flx_device_tensor* const t[] = {&c->out[0]};
  const auto p = PlacesOf(t);
  return p.size == 0 ? int32_t(FLX_DEVICE_OK) : Launch(q, BlocksFor(p.size), &FillKernel, p, c->numbers[0]);
}

struct Generated { int64_t which, a, b; double x, y, z; };
__global__ void GenerateKernel(Generated g, void* to, int32_t dtype, int64_t n) {
  for (int64_t i = Index(); i < n; i += Step()) {
    const double v = g.which == kGenerateRange ? g.x + double(i / g.a) * g.y : g.which == kGenerateLine ? (i == g.a ? g.z : g.x + double(i) * g.y)
                                               : i % g.a - i / g.a == g.b ? 1.0 : 0.0;
    Store<double>(to, dtype, i, v);
  }
}
int32_t Generate(flx_device_queue* q, const flx_device_call* c) {
  Generated g = {};
  if (c->nin != 0 || c->nout != 1 || c->nints < 2) return FLX_DEVICE_NO_KERNEL;
  g.which = c->ints[0], g.a = c->ints[1];
  if (g.which == kGenerateDiagonal && c->nints == 3) g.b = c->ints[2];
  else if (g.which == kGenerateRange && c->nnumbers == 2) g.x = c->numbers[0], g.y = c->numbers[1];
  else if (g.which == kGenerateLine && c->nnumbers == 3) g.x = c->numbers[0], g.y = c->numbers[1], g.z = c->numbers[2];
  else return FLX_DEVICE_NO_KERNEL;
  const int64_t n = SizeOf(c->out[0]);
  return n == 0 ? int32_t(FLX_DEVICE_OK) : Launch(q, BlocksFor(n), &GenerateKernel, g, c->out[0].data, c->out[0].dtype, n);
}

struct Rows {
  int64_t outer, n, m, inner;
  bool wrap, own;
  const void* indices;
  int32_t index_type;
  FLX_HD int64_t At(int64_t o, int64_t i, int64_t j) const {
    const int64_t at = Load<int64_t>(indices, index_type, own ? (o * m + i) * inner + j : i);
    return at >= 0 && at < n ? at : wrap ? (at % n + n) % n : at < 0 ? 0 : n - 1;
  }
};
bool RowsOf(const flx_device_call* c, Rows* r) {
  if (c->nin != 2 || c->nout != 1 || c->nints != 6 || c->in[0].dtype != c->out[0].dtype || c->ints[1] == 0) return false;
  const int64_t* v = c->ints;
  *r = {v[0], v[1], v[2], v[3], v[4] != 0, v[5] != 0, c->in[1].data, c->in[1].dtype};
  return true;
}
template <class T> __global__ void GatherKernel(Rows r, const T* x, T* y) {
  for (int64_t e = Index(); e < r.outer * r.m * r.inner; e += Step()) {
    const int64_t j = e % r.inner, i = e / r.inner % r.m, o = e / r.inner / r.m;
    y[e] = x[(o * r.n + r.At(o, i, j)) * r.inner + j];
  }
}
// A thread has all that may meet in one element, so the order of the sums is that of the indices.
template <class L> __global__ void ScatterAddKernel(Rows r, const void* x, void* y, int32_t dtype) {
  for (int64_t e = Index(); e < r.outer * r.inner; e += Step()) {
    const int64_t j = e % r.inner, o = e / r.inner;
    for (int64_t i = 0; i < r.m; ++i) {
      const int64_t at = (o * r.n + r.At(o, i, j)) * r.inner + j;
      const L a = Load<L>(y, dtype, at), b = Load<L>(x, dtype, (o * r.m + i) * r.inner + j);
      if constexpr (std::is_integral_v<L>) Store<L>(y, dtype, at, L(uint64_t(a) + uint64_t(b)));
      else Store<L>(y, dtype, at, a + b);
    }
  }
}
int32_t ScatterAdd(flx_device_queue* q, const flx_device_call* c) {
  Rows r;
  if (!RowsOf(c, &r)) return FLX_DEVICE_NO_KERNEL;
  const DType t = DType(c->out[0].dtype);
  const void* from = c->in[0].data;
  if (r.outer * r.m * r.inner == 0) return FLX_DEVICE_OK;
  if (t == DType::kFloat64) return Launch(q, BlocksFor(r.outer * r.inner), &ScatterAddKernel<double>, r, from, c->out[0].data, c->out[0].dtype);
  if (IsFloat(t)) return Launch(q, BlocksFor(r.outer * r.inner), &ScatterAddKernel<float>, r, from, c->out[0].data, c->out[0].dtype);
  return Launch(q, BlocksFor(r.outer * r.inner), &ScatterAddKernel<int64_t>, r, from, c->out[0].data, c->out[0].dtype);
}
__global__ void OneHotKernel(const void* indices, int32_t index_type, void* y, int32_t y_type, int64_t depth, double on, double off, int64_t size) {
  for (int64_t e = Index(); e < size; e += Step()) Store<double>(y, y_type, e, Load<int64_t>(indices, index_type, e / depth) == e % depth ? on : off);
}
int32_t OneHot(flx_device_queue* q, const flx_device_call* c) {
  if (c->nin != 1 || c->nout != 1 || c->nints != 1 || c->nnumbers != 2) return FLX_DEVICE_NO_KERNEL;
  const int64_t size = SizeOf(c->out[0]);
  if (size == 0) return FLX_DEVICE_OK;
  return Launch(q, BlocksFor(size), &OneHotKernel, static_cast<const void*>(c->in[0].data), c->in[0].dtype, c->out[0].data, c->out[0].dtype, c->ints[0], c->numbers[0], c->numbers[1], size);
}
int32_t Gather(flx_device_queue* q, const flx_device_call* c) {
  Rows r;
  if (!RowsOf(c, &r)) return FLX_DEVICE_NO_KERNEL;
  if (r.outer * r.m * r.inner == 0) return FLX_DEVICE_OK;
  auto run = [&](auto zero) {
    using T = decltype(zero);
    return Launch(q, BlocksFor(r.outer * r.m * r.inner), &GatherKernel<T>, r, static_cast<const T*>(c->in[0].data), static_cast<T*>(c->out[0].data));
  };
  switch (DTypeSize(DType(c->in[0].dtype))) {
    case 1: return run(uint8_t{});
    case 2: return run(uint16_t{});
    case 4: return run(uint32_t{});
    default: return run(uint64_t{});
  }
}
}  // namespace

void AddCopyKernels(KernelTable* t) {
  t->Add(kDeviceCopy, DeviceSignature(kDeviceCopy), &Copy);
  t->Add(kDeviceFill, DeviceSignature(kDeviceFill), &Fill);
  t->Add(kDeviceGenerate, DeviceSignature(kDeviceGenerate), &Generate);
  t->Add(kDeviceGather, DeviceSignature(kDeviceGather), &Gather);
  t->Add(kDeviceScatterAdd, DeviceSignature(kDeviceScatterAdd), &ScatterAdd);
  t->Add(kDeviceOneHot, DeviceSignature(kDeviceOneHot), &OneHot);
}
}  // namespace flx::cuda

// SPDX-License-Identifier: Apache-2.0
// Pooling: a thread for each window, and for each element of a gradient, which looks through the windows that show it: no order of additions is left to
// chance. For maxima the windows say first where theirs is: the first of equal ones, or of NaN.
#include <cstring>

#include "cuda/cudnn.h"
#include "cuda/divide.h"
#include "cuda/elements.h"
#include "cuda/math.h"

namespace flx::cuda {
namespace {

enum PoolType : int64_t { kMax, kAvg, kSum, kLp };
struct Job {
  PoolInts g;
  const void *x, *v;  // v: where elements are taken from, at the maxima of x; or a gradient
  void* y;
  int64_t* place;     // of each window's maximum
  int32_t x_type, v_type, y_type;
  Divisor lanes, places[3], strides[3];  // places: of what a thread has an element of
  void Over(const int64_t* dim) {
    lanes = Divisor(g.lanes);
    for (int a = 0; a < 3; ++a) places[a] = Divisor(dim[a]), strides[a] = Divisor(g.s[a]);
  }
};
// Element i of (plane, a, b, c, lane).
struct Spot { int64_t plane, at[3], lane; };
FLX_HD inline Spot SpotOf(const Job& j, int64_t i) {
  Spot s;
  s.lane = j.lanes.Split(&i);
  for (int a = 2; a >= 0; --a) s.at[a] = j.places[a].Split(&i);
  s.plane = i;
  return s;
}
FLX_HD inline int64_t In(const PoolInts& g, const Spot& s, int64_t a, int64_t b, int64_t c) { return (((s.plane * g.in[0] + a) * g.in[1] + b) * g.in[2] + c) * g.lanes + s.lane; }
FLX_HD inline int64_t Out(const PoolInts& g, const Spot& s, int64_t a, int64_t b, int64_t c) { return (((s.plane * g.out[0] + a) * g.out[1] + b) * g.out[2] + c) * g.lanes + s.lane; }
// What a window shows of the data along each axis.
struct Window { int64_t first[3], last[3]; };
FLX_HD inline Window WindowOf(const PoolInts& g, const int64_t* at) {
  Window w;
  for (int a = 0; a < 3; ++a) {
    const int64_t from = at[a] * g.s[a] - g.p[a], to = from + g.k[a];
    w.first[a] = from < 0 ? 0 : from, w.last[a] = to < g.in[a] ? to : g.in[a];
  }
  return w;
}
// 1 / (elements that an average counts).
template <class C> FLX_HD inline C Share(const PoolInts& g, const int64_t* at) {
  int64_t n = 1;
  for (int a = 0; a < 3; ++a) {
    int64_t from = at[a] * g.s[a] - g.p[a], to = from + g.k[a] < g.in[a] + g.p[a] ? from + g.k[a] : g.in[a] + g.p[a];
    if (!g.with_pad) from = from < 0 ? 0 : from, to = to < g.in[a] ? to : g.in[a];
    n *= to > from ? to - from : 0;
  }
  return n > 0 ? C(1) / C(n) : C(0);
}
template <class C> __device__ int64_t MaxPlace(const Job& j, const Spot& s, C* value) {
  const PoolInts& g = j.g;
  const Window w = WindowOf(g, s.at);
  C best = -std::numeric_limits<C>::infinity();
  int64_t found = -1;
  for (int64_t a = w.first[0]; a < w.last[0]; ++a)
    for (int64_t b = w.first[1]; b < w.last[1]; ++b)
      for (int64_t c = w.first[2]; c < w.last[2]; ++c) {
        const int64_t at = In(g, s, a, b, c);
        const C x = Load<C>(j.x, j.x_type, at);
        if (x > best || found < 0 || (x != x && best == best)) best = x, found = at;
      }
  *value = best;
  return found;
}
template <class C> __global__ void PoolKernel(Job j, int64_t n) {
  const PoolInts& g = j.g;
  for (int64_t i = Index(); i < n; i += Step()) {
    const Spot s = SpotOf(j, i);
    C y = C(0);
    if (g.type == kMax) {
      const int64_t at = MaxPlace(j, s, &y);
      if (j.place) { j.place[i] = at; continue; }
      if (j.v) y = at < 0 ? C(0) : Load<C>(j.v, j.v_type, at);
    } else {
      const Window w = WindowOf(g, s.at);
      const int64_t p = g.type == kLp ? g.power : 1;
      for (int64_t a = w.first[0]; a < w.last[0]; ++a)
        for (int64_t b = w.first[1]; b < w.last[1]; ++b)
          for (int64_t c = w.first[2]; c < w.last[2]; ++c) {
            const C x = Load<C>(j.x, j.x_type, In(g, s, a, b, c));
            y += p == 1 ? x : p == 2 ? x * x : x * x * x;
          }
      if (g.type == kAvg) y *= Share<C>(g, s.at);
      else if (p > 1) y = p == 2 ? sqrt(y) : cbrt(y);
    }
    Store<C>(j.y, j.y_type, i, y);
  }
}
template <class C> __global__ void GradKernel(Job j, int64_t n) {
  const PoolInts& g = j.g;
  for (int64_t i = Index(); i < n; i += Step()) {
    const Spot s = SpotOf(j, i);
    int64_t first[3], last[3];  // the windows that show it
    for (int a = 0; a < 3; ++a) {
      const int64_t at = s.at[a] + g.p[a], end = j.strides[a].Of(at) + 1, begin = at - g.k[a] < 0 ? 0 : j.strides[a].Of(at - g.k[a]) + 1;
      first[a] = begin, last[a] = end < g.out[a] ? end : g.out[a];
    }
    C sum = C(0);
    int64_t o[3];
    for (o[0] = first[0]; o[0] < last[0]; ++o[0])
      for (o[1] = first[1]; o[1] < last[1]; ++o[1])
        for (o[2] = first[2]; o[2] < last[2]; ++o[2]) {
          const int64_t at = Out(g, s, o[0], o[1], o[2]);
          if (j.place && j.place[at] != i) continue;
          const C d = Load<C>(j.v, j.v_type, at);
          sum += g.type == kAvg ? d * Share<C>(g, o) : d;
        }
    Store<C>(j.y, j.y_type, i, sum);
  }
}
bool JobOf(const flx_device_call* c, Job* j) {
  if (c->nout != 1 || c->nints != int(sizeof(PoolInts) / sizeof(int64_t)) || !IsFloat(DType(c->out[0].dtype))) return false;
  std::memcpy(&j->g, c->ints, sizeof j->g);
  j->y = c->out[0].data, j->y_type = c->out[0].dtype;
  return true;
}
int64_t Count(const PoolInts& g, const int64_t* dim) { return g.planes * dim[0] * dim[1] * dim[2] * g.lanes; }
int32_t RunPool(flx_device_queue* q, Job j, int32_t dtype) {
  j.Over(j.g.out);
  const int64_t n = Count(j.g, j.g.out);
  return DType(dtype) == DType::kFloat64 ? Launch(q, BlocksFor(n), &PoolKernel<double>, j, n) : Launch(q, BlocksFor(n), &PoolKernel<float>, j, n);
}
int32_t Pool(flx_device_queue* q, const flx_device_call* c) {
  Job j = {};
  if ((c->nin != 1 && c->nin != 2) || !JobOf(c, &j)) return FLX_DEVICE_NO_KERNEL;
  j.x = c->in[0].data, j.x_type = c->in[0].dtype;
  if (c->nin == 2) j.g.type = kMax, j.v = c->in[1].data, j.v_type = c->in[1].dtype;
  if (const int32_t r = !j.v && j.x_type == j.y_type ? CudnnPool(q, j.g, j.x_type, j.x, j.y, c) : int32_t(FLX_DEVICE_NO_KERNEL); r != FLX_DEVICE_NO_KERNEL) return r;
  return RunPool(q, j, j.x_type);
}
int32_t PoolGrad(flx_device_queue* q, const flx_device_call* c) {
  Job j = {};
  if ((c->nin != 1 && c->nin != 2) || !JobOf(c, &j) || (j.g.type == kMax && c->nin != 2)) return FLX_DEVICE_NO_KERNEL;
  if (j.g.type == kMax) {
    const bool one = c->in[0].dtype == j.y_type && c->in[1].dtype == j.y_type;
    if (const int32_t r = one ? CudnnPoolGrad(q, j.g, j.y_type, c->in[1].data, c->in[0].data, j.y, c) : int32_t(FLX_DEVICE_NO_KERNEL); r != FLX_DEVICE_NO_KERNEL) return r;
    void* place = nullptr;
    if (int32_t r = c->scratch(c->context, Count(j.g, j.g.out) * int64_t(sizeof(int64_t)) + 8, &place)) return r;
    j.x = c->in[1].data, j.x_type = c->in[1].dtype, j.place = static_cast<int64_t*>(place);
    if (int32_t r = RunPool(q, j, j.x_type)) return r;
  }
  j.v = c->in[0].data, j.v_type = c->in[0].dtype;
  j.Over(j.g.in);
  const int64_t n = Count(j.g, j.g.in);
  return DType(j.v_type) == DType::kFloat64 ? Launch(q, BlocksFor(n), &GradKernel<double>, j, n) : Launch(q, BlocksFor(n), &GradKernel<float>, j, n);
}
}  // namespace

void AddPoolKernels(KernelTable* t) {
  t->Add(kDevicePool, DeviceSignature(kDevicePool), &Pool);
  t->Add(kDevicePoolGrad, DeviceSignature(kDevicePoolGrad), &PoolGrad);
}
}  // namespace flx::cuda

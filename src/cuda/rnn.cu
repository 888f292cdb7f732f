// SPDX-License-Identifier: Apache-2.0
// Recurrent layers, step by step: what lies between the products, forward and backward, a thread for each unit of each row.
#include <cstring>

#include "cuda/elements.h"
#include "op/rnn/rnn_formulas.h"

namespace flx::cuda {
namespace {

template <class T> struct Recurrence {
  RnnStepInts s;
  CellClip<T> clip;
  const int64_t* length;
  FLX_HD bool Inside(int64_t row, int64_t t) const { return !length || t < length[row]; }
  FLX_HD int64_t Out(int64_t t, int64_t row) const { return (t * s.rows + row) * s.directions * s.outputs + s.direction * s.outputs; }  // in a layer's outputs
  FLX_HD int64_t Cells(int64_t t, int64_t row) const { return (t * s.rows + row) * s.units; }
};
template <class T> Recurrence<T> RecurrenceOf(const flx_device_call* c, int length) {
  Recurrence<T> r = {};
  std::memcpy(&r.s, c->ints, sizeof r.s);
  r.clip = {r.s.clips != 0, r.s.clips_nan != 0, T(c->numbers[0]), T(c->numbers[1])};
  r.length = static_cast<const int64_t*>(c->in[length].data);
  return r;
}
bool Fits(const flx_device_call* c, int nin, int nout, int length) {
  if (c->nin != nin || c->nout != nout || c->nints != int(sizeof(RnnStepInts) / sizeof(int64_t)) || c->nnumbers != 2) return false;
  const DType t = DType(c->in[0].dtype);
  for (int k = 0; k < nin + nout; ++k) {
    const flx_device_tensor& a = k < nin ? c->in[k] : c->out[k - nin];
    if (a.data && DType(a.dtype) != (k == length ? DType::kInt64 : t)) return false;
  }
  return t == DType::kFloat32 || t == DType::kFloat64;
}
template <class F> int32_t ByType(const flx_device_call* c, const F& f) { return DType(c->in[0].dtype) == DType::kFloat64 ? f(double{}) : f(float{}); }
template <class T> const T* In(const flx_device_call* c, int k) { return static_cast<const T*>(c->in[k].data); }
template <class T> T* Out(const flx_device_call* c, int k) { return static_cast<T*>(c->out[k].data); }

// ---- forward
template <class T> struct StepArrays { const T *product, *in_bias, *hidden_bias; T *x, *raw, *hidden, *h, *c, *y; };
template <class T> __global__ void RnnStepKernel(Recurrence<T> r, StepArrays<T> a) {
  const RnnStepInts& s = r.s;
  const int64_t H = s.units, width = s.gates > 1 ? 4 * H : H;
  for (int64_t e = Index(); e < s.rows * H; e += Step()) {
    const int64_t row = e / H, u = e % H;
    const bool inside = r.Inside(row, s.t);
    T *x = a.x + row * width + u, *raw = a.raw ? a.raw + r.Cells(s.t, row) + u : nullptr;
    const T *p = a.product + row * s.gates * H + u, *b = a.in_bias + u, *c = a.hidden_bias + u;
    T gates[4] = {}, out = 0;
    if (inside && s.mode == kRnnLstm) {
      out = LstmUnit<T>([&](int k) { return x[k * H] + p[k * H] + (b[k * H] + c[k * H]); }, r.clip, a.c[e], gates, raw, &a.c[e]);
    } else if (inside && s.mode == kRnnGru) {
      const T in[] = {x[0] + p[0] + (b[0] + c[0]), x[H] + p[H] + (b[H] + c[H]), x[2 * H] + b[2 * H]};
      out = GruUnit(in, p[2 * H] + c[2 * H], a.h[e], gates);
    } else if (inside) {
      out = RnnUnit(x[0] + p[0] + (b[0] + c[0]), s.mode == kRnnRelu);
    } else if (raw) {
      *raw = 0;
    }
    if (s.gates > 1) for (int k = 0; k < 4; ++k) x[k * H] = gates[k];
    if (a.hidden) {  // to be projected
      a.hidden[r.Cells(s.t, row) + u] = out;
    } else {
      if (inside) a.h[e] = out;
      a.y[r.Out(s.t, row) + u] = out;
    }
  }
}
int32_t RnnStep(flx_device_queue* q, const flx_device_call* c) {
  if (!Fits(c, 4, 6, 3)) return FLX_DEVICE_NO_KERNEL;
  return ByType(c, [&](auto zero) {
    using T = decltype(zero);
    const Recurrence<T> r = RecurrenceOf<T>(c, 3);
    const StepArrays<T> a = {In<T>(c, 0), In<T>(c, 1), In<T>(c, 2), Out<T>(c, 0), Out<T>(c, 1), Out<T>(c, 2), Out<T>(c, 3), Out<T>(c, 4), Out<T>(c, 5)};
    return Launch(q, BlocksFor(r.s.rows * r.s.units), &RnnStepKernel<T>, r, a);
  });
}
template <class T> __global__ void RnnPutKernel(Recurrence<T> r, const T* projected, T* h, T* y) {
  const int64_t R = r.s.outputs;
  for (int64_t e = Index(); e < r.s.rows * R; e += Step()) {
    const bool inside = r.Inside(e / R, r.s.t);
    if (inside) h[e] = projected[e];
    y[r.Out(r.s.t, e / R) + e % R] = inside ? projected[e] : T(0);
  }
}
int32_t RnnPut(flx_device_queue* q, const flx_device_call* c) {
  if (!Fits(c, 2, 2, 1)) return FLX_DEVICE_NO_KERNEL;
  return ByType(c, [&](auto zero) {
    using T = decltype(zero);
    const Recurrence<T> r = RecurrenceOf<T>(c, 1);
    return Launch(q, BlocksFor(r.s.rows * r.s.outputs), &RnnPutKernel<T>, r, In<T>(c, 0), Out<T>(c, 0), Out<T>(c, 1));
  });
}

// ---- backward
template <class T> struct BackArrays { const T *gates, *raw, *out, *h0, *c0, *dout, *step, *unit; T *dx, *dh, *before, *dproj, *run, *run_c; };
// What comes to the state of output i of a row: through the product of the step that was before, and from the layer above.
template <class T> __device__ void Gather(const Recurrence<T>& r, const BackArrays<T>& a, int64_t e) {
  const RnnStepInts& s = r.s;
  const int64_t row = e / s.outputs, i = e % s.outputs;
  T run = a.run[e];
  if (s.later >= 0 && r.Inside(row, s.later)) run = s.mode == kRnnGru ? run + a.step[e] : a.step[e];
  if (s.t >= 0) {
    const bool inside = r.Inside(row, s.t), first = s.earlier < 0 || !r.Inside(row, s.earlier);
    a.before[e] = first ? a.h0[e] : a.out[r.Out(s.earlier, row) + i];
    if (inside) run += a.dout[r.Out(s.t, row) + i];
    if (a.dproj) a.dproj[e] = inside ? run : T(0);
  }
  a.run[e] = run;
}
template <class T> __device__ void UnitBack(const Recurrence<T>& r, const BackArrays<T>& a, int64_t e) {
  const RnnStepInts& s = r.s;
  const int64_t H = s.units, row = e / H, u = e % H;
  T sum[4] = {}, hidden = 0, gates[4];
  if (r.Inside(row, s.t)) {
    for (int k = 0; k < 4 && s.gates > 1; ++k) gates[k] = a.gates[row * 4 * H + k * H + u];
    const T d = a.unit ? a.unit[e] : a.run[e];
    if (s.mode == kRnnLstm) {
      const bool first = s.earlier < 0 || !r.Inside(row, s.earlier);
      LstmUnitBack(gates, a.raw[r.Cells(s.t, row) + u], first ? a.c0[e] : r.clip(a.raw[r.Cells(s.earlier, row) + u]), r.clip, d, &a.run_c[e], sum);
    } else if (s.mode == kRnnGru) {
      GruUnitBack(gates, a.before[e], d, sum, &hidden, &a.run[e]);
    } else {
      sum[0] = RnnUnitBack(a.out[r.Out(s.t, row) + u], d, s.mode == kRnnRelu);
    }
  }
  for (int64_t k = 0; k < s.gates; ++k) a.dx[(row * s.gates + k) * H + u] = sum[k];
  for (int64_t k = 0; a.dh && k < s.gates; ++k) a.dh[(row * s.gates + k) * H + u] = k == 2 ? hidden : sum[k];
}
template <class T> __global__ void RnnBackKernel(Recurrence<T> r, BackArrays<T> a) {
  const int64_t n = r.s.rows * (r.s.part == kRnnUnits ? r.s.units : r.s.outputs);
  for (int64_t e = Index(); e < n; e += Step()) {  // where both are asked for, an output is a unit
    if (r.s.part != kRnnUnits) Gather(r, a, e);
    if (r.s.part != kRnnOutputs) UnitBack(r, a, e);
  }
}
int32_t RnnBack(flx_device_queue* q, const flx_device_call* c) {
  if (!Fits(c, 9, 6, 8)) return FLX_DEVICE_NO_KERNEL;
  return ByType(c, [&](auto zero) {
    using T = decltype(zero);
    const Recurrence<T> r = RecurrenceOf<T>(c, 8);
    const BackArrays<T> a = {In<T>(c, 0), In<T>(c, 1), In<T>(c, 2), In<T>(c, 3), In<T>(c, 4), In<T>(c, 5), In<T>(c, 6), In<T>(c, 7),
                             Out<T>(c, 0), Out<T>(c, 1), Out<T>(c, 2), Out<T>(c, 3), Out<T>(c, 4), Out<T>(c, 5)};
    return Launch(q, BlocksFor(r.s.rows * (r.s.part == kRnnUnits ? r.s.units : r.s.outputs)), &RnnBackKernel<T>, r, a);
  });
}
}  // namespace

void AddRnnKernels(KernelTable* t) {
  t->Add(kDeviceRnnStep, DeviceSignature(kDeviceRnnStep), &RnnStep);
  t->Add(kDeviceRnnPut, DeviceSignature(kDeviceRnnPut), &RnnPut);
  t->Add(kDeviceRnnBack, DeviceSignature(kDeviceRnnBack), &RnnBack);
}
}  // namespace flx::cuda

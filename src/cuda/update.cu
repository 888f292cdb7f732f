// SPDX-License-Identifier: Apache-2.0
// Optimizer steps: each element's inputs are read before its outputs are written, so outputs may be inputs.
#include "cuda/elements.h"
#include "cuda/math.h"
#include "op/optim/lars_formula.h"

namespace flx::cuda {
namespace {
#include "op/optim/update_formulas.h"

constexpr int kMaxNumbers = 10;
struct StepNumbers { double v[kMaxNumbers]; };
template <int kIn, int kOut> struct StepArrays {
  const void* in[kIn];
  void* out[kOut + 1];  // the last gets output 0 as well: a 16-bit weight beside its master copy; or null
  int32_t in_type[kIn], out_type[kOut + 1];
  int64_t size;
  const void* given;  // the number `slot`, where it lies on the device; or null
  int32_t given_type, slot;
  bool skips;         // where that is 0 or not finite, nothing changes
};
template <class T, class F, int kIn, int kOut> __global__ void StepKernel(StepArrays<kIn, kOut> a, StepNumbers numbers) {
  T s[kMaxNumbers], x[kIn], y[kOut];
  bool keep = false;
  for (int k = 0; k < kMaxNumbers; ++k) s[k] = T(numbers.v[k]);
  if (a.given) {
    const double v = Load<double>(a.given, a.given_type, 0);
    for (int k = 0; k < kMaxNumbers; ++k) s[k] = k == a.slot ? T(v) : s[k];
    keep = a.skips && (v == 0 || v - v != 0);
  }
  for (int64_t i = Index(); i < a.size; i += Step()) {
    for (int k = 0; k < kIn; ++k) x[k] = Load<T>(a.in[k], a.in_type[k], i);
    F()(x, y, s);
    if (keep) for (int k = 0; k < kOut; ++k) y[k] = x[k > 0 && k + 1 < kIn ? k + 1 : 0];  // weight, gradient, states
    for (int k = 0; k < kOut; ++k) Store<T>(a.out[k], a.out_type[k], i, y[k]);
    if (a.out[kOut]) Store<T>(a.out[kOut], a.out_type[kOut], i, y[0]);
  }
}
template <class F, int kIn, int kOut> int32_t OptimizerStep(flx_device_queue* q, const flx_device_call* c) {
  const bool given = c->nin == kIn + 1 && c->nints == 2;
  if ((c->nin != kIn && !given) || (c->nout != kOut && c->nout != kOut + 1) || c->nnumbers > kMaxNumbers) return FLX_DEVICE_NO_KERNEL;
  StepArrays<kIn, kOut> a = {};
  for (int k = 0; k < kIn; ++k) a.in[k] = c->in[k].data, a.in_type[k] = c->in[k].dtype;
  for (int k = 0; k < c->nout; ++k) a.out[k] = c->out[k].data, a.out_type[k] = c->out[k].dtype;
  a.size = SizeOf(c->in[0]);
  if (a.size == 0) return FLX_DEVICE_OK;
  if (given) a.given = c->in[kIn].data, a.given_type = c->in[kIn].dtype, a.slot = int32_t(c->ints[0]), a.skips = c->ints[1] != 0;
  StepNumbers numbers = {};
  for (int k = 0; k < c->nnumbers; ++k) numbers.v[k] = c->numbers[k];
  if (DType(a.in_type[0]) == DType::kFloat64) return Launch(q, BlocksFor(a.size), &StepKernel<double, F, kIn, kOut>, a, numbers);
  return Launch(q, BlocksFor(a.size), &StepKernel<float, F, kIn, kOut>, a, numbers);
}
// LAMB's rate: lr times |weight| / |direction|, the first norm held within its bounds (a negative one is none).
__global__ void TrustKernel(const void* r1, const void* r2, int32_t t1, int32_t t2, double lr, double lower, double upper, double* to) {
  for (int64_t i = Index(); i < 1; i += Step()) {
    double a = Load<double>(r1, t1, 0);
    const double b = Load<double>(r2, t2, 0);
    if (lower >= 0 && a < lower) a = lower;
    if (upper >= 0 && a > upper) a = upper;
    *to = a == 0 || b == 0 ? lr : lr * a / b;
  }
}
int32_t Trust(flx_device_queue* q, const flx_device_call* c) {
  if (c->nin != 2 || c->nout != 1 || c->nnumbers != 3 || DType(c->out[0].dtype) != DType::kFloat64) return FLX_DEVICE_NO_KERNEL;
  const void *r1 = c->in[0].data, *r2 = c->in[1].data;
  return Launch(q, 1, &TrustKernel, r1, r2, c->in[0].dtype, c->in[1].dtype, c->numbers[0], c->numbers[1], c->numbers[2], static_cast<double*>(c->out[0].data));
}
struct Rates { const float *lr, *weights, *gradients, *wd; float* to; double eta, eps, rescale; };
__global__ void LarsKernel(Rates r, int64_t n) {
  for (int64_t i = Index(); i < n; i += Step()) r.to[i] = float(LarsRate(r.lr[i], r.weights[i], r.gradients[i], r.wd[i], r.eta, r.eps, r.rescale));
}
int32_t Lars(flx_device_queue* q, const flx_device_call* c) {
  if (c->nin != 4 || c->nout != 1 || c->nnumbers != 3) return FLX_DEVICE_NO_KERNEL;
  const float* in[4];
  for (int k = 0; k < 4; ++k) {
    if (DType(c->in[k].dtype) != DType::kFloat32) return FLX_DEVICE_NO_KERNEL;
    in[k] = static_cast<const float*>(c->in[k].data);
  }
  const Rates r = {in[0], in[1], in[2], in[3], static_cast<float*>(c->out[0].data), c->numbers[0], c->numbers[1], c->numbers[2]};
  const int64_t n = SizeOf(c->out[0]);
  return n == 0 ? int32_t(FLX_DEVICE_OK) : Launch(q, BlocksFor(n), &LarsKernel, r, n);
}
// Names are kept for ever: the list's have no prefix.
struct StepList {
  KernelTable* to;
  template <class F, int kIn, int kOut> void Add(const char* name) {
    static char text[64] = "step.";
    int n = 5;
    for (; *name && n < 63; ++name) text[n++] = *name;
    text[n] = 0;
    to->Add(text, DeviceSignature(text, kIn, kOut), &OptimizerStep<F, kIn, kOut>);
  }
};
}  // namespace

void AddUpdateKernels(KernelTable* t) {
  t->Add(kDeviceTrust, DeviceSignature(kDeviceTrust), &Trust);
  t->Add(kDeviceLars, DeviceSignature(kDeviceLars), &Lars);
  StepList list{t};
  ListUpdates(list);
}
}  // namespace flx::cuda

// SPDX-License-Identifier: Apache-2.0
// Optimizer steps: each element's inputs are read before its outputs are written, so outputs may be inputs.
#include "cuda/elements.h"
#include "cuda/math.h"

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
};
template <class T, class F, int kIn, int kOut> __global__ void StepKernel(StepArrays<kIn, kOut> a, StepNumbers numbers) {
  T s[kMaxNumbers], x[kIn], y[kOut];
  for (int k = 0; k < kMaxNumbers; ++k) s[k] = T(numbers.v[k]);
  for (int64_t i = Index(); i < a.size; i += Step()) {
    for (int k = 0; k < kIn; ++k) x[k] = Load<T>(a.in[k], a.in_type[k], i);
    F()(x, y, s);
    for (int k = 0; k < kOut; ++k) Store<T>(a.out[k], a.out_type[k], i, y[k]);
    if (a.out[kOut]) Store<T>(a.out[kOut], a.out_type[kOut], i, y[0]);
  }
}
template <class F, int kIn, int kOut> int32_t OptimizerStep(flx_device_queue* q, const flx_device_call* c) {
  if (c->nin != kIn || (c->nout != kOut && c->nout != kOut + 1) || c->nnumbers > kMaxNumbers) return FLX_DEVICE_NO_KERNEL;
  StepArrays<kIn, kOut> a = {};
  for (int k = 0; k < kIn; ++k) a.in[k] = c->in[k].data, a.in_type[k] = c->in[k].dtype;
  for (int k = 0; k < c->nout; ++k) a.out[k] = c->out[k].data, a.out_type[k] = c->out[k].dtype;
  a.size = SizeOf(c->in[0]);
  if (a.size == 0) return FLX_DEVICE_OK;
  StepNumbers numbers = {};
  for (int k = 0; k < c->nnumbers; ++k) numbers.v[k] = c->numbers[k];
  if (DType(a.in_type[0]) == DType::kFloat64) return Launch(q, BlocksFor(a.size), &StepKernel<double, F, kIn, kOut>, a, numbers);
  return Launch(q, BlocksFor(a.size), &StepKernel<float, F, kIn, kOut>, a, numbers);
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
  StepList list{t};
  ListUpdates(list);
}
}  // namespace flx::cuda

// SPDX-License-Identifier: Apache-2.0
// Softmax, its logarithm, and their gradients, over the middle of (outer, n, inner): a block for each row where rows are contiguous and not short, else a thread.
#include "cuda/cudnn.h"
#include "cuda/elements.h"
#include "cuda/math.h"
#include "cuda/together.h"

namespace flx::cuda {
namespace {

struct Job {
  const void *a, *b;  // x and how many elements of each row count (null: all); or y and dy
  void* to;
  int32_t a_type, b_type, to_type;
  int64_t outer, n, inner;
  double scale;
  bool log;
};
// Row r by threads [first, n) in steps; kAlone: one thread has all of it, and no other is waited for.
template <class C, bool kAlone> __device__ void SoftmaxRow(const Job& j, int64_t r, int64_t base, int64_t first, int64_t step, double* room) {
  const C scale = C(j.scale);
  int64_t n = j.n;
  if (j.b) {
    const int64_t given = Load<int64_t>(j.b, j.b_type, r);
    n = given < 0 ? 0 : given < n ? given : n;
  }
  double most = -std::numeric_limits<double>::infinity();  // of scale * x: NaN where there is one
  for (int64_t i = first; i < n; i += step) {
    const double v = double(Load<C>(j.a, j.a_type, base + i * j.inner)) * (scale < C(0) ? -1.0 : 1.0);
    if (v > most || v != v) most = v;
  }
  auto larger = [](double p, double q) { return q > p || q != q ? q : p; };
  if (!kAlone) most = Together(most, room, larger);
  const C top = C(scale < C(0) ? -most : most);
  double sum = 0;
  for (int64_t i = first; i < n; i += step) sum += double(exp((Load<C>(j.a, j.a_type, base + i * j.inner) - top) * scale));
  if (!kAlone) sum = Together(sum, room, [](double p, double q) { return p + q; });
  const C less = C(std::log(sum)), part = C(1 / sum);
  for (int64_t i = n + first; i < j.n; i += step) Store<C>(j.to, j.to_type, base + i * j.inner, C(0));
  for (int64_t i = first; i < n; i += step) {
    const C v = (Load<C>(j.a, j.a_type, base + i * j.inner) - top) * scale;
    Store<C>(j.to, j.to_type, base + i * j.inner, j.log ? v - less : exp(v) * part);
  }
}
template <class C, bool kAlone> __device__ void GradRow(const Job& j, int64_t, int64_t base, int64_t first, int64_t step, double* room) {
  double sum = 0;
  for (int64_t i = first; i < j.n; i += step) {
    const int64_t at = base + i * j.inner;
    const C dy = Load<C>(j.b, j.b_type, at);
    sum += double(j.log ? dy : Load<C>(j.a, j.a_type, at) * dy);
  }
  if (!kAlone) sum = Together(sum, room, [](double p, double q) { return p + q; });
  const C s = C(sum), scale = C(j.scale);
  for (int64_t i = first; i < j.n; i += step) {
    const int64_t at = base + i * j.inner;
    const C y = Load<C>(j.a, j.a_type, at), dy = Load<C>(j.b, j.b_type, at);
    Store<C>(j.to, j.to_type, at, j.log ? scale * (dy - exp(y) * s) : scale * y * (dy - s));
  }
}
template <class C, bool kGrad> __global__ void RowsKernel(Job j) {
  __shared__ double room[kBlock];
  for (int64_t r = blockIdx.x; r < j.outer; r += gridDim.x) {
    if constexpr (kGrad) GradRow<C, false>(j, r, r * j.n, threadIdx.x, blockDim.x, room);
    else SoftmaxRow<C, false>(j, r, r * j.n, threadIdx.x, blockDim.x, room);
  }
}
template <class C, bool kGrad> __global__ void ColumnsKernel(Job j) {
  for (int64_t r = Index(); r < j.outer * j.inner; r += Step()) {
    const int64_t base = r / j.inner * j.n * j.inner + r % j.inner;
    if constexpr (kGrad) GradRow<C, true>(j, r, base, 0, 1, nullptr);
    else SoftmaxRow<C, true>(j, r, base, 0, 1, nullptr);
  }
}
template <bool kGrad> int32_t Softmax(flx_device_queue* q, const flx_device_call* c) {
  if ((kGrad ? c->nin != 2 : c->nin != 1 && c->nin != 2) || c->nout != 1 || c->nints != 4 || c->nnumbers != 1) return FLX_DEVICE_NO_KERNEL;
  Job j = {};
  j.a = c->in[0].data, j.a_type = c->in[0].dtype, j.to = c->out[0].data, j.to_type = c->out[0].dtype;
  if (c->nin == 2) j.b = c->in[1].data, j.b_type = c->in[1].dtype;
  j.outer = c->ints[0], j.n = c->ints[1], j.inner = c->ints[2], j.log = c->ints[3] != 0, j.scale = c->numbers[0];
  if (j.outer * j.n * j.inner == 0) return FLX_DEVICE_OK;
  const bool wide = DType(j.a_type) == DType::kFloat64 || DType(j.to_type) == DType::kFloat64, rows = j.inner == 1 && j.n > kShortRow;
  if (!IsFloat(DType(j.to_type))) return FLX_DEVICE_NO_KERNEL;
  if (j.scale == 1 && c->nin == (kGrad ? 2 : 1) && j.a_type == j.to_type && (!kGrad || j.b_type == j.to_type)) {
    const CudnnRows rows{j.to_type, j.outer, j.n, j.inner, j.log};
    const int32_t r = kGrad ? CudnnSoftmaxGrad(q, rows, j.a, j.b, j.to, c) : CudnnSoftmax(q, rows, j.a, j.to, c);
    if (r != FLX_DEVICE_NO_KERNEL) return r;
  }
  if (wide) return rows ? LaunchBlocks(q, j.outer, &RowsKernel<double, kGrad>, j) : Launch(q, BlocksFor(j.outer * j.inner), &ColumnsKernel<double, kGrad>, j);
  return rows ? LaunchBlocks(q, j.outer, &RowsKernel<float, kGrad>, j) : Launch(q, BlocksFor(j.outer * j.inner), &ColumnsKernel<float, kGrad>, j);
}
}  // namespace

void AddSoftmaxKernels(KernelTable* t) {
  t->Add(kDeviceSoftmax, DeviceSignature(kDeviceSoftmax), &Softmax<false>);
  t->Add(kDeviceSoftmaxGrad, DeviceSignature(kDeviceSoftmaxGrad), &Softmax<true>);
}
}  // namespace flx::cuda

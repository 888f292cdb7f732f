// SPDX-License-Identifier: Apache-2.0
// Cross entropy with labels: the gradient that SoftmaxOutput and softmax_cross_entropy share, and the latter's sum.
#include "cuda/elements.h"
#include "cuda/math.h"
#include "cuda/together.h"

namespace flx::cuda {
namespace {

struct Job {
  const void *y, *label, *dy;
  void* dx;
  const double* counted;  // how many labels count; null: the scale is whole
  int32_t y_type, label_type, dy_type, dx_type;
  int64_t rows, n, inner, dy_step;
  bool soft, skips, strict;
  double scale, ignored, own, other;
};
FLX_HD inline double LabelOf(const Job& j, int64_t row) { return Load<double>(j.label, j.label_type, row); }
// One block: the labels are few beside the probabilities.
__global__ void CountKernel(Job j, double* counted) {
  __shared__ double room[kBlock];
  double n = 0;
  for (int64_t r = threadIdx.x; r < j.rows; r += blockDim.x) n += LabelOf(j, r) != j.ignored ? 1 : 0;
  n = Together(n, room, Plus());
  if (blockIdx.x == 0 && threadIdx.x == 0) *counted = n > 1 ? n : 1;
}
template <class C> __global__ void GradKernel(Job j) {
  const C scale = C(j.counted ? j.scale / *j.counted : j.scale), own = C(j.own), other = C(j.other);
  for (int64_t i = Index(); i < j.rows * j.n; i += Step()) {
    const C y = Load<C>(j.y, j.y_type, i), dy = j.dy ? Load<C>(j.dy, j.dy_type, i * j.dy_step) : C(1);
    C d;
    if (j.soft) {
      d = (y - C(LabelOf(j, i))) * scale * dy;
    } else {
      const int64_t row = i / (j.n * j.inner) * j.inner + i % j.inner, k = i / j.inner % j.n;
      const double label = LabelOf(j, row);
      const bool known = label >= 0 && label < double(j.n);  // of another one only its own term is missing, or (strict) nothing is right
      d = j.skips && label == j.ignored ? C(0) : (y - (known && int64_t(label) == k ? own : other)) * scale * dy;
      if (j.strict && !known) d = std::numeric_limits<C>::quiet_NaN();
    }
    Store<C>(j.dx, j.dx_type, i, d);
  }
}
int32_t LabelGrad(flx_device_queue* q, const flx_device_call* c) {
  if (c->nin != 3 || c->nout != 1 || c->nints != 8 || c->nnumbers != 4 || !IsFloat(DType(c->out[0].dtype))) return FLX_DEVICE_NO_KERNEL;
  const flx_device_tensor &y = c->in[0], &label = c->in[1], &dy = c->in[2], &dx = c->out[0];
  Job j = {y.data, label.data, dy.data, dx.data, nullptr, y.dtype, label.dtype, dy.dtype, dx.dtype, c->ints[0] * c->ints[2], c->ints[1], c->ints[2], c->ints[3],
           c->ints[4] != 0, c->ints[5] != 0, c->ints[6] != 0, c->numbers[0], c->numbers[1], c->numbers[2], c->numbers[3]};
  if (j.rows * j.n == 0) return FLX_DEVICE_OK;
  if (c->ints[7]) {
    void* counted = nullptr;
    if (int32_t r = c->scratch(c->context, 8, &counted)) return r;
    if (int32_t r = LaunchBlocks(q, 1, &CountKernel, j, static_cast<double*>(counted))) return r;
    j.counted = static_cast<const double*>(counted);
  }
  const int64_t blocks = BlocksFor(j.rows * j.n);
  return DType(dx.dtype) == DType::kFloat64 ? Launch(q, blocks, &GradKernel<double>, j) : Launch(q, blocks, &GradKernel<float>, j);
}

// -log softmax(x)[label] of each row of j.y; a label that is no class makes it NaN.
template <class C> __global__ void RowLossKernel(Job j, double* losses) {
  __shared__ double room[kBlock];
  for (int64_t r = blockIdx.x; r < j.rows; r += gridDim.x) {
    const int64_t base = r * j.n;
    double most = -std::numeric_limits<double>::infinity(), sum = 0;
    for (int64_t i = threadIdx.x; i < j.n; i += blockDim.x) {
      const double v = double(Load<C>(j.y, j.y_type, base + i));
      if (v > most || v != v) most = v;
    }
    most = Together(most, room, [](double p, double q) { return q > p || q != q ? q : p; });
    for (int64_t i = threadIdx.x; i < j.n; i += blockDim.x) sum += double(exp(Load<C>(j.y, j.y_type, base + i) - C(most)));
    sum = Together(sum, room, Plus());
    const double label = LabelOf(j, r);
    if (threadIdx.x != 0) continue;
    const bool known = label >= 0 && label < double(j.n);
    losses[r] = known ? std::log(sum) + most - double(Load<C>(j.y, j.y_type, base + int64_t(label))) : std::numeric_limits<double>::quiet_NaN();
  }
}
__global__ void SumKernel(const double* v, int64_t n, void* to, int32_t dtype) {  // one block
  __shared__ double room[kBlock];
  double sum = 0;
  for (int64_t i = threadIdx.x; i < n; i += blockDim.x) sum += v[i];
  sum = Together(sum, room, Plus());
  if (blockIdx.x == 0 && threadIdx.x == 0) Store<double>(to, dtype, 0, sum);
}
int32_t CrossEntropy(flx_device_queue* q, const flx_device_call* c) {
  if (c->nin != 2 || c->nout != 1 || c->nints != 2 || !IsFloat(DType(c->in[0].dtype))) return FLX_DEVICE_NO_KERNEL;
  Job j = {};
  j.y = c->in[0].data, j.y_type = c->in[0].dtype, j.label = c->in[1].data, j.label_type = c->in[1].dtype, j.rows = c->ints[0], j.n = c->ints[1];
  void* p = nullptr;
  if (int32_t r = c->scratch(c->context, j.rows * 8 + 8, &p)) return r;
  auto* losses = static_cast<double*>(p);
  if (j.rows > 0)
    if (int32_t r = DType(j.y_type) == DType::kFloat64 ? LaunchBlocks(q, j.rows, &RowLossKernel<double>, j, losses) : LaunchBlocks(q, j.rows, &RowLossKernel<float>, j, losses)) return r;
  return LaunchBlocks(q, 1, &SumKernel, static_cast<const double*>(losses), j.rows, c->out[0].data, c->out[0].dtype);
}
}  // namespace

void AddLossKernels(KernelTable* t) {
  t->Add(kDeviceLabelGrad, DeviceSignature(kDeviceLabelGrad), &LabelGrad);
  t->Add(kDeviceCrossEntropy, DeviceSignature(kDeviceCrossEntropy), &CrossEntropy);
}
}  // namespace flx::cuda

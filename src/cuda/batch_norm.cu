// SPDX-License-Identifier: Apache-2.0
// Batch normalization of (outer, channels, inner). A channel's sums are taken part by part, by a block for each, or by a thread where channels lie side by
// side; the parts are joined in float64 in their order: the same bits at every run. Then each element is computed by itself.
#include "cuda/cudnn.h"
#include "cuda/divide.h"
#include "cuda/elements.h"
#include "cuda/math.h"
#include "cuda/together.h"

namespace flx::cuda {
namespace {

struct Job {
  const void *x, *dy, *gamma, *beta, *moving_mean, *moving_var, *mean_in, *inv_in;  // parameters are of the type that is computed in
  void *y, *mean, *inv, *new_mean, *new_var, *dgamma, *dbeta;
  double* sums;  // two of each part and channel
  void* factors; // four of each channel
  int32_t x_type, dy_type, y_type;
  int64_t outer, channels, inner, parts, part_size;
  Divisor by_inner, by_channels;
  bool batch, fixed;
  double eps, momentum;
  FLX_HD int64_t total() const { return outer * inner; }
  FLX_HD int64_t At(int64_t e, int64_t c) const { return by_inner.Of(e) * (channels - 1) * inner + c * inner + e; }  // element e of channel c
  FLX_HD int64_t First(int64_t part) const { return part * part_size; }
  FLX_HD int64_t Last(int64_t part) const { return First(part) + part_size < total() ? First(part) + part_size : total(); }
};
// Mean and sum of squared differences of a part, or for the gradient the sums of dy and of dy (x - mean). room: null where a thread is alone.
template <class C, bool kGrad> __device__ void Part(const Job& j, int64_t part, int64_t c, int64_t first, int64_t step, double* room) {
  const int64_t begin = j.First(part), end = j.Last(part);
  double a, b;
  C sum = C(0), more = C(0);
  if constexpr (kGrad) {
    const C mean = static_cast<const C*>(j.mean_in)[c];
    for (int64_t e = begin + first; e < end; e += step) {
      const int64_t at = j.At(e, c);
      const C dy = Load<C>(j.dy, j.dy_type, at);
      sum += dy, more += dy * (Load<C>(j.x, j.x_type, at) - mean);
    }
    a = double(sum), b = double(more);
    if (room) a = Together(a, room, Plus()), b = Together(b, room, Plus());
  } else {
    for (int64_t e = begin + first; e < end; e += step) sum += Load<C>(j.x, j.x_type, j.At(e, c));
    a = (room ? Together(double(sum), room, Plus()) : double(sum)) / double(end - begin);
    const C mean = C(a);
    for (int64_t e = begin + first; e < end; e += step) {
      const C d = Load<C>(j.x, j.x_type, j.At(e, c)) - mean;
      more += d * d;
    }
    b = room ? Together(double(more), room, Plus()) : double(more);
  }
  if (first == 0) j.sums[(part * j.channels + c) * 2] = a, j.sums[(part * j.channels + c) * 2 + 1] = b;
}
template <class C, bool kGrad> __global__ void BlocksKernel(Job j) {
  __shared__ double room[kBlock];
  for (int64_t u = blockIdx.x; u < j.parts * j.channels; u += gridDim.x) Part<C, kGrad>(j, u / j.channels, u % j.channels, threadIdx.x, blockDim.x, room);
}
template <class C, bool kGrad> __global__ void ThreadsKernel(Job j) {
  for (int64_t u = Index(); u < j.parts * j.channels; u += Step()) Part<C, kGrad>(j, u / j.channels, u % j.channels, 0, 1, nullptr);
}
template <class C> __global__ void JoinKernel(Job j) {
  auto* f = static_cast<C*>(j.factors);
  const auto *gamma = static_cast<const C*>(j.gamma), *beta = static_cast<const C*>(j.beta), *old_mean = static_cast<const C*>(j.moving_mean), *old_var = static_cast<const C*>(j.moving_var);
  for (int64_t c = Index(); c < j.channels; c += Step()) {
    C mean = old_mean[c], var = old_var[c];
    const C was_mean = mean, was_var = var;
    if (j.batch) {  // joined as by Chan, Golub and LeVeque (1979)
      double n = 0, m = 0, q = 0;
      for (int64_t p = 0; p < j.parts; ++p) {
        const double k = double(j.Last(p) - j.First(p)), d = j.sums[(p * j.channels + c) * 2] - m;
        q += j.sums[(p * j.channels + c) * 2 + 1] + d * d * n * k / (n + k);
        m += d * k / (n + k);
        n += k;
      }
      mean = C(m), var = n > 0 ? C(q / n) : C(0);
    }
    const C inv = C(1 / std::sqrt(double(var) + j.eps));
    f[c * 4] = mean, f[c * 4 + 1] = j.fixed ? inv : inv * gamma[c], f[c * 4 + 2] = beta[c];
    if (j.mean) static_cast<C*>(j.mean)[c] = mean;
    if (j.inv) static_cast<C*>(j.inv)[c] = inv;
    const bool step = j.batch && j.total() > 0;
    const C keep = C(j.momentum), take = C(1 - j.momentum);
    if (j.new_mean) static_cast<C*>(j.new_mean)[c] = step ? was_mean * keep + mean * take : was_mean;
    if (j.new_var) static_cast<C*>(j.new_var)[c] = step ? was_var * keep + var * take : was_var;
  }
}
template <class C> __global__ void JoinGradKernel(Job j) {
  auto* f = static_cast<C*>(j.factors);
  const double total = double(j.total() > 0 ? j.total() : 1);
  for (int64_t c = Index(); c < j.channels; c += Step()) {
    double s = 0, q = 0;
    for (int64_t p = 0; p < j.parts; ++p) s += j.sums[(p * j.channels + c) * 2], q += j.sums[(p * j.channels + c) * 2 + 1];
    const double inv = double(static_cast<const C*>(j.inv_in)[c]), g = j.fixed ? 1.0 : double(static_cast<const C*>(j.gamma)[c]);
    f[c * 4] = static_cast<const C*>(j.mean_in)[c], f[c * 4 + 1] = C(g * inv);
    f[c * 4 + 2] = j.batch ? C(-g * inv * inv * inv * q / total) : C(0), f[c * 4 + 3] = j.batch ? C(-g * inv * s / total) : C(0);
    if (j.dgamma) static_cast<C*>(j.dgamma)[c] = j.fixed ? C(0) : C(q * inv);
    if (j.dbeta) static_cast<C*>(j.dbeta)[c] = C(s);
  }
}
// What a step makes of the moving statistics where cuDNN has computed the batch's.
template <class C> __global__ void MoveKernel(Job j) {
  const C keep = C(j.momentum), take = C(1 - j.momentum);
  for (int64_t c = Index(); c < j.channels; c += Step()) {
    const double inv = double(static_cast<const C*>(j.inv)[c]), var = 1 / (inv * inv) - j.eps;
    if (j.new_mean) static_cast<C*>(j.new_mean)[c] = static_cast<const C*>(j.moving_mean)[c] * keep + static_cast<const C*>(j.mean)[c] * take;
    if (j.new_var) static_cast<C*>(j.new_var)[c] = static_cast<const C*>(j.moving_var)[c] * keep + C(var > 0 ? var : 0) * take;
  }
}
template <class C, bool kGrad> int32_t ByCudnn(flx_device_queue* q, const flx_device_call* c, const Job& j) {
  if (!j.batch || j.fixed || j.x_type != j.y_type || (kGrad && j.dy_type != j.x_type)) return FLX_DEVICE_NO_KERNEL;
  const CudnnNorm n{j.x_type, j.outer, j.channels, j.inner, j.eps};
  if (kGrad) return CudnnBatchNormGrad(q, n, j.x, j.dy, j.gamma, j.mean_in, j.inv_in, j.y, j.dgamma, j.dbeta, c);
  if (int32_t r = CudnnBatchNorm(q, n, j.x, j.gamma, j.beta, j.y, j.mean, j.inv, c)) return r;
  return Launch(q, BlocksFor(j.channels), &MoveKernel<C>, j);
}
constexpr int64_t kAtOnce = 4;  // elements that a thread reads before it writes, so that their ways to memory and back overlap
template <class C, bool kGrad> __global__ void EachKernel(Job j, int64_t n) {
  const auto* f = static_cast<const C*>(j.factors);
  const int64_t step = Step();
  for (int64_t from = Index(); from < n; from += step * kAtOnce) {
    C y[kAtOnce];
    for (int64_t k = 0; k < kAtOnce && from + k * step < n; ++k) {
      const int64_t i = from + k * step;
      int64_t plane = j.by_inner.Of(i);
      const int64_t c = j.by_channels.Split(&plane) * 4;
      const C d = Load<C>(j.x, j.x_type, i) - f[c];
      if constexpr (kGrad) y[k] = Load<C>(j.dy, j.dy_type, i) * f[c + 1] + d * f[c + 2] + f[c + 3];
      else y[k] = d * f[c + 1] + f[c + 2];
    }
    for (int64_t k = 0; k < kAtOnce && from + k * step < n; ++k) Store<C>(j.y, j.y_type, from + k * step, y[k]);
  }
}
template <class C, bool kGrad> int32_t Run(flx_device_queue* q, const flx_device_call* c, Job j) {
  if (const int32_t r = ByCudnn<C, kGrad>(q, c, j); r != FLX_DEVICE_NO_KERNEL) return r;
  const bool threads = j.inner == 1, sums = j.batch || kGrad;
  j.part_size = threads ? (kPartSize + 63) / 64 : kPartSize;
  // At most so many parts that joining them is little work; a channel alone is cut further than one of many.
  const int64_t least = (j.total() + 1023) / 1024;
  if (j.part_size < least) j.part_size = least;
  j.parts = sums ? (j.total() + j.part_size - 1) / j.part_size : 0;
  const int64_t n = j.total() * j.channels, units = j.parts * j.channels;
  void* p = nullptr;
  if (int32_t r = c->scratch(c->context, j.channels * 4 * int64_t(sizeof(C)) + 8, &j.factors)) return r;
  if (int32_t r = units ? c->scratch(c->context, units * 16, &p) : int32_t(FLX_DEVICE_OK)) return r;
  j.sums = static_cast<double*>(p);
  if (units)
    if (int32_t r = threads ? Launch(q, BlocksFor(units), &ThreadsKernel<C, kGrad>, j) : LaunchBlocks(q, units, &BlocksKernel<C, kGrad>, j)) return r;
  int32_t r = FLX_DEVICE_OK;
  if constexpr (kGrad) r = Launch(q, BlocksFor(j.channels), &JoinGradKernel<C>, j);
  else r = Launch(q, BlocksFor(j.channels), &JoinKernel<C>, j);
  return r || n == 0 || !j.y ? r : Launch(q, BlocksFor(n, kAtOnce), &EachKernel<C, kGrad>, j, n);
}
template <bool kGrad> int32_t BatchNorm(flx_device_queue* q, const flx_device_call* c) {
  if (c->nin != 5 || c->nout != (kGrad ? 3 : 5) || c->nints != 5 || c->nnumbers != (kGrad ? 0 : 2)) return FLX_DEVICE_NO_KERNEL;
  const flx_device_tensor *in = c->in, *out = c->out;
  const bool wide = DType(in[0].dtype) == DType::kFloat64;
  const int32_t own = int32_t(wide ? DType::kFloat64 : DType::kFloat32);
  if (!IsFloat(DType(in[0].dtype)) || in[1].dtype != own) return FLX_DEVICE_NO_KERNEL;
  Job j = {};
  j.x = in[0].data, j.x_type = in[0].dtype, j.gamma = in[1].data;
  j.y = out[0].data, j.y_type = out[0].dtype;
  if (kGrad) j.mean_in = in[2].data, j.inv_in = in[3].data, j.dy = in[4].data, j.dy_type = in[4].dtype, j.dgamma = out[1].data, j.dbeta = out[2].data;
  else j.beta = in[2].data, j.moving_mean = in[3].data, j.moving_var = in[4].data, j.mean = out[1].data, j.inv = out[2].data, j.new_mean = out[3].data, j.new_var = out[4].data;
  j.outer = c->ints[0], j.channels = c->ints[1], j.inner = c->ints[2], j.batch = c->ints[3] != 0, j.fixed = c->ints[4] != 0;
  if (!kGrad) j.eps = c->numbers[0], j.momentum = c->numbers[1];
  if (j.channels == 0) return FLX_DEVICE_OK;
  j.by_inner = Divisor(j.inner), j.by_channels = Divisor(j.channels);
  return wide ? Run<double, kGrad>(q, c, j) : Run<float, kGrad>(q, c, j);
}
}  // namespace

void AddBatchNormKernels(KernelTable* t) {
  t->Add(kDeviceBatchNorm, DeviceSignature(kDeviceBatchNorm), &BatchNorm<false>);
  t->Add(kDeviceBatchNormGrad, DeviceSignature(kDeviceBatchNormGrad), &BatchNorm<true>);
}
}  // namespace flx::cuda

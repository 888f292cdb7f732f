// SPDX-License-Identifier: Apache-2.0
// Pooling, batch normalization and softmax by cuDNN, where FLEXOR_CUDNN=all asks for it. What their definitions say otherwise than ours, or do not say, stays
// with our kernels: sums and powers of windows, windows over the end, gradients of averages, a fixed gamma, moving statistics (cuDNN's variance divides by
// one less), a softmax with a factor or with lengths.
#include <initializer_list>

#include "cuda/cudnn.h"
#include "cuda/cudnn_library.h"

namespace flx::cuda {
namespace {

// Its sizes have 31 bits; which of equal elements is the maximum, and the order of its sums, it does not tell.
bool May(const flx_device_call* call, std::initializer_list<int64_t> sizes, std::initializer_list<const void*> arrays) {
  if (!FLX_CALL_HAS(call, FLX_CALL_CUDNN_ALL) || FLX_CALL_HAS(call, FLX_CALL_DETERMINISTIC)) return false;
  for (int64_t n : sizes) if (n <= 0 || n > INT32_MAX) return false;
  for (auto* p : arrays) if (!p || !CudnnAligned(p)) return false;
  return true;
}
int64_t Count(const PoolInts& g, const int64_t* size) { return g.planes * g.lanes * size[0] * size[1] * size[2]; }

class Pooling {
 public:
  explicit Pooling(const CudnnUse& use) : x(use.lib), y(use.lib), use_(use) {}
  Pooling(const Pooling&) = delete;
  ~Pooling() { if (window_) use_.lib.cudnnDestroyPoolingDescriptor(window_); }
  bool Set(const PoolInts& g, DType t) {
    enum : int64_t { kMax, kAvg };
    if (g.type != kMax && g.type != kAvg) return false;
    const int axes = g.in[0] == 1 && g.out[0] == 1 && g.k[0] == 1 ? 2 : 3, skip = 3 - axes;
    int k[3], p[3], s[3];
    for (int i = 0; i < axes; ++i) {
      const int a = skip + i;
      // The windows must be those that it counts itself, each with something to look at.
      if (g.p[a] >= g.k[a] || g.in[a] + 2 * g.p[a] < g.k[a] || (g.in[a] + 2 * g.p[a] - g.k[a]) / g.s[a] + 1 != g.out[a]) return false;
      k[i] = int(g.k[a]), p[i] = int(g.p[a]), s[i] = int(g.s[a]);
    }
    const cudnnPoolingMode_t mode = g.type == kMax ? CUDNN_POOLING_MAX : g.with_pad ? CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING : CUDNN_POOLING_AVERAGE_COUNT_EXCLUDE_PADDING;
    return Ok(use_.lib.cudnnCreatePoolingDescriptor(&window_)) && Ok(use_.lib.cudnnSetPoolingNdDescriptor(window_, mode, CUDNN_PROPAGATE_NAN, axes, k, p, s)) &&
           Lay(&x, g, g.in, t, axes) && Lay(&y, g, g.out, t, axes);
  }
  cudnnPoolingDescriptor_t window() const { return window_; }
  CudnnTensor x, y;

 private:
  static bool Lay(CudnnTensor* to, const PoolInts& g, const int64_t* size, DType t, int axes) {
    int dim[5] = {int(g.planes), int(g.lanes)}, stride[5];
    int64_t step = g.lanes;
    for (int i = axes - 1; i >= 0; --i) dim[2 + i] = int(size[3 - axes + i]), stride[2 + i] = int(step), step *= dim[2 + i];
    stride[0] = int(step), stride[1] = g.lanes > 1 ? 1 : int(step);
    return to->Set(CudnnType(t), axes + 2, dim, stride);
  }
  const CudnnUse& use_;
  cudnnPoolingDescriptor_t window_ = nullptr;
};

// (outer, channels, inner), and one of each channel.
struct Channels {
  explicit Channels(const CudnnLibrary& lib) : data(lib), one(lib) {}
  bool Set(const CudnnNorm& n) {
    const int o = int(n.outer), c = int(n.channels), i = int(n.inner);
    const bool last = n.inner == 1;  // channels side by side are an image of one column
    const int dim[] = {last ? 1 : o, c, last ? o : i, 1}, stride[] = {last ? c * o : c * i, last ? 1 : i, last ? c : 1, last ? c : 1};
    const int few[] = {1, c, 1, 1}, steps[] = {c, 1, 1, 1};
    const DType own = DType(n.dtype) == DType::kFloat64 ? DType::kFloat64 : DType::kFloat32;
    return data.Set(CudnnType(DType(n.dtype)), 4, dim, stride) && one.Set(CudnnType(own), 4, few, steps);
  }
  CudnnTensor data, one;
};
bool Lay(CudnnTensor* t, const CudnnRows& r) {
  const int n = int(r.n), i = int(r.inner), dim[] = {int(r.outer), n, i, 1}, stride[] = {n * i, i, 1, 1};
  return t->Set(CudnnType(DType(r.dtype)), 4, dim, stride);
}
cudnnSoftmaxAlgorithm_t Way(const CudnnRows& r) { return r.log ? CUDNN_SOFTMAX_LOG : CUDNN_SOFTMAX_ACCURATE; }
}  // namespace

int32_t CudnnPool(flx_device_queue* q, const PoolInts& g, int32_t dtype, const void* x, void* y, const flx_device_call* call) {
  if (!May(call, {Count(g, g.in), Count(g, g.out)}, {x, y})) return FLX_DEVICE_NO_KERNEL;
  CudnnUse use(q, call);
  if (!use) return FLX_DEVICE_NO_KERNEL;
  Pooling p(use);
  if (!p.Set(g, DType(dtype))) return FLX_DEVICE_NO_KERNEL;
  const CudnnFactors f{DType(dtype)};
  return use.Result(use.lib.cudnnPoolingForward(use.handle, p.window(), f.one(), p.x.get(), x, f.zero(), p.y.get(), y));
}
int32_t CudnnPoolGrad(flx_device_queue* q, const PoolInts& g, int32_t dtype, const void* x, const void* dy, void* dx, const flx_device_call* call) {
  if (!May(call, {Count(g, g.in), Count(g, g.out)}, {x, dy, dx})) return FLX_DEVICE_NO_KERNEL;
  CudnnUse use(q, call);
  if (!use) return FLX_DEVICE_NO_KERNEL;
  Pooling p(use);
  void* y = nullptr;  // it finds the maxima again by comparing with them
  if (!p.Set(g, DType(dtype)) || call->scratch(call->context, Count(g, g.out) * DTypeSize(DType(dtype)), &y) != FLX_DEVICE_OK) return FLX_DEVICE_NO_KERNEL;
  const CudnnFactors f{DType(dtype)};
  if (int32_t r = use.Result(use.lib.cudnnPoolingForward(use.handle, p.window(), f.one(), p.x.get(), x, f.zero(), p.y.get(), y))) return r;
  return use.Result(use.lib.cudnnPoolingBackward(use.handle, p.window(), f.one(), p.y.get(), y, p.y.get(), dy, p.x.get(), x, f.zero(), p.x.get(), dx));
}
int32_t CudnnBatchNorm(flx_device_queue* q, const CudnnNorm& n, const void* x, const void* gamma, const void* beta, void* y, void* mean, void* inv, const flx_device_call* call) {
  if (n.eps < CUDNN_BN_MIN_EPSILON || !May(call, {n.outer * n.channels * n.inner}, {x, gamma, beta, y, mean, inv})) return FLX_DEVICE_NO_KERNEL;
  CudnnUse use(q, call);
  if (!use) return FLX_DEVICE_NO_KERNEL;
  Channels c(use.lib);
  if (!c.Set(n)) return FLX_DEVICE_NO_KERNEL;
  const CudnnFactors f{DType(n.dtype)};
  return use.Result(use.lib.cudnnBatchNormalizationForwardTraining(use.handle, CUDNN_BATCHNORM_SPATIAL, f.one(), f.zero(), c.data.get(), x, c.data.get(), y, c.one.get(), gamma, beta,
                                                                   0, nullptr, nullptr, n.eps, mean, inv));
}
int32_t CudnnBatchNormGrad(flx_device_queue* q, const CudnnNorm& n, const void* x, const void* dy, const void* gamma, const void* mean, const void* inv, void* dx, void* dgamma,
                           void* dbeta, const flx_device_call* call) {
  if (!May(call, {n.outer * n.channels * n.inner}, {x, dy, gamma, mean, inv, dx, dgamma, dbeta})) return FLX_DEVICE_NO_KERNEL;
  CudnnUse use(q, call);
  if (!use) return FLX_DEVICE_NO_KERNEL;
  Channels c(use.lib);
  if (!c.Set(n)) return FLX_DEVICE_NO_KERNEL;
  const CudnnFactors f{DType(n.dtype)};
  constexpr double kEps = 1e-5;  // unused where mean and inv are given
  return use.Result(use.lib.cudnnBatchNormalizationBackward(use.handle, CUDNN_BATCHNORM_SPATIAL, f.one(), f.zero(), f.one(), f.zero(), c.data.get(), x, c.data.get(), dy,
                                                            c.data.get(), dx, c.one.get(), gamma, dgamma, dbeta, kEps, mean, inv));
}
int32_t CudnnSoftmax(flx_device_queue* q, const CudnnRows& r, const void* x, void* y, const flx_device_call* call) {
  if (!May(call, {r.outer * r.n * r.inner}, {x, y})) return FLX_DEVICE_NO_KERNEL;
  CudnnUse use(q, call);
  if (!use) return FLX_DEVICE_NO_KERNEL;
  CudnnTensor t(use.lib);
  if (!Lay(&t, r)) return FLX_DEVICE_NO_KERNEL;
  const CudnnFactors f{DType(r.dtype)};
  return use.Result(use.lib.cudnnSoftmaxForward(use.handle, Way(r), CUDNN_SOFTMAX_MODE_CHANNEL, f.one(), t.get(), x, f.zero(), t.get(), y));
}
int32_t CudnnSoftmaxGrad(flx_device_queue* q, const CudnnRows& r, const void* y, const void* dy, void* dx, const flx_device_call* call) {
  if (!May(call, {r.outer * r.n * r.inner}, {y, dy, dx})) return FLX_DEVICE_NO_KERNEL;
  CudnnUse use(q, call);
  if (!use) return FLX_DEVICE_NO_KERNEL;
  CudnnTensor t(use.lib);
  if (!Lay(&t, r)) return FLX_DEVICE_NO_KERNEL;
  const CudnnFactors f{DType(r.dtype)};
  return use.Result(use.lib.cudnnSoftmaxBackward(use.handle, Way(r), CUDNN_SOFTMAX_MODE_CHANNEL, f.one(), t.get(), y, t.get(), dy, f.zero(), t.get(), dx));
}

}  // namespace flx::cuda

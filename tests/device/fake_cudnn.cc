// SPDX-License-Identifier: Apache-2.0
#include "fake_cudnn.h"

#include <cstring>
#include <vector>

#include "fake_cudnn_types.h"

using flx::Bfloat16;
using flx::Half;

namespace fake_cudnn {

FakeCudnn g_fake;

double At(const void* p, cudnnDataType_t t, int64_t i) {
  switch (t) {
    case CUDNN_DATA_DOUBLE: return static_cast<const double*>(p)[i];
    case CUDNN_DATA_HALF: return double(flx::ToFloat(static_cast<const Half*>(p)[i]));
    case CUDNN_DATA_BFLOAT16: return double(flx::ToFloat(static_cast<const Bfloat16*>(p)[i]));
    default: return double(static_cast<const float*>(p)[i]);
  }
}
void Put(void* p, cudnnDataType_t t, int64_t i, double v) {
  switch (t) {
    case CUDNN_DATA_DOUBLE: static_cast<double*>(p)[i] = v; break;
    case CUDNN_DATA_HALF: static_cast<Half*>(p)[i] = flx::ToHalf(float(v)); break;
    case CUDNN_DATA_BFLOAT16: static_cast<Bfloat16*>(p)[i] = flx::ToBfloat16(float(v)); break;
    default: static_cast<float*>(p)[i] = float(v);
  }
}
bool Plain(const void* alpha, const void* beta, cudnnDataType_t t) {
  auto of = [t](const void* p) { return t == CUDNN_DATA_DOUBLE ? *static_cast<const double*>(p) : double(*static_cast<const float*>(p)); };
  return of(alpha) == 1 && of(beta) == 0;
}
cudnnStatus_t Issue(cudnnHandle_t h, std::function<void()> work) {
  using Work = std::function<void()>;
  h->stream->issue(h->stream->queue, [](void* p) { (*static_cast<Work*>(p))(); }, [](void* p) { delete static_cast<Work*>(p); }, new Work(std::move(work)));
  return CUDNN_STATUS_SUCCESS;
}
}  // namespace fake_cudnn

using namespace fake_cudnn;

namespace {
// The strides of a filter follow from its format.
cudnnTensorStruct Laid(const cudnnFilterStruct& f) {
  cudnnTensorStruct t{f.type, f.n, {}, {}};
  int step = 1;
  std::memcpy(t.dim, f.dim, sizeof t.dim);
  if (f.format == CUDNN_TENSOR_NHWC) t.stride[1] = 1, step = f.dim[1];
  for (int i = f.n - 1; i >= 2; --i) t.stride[i] = step, step *= f.dim[i];
  if (f.format != CUDNN_TENSOR_NHWC) t.stride[1] = step, step *= f.dim[1];
  t.stride[0] = step;
  return t;
}
int64_t SizeOf(const cudnnTensorStruct& t) {
  int64_t n = 1;
  for (int i = 0; i < t.n; ++i) n *= t.dim[i];
  return n;
}
// As cuDNN does, what does not fit together is refused.
bool Fits(const cudnnTensorStruct& x, const cudnnFilterStruct& w, const cudnnConvolutionStruct& c, const cudnnTensorStruct& y) {
  if (x.n != y.n || x.n != w.n || c.n != x.n - 2 || x.n < 4 || x.type != y.type || x.type != w.type) return false;
  if (c.compute != (x.type == CUDNN_DATA_DOUBLE ? CUDNN_DATA_DOUBLE : CUDNN_DATA_FLOAT)) return false;
  bool fits = x.dim[0] == y.dim[0] && x.dim[1] == w.dim[1] * c.groups && y.dim[1] == w.dim[0] && w.dim[0] % c.groups == 0;
  for (int i = 0; i < c.n; ++i) fits &= y.dim[2 + i] == (x.dim[2 + i] + 2 * c.pad[i] - c.dilate[i] * (w.dim[2 + i] - 1) - 1) / c.stride[i] + 1;
  return fits;
}
// Each product of an element of x and one of w, and the element of y that it is part of.
void ForEach(const cudnnTensorStruct& x, const cudnnTensorStruct& w, const cudnnConvolutionStruct& c, const cudnnTensorStruct& y, const std::function<void(int64_t, int64_t, int64_t)>& f) {
  int64_t places = 1, window = 1;
  for (int i = 2; i < y.n; ++i) places *= y.dim[i], window *= w.dim[i];
  const int outs = w.dim[0] / c.groups;
  for (int n = 0; n < x.dim[0]; ++n)
    for (int o = 0; o < w.dim[0]; ++o)
      for (int64_t p = 0; p < places; ++p)
        for (int k = 0; k < w.dim[1]; ++k)
          for (int64_t t = 0; t < window; ++t) {
            int64_t rp = p, rt = t, ax = int64_t(n) * x.stride[0] + int64_t(o / outs * w.dim[1] + k) * x.stride[1], aw = int64_t(o) * w.stride[0] + int64_t(k) * w.stride[1],
                    ay = int64_t(n) * y.stride[0] + int64_t(o) * y.stride[1];
            bool inside = true;
            for (int i = y.n - 1; i >= 2; --i) {
              const int64_t q = rp % y.dim[i], u = rt % w.dim[i], at = q * c.stride[i - 2] - c.pad[i - 2] + u * c.dilate[i - 2];
              rp /= y.dim[i], rt /= w.dim[i], inside &= at >= 0 && at < x.dim[i];
              ax += at * x.stride[i], aw += u * w.stride[i], ay += q * y.stride[i];
            }
            if (inside) f(ax, aw, ay);
          }
}
size_t SpaceOf(int algorithm) { return algorithm == 1 ? 0 : size_t(100 + algorithm); }
cudnnStatus_t Compute(int pass, cudnnHandle_t h, const void* alpha, const void* beta, const cudnnTensorStruct* x, void* px, const cudnnFilterStruct* f, void* pw,
                      const cudnnConvolutionStruct* c, const cudnnTensorStruct* y, void* py, int algorithm, void* space, size_t bytes) {
  if (!Fits(*x, *f, *c, *y) || bytes < SpaceOf(algorithm) || (bytes && !space)) return CUDNN_STATUS_BAD_PARAM;
  if (g_fake.fail) return cudnnStatus_t(g_fake.fail);
  if (!Plain(alpha, beta, c->compute)) return CUDNN_STATUS_NOT_SUPPORTED;
  ++g_fake.ran[pass];
  g_fake.algorithm = algorithm, g_fake.math = int(c->math), g_fake.workspace = int64_t(bytes);
  return Issue(h, [=, x = *x, c = *c, y = *y, w = Laid(*f)] {
    if (bytes) std::memset(space, 0xee, bytes);
    const cudnnTensorStruct& to = pass == 0 ? y : pass == 1 ? x : w;
    void* out = pass == 0 ? py : pass == 1 ? px : pw;
    std::vector<double> sum(size_t(SizeOf(to)), 0.0);
    ForEach(x, w, c, y, [&](int64_t ax, int64_t aw, int64_t ay) {
      if (pass == 0) sum[size_t(ay)] += At(px, x.type, ax) * At(pw, w.type, aw);
      else if (pass == 1) sum[size_t(ax)] += At(py, y.type, ay) * At(pw, w.type, aw);
      else sum[size_t(aw)] += At(px, x.type, ax) * At(py, y.type, ay);
    });
    for (size_t i = 0; i < sum.size(); ++i) Put(out, to.type, int64_t(i), sum[i]);
  });
}
// The best first: one that does not serve this after all, one that gives other bits at each run, and two more. Measured, the last is the best.
template <class Perf> cudnnStatus_t List(const cudnnTensorStruct& x, const cudnnFilterStruct& w, const cudnnConvolutionStruct& c, const cudnnTensorStruct& y, bool measured, int most, int* n, Perf* out) {
  ++(measured ? g_fake.measured : g_fake.asked);
  *n = 0;
  if (!Fits(x, w, c, y)) return ++g_fake.misfits, CUDNN_STATUS_BAD_PARAM;
  if (g_fake.refuse || most < 4) return g_fake.refuse ? CUDNN_STATUS_NOT_SUPPORTED : CUDNN_STATUS_BAD_PARAM;
  static const int kGuessed[] = {5, 0, 1, 3}, kMeasured[] = {3, 5, 0, 1};
  for (int i = 0; i < 4; ++i) {
    const int a = (measured ? kMeasured : kGuessed)[i];
    Perf p = {};
    p.algo = decltype(p.algo)(a), p.status = a == 5 ? CUDNN_STATUS_NOT_SUPPORTED : CUDNN_STATUS_SUCCESS, p.memory = SpaceOf(a);
    p.determinism = a == 0 ? CUDNN_NON_DETERMINISTIC : CUDNN_DETERMINISTIC, p.mathType = c.math;
    out[(*n)++] = p;
  }
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t Space(int algorithm, size_t* bytes) { return *bytes = SpaceOf(algorithm), CUDNN_STATUS_SUCCESS; }
}  // namespace

extern "C" __attribute__((visibility("default"))) FakeCudnn* flx_fake_cudnn(void) { return &g_fake; }
extern "C" __attribute__((visibility("default"))) const char* cudnnGetErrorString(cudnnStatus_t) { return "a test asked for this failure"; }
FAKE(cudnnCreate)(cudnnHandle_t* h) {
  if (!g_fake.on) return CUDNN_STATUS_NOT_INITIALIZED;
  static cudnnContext one;
  return *h = &one, CUDNN_STATUS_SUCCESS;
}
FAKE(cudnnSetStream)(cudnnHandle_t h, cudaStream_t s) { return h->stream = reinterpret_cast<FakeStream*>(s), CUDNN_STATUS_SUCCESS; }
FAKE(cudnnCreateTensorDescriptor)(cudnnTensorDescriptor_t* d) { return Make(d); }
FAKE(cudnnDestroyTensorDescriptor)(cudnnTensorDescriptor_t d) { return Destroy(d); }
FAKE(cudnnSetTensorNdDescriptor)(cudnnTensorDescriptor_t d, cudnnDataType_t t, int n, const int dim[], const int stride[]) {
  if (n < 4 || n > 5) return CUDNN_STATUS_NOT_SUPPORTED;
  d->type = t, d->n = n;
  std::memcpy(d->dim, dim, size_t(n) * sizeof(int)), std::memcpy(d->stride, stride, size_t(n) * sizeof(int));
  return CUDNN_STATUS_SUCCESS;
}
FAKE(cudnnCreateFilterDescriptor)(cudnnFilterDescriptor_t* d) { return Make(d); }
FAKE(cudnnDestroyFilterDescriptor)(cudnnFilterDescriptor_t d) { return Destroy(d); }
FAKE(cudnnSetFilterNdDescriptor)(cudnnFilterDescriptor_t d, cudnnDataType_t t, cudnnTensorFormat_t format, int n, const int dim[]) {
  if (n < 4 || n > 5) return CUDNN_STATUS_NOT_SUPPORTED;
  d->type = t, d->format = format, d->n = n;
  std::memcpy(d->dim, dim, size_t(n) * sizeof(int));
  return CUDNN_STATUS_SUCCESS;
}
FAKE(cudnnCreateConvolutionDescriptor)(cudnnConvolutionDescriptor_t* d) { return Make(d); }
FAKE(cudnnDestroyConvolutionDescriptor)(cudnnConvolutionDescriptor_t d) { return Destroy(d); }
FAKE(cudnnSetConvolutionNdDescriptor)(cudnnConvolutionDescriptor_t d, int n, const int pad[], const int stride[], const int dilate[], cudnnConvolutionMode_t mode, cudnnDataType_t compute) {
  if (mode != CUDNN_CROSS_CORRELATION || n < 2 || n > 3) return CUDNN_STATUS_NOT_SUPPORTED;
  d->n = n, d->compute = compute;
  for (int i = 0; i < n; ++i) d->pad[i] = pad[i], d->stride[i] = stride[i], d->dilate[i] = dilate[i];
  return CUDNN_STATUS_SUCCESS;
}
FAKE(cudnnSetConvolutionGroupCount)(cudnnConvolutionDescriptor_t d, int n) { return d->groups = n, CUDNN_STATUS_SUCCESS; }
FAKE(cudnnSetConvolutionMathType)(cudnnConvolutionDescriptor_t d, cudnnMathType_t math) { return d->math = math, CUDNN_STATUS_SUCCESS; }

using X = const cudnnTensorDescriptor_t;
using W = const cudnnFilterDescriptor_t;
using C = const cudnnConvolutionDescriptor_t;
FAKE(cudnnGetConvolutionForwardAlgorithm_v7)(cudnnHandle_t, X x, W w, C c, X y, const int most, int* n, cudnnConvolutionFwdAlgoPerf_t* out) { return List(*x, *w, *c, *y, false, most, n, out); }
FAKE(cudnnFindConvolutionForwardAlgorithmEx)(cudnnHandle_t, X x, const void*, W w, const void*, C c, X y, void*, const int most, int* n, cudnnConvolutionFwdAlgoPerf_t* out, void*, size_t) {
  return List(*x, *w, *c, *y, true, most, n, out);
}
FAKE(cudnnGetConvolutionForwardWorkspaceSize)(cudnnHandle_t, X, W, C, X, cudnnConvolutionFwdAlgo_t algo, size_t* bytes) { return Space(algo, bytes); }
FAKE(cudnnConvolutionForward)(cudnnHandle_t h, const void* alpha, X x, const void* px, W w, const void* pw, C c, cudnnConvolutionFwdAlgo_t algo, void* space, size_t bytes, const void* beta, X y, void* py) {
  return Compute(0, h, alpha, beta, x, const_cast<void*>(px), w, const_cast<void*>(pw), c, y, py, algo, space, bytes);
}
FAKE(cudnnGetConvolutionBackwardDataAlgorithm_v7)(cudnnHandle_t, W w, X y, C c, X x, const int most, int* n, cudnnConvolutionBwdDataAlgoPerf_t* out) { return List(*x, *w, *c, *y, false, most, n, out); }
FAKE(cudnnFindConvolutionBackwardDataAlgorithmEx)(cudnnHandle_t, W w, const void*, X y, const void*, C c, X x, void*, const int most, int* n, cudnnConvolutionBwdDataAlgoPerf_t* out, void*, size_t) {
  return List(*x, *w, *c, *y, true, most, n, out);
}
FAKE(cudnnGetConvolutionBackwardDataWorkspaceSize)(cudnnHandle_t, W, X, C, X, cudnnConvolutionBwdDataAlgo_t algo, size_t* bytes) { return Space(algo, bytes); }
FAKE(cudnnConvolutionBackwardData)(cudnnHandle_t h, const void* alpha, W w, const void* pw, X y, const void* py, C c, cudnnConvolutionBwdDataAlgo_t algo, void* space, size_t bytes, const void* beta, X x, void* px) {
  return Compute(1, h, alpha, beta, x, px, w, const_cast<void*>(pw), c, y, const_cast<void*>(py), algo, space, bytes);
}
FAKE(cudnnGetConvolutionBackwardFilterAlgorithm_v7)(cudnnHandle_t, X x, X y, C c, W w, const int most, int* n, cudnnConvolutionBwdFilterAlgoPerf_t* out) { return List(*x, *w, *c, *y, false, most, n, out); }
FAKE(cudnnFindConvolutionBackwardFilterAlgorithmEx)(cudnnHandle_t, X x, const void*, X y, const void*, C c, W w, void*, const int most, int* n, cudnnConvolutionBwdFilterAlgoPerf_t* out, void*, size_t) {
  return List(*x, *w, *c, *y, true, most, n, out);
}
FAKE(cudnnGetConvolutionBackwardFilterWorkspaceSize)(cudnnHandle_t, X, X, C, W, cudnnConvolutionBwdFilterAlgo_t algo, size_t* bytes) { return Space(algo, bytes); }
FAKE(cudnnConvolutionBackwardFilter)(cudnnHandle_t h, const void* alpha, X x, const void* px, X y, const void* py, C c, cudnnConvolutionBwdFilterAlgo_t algo, void* space, size_t bytes, const void* beta, W w, void* pw) {
  return Compute(2, h, alpha, beta, x, const_cast<void*>(px), w, pw, c, y, const_cast<void*>(py), algo, space, bytes);
}

// SPDX-License-Identifier: Apache-2.0
// Pooling, batch normalization and softmax of the library that stands for cuDNN, as its manual defines them.
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "fake_cudnn_types.h"

using namespace fake_cudnn;

namespace {
// The places of an image, or of a window in it, in row order: f(at[]).
template <class F> void ForEachPlace(const int* size, int axes, const F& f) {
  int at[3] = {};
  int64_t n = 1;
  for (int i = 0; i < axes; ++i) n *= size[i];
  for (int64_t k = 0; k < n; ++k) {
    int64_t rest = k;
    for (int i = axes - 1; i >= 0; --i) at[i] = int(rest % size[i]), rest /= size[i];
    f(static_cast<const int*>(at));
  }
}
int64_t Index(const cudnnTensorStruct& t, int n, int c, const int* at) {
  int64_t i = int64_t(n) * t.stride[0] + int64_t(c) * t.stride[1];
  for (int a = 2; a < t.n; ++a) i += int64_t(at[a - 2]) * t.stride[a];
  return i;
}
bool Fits(const cudnnPoolingStruct& p, const cudnnTensorStruct& x, const cudnnTensorStruct& y) {
  bool fits = x.n == y.n && p.n == x.n - 2 && x.type == y.type && x.dim[0] == y.dim[0] && x.dim[1] == y.dim[1];
  for (int i = 0; fits && i < p.n; ++i) fits = p.pad[i] < p.window[i] && y.dim[2 + i] == 1 + (x.dim[2 + i] + 2 * p.pad[i] - p.window[i]) / p.stride[i];
  return fits;
}
// The elements that window `at` of (n, c) shows: f(index). How many places it has, as far as its mode counts them.
template <class F> int64_t Show(const cudnnPoolingStruct& p, const cudnnTensorStruct& x, int n, int c, const int* at, const F& f) {
  int64_t counted = 0;
  ForEachPlace(p.window, p.n, [&](const int* w) {
    int from[3];
    bool inside = true;
    for (int i = 0; i < p.n; ++i) from[i] = at[i] * p.stride[i] - p.pad[i] + w[i], inside &= from[i] >= 0 && from[i] < x.dim[2 + i];
    counted += inside || p.mode == CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING;
    if (inside) f(Index(x, n, c, from));
  });
  return counted;
}
template <class F> void ForEachWindow(const cudnnTensorStruct& y, const F& f) {
  for (int n = 0; n < y.dim[0]; ++n)
    for (int c = 0; c < y.dim[1]; ++c) ForEachPlace(y.dim + 2, y.n - 2, [&](const int* at) { f(n, c, at); });
}
bool SameForm(const cudnnTensorStruct& a, const cudnnTensorStruct& b) {
  return a.type == b.type && a.n == b.n && !std::memcmp(a.dim, b.dim, size_t(a.n) * sizeof(int)) && !std::memcmp(a.stride, b.stride, size_t(a.n) * sizeof(int));
}
cudnnDataType_t ParameterType(const cudnnTensorStruct& x) { return x.type == CUDNN_DATA_DOUBLE ? CUDNN_DATA_DOUBLE : CUDNN_DATA_FLOAT; }
bool Parameters(const cudnnTensorStruct& x, const cudnnTensorStruct& p) { return p.type == ParameterType(x) && p.n == 4 && p.dim[0] == 1 && p.dim[1] == x.dim[1] && p.dim[2] == 1 && p.dim[3] == 1; }
cudnnStatus_t Refuse(bool fits) {
  if (!fits) return ++g_fake.misfits, CUDNN_STATUS_BAD_PARAM;
  return g_fake.refuse ? CUDNN_STATUS_NOT_SUPPORTED : cudnnStatus_t(g_fake.fail);
}
// The elements of channel c: f(index).
template <class F> void ForEachOf(const cudnnTensorStruct& x, int c, const F& f) {
  for (int n = 0; n < x.dim[0]; ++n) ForEachPlace(x.dim + 2, x.n - 2, [&](const int* at) { f(Index(x, n, c, at)); });
}
// The rows of a softmax over the channels: f(index of channel 0).
template <class F> void ForEachRow(const cudnnTensorStruct& x, const F& f) {
  for (int n = 0; n < x.dim[0]; ++n) ForEachPlace(x.dim + 2, x.n - 2, [&](const int* at) { f(Index(x, n, 0, at)); });
}
}  // namespace

FAKE(cudnnCreatePoolingDescriptor)(cudnnPoolingDescriptor_t* d) { return Make(d); }
FAKE(cudnnDestroyPoolingDescriptor)(cudnnPoolingDescriptor_t d) { return Destroy(d); }
FAKE(cudnnSetPoolingNdDescriptor)(cudnnPoolingDescriptor_t d, const cudnnPoolingMode_t mode, const cudnnNanPropagation_t nan, int n, const int window[], const int pad[], const int stride[]) {
  if (n < 2 || n > 3 || nan != CUDNN_PROPAGATE_NAN) return CUDNN_STATUS_NOT_SUPPORTED;
  d->mode = mode, d->n = n;
  for (int i = 0; i < n; ++i) d->window[i] = window[i], d->pad[i] = pad[i], d->stride[i] = stride[i];
  return CUDNN_STATUS_SUCCESS;
}
FAKE(cudnnPoolingForward)(cudnnHandle_t h, const cudnnPoolingDescriptor_t d, const void* alpha, const cudnnTensorDescriptor_t xd, const void* x, const void* beta, const cudnnTensorDescriptor_t yd, void* y) {
  if (auto s = Refuse(Fits(*d, *xd, *yd) && Plain(alpha, beta, ParameterType(*xd)))) return s;
  ++g_fake.pooled[0];
  return Issue(h, [=, p = *d, tx = *xd, ty = *yd] {
    ForEachWindow(ty, [&](int n, int c, const int* at) {
      double sum = 0, most = -std::numeric_limits<double>::infinity();
      const int64_t count = Show(p, tx, n, c, at, [&](int64_t i) {
        const double v = At(x, tx.type, i);
        sum += v;
        if (v > most || v != v) most = v;
      });
      Put(y, ty.type, Index(ty, n, c, at), p.mode == CUDNN_POOLING_MAX ? most : sum / double(count));
    });
  });
}
FAKE(cudnnPoolingBackward)(cudnnHandle_t h, const cudnnPoolingDescriptor_t d, const void* alpha, const cudnnTensorDescriptor_t yd, const void* y, const cudnnTensorDescriptor_t dyd, const void* dy,
                           const cudnnTensorDescriptor_t xd, const void* x, const void* beta, const cudnnTensorDescriptor_t dxd, void* dx) {
  if (auto s = Refuse(Fits(*d, *xd, *yd) && SameForm(*yd, *dyd) && SameForm(*xd, *dxd) && d->mode == CUDNN_POOLING_MAX && Plain(alpha, beta, ParameterType(*xd)))) return s;
  ++g_fake.pooled[1];
  return Issue(h, [=, p = *d, tx = *xd, ty = *yd] {
    int64_t size = 1;
    for (int i = 0; i < tx.n; ++i) size *= tx.dim[i];
    std::vector<double> sum(size_t(size), 0.0);
    ForEachWindow(ty, [&](int n, int c, const int* at) {
      const double top = At(y, ty.type, Index(ty, n, c, at));
      int64_t first = -1;
      Show(p, tx, n, c, at, [&](int64_t i) { if (first < 0 && At(x, tx.type, i) == top) first = i; });
      if (first >= 0) sum[size_t(first)] += At(dy, ty.type, Index(ty, n, c, at));
    });
    for (size_t i = 0; i < sum.size(); ++i) Put(dx, tx.type, int64_t(i), sum[i]);
  });
}

FAKE(cudnnBatchNormalizationForwardTraining)(cudnnHandle_t h, cudnnBatchNormMode_t mode, const void* alpha, const void* beta, const cudnnTensorDescriptor_t xd, const void* x,
                                             const cudnnTensorDescriptor_t yd, void* y, const cudnnTensorDescriptor_t pd, const void* scale, const void* bias, double, void* moving_mean,
                                             void* moving_var, double eps, void* mean, void* inv) {
  if (auto s = Refuse(mode == CUDNN_BATCHNORM_SPATIAL && SameForm(*xd, *yd) && Parameters(*xd, *pd) && !moving_mean && !moving_var && eps >= CUDNN_BN_MIN_EPSILON &&
                      Plain(alpha, beta, ParameterType(*xd))))
    return s;
  ++g_fake.normed[0];
  return Issue(h, [=, t = *xd, pt = pd->type] {
    for (int c = 0; c < t.dim[1]; ++c) {
      double n = 0, sum = 0, squares = 0;
      ForEachOf(t, c, [&](int64_t i) { n += 1, sum += At(x, t.type, i); });
      ForEachOf(t, c, [&](int64_t i) { const double v = At(x, t.type, i) - sum / n; squares += v * v; });
      const double m = sum / n, r = 1 / std::sqrt(squares / n + eps), g = At(scale, pt, c), b = At(bias, pt, c);
      Put(mean, pt, c, m), Put(inv, pt, c, r);
      ForEachOf(t, c, [&](int64_t i) { Put(y, t.type, i, (At(x, t.type, i) - m) * r * g + b); });
    }
  });
}
FAKE(cudnnBatchNormalizationBackward)(cudnnHandle_t h, cudnnBatchNormMode_t mode, const void* alpha, const void* beta, const void* alpha_p, const void* beta_p, const cudnnTensorDescriptor_t xd,
                                      const void* x, const cudnnTensorDescriptor_t dyd, const void* dy, const cudnnTensorDescriptor_t dxd, void* dx, const cudnnTensorDescriptor_t pd,
                                      const void* scale, void* dscale, void* dbias, double, const void* mean, const void* inv) {
  if (auto s = Refuse(mode == CUDNN_BATCHNORM_SPATIAL && SameForm(*xd, *dyd) && SameForm(*xd, *dxd) && Parameters(*xd, *pd) && mean && inv && Plain(alpha, beta, ParameterType(*xd)) &&
                      Plain(alpha_p, beta_p, ParameterType(*xd))))
    return s;
  ++g_fake.normed[1];
  return Issue(h, [=, t = *xd, pt = pd->type] {
    for (int c = 0; c < t.dim[1]; ++c) {
      const double m = At(mean, pt, c), r = At(inv, pt, c), g = At(scale, pt, c);
      double n = 0, sum = 0, with = 0;
      ForEachOf(t, c, [&](int64_t i) { n += 1, sum += At(dy, t.type, i), with += At(dy, t.type, i) * (At(x, t.type, i) - m) * r; });
      Put(dscale, pt, c, with), Put(dbias, pt, c, sum);
      ForEachOf(t, c, [&](int64_t i) { Put(dx, t.type, i, g * r * (At(dy, t.type, i) - sum / n - (At(x, t.type, i) - m) * r * with / n)); });
    }
  });
}

FAKE(cudnnSoftmaxForward)(cudnnHandle_t h, cudnnSoftmaxAlgorithm_t way, cudnnSoftmaxMode_t mode, const void* alpha, const cudnnTensorDescriptor_t xd, const void* x, const void* beta,
                          const cudnnTensorDescriptor_t yd, void* y) {
  if (auto s = Refuse(mode == CUDNN_SOFTMAX_MODE_CHANNEL && way != CUDNN_SOFTMAX_FAST && SameForm(*xd, *yd) && Plain(alpha, beta, ParameterType(*xd)))) return s;
  ++g_fake.softened[0];
  return Issue(h, [=, t = *xd] {
    ForEachRow(t, [&](int64_t base) {
      double most = -std::numeric_limits<double>::infinity(), sum = 0;
      auto at = [&](int c) { return At(x, t.type, base + int64_t(c) * t.stride[1]); };
      for (int c = 0; c < t.dim[1]; ++c) if (at(c) > most || at(c) != at(c)) most = at(c);
      for (int c = 0; c < t.dim[1]; ++c) sum += std::exp(at(c) - most);
      for (int c = 0; c < t.dim[1]; ++c) {
        const double v = at(c) - most;
        Put(y, t.type, base + int64_t(c) * t.stride[1], way == CUDNN_SOFTMAX_LOG ? v - std::log(sum) : std::exp(v) / sum);
      }
    });
  });
}
FAKE(cudnnSoftmaxBackward)(cudnnHandle_t h, cudnnSoftmaxAlgorithm_t way, cudnnSoftmaxMode_t mode, const void* alpha, const cudnnTensorDescriptor_t yd, const void* y,
                           const cudnnTensorDescriptor_t dyd, const void* dy, const void* beta, const cudnnTensorDescriptor_t dxd, void* dx) {
  if (auto s = Refuse(mode == CUDNN_SOFTMAX_MODE_CHANNEL && SameForm(*yd, *dyd) && SameForm(*yd, *dxd) && Plain(alpha, beta, ParameterType(*yd)))) return s;
  ++g_fake.softened[1];
  return Issue(h, [=, t = *yd] {
    ForEachRow(t, [&](int64_t base) {
      double sum = 0;
      auto i = [&](int c) { return base + int64_t(c) * t.stride[1]; };
      const bool log = way == CUDNN_SOFTMAX_LOG;
      for (int c = 0; c < t.dim[1]; ++c) sum += At(dy, t.type, i(c)) * (log ? 1 : At(y, t.type, i(c)));
      for (int c = 0; c < t.dim[1]; ++c) {
        const double v = At(y, t.type, i(c)), d = At(dy, t.type, i(c));
        Put(dx, t.type, i(c), log ? d - std::exp(v) * sum : v * (d - sum));
      }
    });
  });
}

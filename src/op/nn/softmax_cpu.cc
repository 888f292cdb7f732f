// SPDX-License-Identifier: Apache-2.0
// Rows along the last axis are normalised one by one; along another axis, whole rows of neighbouring columns at a time.
#include "op/nn/softmax.h"

#include <cmath>
#include <limits>
#include <vector>

#include "base/cache.h"
#include "base/thread_pool.h"
#include "device/kernels.h"
#include "op/nn/spans.h"
#include "op/nn/wide.h"
#include "tensor/device_work.h"
#include "tensor/tile.h"

namespace flx {
namespace {

constexpr int64_t kPastRow = 65536;  // the longest row that is kept for a moment
constexpr int64_t kColumns = 256;  // handled together where the axis is not the last

// `room`, where there is one, holds the row on its way past the caches.
template <class T> void Row(const Spans<T>& f, const T* x, int64_t n, T scale, bool log, T* to, T* room = nullptr) {
  T* y = room ? room : to;
  // With a negative scale the largest exponent is that of the smallest x.
  T most;
  if (scale > 0) {
    most = f.max(x, n);
  } else {
    most = std::numeric_limits<T>::infinity();
    for (int64_t i = 0; i < n; ++i) most = x[i] < most ? x[i] : most;
  }
  if (log) {
    T sum = f.exp_sum(x, most, scale, n, nullptr);
    f.affine(x, most, scale, -std::log(sum), n, y);
  } else {
    T sum = f.exp_sum(x, most, scale, n, y);
    f.affine(y, 0, 1 / sum, 0, n, y);
  }
  if (room) CopyPast(to, room, n * int64_t(sizeof(T)));
}
template <class T> void Columns(const Spans<T>& f, const T* x, int64_t n, int64_t inner, int64_t cols, T scale, bool log, T* y) {
  T most[kColumns], sum[kColumns], k[kColumns], zero[kColumns];
  for (int64_t j = 0; j < cols; ++j) most[j] = x[j], sum[j] = 0, k[j] = scale, zero[j] = 0;
  for (int64_t i = 1; i < n; ++i) {
    const T* row = x + i * inner;
    if (scale > 0) f.max_rows(row, cols, most);
    else for (int64_t j = 0; j < cols; ++j) most[j] = row[j] < most[j] ? row[j] : most[j];
  }
  for (int64_t i = 0; i < n; ++i) f.exp_rows(x + i * inner, most, scale, cols, log ? nullptr : y + i * inner, sum);
  if (log) {
    for (int64_t j = 0; j < cols; ++j) sum[j] = -std::log(sum[j]);
    for (int64_t i = 0; i < n; ++i) f.affine_rows(x + i * inner, most, k, sum, cols, y + i * inner);
  } else {
    for (int64_t j = 0; j < cols; ++j) sum[j] = 1 / sum[j];
    for (int64_t i = 0; i < n; ++i) f.affine_rows(y + i * inner, zero, sum, zero, cols, y + i * inner);
  }
}
// Calls body(offset of the first element, columns) for each block of columns of (outer, n, inner).
template <class F> void ForColumns(int64_t outer, int64_t n, int64_t inner, const F& body) {
  int64_t blocks = (inner + kColumns - 1) / kColumns;
  ParallelFor(outer * blocks, GrainOf(outer * blocks, n * (inner < kColumns ? inner : kColumns), 8192), [&](int64_t b, int64_t e) {
    for (int64_t i = b; i < e; ++i) {
      int64_t at = i % blocks * kColumns;
      body(i / blocks * n * inner + at, inner - at < kColumns ? inner - at : kColumns);
    }
  });
}
template <class T> void WithLength(const T* x, const TensorView& length, int64_t outer, int64_t n, int64_t inner, T scale, bool log, T* y) {
  const auto& f = SpansOf<T>();
  ParallelFor(outer * inner, GrainOf(outer * inner, n, 8192), [&](int64_t b, int64_t e) {
    std::vector<T> row(size_t(n), T(0));
    for (int64_t r = b; r < e; ++r) {
      int64_t len = length.dtype == DType::kInt64 ? length.data<int64_t>()[r] : length.data<int32_t>()[r];
      len = len < 0 ? 0 : len > n ? n : len;
      const T* from = x + r / inner * n * inner + r % inner;
      T* to = y + r / inner * n * inner + r % inner;
      for (int64_t i = 0; i < len; ++i) row[size_t(i)] = from[i * inner];
      if (len) Row(f, row.data(), len, scale, log, row.data());
      for (int64_t i = 0; i < n; ++i) to[i * inner] = i < len ? row[size_t(i)] : T(0);
    }
  });
}
// The element type that all of it is computed in: the wider of the two.
void Run(KernelContext& ctx, const SoftmaxAttrs& a, const TensorView& x, const TensorView& length, TensorView& y, bool negative, bool log) {
  int axis = a.axis < 0 ? a.axis + x.ndim() : a.axis;
  int64_t outer = x.shape.Product(0, axis), n = x.dim(axis), inner = x.shape.Product(axis + 1, x.ndim());
  if (DeviceWork* w = DeviceWork::Current()) return SoftmaxOnDevice(w, x, length, outer, n, inner, a.Scale(negative), log, y);
  DType t = x.dtype == DType::kFloat64 || y.dtype == DType::kFloat64 ? DType::kFloat64 : DType::kFloat32;
  TensorView in = x, out = y;
  if (x.dtype != t) in = MakeView(ctx.Scratch(x.size() * DTypeSize(t)), t, x.shape), CopyStrided(x, in);
  if (y.dtype != t) out = MakeView(ctx.Scratch(y.size() * DTypeSize(t)), t, y.shape);
  ForFloats(t, [&](auto zero) {
    using T = decltype(zero);
    T scale = T(a.Scale(negative));
    if (length) WithLength(in.data<T>(), length, outer, n, inner, scale, log, out.data<T>());
    else SoftmaxLoop(in.data<T>(), outer, n, inner, scale, log, out.data<T>());
  });
  if (y.dtype != t) CopyStrided(out, y);
}

}  // namespace

void SoftmaxOnDevice(DeviceWork* w, const TensorView& x, const TensorView& length, int64_t outer, int64_t n, int64_t inner, double scale, bool log, const TensorView& y) {
  const TensorView in[] = {x, length};
  const int64_t ints[] = {outer, n, inner, log};
  w->Call(kDeviceSoftmax, DeviceSignature(kDeviceSoftmax), {in, length ? 2 : 1, &y, 1, ints, 4, &scale, 1});
}
template <class T> void SoftmaxLoop(const T* x, int64_t outer, int64_t n, int64_t inner, T scale, bool log, T* y) {
  const auto& f = SpansOf<T>();
  if (inner == 1) {
    bool past = n <= kPastRow && x != y && PastCaches(2 * outer * n * int64_t(sizeof(T)));
    ParallelFor(outer, GrainOf(outer, n, past ? kPastRow : 8192), [&](int64_t b, int64_t e) {
      std::vector<T> room(past ? size_t(n) : 0);
      for (int64_t r = b; r < e; ++r) Row(f, x + r * n, n, scale, log, y + r * n, past ? room.data() : nullptr);
      if (past) FlushPast();
    });
  } else {
    ForColumns(outer, n, inner, [&](int64_t at, int64_t cols) { Columns(f, x + at, n, inner, cols, scale, log, y + at); });
  }
}
template void SoftmaxLoop<float>(const float*, int64_t, int64_t, int64_t, float, bool, float*);
template void SoftmaxLoop<double>(const double*, int64_t, int64_t, int64_t, double, bool, double*);

void SoftmaxCpu(KernelContext& ctx, const SoftmaxAttrs& a, const TensorView& x, const TensorView& length, TensorView& y) {
  Run(ctx, a, x, length, y, false, false);
}
void SoftminCpu(KernelContext& ctx, const SoftmaxAttrs& a, const TensorView& x, const TensorView& length, TensorView& y) {
  Run(ctx, a, x, length, y, true, false);
}
void LogSoftmaxCpu(KernelContext& ctx, const SoftmaxAttrs& a, const TensorView& x, const TensorView& length, TensorView& y) {
  Run(ctx, a, x, length, y, false, true);
}
void SoftmaxActivationCpu(KernelContext& ctx, const SoftmaxActivationAttrs& a, const TensorView& x, TensorView& y) {
  bool channel = a.mode == SoftmaxMode::kChannel;
  int64_t inner = channel ? x.shape.Product(2, x.ndim()) : 1, n = channel ? x.dim(1) : x.shape.Product(1, x.ndim());
  if (DeviceWork* w = DeviceWork::Current()) return SoftmaxOnDevice(w, x, {}, x.dim(0), n, inner, 1, false, y);
  TensorView in = Widen(ctx, x);
  WideOut out(ctx, y);
  ForFloats(in.dtype, [&](auto zero) {
    using T = decltype(zero);
    SoftmaxLoop(in.data<T>(), x.dim(0), n, inner, T(1), false, out.data<T>());
  });
  out.Store();
}

namespace {
template <bool kLog> void GradRun(KernelContext& ctx, const SoftmaxGradAttrs& a, const TensorView& y0, const TensorView& dy0, TensorView& dx0) {
  if (DeviceWork* w = DeviceWork::Current()) {
    const int k = a.axis < 0 ? a.axis + y0.ndim() : a.axis;
    const int64_t ints[] = {y0.shape.Product(0, k), y0.dim(k), y0.shape.Product(k + 1, y0.ndim()), kLog};
    const TensorView in[] = {y0, dy0};
    return w->Call(kDeviceSoftmaxGrad, DeviceSignature(kDeviceSoftmaxGrad), {in, 2, &dx0, 1, ints, 4, &a.scale, 1});
  }
  TensorView y = Widen(ctx, y0), dy = Widen(ctx, dy0);
  WideOut out(ctx, dx0);
  int axis = a.axis < 0 ? a.axis + y.ndim() : a.axis;
  int64_t outer = y.shape.Product(0, axis), n = y.dim(axis), inner = y.shape.Product(axis + 1, y.ndim());
  ForFloats(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto& f = SpansOf<T>();
    const T* py = y.data<T>();
    const T* pd = dy.data<T>();
    T *px = out.data<T>(), k = T(a.scale);
    if (inner == 1) {
      ParallelFor(outer, GrainOf(outer, n, 8192), [&](int64_t b, int64_t e) {
        for (int64_t r = b; r < e; ++r) {
          const T *yr = py + r * n, *dr = pd + r * n;
          T* xr = px + r * n;
          if (kLog) {
            T s = f.sum(dr, n);
            f.exp_sum(yr, 0, 1, n, xr);
            f.affine2(dr, xr, 0, k, -k * s, 0, n, xr);
          } else {
            T s = f.dot(yr, dr, n);
            for (int64_t i = 0; i < n; ++i) xr[i] = k * yr[i] * (dr[i] - s);
          }
        }
      });
      return;
    }
    ForColumns(outer, n, inner, [&](int64_t at, int64_t cols) {
      T s[kColumns], none[kColumns], ignored[kColumns];
      for (int64_t j = 0; j < cols; ++j) s[j] = none[j] = ignored[j] = 0;
      for (int64_t i = 0; i < n; ++i) {
        const T *yr = py + at + i * inner, *dr = pd + at + i * inner;
        if (kLog) f.add_rows(dr, cols, s);
        else f.dot_rows(yr, dr, none, cols, ignored, s);
      }
      for (int64_t i = 0; i < n; ++i) {
        const T *yr = py + at + i * inner, *dr = pd + at + i * inner;
        T* xr = px + at + i * inner;
        if (kLog) {
          f.exp_rows(yr, none, 1, cols, xr, ignored);
          for (int64_t j = 0; j < cols; ++j) xr[j] = k * (dr[j] - xr[j] * s[j]);
        } else {
          for (int64_t j = 0; j < cols; ++j) xr[j] = k * yr[j] * (dr[j] - s[j]);
        }
      }
    });
  });
  out.Store();
}
}  // namespace
void SoftmaxGradCpu(KernelContext& ctx, const SoftmaxGradAttrs& a, const TensorView& y, const TensorView& dy, TensorView& dx) {
  GradRun<false>(ctx, a, y, dy, dx);
}
void LogSoftmaxGradCpu(KernelContext& ctx, const SoftmaxGradAttrs& a, const TensorView& y, const TensorView& dy, TensorView& dx) {
  GradRun<true>(ctx, a, y, dy, dx);
}

}  // namespace flx

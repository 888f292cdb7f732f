// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>

#include "base/thread_pool.h"
#include "device/kernels.h"
#include "op/indexing/indexing.h"
#include "tensor/array.h"
#include "tensor/device_work.h"

namespace flx {

int64_t LargestIndex(DType t) {
  switch (t) {
    case DType::kFloat32: return int64_t(1) << 24;
    case DType::kFloat64: return int64_t(1) << 53;
    case DType::kFloat16: return 2048;
    case DType::kBfloat16: return 256;
    case DType::kUint8: return 255;
    case DType::kInt8: return 127;
    case DType::kInt16: return 32767;
    case DType::kUint16: return 65535;
    case DType::kInt32: return INT32_MAX;
    case DType::kUint32: return UINT32_MAX;
    case DType::kBool: return 1;
    default: return INT64_MAX;
  }
}
int64_t* LoadIndices(KernelContext& ctx, const char* who, const TensorView& indices, int64_t n, IndexMode mode) {
  int64_t count = indices.size();
  auto* out = ctx.Scratch<int64_t>(count);
  CopyStrided(indices, MakeView(out, DType::kInt64, indices.shape));  // truncates fractions
  for (int64_t i = 0; i < count; ++i) {
    int64_t& v = out[i];
    if (v >= 0 && v < n) continue;
    if (mode == IndexMode::kRaise) Fail(Status::kIndex, who, "indices must be in [0, ", n, "), given ", v, ". Use mode clip or wrap, or mend the index.");
    if (mode == IndexMode::kClip) v = v < 0 ? 0 : n - 1;
    else v = (v % n + n) % n;
  }
  return out;
}

namespace {
using In = const TensorView&;
using Out = TensorView&;
constexpr int64_t kGrain = 32768;

// x and y with their device's kernel: gather, or scatter_add, whose sums of 16-bit floats are kept in float32.
void OnDevice(const char* kernel, const TensorView& x, const TensorView& indices, const TensorView& y, Rows r, int64_t m, IndexMode mode, bool own) {
  DeviceWork* w = DeviceWork::Current();
  if (mode == IndexMode::kRaise) w->Refuse("mode raise: a device cannot look at indices before it goes on; modes clip and wrap it has");
  const int64_t ints[] = {r.outer, r.n, m, r.inner, mode == IndexMode::kWrap, own};
  const TensorView in[] = {x, indices};
  w->Call(kernel, DeviceSignature(kernel), {in, 2, &y, 1, ints, 6});
}
void SumOnDevice(const TensorView& indices, const TensorView& dy, const TensorView& dx, Rows r, int64_t m, IndexMode mode, bool own) {
  if (IsFloat(dx.dtype) && DTypeSize(dx.dtype) == 2) {
    DeviceWork* w = DeviceWork::Current();
    TensorView sum = MakeView(w->Scratch(dx.size() * 4), DType::kFloat32, dx.shape), wide = MakeView(w->Scratch(dy.size() * 4), DType::kFloat32, dy.shape);
    CopyStrided(dy, wide);
    SumOnDevice(indices, wide, sum, r, m, mode, own);
    return CopyStrided(sum, dx);
  }
  FillStrided(dx, 0);
  if (dy.size()) OnDevice(kDeviceScatterAdd, dy, indices, dx, r, m, mode, own);
}
void TakeCpu(KernelContext& ctx, const TakeAttrs& a, In x, In indices, Out y) {
  Rows r = RowsOf(x.shape, NormalAxis("take", a.axis, x.ndim()));
  if (DeviceWork::Current()) return OnDevice(kDeviceGather, x, indices, y, r, indices.size(), a.mode, false);
  int64_t m = indices.size(), bytes = r.inner * DTypeSize(x.dtype);
  const int64_t* at = LoadIndices(ctx, "take", indices, r.n, a.mode);
  auto* from = static_cast<const char*>(x.raw());
  auto* to = static_cast<char*>(y.raw());
  ParallelFor(r.outer * m, std::max<int64_t>(1, 2 * kGrain / std::max<int64_t>(1, bytes)), [&](int64_t i, int64_t e) {
    for (; i < e; ++i) std::memcpy(to + i * bytes, from + (i / m * r.n + at[i % m]) * bytes, size_t(bytes));
  });
}
// What sums are kept in: 16-bit floats are added in float32, integers modulo 2^64.
template <class T> struct Wide { using Type = T; };
template <> struct Wide<Half> { using Type = float; };
template <> struct Wide<Bfloat16> { using Type = float; };
template <class T> using WideOf = std::conditional_t<std::is_integral_v<T>, uint64_t, typename Wide<T>::Type>;
template <class T> WideOf<T> Load(T v) {
  if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, Bfloat16>) return ToFloat(v); else return WideOf<T>(v);
}
template <class T> T Store(WideOf<T> v) {
  if constexpr (std::is_same_v<T, Half>) return ToHalf(v);
  else if constexpr (std::is_same_v<T, Bfloat16>) return ToBfloat16(v);
  else return T(v);
}
void TakeGradCpu(KernelContext& ctx, const TakeGradAttrs& a, In indices, In dy, Out dx) {
  Rows r = RowsOf(dx.shape, NormalAxis("take", a.axis, dx.ndim()));
  int64_t m = indices.size();
  if (m == 0) return FillStrided(dx, 0);
  if (DeviceWork::Current()) return SumOnDevice(indices, dy, dx, r, m, a.mode, false);
  const int64_t* at = LoadIndices(ctx, "take", indices, r.n, a.mode);
  // Which places name each row, in their order: counted, then dealt out.
  auto* begin = ctx.Scratch<int64_t>(r.n + 1);
  auto* places = ctx.Scratch<int64_t>(m);
  std::fill(begin, begin + r.n + 1, 0);
  for (int64_t i = 0; i < m; ++i) ++begin[at[i] + 1];
  for (int64_t i = 0; i < r.n; ++i) begin[i + 1] += begin[i];
  auto* next = ctx.Scratch<int64_t>(r.n);
  std::copy(begin, begin + r.n, next);
  for (int64_t i = 0; i < m; ++i) places[next[at[i]]++] = i;
  Dispatch(dx.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T* from = dy.data<T>();
    T* to = dx.data<T>();
    ParallelFor(r.outer * r.n, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, r.inner)), [&](int64_t row, int64_t e) {
      constexpr int64_t kPart = 256;
      WideOf<T> sum[kPart];
      for (; row < e; ++row) {
        int64_t o = row / r.n, i = row % r.n;
        for (int64_t j0 = 0; j0 < r.inner; j0 += kPart) {
          int64_t w = std::min(kPart, r.inner - j0);
          std::fill(sum, sum + w, WideOf<T>(0));
          for (int64_t p = begin[i]; p < begin[i + 1]; ++p) {
            const T* d = from + (o * m + places[p]) * r.inner + j0;
            for (int64_t j = 0; j < w; ++j) sum[j] += Load(d[j]);
          }
          for (int64_t j = 0; j < w; ++j) to[row * r.inner + j0 + j] = Store<T>(sum[j]);
        }
      }
    });
  });
}
template <class T> void TakeAlongRun(In x, const int64_t* at, Out y, Rows r, int64_t m) {
  const T* from = x.data<T>();
  T* to = y.data<T>();
  ParallelFor(r.outer, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, m * r.inner)), [&](int64_t o, int64_t e) {
    for (; o < e; ++o)
      for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < r.inner; ++j) {
          int64_t place = (o * m + i) * r.inner + j;
          to[place] = from[(o * r.n + at[place]) * r.inner + j];
        }
  });
}
void TakeAlongCpu(KernelContext& ctx, const AlongAttrs& a, In x, In index, Out y) {
  int k = NormalAxis("pick", a.axis, x.ndim());
  Rows r = RowsOf(x.shape, k);
  if (DeviceWork::Current()) return OnDevice(kDeviceGather, x, index, y, r, y.dim(k), a.mode, true);
  const int64_t* at = LoadIndices(ctx, "pick", index, r.n, a.mode);
  switch (DTypeSize(x.dtype)) {
    case 1: return TakeAlongRun<uint8_t>(x, at, y, r, y.dim(k));
    case 2: return TakeAlongRun<uint16_t>(x, at, y, r, y.dim(k));
    case 4: return TakeAlongRun<uint32_t>(x, at, y, r, y.dim(k));
    default: return TakeAlongRun<uint64_t>(x, at, y, r, y.dim(k));
  }
}
void PutAlongCpu(KernelContext& ctx, const PutAlongAttrs& a, In index, In dy, Out dx) {
  int k = NormalAxis("pick", a.axis, dx.ndim());
  Rows r = RowsOf(dx.shape, k);
  int64_t m = dy.dim(k);
  if (DeviceWork::Current()) return SumOnDevice(index, dy, dx, r, m, a.mode, true);
  FillStrided(dx, 0);
  if (dy.size() == 0) return;
  const int64_t* at = LoadIndices(ctx, "pick", index, r.n, a.mode);
  Dispatch(dx.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T* from = dy.data<T>();
    T* to = dx.data<T>();
    ParallelFor(r.outer, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, m * r.inner)), [&](int64_t o, int64_t e) {
      for (; o < e; ++o)
        for (int64_t i = 0; i < m; ++i)
          for (int64_t j = 0; j < r.inner; ++j) {
            int64_t place = (o * m + i) * r.inner + j;
            T& t = to[(o * r.n + at[place]) * r.inner + j];
            t = Store<T>(Load(t) + Load(from[place]));
          }
    });
  });
}
void OneHotCpu(KernelContext& ctx, const OneHotAttrs& a, In indices, Out y) {
  if (DeviceWork* w = DeviceWork::Current()) {
    const double numbers[] = {a.on_value, a.off_value};
    return w->Call(kDeviceOneHot, DeviceSignature(kDeviceOneHot), {&indices, 1, &y, 1, &a.depth, 1, numbers, 2});
  }
  int64_t n = indices.size();
  auto* at = ctx.Scratch<int64_t>(n);
  CopyStrided(indices, MakeView(at, DType::kInt64, indices.shape));
  FillStrided(y, a.off_value);
  uint64_t on = 0;
  TensorView one = MakeView(&on, y.dtype, Shape{});
  FillStrided(one, a.on_value);
  int64_t size = DTypeSize(y.dtype);
  for (int64_t i = 0; i < n; ++i)
    if (at[i] >= 0 && at[i] < a.depth) std::memcpy(static_cast<char*>(y.raw()) + (i * a.depth + at[i]) * size, &on, size_t(size));
}
}  // namespace

void AddTakeCpuKernels(KernelList* list) {
  list->push_back(Kernel<TakeKernel>(&TakeCpu).OnDevices());
  list->push_back(Kernel<TakeGradKernel>(&TakeGradCpu).OnDevices());
  list->push_back(Kernel<TakeAlongKernel>(&TakeAlongCpu).OnDevices());
  list->push_back(Kernel<PutAlongKernel>(&PutAlongCpu).OnDevices());
  list->push_back(Kernel<OneHotKernel>(&OneHotCpu).OnDevices());
}

}  // namespace flx

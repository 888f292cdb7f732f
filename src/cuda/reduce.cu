// SPDX-License-Identifier: Apache-2.0
// Reductions over any axes, from the formulas of op/reduce: computed in C, totals in W. Work is cut by shape only, and parts are merged in their order: the
// same bits at every run.
#include "cuda/elements.h"
#include "cuda/math.h"

namespace flx::cuda {
namespace {
#include "op/reduce/formulas.h"

struct Axes {
  int32_t count;
  int64_t size, dim[kMaxAxes], stride[kMaxAxes];
  FLX_HD int64_t At(int64_t i) const {
    int64_t offset = 0;
    for (int a = count - 1; a > 0; --a) {
      const int64_t q = i / dim[a];
      offset += (i - q * dim[a]) * stride[a];
      i = q;
    }
    return count ? offset + i * stride[0] : 0;
  }
  void Add(int64_t d, int64_t s, bool may_merge) {
    size *= d;
    if (d == 1) return;
    if (may_merge && count && stride[count - 1] == s * d) dim[count - 1] *= d, stride[count - 1] = s;
    else dim[count] = d, stride[count] = s, ++count;
  }
};
struct Job {
  Axes kept, reduced, y;
  const void* x;
  void* out;
  void* partial;  // of W, kept.size * parts of them; null: one part
  int64_t parts, flags;
  double initial;
  int32_t x_type, y_type;
};

template <class F, class C, class W> __device__ W Part(const Job& j, int64_t output, int64_t begin, int64_t end, int64_t first, int64_t step) {
  constexpr int kShort = sizeof(C) < sizeof(W) ? 8 : 1;  // elements that are reduced in C before they join the total
  const int64_t base = j.kept.At(output);
  W total = F::template Empty<W>();
  for (int64_t i = begin + first; i < end;) {
    C sum = F::template Empty<C>();
    for (int k = 0; k < kShort && i < end; ++k, i += step) sum = F::Step(sum, Load<C>(j.x, j.x_type, base + j.reduced.At(i)));
    total = F::Merge(total, W(sum));
  }
  return total;
}
template <class F, class W> __device__ void Finish(const Job& j, int64_t output, W v) {
  const int64_t count = j.reduced.size, at = j.y.At(output);
  constexpr bool kWhole = std::is_integral_v<W>;
  if (j.flags & kReduceInitial) v = F::Merge(v, ConvertTo<W>(j.initial));
  if (j.flags & kReduceMean) {
    if (kWhole && IsFloat(DType(j.y_type))) {
      Store<double>(j.out, j.y_type, at, double(v) / double(count));
      return;
    }
    v = kWhole && count == 0 ? W(0) : W(v / W(count));
  }
  if (j.flags & kReduceRoot) v = W(std::sqrt(double(v)));
  Store<W>(j.out, j.y_type, at, v);
}
template <class F, class W> __device__ void Give(const Job& j, int64_t unit, W v) {
  if (j.partial) static_cast<W*>(j.partial)[unit] = v;
  else Finish<F, W>(j, unit, v);
}
// A block for each part of each output.
template <class F, class C, class W> __global__ void RowsKernel(Job j) {
  __shared__ W sums[kBlock];
  for (int64_t u = blockIdx.x; u < j.kept.size * j.parts; u += gridDim.x) {
    const int64_t part = u % j.parts, n = j.reduced.size;
    Meet();
    sums[threadIdx.x] = Part<F, C, W>(j, u / j.parts, n / j.parts * part + (part < n % j.parts ? part : n % j.parts),
                                      n / j.parts * (part + 1) + (part + 1 < n % j.parts ? part + 1 : n % j.parts), threadIdx.x, blockDim.x);
    for (unsigned s = 1; s < blockDim.x; s *= 2) {
      Meet();
      if (threadIdx.x % (2 * s) == 0 && threadIdx.x + s < blockDim.x) sums[threadIdx.x] = F::Merge(sums[threadIdx.x], sums[threadIdx.x + s]);
    }
    if (threadIdx.x == 0) Give<F, W>(j, u, sums[0]);
  }
}
// A thread for each part of each output: neighbouring threads read neighbouring elements.
template <class F, class C, class W> __global__ void ColumnsKernel(Job j) {
  for (int64_t i = Index(); i < j.kept.size * j.parts; i += Step()) {
    const int64_t output = i % j.kept.size, part = i / j.kept.size, n = j.reduced.size;
    Give<F, W>(j, j.partial ? output * j.parts + part : output,
               Part<F, C, W>(j, output, n / j.parts * part + (part < n % j.parts ? part : n % j.parts), n / j.parts * (part + 1) + (part + 1 < n % j.parts ? part + 1 : n % j.parts), 0, 1));
  }
}
template <class F, class W> __global__ void MergeKernel(Job j) {
  for (int64_t i = Index(); i < j.kept.size; i += Step()) {
    const W* p = static_cast<const W*>(j.partial) + i * j.parts;
    W v = p[0];
    for (int64_t k = 1; k < j.parts; ++k) v = F::Merge(v, p[k]);
    Finish<F, W>(j, i, v);
  }
}
template <class F, class C, class W> int32_t Run(flx_device_queue* q, const flx_device_call* c, Job j) {
  // Elements of neighbouring outputs lie together, and there are enough of them: a thread each. Else a block each.
  const bool columns = j.kept.count > 0 && j.kept.stride[j.kept.count - 1] == 1 && (j.reduced.count == 0 || j.reduced.stride[j.reduced.count - 1] != 1) && j.kept.size >= 32;
  const int64_t n = j.reduced.size, outputs = j.kept.size;
  j.parts = columns ? (outputs < 65536 && n > 1024 ? (n + 511) / 512 : 1) : (outputs < 512 && n > 32768 ? (n + 16383) / 16384 : 1);
  if (j.parts > 256) j.parts = 256;
  if (j.parts > 1)
    if (int32_t r = c->scratch(c->context, outputs * j.parts * int64_t(sizeof(W)), &j.partial)) return r;
  int32_t r = columns ? Launch(q, BlocksFor(outputs * j.parts), &ColumnsKernel<F, C, W>, j) : LaunchBlocks(q, outputs * j.parts, &RowsKernel<F, C, W>, j);
  if (r || j.parts == 1) return r;
  return Launch(q, BlocksFor(outputs), &MergeKernel<F, W>, j);
}
template <class F> int32_t RunTypes(flx_device_queue* q, const flx_device_call* c, const Job& j, bool wide) {
  const DType x = DType(j.x_type);
  // Sums of squares and of magnitudes would overflow float32 long before their root does.
  if (x == DType::kFloat64 || (wide && IsFloat(x)) || (j.flags & kReduceRoot)) return Run<F, double, double>(q, c, j);
  if (IsFloat(x)) return Run<F, float, double>(q, c, j);
  if (x == DType::kUint64) return Run<F, uint64_t, uint64_t>(q, c, j);
  return Run<F, int64_t, int64_t>(q, c, j);
}
// What an extreme over nothing is, in the array's own dtype.
__global__ void ExtremeKernel(Job j, bool highest) {
  for (int64_t i = Index(); i < j.kept.size; i += Step())
    Dispatch(DType(j.y_type), [&](auto zero) {
      using T = decltype(zero);
      if constexpr (std::is_integral_v<T>) {
        int64_t at = j.y.At(i);
        T v = highest ? std::numeric_limits<T>::max() : std::numeric_limits<T>::lowest();
        if (j.flags & kReduceInitial) {
          const T w = ConvertTo<T>(j.initial);
          v = (highest ? w < v : w > v) ? w : v;
        }
        static_cast<T*>(j.out)[at] = v;
      }
    });
}
int32_t Reduce(flx_device_queue* q, const flx_device_call* c) {
  if (c->nin != 1 || c->nout != 1 || c->nints != 3 || c->nnumbers != 1) return FLX_DEVICE_NO_KERNEL;
  const flx_device_tensor &x = c->in[0], &y = c->out[0];
  Job j = {};
  j.kept.size = j.reduced.size = j.y.size = 1;
  int before = -1;
  for (int a = 0; a < x.ndim; ++a) {
    const int reduced = c->ints[1] >> a & 1;
    (reduced ? j.reduced : j.kept).Add(x.dims[a], x.strides[a], before == reduced);
    if (x.dims[a] != 1) before = reduced;
  }
  for (int a = 0; a < y.ndim; ++a) j.y.Add(y.dims[a], y.strides[a], true);
  if (j.kept.size == 0) return FLX_DEVICE_OK;
  j.x = x.data, j.x_type = x.dtype, j.out = y.data, j.y_type = y.dtype, j.flags = c->ints[2], j.initial = c->numbers[0];
  const bool to_wide = DType(y.dtype) == DType::kFloat64;
  if (j.reduced.size == 0 && (c->ints[0] == 4 || c->ints[0] == 5) && !IsFloat(DType(y.dtype)))
    return Launch(q, BlocksFor(j.kept.size), &ExtremeKernel, j, c->ints[0] == 5);
  switch (c->ints[0]) {  // ReduceKind of op/reduce/driver.h
    case 0: return RunTypes<Sum>(q, c, j, to_wide);
    case 1: return RunTypes<NanSum>(q, c, j, to_wide);
    case 2: return RunTypes<Prod>(q, c, j, to_wide);
    case 3: return RunTypes<NanProd>(q, c, j, to_wide);
    case 4: return RunTypes<Max>(q, c, j, to_wide);
    case 5: return RunTypes<Min>(q, c, j, to_wide);
    case 6: return RunTypes<AbsSum>(q, c, j, true);
    case 7: return RunTypes<SquareSum>(q, c, j, true);
    default: return FLX_DEVICE_NO_KERNEL;
  }
}

// The first of the extreme elements; a NaN is more extreme than any number.
template <class C> __device__ bool Before(bool max, C a, int64_t i, C b, int64_t k) {
  const bool na = a != a, nb = b != b;
  if (na || nb) return na && (!nb || i < k);
  if (a == b) return i < k;
  return max ? a > b : a < b;
}
template <class C> __global__ void ArgKernel(const void* x, int32_t x_type, void* y, int32_t y_type, int64_t outer, int64_t n, int64_t inner, bool max) {
  __shared__ C best[kBlock];
  __shared__ int64_t place[kBlock];
  for (int64_t u = blockIdx.x; u < outer * inner; u += gridDim.x) {
    const int64_t base = u / inner * n * inner + u % inner;
    Meet();
    int64_t p = -1;
    C v = C(0);
    for (int64_t i = threadIdx.x; i < n; i += blockDim.x) {
      const C w = Load<C>(x, x_type, base + i * inner);
      if (p < 0 || Before(max, w, i, v, p)) v = w, p = i;
    }
    best[threadIdx.x] = v, place[threadIdx.x] = p;
    for (unsigned s = 1; s < blockDim.x; s *= 2) {
      Meet();
      const unsigned a = threadIdx.x, b = a + s;
      if (a % (2 * s) == 0 && b < blockDim.x && place[b] >= 0 && (place[a] < 0 || Before(max, best[b], place[b], best[a], place[a])))
        best[a] = best[b], place[a] = place[b];
    }
    if (threadIdx.x == 0) Store<int64_t>(y, y_type, u, place[0]);
  }
}
int32_t ArgReduce(flx_device_queue* q, const flx_device_call* c) {
  if (c->nin != 1 || c->nout != 1 || c->nints != 2) return FLX_DEVICE_NO_KERNEL;
  const flx_device_tensor &x = c->in[0], &y = c->out[0];
  const int axis = int(c->ints[1]);
  int64_t outer = 1, n = 1, inner = 1;
  for (int a = 0; a < x.ndim; ++a) (axis < 0 || a == axis ? n : a < axis ? outer : inner) *= x.dims[a];
  if (outer * inner == 0) return FLX_DEVICE_OK;
  const bool max = c->ints[0] != 0;
  const void* from = x.data;
  if (DType(x.dtype) == DType::kFloat64) return LaunchBlocks(q, outer * inner, &ArgKernel<double>, from, x.dtype, y.data, y.dtype, outer, n, inner, max);
  if (IsFloat(DType(x.dtype))) return LaunchBlocks(q, outer * inner, &ArgKernel<float>, from, x.dtype, y.data, y.dtype, outer, n, inner, max);
  if (DType(x.dtype) == DType::kUint64) return LaunchBlocks(q, outer * inner, &ArgKernel<uint64_t>, from, x.dtype, y.data, y.dtype, outer, n, inner, max);
  return LaunchBlocks(q, outer * inner, &ArgKernel<int64_t>, from, x.dtype, y.data, y.dtype, outer, n, inner, max);
}
}  // namespace

void AddReduceKernels(KernelTable* t) {
  t->Add(kDeviceReduce, DeviceSignature(kDeviceReduce), &Reduce);
  t->Add(kDeviceArgReduce, DeviceSignature(kDeviceArgReduce), &ArgReduce);
}
}  // namespace flx::cuda

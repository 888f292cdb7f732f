// SPDX-License-Identifier: Apache-2.0
// What moves elements by a rule: sequences, borders, places that indices name, sorting and counting.
#include <cstring>

#include "cuda/elements.h"
#include "cuda/together.h"

namespace flx::cuda {
namespace {

// Bytes are moved, by the size of an element: call(T{}).
template <class F> int32_t BySize(int32_t dtype, const F& call) {
  switch (DTypeSize(DType(dtype))) {
    case 1: return call(uint8_t{});
    case 2: return call(uint16_t{});
    case 4: return call(uint32_t{});
    default: return call(uint64_t{});
  }
}
uint64_t BitsOf(double v, int32_t dtype) {
  uint64_t bits = 0;
  Store<double>(&bits, dtype, 0, v);
  return bits;
}
template <class I> bool IntsTo(const flx_device_call* c, I* to) {
  if (c->nints != int(sizeof(I) / sizeof(int64_t))) return false;
  std::memcpy(to, c->ints, sizeof *to);
  return true;
}

// ---- sequences
struct Sequences {
  SequenceInts s;
  const void *x, *length;
  void* y;
  int32_t length_type;
  uint64_t blank;
  FLX_HD int64_t At(int64_t step, int64_t i) const { return (s.steps_first ? step * s.batch + i : i * s.steps + step) * s.rest; }
};
template <class T> __global__ void SequenceKernel(Sequences j, int64_t size) {
  const SequenceInts& s = j.s;
  const T* x = static_cast<const T*>(j.x);
  T* y = static_cast<T*>(j.y);
  for (int64_t e = Index(); e < size; e += Step()) {
    const int64_t r = e % s.rest, q = e / s.rest;
    const int64_t i = s.way == kSequenceLast ? q : s.steps_first ? q % s.batch : q / s.steps, step = s.way == kSequenceLast ? 0 : s.steps_first ? q / s.batch : q % s.steps;
    int64_t n = j.length ? Load<int64_t>(j.length, j.length_type, i) : s.steps;
    n = n < 0 ? 0 : n < s.steps ? n : s.steps;
    const int64_t last = n > 0 ? n - 1 : 0;
    if (s.way == kSequenceMask) y[e] = step < n ? x[e] : T(j.blank);
    else if (s.way == kSequenceReverse) y[e] = x[j.At(step < n ? n - 1 - step : step, i) + r];
    else if (s.way == kSequenceLast) y[e] = x[j.At(last, i) + r];
    else y[e] = step == last ? x[i * s.rest + r] : T(0);
  }
}
int32_t Sequence(flx_device_queue* q, const flx_device_call* c) {
  Sequences j = {};
  if (c->nin != 2 || c->nout != 1 || c->nnumbers != 1 || !IntsTo(c, &j.s) || (j.s.steps == 0 && j.s.way == kSequenceLast)) return FLX_DEVICE_NO_KERNEL;
  j.x = c->in[0].data, j.length = c->in[1].data, j.length_type = c->in[1].dtype, j.y = c->out[0].data, j.blank = BitsOf(c->numbers[0], c->out[0].dtype);
  const int64_t size = SizeOf(c->out[0]);
  if (size == 0) return FLX_DEVICE_OK;
  return BySize(c->out[0].dtype, [&](auto zero) { return Launch(q, BlocksFor(size), &SequenceKernel<decltype(zero)>, j, size); });
}

// ---- borders
struct Borders { PadInts p; const void* x; void* y; uint64_t value; };
template <class T> __global__ void PadKernel(Borders j, int64_t size) {
  for (int64_t e = Index(); e < size; e += Step()) {
    int64_t rest = e, from = 0, step = 1;
    bool inside = true;
    for (int a = kPadAxes - 1; a >= 0; --a) {
      const int64_t n = j.p.x[a];
      int64_t i = rest % j.p.y[a] - j.p.before[a];
      rest /= j.p.y[a];
      if (i < 0 || i >= n) {
        inside &= j.p.mode != kPadConstant;
        i = j.p.mode == kPadEdge ? (i < 0 ? 0 : n - 1) : i < 0 ? -i : 2 * (n - 1) - i;
      }
      from += i * step, step *= n;
    }
    static_cast<T*>(j.y)[e] = inside ? static_cast<const T*>(j.x)[from] : T(j.value);
  }
}
int32_t Pad(flx_device_queue* q, const flx_device_call* c) {
  Borders j = {};
  if (c->nin != 1 || c->nout != 1 || c->nnumbers != 1 || !IntsTo(c, &j.p)) return FLX_DEVICE_NO_KERNEL;
  j.x = c->in[0].data, j.y = c->out[0].data, j.value = BitsOf(c->numbers[0], c->out[0].dtype);
  const int64_t size = SizeOf(c->out[0]);
  if (size == 0) return FLX_DEVICE_OK;
  return BySize(c->out[0].dtype, [&](auto zero) { return Launch(q, BlocksFor(size), &PadKernel<decltype(zero)>, j, size); });
}

// ---- places by indices on several axes
struct Axes { int64_t count, dim[kMaxAxes]; };
__global__ void PlacesKernel(Axes a, const void* indices, int32_t dtype, int64_t n, int64_t* to) {
  for (int64_t i = Index(); i < n; i += Step()) {
    int64_t at = 0;
    for (int k = 0; k < a.count; ++k) {
      int64_t v = Load<int64_t>(indices, dtype, k * n + i);
      v = v < 0 ? v + a.dim[k] : v;
      at = at * a.dim[k] + (v < 0 ? 0 : v < a.dim[k] ? v : a.dim[k] - 1);
    }
    to[i] = at;
  }
}
int32_t NamedPlaces(flx_device_queue* q, const flx_device_call* c) {
  if (c->nin != 1 || c->nout != 1 || c->nints < 1 || c->nints > kMaxAxes || DType(c->out[0].dtype) != DType::kInt64) return FLX_DEVICE_NO_KERNEL;
  Axes a = {c->nints - 1, {}};
  for (int k = 1; k < c->nints; ++k) a.dim[k - 1] = c->ints[k];
  const void* from = c->in[0].data;
  return c->ints[0] == 0 ? int32_t(FLX_DEVICE_OK) : Launch(q, BlocksFor(c->ints[0]), &PlacesKernel, a, from, c->in[0].dtype, c->ints[0], static_cast<int64_t*>(c->out[0].data));
}
// Of slices for the same place the last one counts: it is found first.
__global__ void NobodyKernel(int64_t* last, int64_t n) {
  for (int64_t i = Index(); i < n; i += Step()) last[i] = -1;
}
__global__ void LastKernel(const int64_t* places, int64_t count, int64_t* last) {
  for (int64_t i = Index(); i < count; i += Step()) AtomicMax(&last[places[i]], i);
}
template <class T> __global__ void SetKernel(const int64_t* last, int64_t n, int64_t inner, const T* x, T* y) {
  for (int64_t e = Index(); e < n * inner; e += Step()) {
    const int64_t i = last[e / inner];
    if (i >= 0) y[e] = x[i * inner + e % inner];
  }
}
int32_t ScatterSet(flx_device_queue* q, const flx_device_call* c) {
  if (c->nin != 2 || c->nout != 1 || c->nints != 3 || c->in[0].dtype != c->out[0].dtype) return FLX_DEVICE_NO_KERNEL;
  const int64_t n = c->ints[0], count = c->ints[1], inner = c->ints[2];
  if (n * inner * count == 0) return FLX_DEVICE_OK;
  void* p = nullptr;
  if (int32_t r = c->scratch(c->context, n * int64_t(sizeof(int64_t)), &p)) return r;
  auto* last = static_cast<int64_t*>(p);
  if (int32_t r = Launch(q, BlocksFor(n), &NobodyKernel, last, n)) return r;
  if (int32_t r = Launch(q, BlocksFor(count), &LastKernel, static_cast<const int64_t*>(c->in[1].data), count, last)) return r;
  return BySize(c->out[0].dtype, [&](auto zero) {
    using T = decltype(zero);
    return Launch(q, BlocksFor(n * inner), &SetKernel<T>, static_cast<const int64_t*>(last), n, inner, static_cast<const T*>(c->in[0].data), static_cast<T*>(c->out[0].data));
  });
}

// ---- sorting: a bitonic network (Batcher 1968) over the places of each row. No two places are equal, so the order is the stable one.
struct Sorting {
  SortInts s;
  const void* x;
  int32_t dtype;
  int64_t width;  // of the network: a power of two
  int64_t* at;    // (rows, width)
};
template <class K> __device__ bool Before(const Sorting& j, int64_t row, int64_t a, int64_t b) {
  if (a >= j.s.n || b >= j.s.n) return a < b;  // what fills up the network comes last
  const int64_t base = row / j.s.inner * j.s.n * j.s.inner + row % j.s.inner;
  const K u = Load<K>(j.x, j.dtype, base + a * j.s.inner), v = Load<K>(j.x, j.dtype, base + b * j.s.inner);
  const bool less = u < v || (v != v && u == u), more = v < u || (u != u && v == v);  // a NaN is larger than all numbers
  return less || more ? (j.s.ascend ? less : more) : a < b;
}
// Pair p of the step that compares places `stride` apart, in runs of `run` places.
template <class K> __device__ void Exchange(const Sorting& j, int64_t row, int64_t* at, int64_t p, int64_t run, int64_t stride) {
  const int64_t low = p / stride * 2 * stride + p % stride, high = low + stride;
  const bool up = (low & run) == 0;
  if (Before<K>(j, row, at[high], at[low]) == up) {
    const int64_t t = at[low];
    at[low] = at[high], at[high] = t;
  }
}
template <class K> __global__ void RowsKernel(Sorting j, int64_t* to) {  // rows that fit into shared memory
  __shared__ int64_t at[kSortWidth];
  const int64_t rows = j.s.outer * j.s.inner;
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    Meet();
    for (int64_t i = threadIdx.x; i < j.width; i += blockDim.x) at[i] = i;
    for (int64_t run = 2; run <= j.width; run *= 2)
      for (int64_t stride = run / 2; stride > 0; stride /= 2) {
        Meet();
        for (int64_t p = threadIdx.x; p < j.width / 2; p += blockDim.x) Exchange<K>(j, row, at, p, run, stride);
      }
    Meet();
    for (int64_t i = threadIdx.x; i < j.s.k; i += blockDim.x) to[(row / j.s.inner * j.s.k + i) * j.s.inner + row % j.s.inner] = at[i];
  }
}
__global__ void StartKernel(Sorting j, int64_t size) {
  for (int64_t e = Index(); e < size; e += Step()) j.at[e] = e % j.width;
}
template <class K> __global__ void StepKernel(Sorting j, int64_t run, int64_t stride) {
  const int64_t pairs = j.width / 2, rows = j.s.outer * j.s.inner;
  for (int64_t e = Index(); e < rows * pairs; e += Step()) Exchange<K>(j, e / pairs, j.at + e / pairs * j.width, e % pairs, run, stride);
}
__global__ void FinishKernel(Sorting j, int64_t* to, int64_t size) {
  for (int64_t e = Index(); e < size; e += Step()) {
    const int64_t inner = e % j.s.inner, i = e / j.s.inner % j.s.k, outer = e / j.s.inner / j.s.k;
    to[e] = j.at[(outer * j.s.inner + inner) * j.width + i];
  }
}
template <class K> int32_t SortAs(flx_device_queue* q, const flx_device_call* c, Sorting j, int64_t* to) {
  const int64_t rows = j.s.outer * j.s.inner;
  if (j.width <= kSortWidth) return LaunchBlocks(q, rows, &RowsKernel<K>, j, to);
  void* at = nullptr;
  if (int32_t r = c->scratch(c->context, rows * j.width * int64_t(sizeof(int64_t)), &at)) return r;
  j.at = static_cast<int64_t*>(at);
  int32_t r = Launch(q, BlocksFor(rows * j.width), &StartKernel, j, rows * j.width);
  for (int64_t run = 2; run <= j.width; run *= 2)
    for (int64_t stride = run / 2; stride > 0 && !r; stride /= 2) r = Launch(q, BlocksFor(rows * j.width / 2), &StepKernel<K>, j, run, stride);
  return r ? r : Launch(q, BlocksFor(rows * j.s.k), &FinishKernel, j, to, rows * j.s.k);
}
int32_t Sort(flx_device_queue* q, const flx_device_call* c) {
  Sorting j = {};
  if (c->nin != 1 || c->nout != 1 || !IntsTo(c, &j.s) || DType(c->out[0].dtype) != DType::kInt64) return FLX_DEVICE_NO_KERNEL;
  j.x = c->in[0].data, j.dtype = c->in[0].dtype;
  if (j.s.outer * j.s.inner * j.s.k == 0) return FLX_DEVICE_OK;
  for (j.width = 1; j.width < j.s.n;) j.width *= 2;
  auto* to = static_cast<int64_t*>(c->out[0].data);
  const DType t = DType(j.dtype);
  if (t == DType::kFloat64) return SortAs<double>(q, c, j, to);
  if (IsFloat(t)) return SortAs<float>(q, c, j, to);
  if (t == DType::kUint64) return SortAs<uint64_t>(q, c, j, to);
  return SortAs<int64_t>(q, c, j, to);
}

// ---- counting
struct Bins {
  const void *data, *given;
  int64_t *count, n;
  void* edges;
  double *edge, low, high;  // edge: n + 1, for comparing
  int32_t dtype;
};
__global__ void EdgesKernel(Bins b) {
  for (int64_t i = Index(); i <= b.n; i += Step()) {
    b.edge[i] = b.given ? Load<double>(b.given, b.dtype, i) : i == b.n ? b.high : b.low + (b.high - b.low) * (double(i) / double(b.n));
    Store<double>(b.edges, b.dtype, i, b.edge[i]);
    if (i < b.n) b.count[i] = 0;
  }
}
__global__ void CountKernel(Bins b, int64_t size) {
  for (int64_t i = Index(); i < size; i += Step()) {
    const double v = Load<double>(b.data, b.dtype, i);
    if (!(v >= b.edge[0] && v <= b.edge[b.n])) continue;
    int64_t low = 0, high = b.n;  // the last bin whose lower edge is not above v
    while (high - low > 1) {
      const int64_t middle = low + (high - low) / 2;
      if (b.edge[middle] <= v) low = middle; else high = middle;
    }
    AtomicAdd(&b.count[low], 1);  // whole numbers: in any order the same
  }
}
int32_t Histogram(flx_device_queue* q, const flx_device_call* c) {
  if (c->nin != 2 || c->nout != 2 || c->nints != 1 || c->nnumbers != 2 || DType(c->out[0].dtype) != DType::kInt64 || c->out[1].dtype != c->in[0].dtype) return FLX_DEVICE_NO_KERNEL;
  void* edge = nullptr;
  if (int32_t r = c->scratch(c->context, (c->ints[0] + 1) * int64_t(sizeof(double)), &edge)) return r;
  const Bins b = {c->in[0].data, c->in[1].data, static_cast<int64_t*>(c->out[0].data), c->ints[0], c->out[1].data, static_cast<double*>(edge), c->numbers[0], c->numbers[1], c->in[0].dtype};
  if (int32_t r = Launch(q, BlocksFor(b.n + 1), &EdgesKernel, b)) return r;
  const int64_t size = SizeOf(c->in[0]);
  return size == 0 ? int32_t(FLX_DEVICE_OK) : Launch(q, BlocksFor(size, 4), &CountKernel, b, size);
}

__global__ void FiniteKernel(const void* x, int32_t dtype, int64_t n, float* to) {
  __shared__ int32_t room[kBlock];
  int32_t bad = 0;
  for (int64_t i = Index(); i < n; i += Step()) {
    const double v = Load<double>(x, dtype, i);
    bad |= v - v != 0;
  }
  if (Together(bad, room, Plus()) != 0 && threadIdx.x == 0) *to = 0;
}
int32_t Finite(flx_device_queue* q, const flx_device_call* c) {
  if (c->nin != 1 || c->nout != 1 || DType(c->out[0].dtype) != DType::kFloat32) return FLX_DEVICE_NO_KERNEL;
  const int64_t n = SizeOf(c->in[0]);
  const void* x = c->in[0].data;
  if (n == 0 || !IsFloat(DType(c->in[0].dtype))) return FLX_DEVICE_OK;
  return LaunchBlocks(q, BlocksFor(n, 16), &FiniteKernel, x, c->in[0].dtype, n, static_cast<float*>(c->out[0].data));
}
}  // namespace

void AddIndexingKernels(KernelTable* t) {
  t->Add(kDeviceSequence, DeviceSignature(kDeviceSequence), &Sequence);
  t->Add(kDevicePad, DeviceSignature(kDevicePad), &Pad);
  t->Add(kDevicePlaces, DeviceSignature(kDevicePlaces), &NamedPlaces);
  t->Add(kDeviceScatterSet, DeviceSignature(kDeviceScatterSet), &ScatterSet);
  t->Add(kDeviceFinite, DeviceSignature(kDeviceFinite), &Finite);
  t->Add(kDeviceHistogram, DeviceSignature(kDeviceHistogram), &Histogram);
  t->Add(kDeviceSort, DeviceSignature(kDeviceSort), &Sort);
}
}  // namespace flx::cuda

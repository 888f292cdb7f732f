// SPDX-License-Identifier: Apache-2.0
// Random numbers, from the tickets and by the distributions of the CPU: the same numbers, as far as both compute logarithms and the like alike.
#include <utility>

#include "base/random.h"
#include "cuda/elements.h"
#include "cuda/together.h"
#include "op/random/distribution_formulas.h"

namespace flx::cuda {
namespace {

struct Job {
  Ticket ticket;
  const uint64_t* more;  // not null: words to be added to it
  void* to;
  int32_t dtype;
  int64_t n, low, range;
  double p, q;
  const void *ps, *qs;  // not null: the numbers of each `each` elements, in place of p and q
  int32_t p_type, q_type;
  int64_t each;
};
__device__ inline Philox PhiloxOf(const Job& j) { return Philox(j.more ? Ticket{j.ticket.seed + j.more[0], j.ticket.ticket + j.more[1]} : j.ticket); }
// A number below `high` may round up to it in a narrow dtype; it stays below.
template <class T> FLX_HD T AsBelow(double v, double low, double high) {
  T t = ConvertTo<T>(v);
  for (int i = 0; i < 16 && LoadAs(t) >= high && high > low; ++i) t = ConvertTo<T>(v = low + (v - low) * (1 - 0x1p-9));
  return t;
}
template <class D> __global__ void DrawKernel(Job j) {
  const Philox philox = PhiloxOf(j);
  for (int64_t i = Index(); i < j.n; i += Step()) {
    Draws d(philox, uint64_t(i));
    const double p = j.ps ? Load<double>(j.ps, j.p_type, i / j.each) : j.p, q = j.qs ? Load<double>(j.qs, j.q_type, i / j.each) : j.q;
    const double v = D::Draw(d, p, q);
    if constexpr (std::is_same_v<D, UniformD>) {
      Dispatch(DType(j.dtype), [&](auto zero) {
        using T = decltype(zero);
        if constexpr (IsFloat(kDTypeOf<T>)) static_cast<T*>(j.to)[i] = AsBelow<T>(v, p, q);
      });
    } else {
      Store<double>(j.to, j.dtype, i, v);
    }
  }
}
// Standard normals in float32, as op/random/fill.h says: two elements share a pair of words.
__global__ void NormalKernel(Job j) {
  const Philox philox = PhiloxOf(j);
  const float loc = float(j.p), scale = j.q >= 0 ? float(j.q) : std::numeric_limits<float>::quiet_NaN();
  for (int64_t i = Index(); i < j.n; i += Step()) {
    uint32_t w[4];
    philox(uint64_t(i) / 4, 0, w);
    const uint32_t u = w[i & 2], turns = w[(i & 2) + 1], low = u & 0xffff;
    const float r = scale * std::sqrt(-2 * std::log(float(u >> 16) * 0x1p-16f + (float(low) + 0.5f) * 0x1p-32f)), t = float(int32_t(turns)) * (3.14159265359f * 0x1p-31f);
    Store<float>(j.to, j.dtype, i, loc + r * (i & 1 ? std::sin(t) : std::cos(t)));
  }
}
__global__ void MaskKernel(Job j) {
  const Philox philox = PhiloxOf(j);
  const float p = float(j.p);
  for (int64_t i = Index(); i < j.n; i += Step()) {
    uint32_t w[4];
    philox(uint64_t(i) / 4, 0, w);
    Store<double>(j.to, j.dtype, i, ToUnitFloat(w[i & 3]) >= p ? j.q : 0.0);
  }
}
__global__ void IntegerKernel(Job j) {
  const Philox philox = PhiloxOf(j);
  for (int64_t i = Index(); i < j.n; i += Step()) {
    Draws d(philox, uint64_t(i));
    Store<int64_t>(j.to, j.dtype, i, int64_t(uint64_t(j.low) + d.Below(uint64_t(j.range))));
  }
}
__global__ void PlaceKernel(Job j) {
  const Philox philox = PhiloxOf(j);
  for (int64_t i = Index(); i < j.n; i += Step()) {
    Draws d(philox, uint64_t(i));
    static_cast<int64_t*>(j.to)[i] = i ? int64_t(d.Below(uint64_t(i) + 1)) : 0;
  }
}
Job JobOf(const flx_device_call* c) {
  Job j = {};
  j.ticket = {c->seed, c->ticket}, j.more = FLX_CALL_HOLDS(c, parameters) ? c->parameters : nullptr;
  j.to = c->out[0].data, j.dtype = c->out[0].dtype, j.n = SizeOf(c->out[0]);
  return j;
}
int32_t Draw(flx_device_queue* q, int64_t which, const Job& j) {
  const int64_t blocks = BlocksFor(j.n);
  switch (which) {
    case kRandomUniform: return Launch(q, blocks, &DrawKernel<UniformD>, j);
    case kRandomNormal: return Launch(q, blocks, &DrawKernel<NormalD>, j);
    case kRandomExponential: return Launch(q, blocks, &DrawKernel<ExponentialD>, j);
    case kRandomGamma: return Launch(q, blocks, &DrawKernel<GammaD>, j);
    case kRandomPoisson: return Launch(q, blocks, &DrawKernel<PoissonD>, j);
    case kRandomNegativeBinomial: return Launch(q, blocks, &DrawKernel<NegativeBinomialD>, j);
    case kRandomGeneralizedNegativeBinomial: return Launch(q, blocks, &DrawKernel<GeneralizedNegativeBinomialD>, j);
    default: return FLX_DEVICE_NO_KERNEL;
  }
}
int32_t Random(flx_device_queue* q, const flx_device_call* c) {
  if (c->nin != 0 || c->nout != 1 || c->nints != 3 || c->nnumbers != 2) return FLX_DEVICE_NO_KERNEL;
  Job j = JobOf(c);
  j.low = c->ints[1], j.range = c->ints[2], j.p = c->numbers[0], j.q = c->numbers[1];
  if (j.n == 0) return FLX_DEVICE_OK;
  const int64_t blocks = BlocksFor(j.n);
  if (c->ints[0] == kRandomInteger) return IsFloat(DType(j.dtype)) ? int32_t(FLX_DEVICE_NO_KERNEL) : Launch(q, blocks, &IntegerKernel, j);
  if (c->ints[0] == kRandomPlace) return DType(j.dtype) != DType::kInt64 ? int32_t(FLX_DEVICE_NO_KERNEL) : Launch(q, blocks, &PlaceKernel, j);
  if (!IsFloat(DType(j.dtype))) return FLX_DEVICE_NO_KERNEL;
  if (c->ints[0] == kRandomMask) return Launch(q, blocks, &MaskKernel, j);
  if (c->ints[0] == kRandomNormal && DType(j.dtype) != DType::kFloat64) return Launch(q, blocks, &NormalKernel, j);
  return Draw(q, c->ints[0], j);
}
int32_t Sample(flx_device_queue* q, const flx_device_call* c) {
  if (c->nin != 2 || c->nout != 1 || c->nints != 2 || !IsFloat(DType(c->out[0].dtype))) return FLX_DEVICE_NO_KERNEL;
  Job j = JobOf(c);
  j.ps = c->in[0].data, j.qs = c->in[1].data, j.p_type = c->in[0].dtype, j.q_type = c->in[1].dtype, j.each = c->ints[1];
  return j.n == 0 ? int32_t(FLX_DEVICE_OK) : Draw(q, c->ints[0], j);
}

struct Slopes { const void* x; void *y, *slope; int32_t dtype; bool draws; float low, high; };
template <class T> __global__ void RreluKernel(Job j, Slopes s) {
  const Philox philox = PhiloxOf(j);
  for (int64_t i = Index(); i < j.n; i += Step()) {
    float drawn = (s.low + s.high) / 2;
    if (s.draws) {
      uint32_t w[4];
      philox(uint64_t(i), 0, w);
      drawn = s.low + (s.high - s.low) * ToUnitFloat(w[0]);
    }
    const T x = Load<T>(s.x, s.dtype, i), slope = x > 0 ? T(1) : T(drawn);
    Store<T>(s.y, s.dtype, i, x * slope);
    if (s.slope) Store<T>(s.slope, s.dtype, i, slope);
  }
}
int32_t Rrelu(flx_device_queue* q, const flx_device_call* c) {
  if (c->nin != 1 || c->nout != 2 || c->nints != 1 || c->nnumbers != 2 || !IsFloat(DType(c->out[0].dtype))) return FLX_DEVICE_NO_KERNEL;
  const Job j = JobOf(c);
  const Slopes s = {c->in[0].data, c->out[0].data, c->out[1].data, c->out[0].dtype, c->ints[0] != 0, float(c->numbers[0]), float(c->numbers[1])};
  if (j.n == 0) return FLX_DEVICE_OK;
  return DType(s.dtype) == DType::kFloat64 ? Launch(q, BlocksFor(j.n), &RreluKernel<double>, j, s) : Launch(q, BlocksFor(j.n), &RreluKernel<float>, j, s);
}

// ---- indices by their probabilities
struct Chances {
  const void* p;
  int32_t dtype, log_type;
  int64_t rows, n, each;
  double* sum;  // (rows, n): of a row, up to and with each element; NaN from an element on that is no probability
  void* log;
  FLX_HD double At(int64_t i) const {
    const double v = Load<double>(p, dtype, i);
    return v >= 0 && v - v == 0 ? v : kNoNumber;
  }
};
__global__ void ChancesKernel(Chances c) {
  __shared__ double room[kBlock];
  for (int64_t r = blockIdx.x; r < c.rows; r += gridDim.x) {
    const int64_t part = (c.n + blockDim.x - 1) / blockDim.x, begin = threadIdx.x * part < c.n ? threadIdx.x * part : c.n, end = begin + part < c.n ? begin + part : c.n;
    double sum = 0;
    for (int64_t i = begin; i < end; ++i) sum += c.At(r * c.n + i);
    sum = Preceding(sum, room);
    for (int64_t i = begin; i < end; ++i) c.sum[r * c.n + i] = sum += c.At(r * c.n + i);
  }
}
__global__ void ChooseKernel(Job j, Chances c) {
  const Philox philox = PhiloxOf(j);
  for (int64_t i = Index(); i < j.n; i += Step()) {
    const int64_t base = i / c.each * c.n;
    const double* sum = c.sum + base;
    int64_t at = -1;
    if (sum[c.n - 1] > 0) {
      Draws d(philox, uint64_t(i));
      const double u = d.Uniform() * sum[c.n - 1];
      int64_t high = c.n - 1;
      at = 0;
      while (at < high) {  // the first whose sum is above u; the last, where rounding reaches the end
        const int64_t middle = at + (high - at) / 2;
        if (sum[middle] > u) high = middle; else at = middle + 1;
      }
      while (at > 0 && c.At(base + at) == 0) --at;
    }
    Store<int64_t>(j.to, j.dtype, i, at);
    if (c.log) Store<double>(c.log, c.log_type, i, at < 0 ? kNoNumber : std::log(c.At(base + at)));
  }
}
int32_t Choose(flx_device_queue* q, const flx_device_call* call) {
  if (call->nin != 1 || call->nout != 2 || call->nints != 2 || !IsFloat(DType(call->in[0].dtype))) return FLX_DEVICE_NO_KERNEL;
  const Job j = JobOf(call);
  const int64_t size = SizeOf(call->in[0]);
  Chances c = {call->in[0].data, call->in[0].dtype, call->out[1].dtype, size / call->ints[0], call->ints[0], call->ints[1], nullptr, call->out[1].data};
  if (j.n == 0) return FLX_DEVICE_OK;
  void* sum = nullptr;
  if (int32_t r = call->scratch(call->context, size * int64_t(sizeof(double)), &sum)) return r;
  c.sum = static_cast<double*>(sum);
  if (int32_t r = LaunchBlocks(q, c.rows, &ChancesKernel, c)) return r;
  return Launch(q, BlocksFor(j.n), &ChooseKernel, j, c);
}

// ---- Fisher and Yates without going step by step. Step i brings what stands at place[i] to i, for good, and what stood at i to place[i]. So what it brings is
// what stood at the place of the last step before it that named the same place; and if there was none, the place's own number.
__global__ void OwnKernel(int64_t* from, int64_t n) {
  for (int64_t i = Index(); i < n; i += Step()) from[i] = i;
}
// sorted: the steps in the order of the places they name, and of equal ones the later step (the smaller i) first. before[i]: the step before, of the same place.
// from[p]: the step whose old element stood at p when step p came (p itself: none).
__global__ void StepsKernel(const int64_t* place, const int64_t* sorted, int64_t n, int64_t* before, int64_t* from) {
  for (int64_t t = Index(); t < n; t += Step()) {
    const int64_t i = sorted[t], p = place[i], next = t + 1 < n && place[sorted[t + 1]] == p ? sorted[t + 1] : -1;
    before[i] = next;
    if (t > 0 && place[sorted[t - 1]] == p) continue;
    if (i != p) from[p] = i; else if (next >= 0) from[p] = next;
  }
}
__global__ void JumpKernel(const int64_t* from, int64_t* further, int64_t n) {
  for (int64_t i = Index(); i < n; i += Step()) further[i] = from[from[i]];
}
__global__ void OrderKernel(const int64_t* place, const int64_t* before, const int64_t* first, int64_t n, int64_t* order) {
  for (int64_t i = Index(); i < n; i += Step()) order[i] = before[i] < 0 ? place[i] : first[before[i]];
}
int32_t Shuffle(flx_device_queue* q, const flx_device_call* c) {
  if (c->nin != 2 || c->nout != 1) return FLX_DEVICE_NO_KERNEL;
  for (const flx_device_tensor* t : {&c->in[0], &c->in[1], &c->out[0]}) if (DType(t->dtype) != DType::kInt64) return FLX_DEVICE_NO_KERNEL;
  const int64_t n = SizeOf(c->out[0]), blocks = BlocksFor(n);
  if (n == 0) return FLX_DEVICE_OK;
  void* room = nullptr;
  if (int32_t r = c->scratch(c->context, 3 * n * int64_t(sizeof(int64_t)), &room)) return r;
  auto *before = static_cast<int64_t*>(room), *from = before + n, *further = from + n;
  const auto *place = static_cast<const int64_t*>(c->in[0].data), *sorted = static_cast<const int64_t*>(c->in[1].data);
  int32_t r = Launch(q, blocks, &OwnKernel, from, n);
  if (!r) r = Launch(q, blocks, &StepsKernel, place, sorted, n, before, from);
  for (int64_t reach = 1; reach < n && !r; reach *= 2) {
    r = Launch(q, blocks, &JumpKernel, from, further, n);
    std::swap(from, further);
  }
  return r ? r : Launch(q, blocks, &OrderKernel, place, before, from, n, static_cast<int64_t*>(c->out[0].data));
}
struct Words { int64_t n, word[kMostParameters]; };
__global__ void WordsKernel(int64_t* to, Words words) {
  for (int64_t i = Index(); i < words.n; i += Step()) to[i] = words.word[i];
}
int32_t Parameters(flx_device_queue* q, const flx_device_call* c) {
  Words words = {};
  words.n = c->nints;
  if (c->nin != 0 || c->nout != 1 || words.n > kMostParameters || c->out[0].dtype != int32_t(DType::kInt64) || SizeOf(c->out[0]) != words.n) return FLX_DEVICE_NO_KERNEL;
  for (int64_t i = 0; i < words.n; ++i) words.word[i] = c->ints[i];
  return Launch(q, 1, &WordsKernel, static_cast<int64_t*>(c->out[0].data), words);
}
}  // namespace

void AddRandomKernels(KernelTable* t) {
  t->Add(kDeviceRandom, kDeviceRandomForm, &Random);
  t->Add(kDeviceSample, DeviceSignature(kDeviceSample), &Sample);
  t->Add(kDeviceRrelu, DeviceSignature(kDeviceRrelu), &Rrelu);
  t->Add(kDeviceChoose, DeviceSignature(kDeviceChoose), &Choose);
  t->Add(kDeviceShuffle, DeviceSignature(kDeviceShuffle), &Shuffle);
  t->Add(kDeviceParameters, DeviceSignature(kDeviceParameters), &Parameters);
}
}  // namespace flx::cuda

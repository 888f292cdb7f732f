// SPDX-License-Identifier: Apache-2.0
// Random numbers, from the tickets and by the distributions of the CPU: the same numbers, as far as both compute logarithms and the like alike.
#include "base/random.h"
#include "cuda/elements.h"
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
    const double v = D::Draw(d, j.p, j.q);
    if constexpr (std::is_same_v<D, UniformD>) {
      Dispatch(DType(j.dtype), [&](auto zero) {
        using T = decltype(zero);
        if constexpr (IsFloat(kDTypeOf<T>)) static_cast<T*>(j.to)[i] = AsBelow<T>(v, j.p, j.q);
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
int32_t Random(flx_device_queue* q, const flx_device_call* c) {
  if (c->nin != 0 || c->nout != 1 || c->nints != 3 || c->nnumbers != 2) return FLX_DEVICE_NO_KERNEL;
  Job j = {{c->seed, c->ticket}, FLX_CALL_HOLDS(c, parameters) ? c->parameters : nullptr, c->out[0].data, c->out[0].dtype, SizeOf(c->out[0]), c->ints[1], c->ints[2], c->numbers[0], c->numbers[1]};
  if (j.n == 0) return FLX_DEVICE_OK;
  const int64_t blocks = BlocksFor(j.n);
  if (c->ints[0] == kRandomInteger) return IsFloat(DType(j.dtype)) ? int32_t(FLX_DEVICE_NO_KERNEL) : Launch(q, blocks, &IntegerKernel, j);
  if (!IsFloat(DType(j.dtype))) return FLX_DEVICE_NO_KERNEL;
  switch (c->ints[0]) {
    case kRandomMask: return Launch(q, blocks, &MaskKernel, j);
    case kRandomUniform: return Launch(q, blocks, &DrawKernel<UniformD>, j);
    case kRandomNormal: return DType(j.dtype) == DType::kFloat64 ? Launch(q, blocks, &DrawKernel<NormalD>, j) : Launch(q, blocks, &NormalKernel, j);
    case kRandomExponential: return Launch(q, blocks, &DrawKernel<ExponentialD>, j);
    case kRandomGamma: return Launch(q, blocks, &DrawKernel<GammaD>, j);
    case kRandomPoisson: return Launch(q, blocks, &DrawKernel<PoissonD>, j);
    case kRandomNegativeBinomial: return Launch(q, blocks, &DrawKernel<NegativeBinomialD>, j);
    case kRandomGeneralizedNegativeBinomial: return Launch(q, blocks, &DrawKernel<GeneralizedNegativeBinomialD>, j);
    default: return FLX_DEVICE_NO_KERNEL;
  }
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
  t->Add(kDeviceParameters, DeviceSignature(kDeviceParameters), &Parameters);
}
}  // namespace flx::cuda

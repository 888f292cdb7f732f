// SPDX-License-Identifier: Apache-2.0
// Connectionist temporal classification: a block for each sequence, its threads side by side over the places of the label, step by step.
#include <cstring>

#include "cuda/elements.h"
#include "cuda/math.h"
#include "cuda/together.h"
#include "op/loss/ctc_formula.h"

namespace flx::cuda {
namespace {

struct Ctc {
  CtcInts s;
  const void *x, *label, *lengths, *label_lengths;
  void *loss, *slope;
  int32_t type, label_type, lengths_type, label_lengths_type, loss_type;
  double *log_sum, *before, *behind;  // (steps, batch); (batch, steps, places): all ways up to a place, its own emission included; (batch, 2, places): from it to the end
  int64_t *spelled, *next, *lead;     // (batch, places): the class of each place, the next place of that class, and 1 where none is before it
  FLX_HD int64_t Places() const { return 2 * s.length + 1; }
  FLX_HD int64_t StepsOf(int64_t i) const { return Cut(lengths, lengths_type, i, s.steps); }
  FLX_HD int64_t Label(int64_t i, int64_t k) const { return Load<int64_t>(label, label_type, i * s.length + k); }
  FLX_HD int64_t Lowest() const { return s.blank_first ? 1 : 0; }
  FLX_HD int64_t LengthOf(int64_t i) const {
    if (label_lengths) return Cut(label_lengths, label_lengths_type, i, s.length);
    int64_t n = 0;
    while (n < s.length && Label(i, n) >= Lowest()) ++n;
    return n;
  }
  FLX_HD static int64_t Cut(const void* given, int32_t dtype, int64_t i, int64_t most) {
    const int64_t n = given ? Load<int64_t>(given, dtype, i) : most;
    return n < 0 ? 0 : n < most ? n : most;
  }
};
// Each step's softmax, which is the slope before what the label asks for is taken from it.
template <class C> __global__ void CtcRowKernel(Ctc c) {
  __shared__ double room[kBlock];
  const C* x = static_cast<const C*>(c.x);
  C* slope = static_cast<C*>(c.slope);
  for (int64_t r = blockIdx.x; r < c.s.steps * c.s.batch; r += gridDim.x) {
    const int64_t base = r * c.s.classes;
    double most = kNever, sum = 0;
    for (int64_t k = threadIdx.x; k < c.s.classes; k += blockDim.x) {
      const double v = double(x[base + k]);
      if (v > most || v != v) most = v;
    }
    most = Together(most, room, [](double p, double q) { return q > p || q != q ? q : p; });
    for (int64_t k = threadIdx.x; k < c.s.classes; k += blockDim.x) sum += double(exp(x[base + k] - C(most)));
    sum = Together(sum, room, Plus());
    if (threadIdx.x == 0) c.log_sum[r] = most + std::log(sum);
    const bool counts = r / c.s.batch < c.StepsOf(r % c.s.batch);
    for (int64_t k = threadIdx.x; slope && k < c.s.classes; k += blockDim.x) slope[base + k] = counts ? exp(x[base + k] - C(most)) / C(sum) : C(0);
  }
}
template <class C> __device__ void FillSlope(const Ctc& c, int64_t i, int64_t steps, C v) {
  for (int64_t e = threadIdx.x; e < steps * c.s.classes; e += blockDim.x)
    static_cast<C*>(c.slope)[(e / c.s.classes * c.s.batch + i) * c.s.classes + e % c.s.classes] = v;
}
// The label with a blank before, between and behind its classes. False: it has what is no class.
__device__ bool Spell(const Ctc& c, int64_t i, int64_t length, int32_t* room) {
  const int64_t places = 2 * length + 1, blank = c.s.blank_first ? 0 : c.s.classes - 1, highest = c.s.blank_first ? c.s.classes - 1 : c.s.classes - 2;
  int64_t *spelled = c.spelled + i * c.Places(), *next = c.next + i * c.Places(), *lead = c.lead + i * c.Places();
  int32_t wrong = 0;
  for (int64_t s = threadIdx.x; s < places; s += blockDim.x) {
    const int64_t k = s % 2 ? c.Label(i, s / 2) : blank;
    wrong |= s % 2 && (k < c.Lowest() || k > highest);
    spelled[s] = k;
  }
  if (Together(wrong, room, Plus()) != 0) return false;
  for (int64_t s = threadIdx.x; s < places; s += blockDim.x) {
    int64_t n = s + 1, b = s - 1;
    while (n < places && spelled[n] != spelled[s]) ++n;
    while (b >= 0 && spelled[b] != spelled[s]) --b;
    next[s] = n < places ? n : -1, lead[s] = b < 0;
  }
  Meet();
  return true;
}
template <class C> __global__ void CtcKernel(Ctc c) {
  __shared__ int32_t room[kBlock];
  const C* x = static_cast<const C*>(c.x);
  for (int64_t i = blockIdx.x; i < c.s.batch; i += gridDim.x) {
    const int64_t n = c.StepsOf(i), length = c.LengthOf(i), m = 2 * length + 1;
    if (!Spell(c, i, length, room)) {
      const double nothing = std::numeric_limits<double>::quiet_NaN();
      if (threadIdx.x == 0) Store<double>(c.loss, c.loss_type, i, nothing);
      if (c.slope) FillSlope(c, i, n, C(nothing));
      continue;
    }
    const int64_t *spelled = c.spelled + i * c.Places(), *next = c.next + i * c.Places(), *lead = c.lead + i * c.Places();
    const auto skip = [&](int64_t s) { return s % 2 == 1 && s >= 2 && spelled[s] != spelled[s - 2]; };  // a class may follow the one before the blank between them
    const auto emit = [&](int64_t t, int64_t s) { return double(x[(t * c.s.batch + i) * c.s.classes + spelled[s]]) - c.log_sum[t * c.s.batch + i]; };
    double* before = c.before + i * c.s.steps * c.Places();
    for (int64_t t = 0; t < n; ++t) {
      for (int64_t s = threadIdx.x; s < m; s += blockDim.x) {
        const double* was = before + (t - 1) * m;
        double ways = t == 0 ? (s < 2 ? 0.0 : kNever) : was[s];
        if (t > 0 && s > 0) ways = AddLogs(ways, was[s - 1]);
        if (t > 0 && skip(s)) ways = AddLogs(ways, was[s - 2]);
        before[t * m + s] = ways + emit(t, s);
      }
      Meet();
    }
    double all = n == 0 ? (m == 1 ? 0 : kNever) : before[n * m - 1];
    if (n > 0 && m > 1) all = AddLogs(all, before[n * m - 2]);
    if (threadIdx.x == 0) Store<double>(c.loss, c.loss_type, i, -all);
    if (!c.slope) continue;
    Meet();  // `before` is written over from here
    if (all == kNever || all != all) {
      FillSlope(c, i, n, all == kNever ? C(0) : std::numeric_limits<C>::quiet_NaN());
      continue;
    }
    for (int64_t t = n - 1; t >= 0; --t) {
      double *row = c.behind + (2 * i + t % 2) * c.Places(), *then = c.behind + (2 * i + (t + 1) % 2) * c.Places();
      for (int64_t s = threadIdx.x; s < m; s += blockDim.x) {
        const auto from = [&](int64_t k) { return then[k] + emit(t + 1, k); };
        double ways = s >= m - 2 ? 0 : kNever;
        if (t < n - 1) {
          ways = from(s);
          if (s + 1 < m) ways = AddLogs(ways, from(s + 1));
          if (s + 2 < m && skip(s + 2)) ways = AddLogs(ways, from(s + 2));
        }
        row[s] = ways;
        before[t * m + s] = std::exp(before[t * m + s] + ways - all);  // how probable the place is
      }
      Meet();
      for (int64_t s = threadIdx.x; s < m; s += blockDim.x) {
        if (!lead[s]) continue;  // one thread for each class, in the order of its places: the same bits each time
        C* slope = static_cast<C*>(c.slope) + (t * c.s.batch + i) * c.s.classes + spelled[s];
        C v = *slope;
        for (int64_t k = s; k >= 0; k = next[k]) v -= C(before[t * m + k]);
        *slope = v;
      }
      Meet();
    }
  }
}
int32_t CtcLoss(flx_device_queue* q, const flx_device_call* call) {
  Ctc c = {};
  if (call->nin != 4 || call->nout != 2 || call->nints != int(sizeof c.s / sizeof(int64_t))) return FLX_DEVICE_NO_KERNEL;
  c.type = call->in[0].dtype;
  if ((DType(c.type) != DType::kFloat32 && DType(c.type) != DType::kFloat64) || (call->out[1].data && call->out[1].dtype != c.type)) return FLX_DEVICE_NO_KERNEL;
  std::memcpy(&c.s, call->ints, sizeof c.s);
  c.x = call->in[0].data, c.label = call->in[1].data, c.lengths = call->in[2].data, c.label_lengths = call->in[3].data;
  c.label_type = call->in[1].dtype, c.lengths_type = call->in[2].dtype, c.label_lengths_type = call->in[3].dtype;
  c.loss = call->out[0].data, c.loss_type = call->out[0].dtype, c.slope = call->out[1].data;
  if (c.s.batch == 0) return FLX_DEVICE_OK;
  const int64_t rows = c.s.steps * c.s.batch, places = c.s.batch * c.Places();
  void* room = nullptr;
  if (int32_t r = call->scratch(call->context, (rows + places * (c.s.steps + 2)) * int64_t(sizeof(double)) + 3 * places * int64_t(sizeof(int64_t)), &room)) return r;
  c.log_sum = static_cast<double*>(room), c.before = c.log_sum + rows, c.behind = c.before + places * c.s.steps;
  c.spelled = reinterpret_cast<int64_t*>(c.behind + 2 * places), c.next = c.spelled + places, c.lead = c.next + places;
  const auto run = [&](auto zero) {
    using C = decltype(zero);
    if (int32_t r = rows ? LaunchBlocks(q, rows, &CtcRowKernel<C>, c) : int32_t(FLX_DEVICE_OK)) return r;
    return LaunchBlocks(q, c.s.batch, &CtcKernel<C>, c);
  };
  return DType(c.type) == DType::kFloat64 ? run(double{}) : run(float{});
}
}  // namespace

void AddCtcKernels(KernelTable* t) { t->Add(kDeviceCtc, DeviceSignature(kDeviceCtc), &CtcLoss); }
}  // namespace flx::cuda

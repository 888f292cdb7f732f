// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>
#include <type_traits>

#include "base/thread_pool.h"
#include "device/kernels.h"
#include "op/random/distribution_formulas.h"
#include "op/random/fill.h"
#include "op/random/random.h"
#include "tensor/array.h"
#include "tensor/device_work.h"

namespace flx {
namespace {
using In = const TensorView&;
using Out = TensorView&;
constexpr int64_t kGrain = 2048, kVectorGrain = 16384;

template <class T> T As(double v) {
  if constexpr (std::is_same_v<T, Half>) return ToHalf(float(v));
  else if constexpr (std::is_same_v<T, Bfloat16>) return ToBfloat16(float(v));
  else return T(v);
}
// A number below `high` may round up to it in a narrow dtype; it stays below.
template <class T> T AsBelow(double v, double low, double high) {
  T t = As<T>(v);
  for (int i = 0; i < 16 && LoadAs(t) >= high && high > low; ++i) t = As<T>(v = low + (v - low) * (1 - 0x1p-9));
  return t;
}
// y[i] = the i-th element's number; at(i, &a, &b) reads its parameters.
bool DrawnOnDevice(KernelContext& ctx, Out y, int64_t which, double p, double q, int64_t low = 0, int64_t range = 0) {
  DeviceWork* w = DeviceWork::Current();
  const int64_t ints[] = {which, low, range};
  const double numbers[] = {p, q};
  if (w) w->Call(kDeviceRandom, kDeviceRandomForm, {nullptr, 0, &y, 1, ints, 3, numbers, 2, ctx.random});
  return w != nullptr;
}
template <class D, class At> void Fill(KernelContext& ctx, Out y, const At& at) {
  Philox philox(ctx.random);
  Dispatch(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (!IsFloat(kDTypeOf<T>)) {
      Fail(Status::kInternal, ctx.op ? ctx.op->name : "random", "not a float dtype.");
    } else {
      T* to = y.data<T>();
      ParallelFor(y.size(), kGrain, [&](int64_t i, int64_t e) {
        uint32_t words[kBatch][4];
        for (; i < e; i += kBatch) {
          FirstWords(philox, uint64_t(i), words);
          for (int64_t j = i; j < std::min(e, i + kBatch); ++j) {
            double a, b = 0;
            at(j, &a, &b);
            Draws d(philox, uint64_t(j), words[j - i]);
            if constexpr (std::is_same_v<D, UniformD>) to[j] = AsBelow<T>(D::Draw(d, a, b), a, b);
            else to[j] = As<T>(D::Draw(d, a, b));
          }
        }
      });
    }
  });
}
// The two that are drawn most, in float32, by vectors.
void RandomUniformCpu(KernelContext& ctx, const UniformAttrs& a, Out y) {
  double low = double(a.low), high = double(a.high);
  if (DrawnOnDevice(ctx, y, kRandomUniform, low, high)) return;
  if (y.dtype != DType::kFloat32) return Fill<UniformD>(ctx, y, [=](int64_t, double* u, double* v) { *u = low, *v = high; });
  Philox philox(ctx.random);
  auto* to = y.data<float>();
  ParallelFor(y.size(), kVectorGrain, [&](int64_t b, int64_t e) {
    if (!FillUniform(philox, uint64_t(b), e - b, low, high, to + b)) return;
    for (int64_t i = b; i < e; ++i)
      if (double(to[i]) >= high) {
        Draws d(philox, uint64_t(i));
        to[i] = AsBelow<float>(UniformD::Draw(d, low, high), low, high);
      }
  });
}
// float16 and bfloat16 get the float32 numbers, rounded; float64 has numbers of its own, from twice the bits.
void RandomNormalCpu(KernelContext& ctx, const NormalAttrs& a, Out y) {
  double loc = double(a.loc), scale = double(a.scale);
  if (DrawnOnDevice(ctx, y, kRandomNormal, loc, scale)) return;
  if (y.dtype == DType::kFloat64) return Fill<NormalD>(ctx, y, [=](int64_t, double* u, double* v) { *u = loc, *v = scale; });
  Philox philox(ctx.random);
  float l = float(loc), s = scale >= 0 ? float(scale) : std::numeric_limits<float>::quiet_NaN();
  Dispatch(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_same_v<T, float>) {
      ParallelFor(y.size(), kVectorGrain, [&](int64_t b, int64_t e) { FillNormal(philox, uint64_t(b), e - b, l, s, y.data<float>() + b); });
    } else if constexpr (IsFloat(kDTypeOf<T>)) {
      ParallelFor(y.size(), kGrain, [&](int64_t b, int64_t e) {
        float room[kGrain];
        FillNormal(philox, uint64_t(b), e - b, l, s, room);
        for (int64_t i = b; i < e; ++i) y.data<T>()[i] = As<T>(double(room[i - b]));
      });
    } else {
      Fail(Status::kInternal, ctx.op ? ctx.op->name : "random", "not a float dtype.");
    }
  });
}
template <class D> constexpr int64_t kWhich = -1;
template <> constexpr int64_t kWhich<UniformD> = kRandomUniform;
template <> constexpr int64_t kWhich<NormalD> = kRandomNormal;
template <> constexpr int64_t kWhich<GammaD> = kRandomGamma;
template <> constexpr int64_t kWhich<ExponentialD> = kRandomExponential;
template <> constexpr int64_t kWhich<PoissonD> = kRandomPoisson;
template <> constexpr int64_t kWhich<NegativeBinomialD> = kRandomNegativeBinomial;
template <> constexpr int64_t kWhich<GeneralizedNegativeBinomialD> = kRandomGeneralizedNegativeBinomial;
template <class D, class A, auto P, auto Q> void RandomCpu(KernelContext& ctx, const A& a, Out y) {
  double p = double(a.*P), q = 0;
  if constexpr (!std::is_same_v<decltype(Q), std::nullptr_t>) q = double(a.*Q);
  if (DrawnOnDevice(ctx, y, kWhich<D>, p, q)) return;
  Fill<D>(ctx, y, [=](int64_t, double* u, double* v) { *u = p, *v = q; });
}
const double* AsDoubles(KernelContext& ctx, In x) {
  auto* d = ctx.Scratch<double>(x.size());
  CopyStrided(x, MakeView(d, DType::kFloat64, x.shape));
  return d;
}
bool SampledOnDevice(KernelContext& ctx, Out y, int64_t which, In a, In b, int64_t each) {
  DeviceWork* w = DeviceWork::Current();
  const int64_t ints[] = {which, each};
  const TensorView in[] = {a, b};
  if (w) w->Call(kDeviceSample, DeviceSignature(kDeviceSample), {in, 2, &y, 1, ints, 2, nullptr, 0, ctx.random});
  return w != nullptr;
}
template <class D> void Sample2Cpu(KernelContext& ctx, const SampleAttrs&, In a, In b, Out y) {
  if (SampledOnDevice(ctx, y, kWhich<D>, a, b, y.size() / a.size())) return;
  const double *p = AsDoubles(ctx, a), *q = AsDoubles(ctx, b);
  int64_t each = y.size() / a.size();
  Fill<D>(ctx, y, [=](int64_t i, double* u, double* v) { *u = p[i / each], *v = q[i / each]; });
}
template <class D> void Sample1Cpu(KernelContext& ctx, const SampleAttrs&, In a, Out y) {
  if (SampledOnDevice(ctx, y, kWhich<D>, a, TensorView{}, y.size() / a.size())) return;
  const double* p = AsDoubles(ctx, a);
  int64_t each = y.size() / a.size();
  Fill<D>(ctx, y, [=](int64_t i, double* u, double*) { *u = p[i / each]; });
}
void RandintCpu(KernelContext& ctx, const RandintAttrs& a, Out y) {
  Philox philox(ctx.random);
  uint64_t range = uint64_t(a.high) - uint64_t(a.low);
  if (DrawnOnDevice(ctx, y, kRandomInteger, 0, 0, a.low, int64_t(range))) return;
  ParallelFor(y.size(), kGrain, [&](int64_t i, int64_t e) {
    for (; i < e; ++i) {
      Draws d(philox, uint64_t(i));
      int64_t v = int64_t(uint64_t(a.low) + d.Below(range));
      if (y.dtype == DType::kInt32) y.data<int32_t>()[i] = int32_t(v); else y.data<int64_t>()[i] = v;
    }
  });
}
}  // namespace

void AddDrawCpuKernels(KernelList* list) {
  using G = GeneralizedNegativeBinomialAttrs;
  using N = NegativeBinomialAttrs;
  for (const KernelEntry& e : {
           Kernel<RandomUniformKernel>(&RandomUniformCpu).OnDevices(),
           Kernel<RandomNormalKernel>(&RandomNormalCpu).OnDevices(),
           Kernel<RandomGammaKernel>(&RandomCpu<GammaD, GammaAttrs, &GammaAttrs::alpha, &GammaAttrs::beta>).OnDevices(),
           Kernel<RandomExponentialKernel>(&RandomCpu<ExponentialD, RateAttrs, &RateAttrs::lam, nullptr>).OnDevices(),
           Kernel<RandomPoissonKernel>(&RandomCpu<PoissonD, RateAttrs, &RateAttrs::lam, nullptr>).OnDevices(),
           Kernel<RandomNegativeBinomialKernel>(&RandomCpu<NegativeBinomialD, N, &N::k, &N::p>).OnDevices(),
           Kernel<RandomGeneralizedNegativeBinomialKernel>(&RandomCpu<GeneralizedNegativeBinomialD, G, &G::mu, &G::alpha>).OnDevices(),
           Kernel<RandintKernel>(&RandintCpu).OnDevices(),
           Kernel<SampleUniformKernel>(&Sample2Cpu<UniformD>).OnDevices(), Kernel<SampleNormalKernel>(&Sample2Cpu<NormalD>).OnDevices(), Kernel<SampleGammaKernel>(&Sample2Cpu<GammaD>).OnDevices(),
           Kernel<SampleExponentialKernel>(&Sample1Cpu<ExponentialD>).OnDevices(), Kernel<SamplePoissonKernel>(&Sample1Cpu<PoissonD>).OnDevices(),
           Kernel<SampleNegativeBinomialKernel>(&Sample2Cpu<NegativeBinomialD>).OnDevices(),
           Kernel<SampleGeneralizedNegativeBinomialKernel>(&Sample2Cpu<GeneralizedNegativeBinomialD>).OnDevices()})
    list->push_back(e);
}

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
#include "base/thread_pool.h"
#include "device/kernels.h"
#include "op/elementwise/activation.h"
#include "op/elementwise/convert.h"
#include "op/elementwise/driver.h"
#include "op/elementwise/family.h"
#include "op/elementwise/formula.h"
#include "tensor/device_work.h"

namespace flx {
namespace {
void ActivationCpu(KernelContext& ctx, const ActivationAttrs& a, const TensorView& x, TensorView& y) {
  RunElementwise(*ctx.op, CpuLoops(EnumNames<ActType>::names[size_t(a.act_type)]), ctx, nullptr, &x, 1, y);
}
// The slope of each element, then their product.
void Rrelu(KernelContext& ctx, const LeakyAttrs& a, const TensorView& x, TensorView& y, TensorView& mask) {
  if (DeviceWork* w = DeviceWork::Current()) {
    const int64_t draws = ctx.training;
    const double bounds[] = {a.lower_bound, a.upper_bound};
    const TensorView out[] = {y, mask};
    return w->Call(kDeviceRrelu, DeviceSignature(kDeviceRrelu), {&x, 1, out, 2, &draws, 1, bounds, 2, ctx.random});
  }
  const DType loop_type = LoopType(x.dtype);
  const ConvertFn load = FindConvert(x.dtype, loop_type), store = FindConvert(loop_type, x.dtype);
  const Philox draw(ctx.random);
  const float low = a.lower_bound, high = a.upper_bound, middle = (low + high) / 2;
  const int64_t size = DTypeSize(x.dtype);
  ParallelFor(x.size(), 1 << 14, [&](int64_t begin, int64_t end) {
    Dispatch(loop_type, [&](auto zero) {
      using T = decltype(zero);
      if constexpr (std::is_floating_point_v<T>) {
        T in[kTile], slope[kTile];
        for (int64_t i = begin; i < end; i += kTile) {
          int64_t n = end - i < kTile ? end - i : kTile;
          load(static_cast<const char*>(x.raw()) + i * size, in, n);
          for (int64_t j = 0; j < n; ++j) {
            float s = middle;
            if (ctx.training) {
              uint32_t u[4];
              draw(uint64_t(i + j), 0, u);
              s = low + (high - low) * ToUnitFloat(u[0]);
            }
            slope[j] = in[j] > 0 ? T(1) : T(s);
            in[j] *= slope[j];
          }
          store(in, static_cast<char*>(y.raw()) + i * size, n);
          if (mask) store(slope, static_cast<char*>(mask.raw()) + i * size, n);
        }
      }
    });
  });
}
void LeakyCpu(KernelContext& ctx, const LeakyAttrs& a, const TensorView& x, const TensorView& gamma, TensorView& y, TensorView& mask) {
  double slope = a.slope, elu[] = {a.slope, 1}, selu[] = {kSeluSlope, kSeluScale};
  switch (a.act_type) {
    case LeakyType::kRrelu: return Rrelu(ctx, a, x, y, mask);
    case LeakyType::kLeaky: return RunElementwise(*ctx.op, CpuLoops("_leaky"), ctx, &slope, &x, 1, y);
    case LeakyType::kElu: return RunElementwise(*ctx.op, CpuLoops("_elu"), ctx, elu, &x, 1, y);
    case LeakyType::kSelu: return RunElementwise(*ctx.op, CpuLoops("_elu"), ctx, selu, &x, 1, y);
    case LeakyType::kGelu: return RunElementwise(*ctx.op, CpuLoops("_gelu"), ctx, nullptr, &x, 1, y);
    case LeakyType::kPrelu: {
      TensorView in[] = {x, MakeView(gamma.base, gamma.dtype, PreluShape(x.shape, gamma.shape), gamma.offset)};
      return RunElementwise(*ctx.op, CpuLoops("_prelu"), ctx, nullptr, in, 2, y);
    }
  }
}
}  // namespace

void AddActivationCpuKernels(KernelList* list) {
  list->push_back(Kernel<ActivationKernel>(&ActivationCpu).OnDevices());
  list->push_back(Kernel<LeakyKernel>(&LeakyCpu).OnDevices());
}

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// The CPU's kernels: each is one call of the driver.
#include "op/families.h"
#include "op/reduce/driver.h"
#include "op/reduce/reduce.h"

namespace flx {
namespace {
using In = const TensorView&;
using Out = TensorView&;

template <ReduceKind K, bool kMean = false> void MxCpu(KernelContext&, const ReduceAttrs& a, In x, Out y) {
  ReduceSpec s;
  s.kind = K, s.mean = kMean, s.axes = AxisBits("reduction", a, x.ndim());
  Reduce(s, x, y);
}
template <ReduceKind K, bool kMean = false> void NpCpu(KernelContext&, const NpReduceAttrs& a, In x, Out y) {
  ReduceSpec s;
  s.kind = K, s.mean = kMean, s.axes = AxisBits("reduction", a, x.ndim()), s.initial = a.initial;
  Reduce(s, x, y);
}
void NormCpu(KernelContext&, const NormAttrs& a, In x, Out y) {
  ReduceSpec s;
  s.kind = a.ord == 1 ? ReduceKind::kAbsSum : ReduceKind::kSquareSum, s.root = a.ord == 2, s.axes = AxisBits("reduction", a, x.ndim());
  Reduce(s, x, y);
}
void SumToCpu(KernelContext&, const ToShapeAttrs&, In x, Out y) {
  ReduceSpec s;
  s.axes = SumToBits(x.shape, y.shape);
  Reduce(s, x, y);
}
template <bool kMax> void ArgCpu(KernelContext&, const ArgAttrs& a, In x, Out y) {
  ArgReduce(kMax, x, a.axis ? NormalAxis("reduction", *a.axis, x.ndim()) : -1, y);
}
void ArgMaxChannelCpu(KernelContext&, const NoAttrs&, In x, Out y) { ArgReduce(true, x, 1, y); }
}  // namespace

void AddReduceCpuKernels(KernelList* list) {
  using R = ReduceKind;
  for (const KernelEntry& e : {
           Kernel<SumKernel>(&MxCpu<R::kSum>), Kernel<MeanKernel>(&MxCpu<R::kSum, true>), Kernel<ProdKernel>(&MxCpu<R::kProd>),
           Kernel<NanSumKernel>(&MxCpu<R::kNanSum>), Kernel<NanProdKernel>(&MxCpu<R::kNanProd>), Kernel<MaxKernel>(&MxCpu<R::kMax>),
           Kernel<MinKernel>(&MxCpu<R::kMin>), Kernel<SquareSumKernel>(&MxCpu<R::kSquareSum>), Kernel<NormKernel>(&NormCpu),
           Kernel<ArgMaxKernel>(&ArgCpu<true>), Kernel<ArgMinKernel>(&ArgCpu<false>), Kernel<ArgMaxChannelKernel>(&ArgMaxChannelCpu),
           Kernel<NpSumKernel>(&NpCpu<R::kSum>), Kernel<NpMeanKernel>(&NpCpu<R::kSum, true>), Kernel<NpProdKernel>(&NpCpu<R::kProd>),
           Kernel<NpMaxKernel>(&NpCpu<R::kMax>), Kernel<NpMinKernel>(&NpCpu<R::kMin>), Kernel<SumToKernel>(&SumToCpu)})
    list->push_back(e.OnDevices());
}

}  // namespace flx

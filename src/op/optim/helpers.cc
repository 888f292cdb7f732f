// SPDX-License-Identifier: Apache-2.0
// What trainers ask beside the steps: are all gradients finite, sums of squares, and the layer-wise rates of LARS.
#include <cmath>

#include "base/thread_pool.h"
#include "device/kernels.h"
#include "op/elementwise/convert.h"
#include "op/elementwise/driver.h"
#include "op/optim/lars_formula.h"
#include "op/optim/optim.h"
#include "op/reduce/driver.h"
#include "tensor/array.h"
#include "tensor/device_work.h"

namespace flx {
namespace {
constexpr int64_t kGrain = 16384;

struct FiniteAttrs { bool init_output = true; };
struct ManyFiniteAttrs { int64_t num_arrays = 1; bool init_output = true; };
struct SumSqAttrs { int64_t num_arrays = 1; };
struct LarsAttrs { float eta = 0.001f, eps = 1e-8f, rescale_grad = 1; };
struct FiniteKernel { using Signature = void(KernelContext&, const FiniteAttrs&, Views, OutViews); static constexpr const char* kName = "all_finite"; };
struct ManyFiniteKernel { using Signature = void(KernelContext&, const ManyFiniteAttrs&, Views, OutViews); static constexpr const char* kName = "multi_all_finite"; };
struct SumSqKernel { using Signature = void(KernelContext&, const SumSqAttrs&, Views, OutViews); static constexpr const char* kName = "multi_sum_sq"; };
struct LarsKernel { using Signature = void(KernelContext&, const LarsAttrs&, Views, OutViews); static constexpr const char* kName = "multi_lars"; };

// The sum of squares: float64 within chunks of fixed borders, and these in order, so that the bits do not depend on threads.
double SumOfSquares(KernelContext& ctx, const TensorView& x) {
  const int64_t n = x.size(), chunks = (n + kGrain - 1) / kGrain, size = DTypeSize(x.dtype);
  const ConvertFn load = FindConvert(x.dtype, DType::kFloat64);
  double* part = ctx.Scratch<double>(chunks + 1);
  ParallelFor(n, kGrain, [&](int64_t begin, int64_t end) {
    double tile[kTile], sum = 0;
    for (int64_t i = begin; i < end; i += kTile) {
      int64_t m = end - i < kTile ? end - i : kTile;
      load(static_cast<const char*>(x.raw()) + i * size, tile, m);
      for (int64_t j = 0; j < m; ++j) sum += tile[j] * tile[j];
    }
    part[begin / kGrain] = sum;
  });
  double sum = 0;
  for (int64_t k = 0; k < chunks; ++k) sum += part[k];
  return sum;
}
bool AllFinite(KernelContext& ctx, const TensorView& x) {
  const int64_t n = x.size(), chunks = (n + kGrain - 1) / kGrain, size = DTypeSize(x.dtype);
  const ConvertFn load = FindConvert(x.dtype, DType::kFloat64);
  char* bad = ctx.Scratch<char>(chunks + 1);
  ParallelFor(n, kGrain, [&](int64_t begin, int64_t end) {
    double tile[kTile];
    bool any = false;
    for (int64_t i = begin; i < end; i += kTile) {
      int64_t m = end - i < kTile ? end - i : kTile;
      load(static_cast<const char*>(x.raw()) + i * size, tile, m);
      for (int64_t j = 0; j < m; ++j) any |= !std::isfinite(tile[j]);
    }
    bad[begin / kGrain] = any;
  });
  for (int64_t k = 0; k < chunks; ++k) if (bad[k]) return false;
  return true;
}
template <class A> void FiniteCpu(KernelContext& ctx, const A&, Views x, OutViews y) {
  if (DeviceWork* w = DeviceWork::Current()) {
    FillStrided(y[0], 1);
    for (auto& v : x) w->Call(kDeviceFinite, DeviceSignature(kDeviceFinite), {&v, 1, &y[0], 1});
    return;
  }
  bool all = true;
  for (auto& v : x) all = all && AllFinite(ctx, v);
  y[0].data<float>()[0] = all;
}
void SumSqCpu(KernelContext& ctx, const SumSqAttrs&, Views x, OutViews y) {
  if (DeviceWork::Current()) {
    for (int i = 0; i < x.size(); ++i) {
      const TensorView flat = MakeView(x[i].base, x[i].dtype, Shape{x[i].size()}, x[i].offset), to = MakeView(y[0].base, DType::kFloat32, Shape{}, y[0].offset + i * 4);
      ReduceSpec spec;
      spec.kind = ReduceKind::kSquareSum, spec.axes = 1;
      Reduce(spec, flat, to);
    }
    return;
  }
  for (int i = 0; i < x.size(); ++i) y[0].data<float>()[i] = float(SumOfSquares(ctx, x[i]));
}
void LarsCpu(KernelContext&, const LarsAttrs& a, Views x, OutViews y) {
  if (DeviceWork* w = DeviceWork::Current()) {
    const double numbers[] = {a.eta, a.eps, a.rescale_grad};
    return w->Call(kDeviceLars, DeviceSignature(kDeviceLars), {x.data, 4, y.data, 1, nullptr, 0, numbers, 3});
  }
  auto at = [&](int k, int64_t i) { return double(x[k].data<float>()[i]); };
  for (int64_t i = 0; i < y[0].size(); ++i) y[0].data<float>()[i] = float(LarsRate(at(0, i), at(1, i), at(2, i), at(3, i), a.eta, a.eps, a.rescale_grad));
}
template <class A> void OneFloat(Infer& c, const A&) { c.set_y_type(0, DType::kFloat32); }
template <class A> void FiniteShape(Infer& c, const A& a) {
  c.Expect(a.init_output, "init_output=False (joining with what the output holds) is not available. Give all arrays to multi_all_finite.");
  c.set_y(0, Shape{1});
}
}  // namespace

void AddHelperOps(std::vector<OpDef>* ops) {
  Op<FiniteAttrs> one("all_finite");
  one.family("optim").doc("1 if no element is NaN or infinite, else 0; float32, shape (1,).").input("data", "Any array.").output("output").zero_gradient();
  one.attr(&FiniteAttrs::init_output, "init_output", "Must be True: the output's old value is not read.");
  ops->push_back(one.infer(FiniteShape<FiniteAttrs>).types(OneFloat<FiniteAttrs>).kernel<FiniteKernel>());
  Op<ManyFiniteAttrs> many("multi_all_finite");
  many.example("multi_all_finite(data (2, 3), data (4,)): (1,)");
  many.family("optim").doc("1 if no element of any array is NaN or infinite, else 0; float32, shape (1,).").zero_gradient();
  many.attr(&ManyFiniteAttrs::num_arrays, "num_arrays", "How many arrays are given.").range(1, 1 << 20);
  many.attr(&ManyFiniteAttrs::init_output, "init_output", "Must be True: the output's old value is not read.");
  many.input_list("data", "Arrays of any shapes and dtypes.", "num_arrays").output("output");
  ops->push_back(many.infer(FiniteShape<ManyFiniteAttrs>).types(OneFloat<ManyFiniteAttrs>).kernel<ManyFiniteKernel>());
  Op<SumSqAttrs> sums("multi_sum_sq");
  sums.example("multi_sum_sq(data (2, 3), data (4,)): (2,)");
  sums.family("optim").doc("The sum of squares of each array; float32, one number for each.").zero_gradient();
  sums.attr(&SumSqAttrs::num_arrays, "num_arrays", "How many arrays are given.").range(1, 1 << 20);
  sums.input_list("data", "Arrays of any shapes and dtypes.", "num_arrays").output("output").infer([](Infer& c, const SumSqAttrs&) { c.set_y(0, Shape{c.nin}); });
  ops->push_back(sums.types(OneFloat<SumSqAttrs>).kernel<SumSqKernel>());
  Op<LarsAttrs> lars("multi_lars");
  lars.family("optim").doc("LARS: lr * eta * |w| / (rescale_grad * |g| + wd * |w| + eps) for each layer, lr itself where a norm is 0 (You et al. 2017).").zero_gradient();
  lars.input("lrs", "Learning rates, float32.").input("weights_sum_sq", "Sums of the weights' squares.").input("grads_sum_sq", "Sums of the gradients' squares.").input("wds", "Weight decays.");
  lars.output("output", "The layers' rates.").infer(SameShape<LarsAttrs>);
  lars.types([](Infer& c, const LarsAttrs&) {
    for (int i = 0; i < 4; ++i) c.set_x_type(i, DType::kFloat32);
    c.set_y_type(0, DType::kFloat32);
  });
  lars.attr(&LarsAttrs::eta, "eta", "The trust coefficient.").required().runtime();
  lars.attr(&LarsAttrs::eps, "eps", "Added where the norms divide.").required().runtime();
  ops->push_back(lars.attr(&LarsAttrs::rescale_grad, "rescale_grad", "Factor of the gradients.").runtime().kernel<LarsKernel>());
}
void AddHelperKernels(KernelList* list) {
  list->push_back(Kernel<FiniteKernel>(&FiniteCpu<FiniteAttrs>).OnDevices());
  list->push_back(Kernel<ManyFiniteKernel>(&FiniteCpu<ManyFiniteAttrs>).OnDevices());
  list->push_back(Kernel<SumSqKernel>(&SumSqCpu).OnDevices());
  list->push_back(Kernel<LarsKernel>(&LarsCpu).OnDevices());
}

}  // namespace flx

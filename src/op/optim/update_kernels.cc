// SPDX-License-Identifier: Apache-2.0
// Running the loops: in tiles with conversion where arrays are not all of the loop's type, else by their own pointers.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/small_vector.h"
#include "base/thread_pool.h"
#include "device/kernels.h"
#include "op/elementwise/cast.h"
#include "op/elementwise/convert.h"
#include "op/elementwise/driver.h"
#include "op/optim/optim.h"
#include "op/optim/update.h"
#include "tensor/device_work.h"

namespace flx {
namespace {
constexpr int64_t kGrain = 16384;
constexpr int kMaxIn = 5, kMaxOut = 4;

const UpdateLoops& LoopsOf(const char* name) {
  static const UpdateList* list = [] {
    auto* l = new UpdateList;  // as the registry, never destroyed
    GetUpdateLoops(l);
    return l;
  }();
  for (int i = 0; i < list->count; ++i) if (std::strcmp(list->items[i].name, name) == 0) return list->items[i];
  Fail(Status::kInternal, name, "no optimizer step has this name.");
}

// A number that lies on the device.
struct GivenNumber { const TensorView* at = nullptr; int64_t slot = 0; bool skips = false; };
// `copy`, if not null, gets output 0 as well (a 16-bit weight beside its master copy).
void RunUpdate(const UpdateLoops& loops, const TensorView* const* in, TensorView* const* out, const TensorView* copy, const double* numbers, GivenNumber given = {}) {
  if (DeviceWork* w = DeviceWork::Current()) {
    SmallVector<TensorView, 10> all;
    for (int k = 0; k < loops.inputs; ++k) all.emplace_back(*in[k]);
    if (given.at) all.emplace_back(*given.at);
    const int nin = all.size();
    const int64_t ints[] = {given.slot, given.skips};
    for (int k = 0; k < loops.outputs; ++k) all.emplace_back(*out[k]);
    if (copy) all.emplace_back(*copy);
    const std::string name = Text("step.", loops.name);
    return w->Call(name.c_str(), DeviceSignature(name.c_str(), loops.inputs, loops.outputs),
                   {all.data(), nin, all.data() + nin, loops.outputs + (copy ? 1 : 0), ints, given.at ? 2 : 0, numbers, kMaxNumbers});
  }
  const DType t = in[0]->dtype == DType::kFloat64 ? DType::kFloat64 : DType::kFloat32;
  const UpdateFn fn = t == DType::kFloat64 ? loops.f64 : loops.f32;
  const int64_t nin = loops.inputs, nout = loops.outputs;
  bool plain = !copy;
  for (int k = 0; k < nin; ++k) plain &= in[k]->dtype == t;
  for (int k = 0; k < nout; ++k) plain &= out[k]->dtype == t;
  auto at = [](const TensorView& v, int64_t i) { return static_cast<char*>(v.raw()) + i * DTypeSize(v.dtype); };
  ParallelFor(in[0]->size(), kGrain, [&](int64_t begin, int64_t end) {
    const void* p[kMaxIn];
    void* q[kMaxOut];
    if (plain) {
      for (int k = 0; k < nin; ++k) p[k] = at(*in[k], begin);
      for (int k = 0; k < nout; ++k) q[k] = at(*out[k], begin);
      return fn(p, q, end - begin, numbers);
    }
    alignas(64) char from[kMaxIn][kTile * 8], to[kMaxOut][kTile * 8];
    for (int64_t i = begin; i < end; i += kTile) {
      const int64_t n = std::min<int64_t>(kTile, end - i);
      for (int k = 0; k < nin; ++k) {
        p[k] = in[k]->dtype == t ? static_cast<const void*>(at(*in[k], i)) : from[k];
        if (in[k]->dtype != t) FindConvert(in[k]->dtype, t)(at(*in[k], i), from[k], n);
      }
      for (int k = 0; k < nout; ++k) q[k] = to[k];  // nothing is written before all is read
      fn(p, q, n, numbers);
      for (int k = 0; k < nout; ++k) FindConvert(t, out[k]->dtype)(to[k], at(*out[k], i), n);
      if (copy) FindConvert(t, copy->dtype)(to[0], at(*copy, i), n);
    }
  });
}

template <class R> void UpdateCpu(KernelContext&, const typename R::Attrs& a, Views x, OutViews y) {
  double numbers[kMaxNumbers] = {};
  R::Numbers(a, numbers);
  const UpdateLoops& loops = LoopsOf(R::kName);
  const TensorView* in[kMaxIn];
  TensorView* out[kMaxOut];
  for (int k = 0; k < loops.inputs; ++k) in[k] = &x[k];
  for (int k = 0; k < loops.outputs; ++k) out[k] = &y[k];
  RunUpdate(loops, in, out, nullptr, numbers);
}
// Input 0 is replaced by the master copy, the last input; a new weight goes to it and, rounded, to output 0.
template <class R, bool kWritesWeight> void MixedCpu(KernelContext&, const typename R::Attrs& a, Views x, OutViews y) {
  double numbers[kMaxNumbers] = {};
  R::Numbers(a, numbers);
  const UpdateLoops& loops = LoopsOf(R::kName);
  const TensorView* in[kMaxIn] = {&x[x.size() - 1]};
  TensorView* out[kMaxOut] = {kWritesWeight ? &y[y.size() - 1] : &y[0]};
  for (int k = 1; k < loops.inputs; ++k) in[k] = &x[k];
  for (int k = 1; k < loops.outputs; ++k) out[k] = &y[k];
  RunUpdate(loops, in, out, kWritesWeight ? &y[0] : nullptr, numbers);
}
double Norm(const TensorView& v) {
  double d = 0;
  FindConvert(v.dtype, DType::kFloat64)(v.raw(), &d, 1);
  return d;
}
// lr times the trust ratio r1 / r2, with r1 held within its bounds.
void LambNumber(const LambStepAttrs& a, Views x, double* numbers) {
  double r1 = Norm(x[2]), r2 = Norm(x[3]);
  if (a.lower_bound >= 0) r1 = std::max(r1, double(a.lower_bound));
  if (a.upper_bound >= 0) r1 = std::min(r1, double(a.upper_bound));
  numbers[0] = r1 == 0 || r2 == 0 ? a.lr : a.lr * r1 / r2;
}
void RunLambStep(const LambStepAttrs& a, Views x, const TensorView* const* in, TensorView* const* out, const TensorView* copy) {
  double numbers[kMaxNumbers] = {};
  if (DeviceWork* w = DeviceWork::Current()) {
    const TensorView norms[] = {x[2], x[3]}, rate = MakeView(w->Scratch(8), DType::kFloat64, Shape{1});
    const double bounds[] = {a.lr, double(a.lower_bound), double(a.upper_bound)};
    w->Call(kDeviceTrust, DeviceSignature(kDeviceTrust), {norms, 2, &rate, 1, nullptr, 0, bounds, 3});
    return RunUpdate(LoopsOf(LambStepRule::kName), in, out, copy, numbers, {&rate, 0, false});
  }
  LambNumber(a, x, numbers);
  RunUpdate(LoopsOf(LambStepRule::kName), in, out, copy, numbers);
}
void LambStepCpu(KernelContext&, const LambStepAttrs& a, Views x, OutViews y) {
  const TensorView* in[] = {&x[0], &x[1]};
  TensorView* out[] = {&y[0]};
  RunLambStep(a, x, in, out, nullptr);
}
void MixedLambStepCpu(KernelContext&, const LambStepAttrs& a, Views x, OutViews y) {
  const TensorView* in[] = {&x[4], &x[1]};
  TensorView* out[] = {&y[1]};
  RunLambStep(a, x, in, out, &y[0]);
}
// A scale that is 0 or not finite says that the gradients overflowed: nothing changes.
bool Skips(double scale) { return scale == 0 || !std::isfinite(scale); }
void AdamWCpu(KernelContext&, const AdamWAttrs& a, Views x, OutViews y) {
  double numbers[kMaxNumbers] = {};
  AdamWRule::Numbers(a, numbers);
  const TensorView* in[] = {&x[0], &x[1], &x[2], &x[3]};
  TensorView* out[] = {&y[0], &y[1], &y[2]};
  if (DeviceWork::Current()) return RunUpdate(LoopsOf(AdamWRule::kName), in, out, nullptr, numbers, {&x[4], 2, true});
  numbers[2] = Norm(x[4]);
  if (Skips(numbers[2])) {
    CastElements(x[0], y[0]), CastElements(x[2], y[1]), CastElements(x[3], y[2]);
    return;
  }
  RunUpdate(LoopsOf(AdamWRule::kName), in, out, nullptr, numbers);
}
void MixedAdamWCpu(KernelContext&, const AdamWAttrs& a, Views x, OutViews y) {
  double numbers[kMaxNumbers] = {};
  AdamWRule::Numbers(a, numbers);
  const TensorView* in[] = {&x[4], &x[1], &x[2], &x[3]};
  TensorView* out[] = {&y[3], &y[1], &y[2]};
  if (DeviceWork::Current()) return RunUpdate(LoopsOf(AdamWRule::kName), in, out, &y[0], numbers, {&x[5], 2, true});
  numbers[2] = Norm(x[5]);
  if (Skips(numbers[2])) {
    CastElements(x[0], y[0]);
    for (int k = 2; k < 5; ++k) CastElements(x[k], y[k - 1]);
    return;
  }
  RunUpdate(LoopsOf(AdamWRule::kName), in, out, &y[0], numbers);
}
template <class... R> void Add(KernelList* list) { (list->push_back(Kernel<UpdateKernel<R>>(&UpdateCpu<R>).OnDevices()), ...); }
}  // namespace

void AddUpdateKernels(KernelList* list) {
  Add<SgdRule, SgdMomRule, NagRule, SignSgdRule, SignumRule, AdamRule, RmspropRule, RmspropAlexRule, FtrlRule, FtmlRule, LambRule>(list);
  list->push_back(Kernel<MixedKernel<SgdRule>>(&MixedCpu<SgdRule, true>).OnDevices());
  list->push_back(Kernel<MixedKernel<SgdMomRule>>(&MixedCpu<SgdMomRule, true>).OnDevices());
  list->push_back(Kernel<MixedKernel<NagRule>>(&MixedCpu<NagRule, true>).OnDevices());
  list->push_back(Kernel<MixedKernel<LambRule>>(&MixedCpu<LambRule, false>).OnDevices());
  list->push_back(Kernel<UpdateKernel<AdamWRule>>(&AdamWCpu).OnDevices());
  list->push_back(Kernel<MixedKernel<AdamWRule>>(&MixedAdamWCpu).OnDevices());
  list->push_back(Kernel<UpdateKernel<LambStepRule>>(&LambStepCpu).OnDevices());
  list->push_back(Kernel<MixedKernel<LambStepRule>>(&MixedLambStepCpu).OnDevices());
}

}  // namespace flx

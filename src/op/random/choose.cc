// SPDX-License-Identifier: Apache-2.0
// Random choices: _sample_multinomial (indices by their probabilities) and _shuffle (rows in random order).
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/thread_pool.h"
#include "device/kernels.h"
#include "op/indexing/indexing.h"
#include "op/random/distribution_formulas.h"
#include "op/random/random.h"
#include "tensor/array.h"
#include "tensor/device_work.h"

namespace flx {
namespace {

Shape ChosenShape(const Shape& p, const Ints& shape) {
  Shape s = p;
  s.Erase(s.ndim() - 1);
  for (int64_t d : shape) s.push_back(d);
  return s.ndim() == 0 ? Shape{1} : s;
}
OpDef MultinomialOp() {
  return Op<MultinomialAttrs>("_sample_multinomial").alias("sample_multinomial").family("random").traits(kRandom)
      .example("_sample_multinomial(data (4, 3), shape=(5,)): (4, 5)")
      .doc("Indices of the last axis, each drawn with the probability that stands there. Rows need not sum to 1: they are taken in proportion. With get_prob also the logarithm of each drawn "
           "probability, whose gradient reaches the data.")
      .attr(&MultinomialAttrs::shape, "shape", "How many indices each row gives; empty: one.").range(0, INFINITY)
      .attr(&MultinomialAttrs::get_prob, "get_prob", "Return the logarithms of the drawn probabilities too.")
      .attr(&MultinomialAttrs::dtype, "dtype", "The dtype of the indices.")
      .input("data", "Probabilities (..., k), not negative.").output("output", "The indices, of shape data.shape[:-1] + shape.").output("log_prob", "The logarithms.")
      .visible_count([](const MultinomialAttrs& a) { return a.get_prob ? 2 : 1; })
      .types([](Infer& c, const MultinomialAttrs& a) {
        c.set_y_type(0, a.dtype == DType::kNone ? DType::kInt32 : a.dtype);
        if (c.x_type(0) != DType::kNone && !IsFloat(c.x_type(0))) c.FailType("expected float32, float64, float16 or bfloat16 probabilities, given ", c.x_type(0), ".");
        c.set_y_type(1, c.x_type(0));
        c.set_x_type(0, c.y_type(1));
      })
      .infer([](Infer& c, const MultinomialAttrs& a) {
        if (!c.ranked(0)) return;
        c.Expect(c.x(0).ndim() > 0 && c.x(0).back() != 0, "expected at least one probability on the last axis, given shape ", c.x(0), ".");
        c.Expect(c.x(0).back() - 1 <= LargestIndex(c.y_type(0)), "dtype ", c.y_type(0), " cannot tell ", c.x(0).back(), " indices apart. Ask for int32.");
        Shape s = ChosenShape(c.x(0), a.shape);
        c.set_y(0, s);
        c.set_y(1, a.get_prob ? s : Shape{0});
      })
      .gradient([](Grad& g, const MultinomialAttrs& a) {
        Shape x = g.x_shape(0);
        int64_t k = x.back(), rows = x.Product(0, x.ndim() - 1), each = g.y_shape(0).size() / std::max<int64_t>(1, rows);
        if (!a.get_prob) {
          g.dx[0] = CallOp("_zeros", {}, {{"shape", Text(x)}, {"dtype", DTypeName(g.x_type(0))}}, g.builder);
          return;
        }
        PutAlongAttrs p;
        p.axis = 1, p.shape = {rows, k};
        Val d = g.dy(1) / CallOp("exp", {g.y(1)});
        g.dx[0] = ReshapeTo(CallWith("_put_along", {ReshapeTo(g.y(0), {rows, each}), ReshapeTo(d, {rows, each})}, p), x);
      })
      .kernel<MultinomialKernel>();
}
void MultinomialCpu(KernelContext& ctx, const MultinomialAttrs& a, const TensorView& p, TensorView& y, TensorView& log_prob) {
  int64_t k = p.shape.back(), rows = p.size() / k, each = y.size() / rows;
  if (DeviceWork* w = DeviceWork::Current()) {
    const int64_t ints[] = {k, each};
    const TensorView out[] = {y, a.get_prob ? log_prob : TensorView{}};
    return w->Call(kDeviceChoose, DeviceSignature(kDeviceChoose), {&p, 1, out, 2, ints, 2, nullptr, 0, ctx.random});
  }
  auto* sum = ctx.Scratch<double>(p.size());  // of each row up to and with each element
  auto* value = ctx.Scratch<double>(p.size());
  CopyStrided(p, MakeView(value, DType::kFloat64, p.shape));
  for (int64_t r = 0; r < rows; ++r) {
    double s = 0;
    for (int64_t i = 0; i < k; ++i) {
      double v = value[r * k + i];
      if (!(v >= 0) || std::isinf(v)) Fail(Status::kArgument, "_sample_multinomial", "probabilities must be finite and not negative, given ", v, ".");
      sum[r * k + i] = s += v;
    }
    if (s <= 0) Fail(Status::kArgument, "_sample_multinomial", "the probabilities of row ", r, " are all 0.");
  }
  Philox philox(ctx.random);
  auto* index = ctx.Scratch<int64_t>(y.size());
  auto* logs = ctx.Scratch<double>(a.get_prob ? y.size() : 0);
  ParallelFor(y.size(), 2048, [&](int64_t i, int64_t e) {
    for (; i < e; ++i) {
      const double* row = sum + i / each * k;
      Draws d(philox, uint64_t(i));
      double u = d.Uniform() * row[k - 1];
      int64_t at = std::upper_bound(row, row + k, u) - row;
      while (at >= k || value[i / each * k + at] == 0) --at;  // rounding may reach the end
      index[i] = at;
      if (a.get_prob) logs[i] = std::log(value[i / each * k + at]);
    }
  });
  CopyStrided(MakeView(index, DType::kInt64, y.shape), y);
  if (a.get_prob && log_prob) CopyStrided(MakeView(logs, DType::kFloat64, y.shape), log_prob);
}

OpDef ShuffleOp() {
  return Op<>("_shuffle").alias("shuffle").family("random").traits(kRandom)
      .doc("The slices of the first axis in random order, every order as likely (Fisher and Yates).")
      .input("data", "The array.").output("output", "The shuffled array.").hidden("order", "Which slice stands at each place: what the gradient needs.")
      .types([](Infer& c, const NoAttrs&) {
        c.set_y_type(0, c.x_type(0));
        c.set_x_type(0, c.y_type(0));
        c.set_y_type(1, DType::kInt64);
      })
      .infer([](Infer& c, const NoAttrs&) {
        c.set_y(0, c.x(0));
        c.set_x(0, c.y(0));
        if (!c.x(0).rank_known()) return;
        c.Expect(c.x(0).ndim() > 0, "expected at least one axis, given shape ().");
        c.set_y(1, Shape{c.x(0)[0]});
      })
      .gradient([](Grad& g, const NoAttrs&) {
        TakeGradAttrs t;
        t.shape = g.x_shape(0).vec();
        g.dx[0] = CallWith("_take_grad", {g.y(1), g.dy(0)}, t);
      })
      .kernel<ShuffleKernel>();
}
void ShuffleOnDevice(KernelContext& ctx, DeviceWork* w, const TensorView& x, TensorView& y, const TensorView& order) {
  const int64_t n = x.dim(0), place[] = {kRandomPlace, 0, 0}, rows[] = {1, n, n, x.size() / n, 0, 0};
  const double none[] = {0, 0};
  const SortInts sort = {1, n, 1, n, 1};
  TensorView named[2];
  for (auto& v : named) v = MakeView(w->Scratch(n * int64_t(sizeof(int64_t))), DType::kInt64, Shape{n});
  const TensorView at = order ? order : MakeView(w->Scratch(n * int64_t(sizeof(int64_t))), DType::kInt64, Shape{n});
  w->Call(kDeviceRandom, kDeviceRandomForm, {nullptr, 0, &named[0], 1, place, 3, none, 2, ctx.random});
  w->Call(kDeviceSort, DeviceSignature(kDeviceSort), {&named[0], 1, &named[1], 1, &sort.outer, int(sizeof sort / sizeof(int64_t))});
  w->Call(kDeviceShuffle, DeviceSignature(kDeviceShuffle), {named, 2, &at, 1});
  const TensorView in[] = {x, at};
  if (x.size()) w->Call(kDeviceGather, DeviceSignature(kDeviceGather), {in, 2, &y, 1, rows, 6});
}
void ShuffleCpu(KernelContext& ctx, const NoAttrs&, const TensorView& x, TensorView& y, TensorView& order) {
  if (DeviceWork* w = DeviceWork::Current()) return ShuffleOnDevice(ctx, w, x, y, order);
  int64_t n = x.dim(0), bytes = n ? x.bytes() / n : 0;
  auto* at = order ? order.data<int64_t>() : ctx.Scratch<int64_t>(n);
  for (int64_t i = 0; i < n; ++i) at[i] = i;
  Philox philox(ctx.random);
  for (int64_t i = n - 1; i > 0; --i) {
    Draws d(philox, uint64_t(i));
    std::swap(at[i], at[d.Below(uint64_t(i) + 1)]);
  }
  auto* from = static_cast<const char*>(x.raw());
  auto* to = static_cast<char*>(y.raw());
  ParallelFor(n, std::max<int64_t>(1, 65536 / std::max<int64_t>(1, bytes)), [&](int64_t i, int64_t e) {
    for (; i < e; ++i) std::memcpy(to + i * bytes, from + at[i] * bytes, size_t(bytes));
  });
}
}  // namespace

void AddChooseOps(std::vector<OpDef>* ops) {
  ops->push_back(MultinomialOp());
  ops->push_back(ShuffleOp());
}
void AddChooseCpuKernels(KernelList* list) {
  list->push_back(Kernel<MultinomialKernel>(&MultinomialCpu).OnDevices());
  list->push_back(Kernel<ShuffleKernel>(&ShuffleCpu).OnDevices());
}

}  // namespace flx

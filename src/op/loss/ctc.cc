// SPDX-License-Identifier: Apache-2.0
// CTCLoss: connectionist temporal classification (Graves et al., 2006).
#include "op/loss/ctc.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/thread_pool.h"
#include "device/kernels.h"
#include "op/elementwise/driver.h"
#include "op/elementwise/formula.h"
#include "op/loss/ctc_formula.h"
#include "op/nn/spans.h"
#include "op/nn/wide.h"
#include "tensor/device_work.h"

namespace flx {
namespace {

bool UseDataLengths(const CtcAttrs& a) { return a.use_data_lengths; }
bool UseLabelLengths(const CtcAttrs& a) { return a.use_label_lengths; }

}  // namespace

OpDef CtcLossOp() {
  return Op<CtcAttrs>("CTCLoss")
      .alias("ctc_loss").alias("_contrib_CTCLoss").alias("_contrib_ctc_loss")
      .family("loss")
      .traits(kNoSecond)
      .doc("-log of the probability that softmax(data) spells the label: summed over all ways to place its classes on the steps, in order, with repeats and blanks between. "
           "A label that does not fit the steps has an infinite loss and no gradient.")
      .attr(&CtcAttrs::use_data_lengths, "use_data_lengths", "Take an input with the number of steps of each sequence; else all steps count.")
      .attr(&CtcAttrs::use_label_lengths, "use_label_lengths", "Take an input with the length of each label; else a label ends at the first padding: 0 with blank_label=first, -1 with last.")
      .attr(&CtcAttrs::blank_label, "blank_label", "Which class is the blank: the first, 0, or the last.")
      .input("data", "(steps, batch, classes), before softmax.")
      .input("label", "(batch, length), classes, of any number type.")
      .input_when<UseDataLengths>("data_lengths", "(batch,), of any number type.")
      .input_when<UseLabelLengths>("label_lengths", "(batch,), of any number type.")
      .output("output", "(batch,).")
      .hidden("slope", "The derivative of each loss by data.")
      .types([](Infer& c, const CtcAttrs&) {
        NeedFloat(c, 0);
        c.set_x_type(0, c.y_type(0));
        c.set_y_type(0, c.x_type(0));
        for (int i = 1; i < 4; ++i) c.guess_x_type(i, c.x_type(0));
        if (c.x_type(0) != DType::kNone) c.set_y_type(1, WideType(c.x_type(0)));
      })
      .infer([](Infer& c, const CtcAttrs&) {
        if (c.x(0).rank_known()) c.Expect(c.x(0).ndim() == 3, "data must have three axes (steps, batch, classes), given shape ", c.x(0), ".");
        if (c.x(1).rank_known()) c.Expect(c.x(1).ndim() == 2, "label must have two axes (batch, length), given shape ", c.x(1), ".");
        int64_t batch = c.x(0).rank_known() ? c.x(0)[1] : -1;
        if (batch < 0 && c.x(1).rank_known()) batch = c.x(1)[0];
        for (const Shape* s : {&c.x(2), &c.x(3), &c.y(0)})
          if (batch < 0 && s->rank_known() && s->ndim() == 1) batch = (*s)[0];
        c.set_x(0, Shape{-1, batch, -1});
        c.set_x(1, Shape{batch, -1});
        c.set_x(2, Shape{batch});
        c.set_x(3, Shape{batch});
        c.set_y(0, Shape{batch});
        c.set_y(1, c.x(0));
        c.Expect(c.x(0)[2] != 0, "data must have at least the class of the blank, given shape ", c.x(0), ".");
      })
      .gradient([](Grad& g, const CtcAttrs&) {
        if (g.want(0)) g.dx[0] = CallOp("_ctc_loss_grad", {g.y(1), g.dy(0)});
      })
      .cost([](const CtcAttrs&, const Shape* x, int) { return 16.0 * double(x[0].size()) + 200.0 * double(x[0][0]) * double(x[1].size()); })
      .kernel<CtcKernel>();
}
OpDef CtcLossGradOp() {
  return Op<>("_ctc_loss_grad")
      .family("loss")
      .traits(kInternal | kNoSecond)
      .doc("Gradient of CTCLoss for its data: the derivative that it kept, times the gradient of each loss.")
      .input("slope", "(steps, batch, classes), what CTCLoss kept.")
      .input("dy", "(batch,), the gradient of its output.")
      .output("dx", "As slope.")
      .types([](Infer& c, const NoAttrs&) {
        c.set_x_type(1, c.y_type(0));
        c.set_y_type(0, c.x_type(1));
        if (c.x_type(1) != DType::kNone) c.set_x_type(0, WideType(c.x_type(1)));
      })
      .infer([](Infer& c, const NoAttrs&) {
        c.set_x(0, c.y(0));
        c.set_y(0, c.x(0));
        if (c.x(0).rank_known() && c.x(0).ndim() == 3) c.set_x(1, Shape{c.x(0)[1]});
      })
      .kernel<CtcGradKernel>();
}

// ---- the kernels. Probabilities are logarithms in float64: nothing underflows, however many the steps.
namespace {

struct Sequence {
  int64_t steps, classes, stride;  // stride: from one step to the next
  std::vector<int64_t> spelled;    // the label with a blank before, between and behind its classes
};
// A class may follow the one before the blank between them, unless both are the same.
bool MaySkip(const Sequence& q, int64_t s) { return s % 2 == 1 && s >= 2 && q.spelled[size_t(s)] != q.spelled[size_t(s - 2)]; }

template <class T> double Loss(const Sequence& q, const T* x, T* slope) {
  const auto& f = SpansOf<T>();
  const int64_t n = q.steps, m = int64_t(q.spelled.size());
  std::vector<double> emit(size_t(n * m)), before(size_t(n * m), kNever);  // before: all ways up to a place, its own emission included
  std::vector<T> y(slope ? size_t(q.classes) : 0);
  for (int64_t t = 0; t < n; ++t) {
    const T* row = x + t * q.stride;
    T most = f.max(row, q.classes), sum = f.exp_sum(row, most, 1, q.classes, slope ? y.data() : nullptr);
    double log_sum = double(most) + std::log(double(sum));
    for (int64_t s = 0; s < m; ++s) emit[size_t(t * m + s)] = double(row[q.spelled[size_t(s)]]) - log_sum;
    if (slope) for (int64_t k = 0; k < q.classes; ++k) slope[t * q.stride + k] = y[size_t(k)] / sum;
  }
  for (int64_t t = 0; t < n; ++t) {
    for (int64_t s = 0; s < m; ++s) {
      double ways = t == 0 ? (s < 2 ? 0.0 : kNever) : before[size_t((t - 1) * m + s)];
      if (t > 0 && s > 0) ways = AddLogs(ways, before[size_t((t - 1) * m + s - 1)]);
      if (t > 0 && MaySkip(q, s)) ways = AddLogs(ways, before[size_t((t - 1) * m + s - 2)]);
      before[size_t(t * m + s)] = ways + emit[size_t(t * m + s)];
    }
  }
  double all = n == 0 ? (m == 1 ? 0 : kNever) : before[size_t(n * m - 1)];
  if (n > 0 && m > 1) all = AddLogs(all, before[size_t(n * m - 2)]);
  if (!slope) return -all;
  if (all == kNever || std::isnan(all)) {
    for (int64_t t = 0; t < n; ++t) std::fill(slope + t * q.stride, slope + t * q.stride + q.classes, T(all == kNever ? 0 : std::nan("")));
    return -all;
  }
  // The other way: all ways from a place to the end, its own emission left out. Their product is how probable the place is.
  std::vector<double> behind(size_t(m), kNever), next(size_t(m), 0.0);
  for (int64_t t = n - 1; t >= 0; --t) {
    for (int64_t s = 0; s < m; ++s) {
      auto from = [&](int64_t k) { return next[size_t(k)] + emit[size_t((t + 1) * m + k)]; };
      if (t == n - 1) {
        behind[size_t(s)] = s >= m - 2 ? 0 : kNever;
      } else {
        double ways = from(s);
        if (s + 1 < m) ways = AddLogs(ways, from(s + 1));
        if (s + 2 < m && MaySkip(q, s + 2)) ways = AddLogs(ways, from(s + 2));
        behind[size_t(s)] = ways;
      }
      slope[t * q.stride + q.spelled[size_t(s)]] -= T(std::exp(before[size_t(t * m + s)] + behind[size_t(s)] - all));
    }
    std::swap(behind, next);
  }
  return -all;
}
const int64_t* Whole(KernelContext& ctx, const TensorView& v) {
  if (!v) return nullptr;
  auto* out = ctx.Scratch<int64_t>(v.size());
  CopyStrided(v, MakeView(out, DType::kInt64, v.shape));
  return out;
}
int64_t Length(const KernelContext& ctx, const char* what, const int64_t* given, int64_t i, int64_t most) {
  if (!given) return most;
  if (given[i] < 0 || given[i] > most) Fail(Status::kIndex, ctx.op->name, what, " of sequence ", i, " must be in [0, ", most, "], given ", given[i], ".");
  return given[i];
}

}  // namespace

void CtcLossCpu(KernelContext& ctx, const CtcAttrs& a, const TensorView& data, const TensorView& label, const TensorView& data_lengths, const TensorView& label_lengths,
                TensorView& loss0, TensorView& slope) {
  TensorView x = Widen(ctx, data);
  WideOut loss(ctx, loss0);
  int64_t steps = x.dim(0), batch = x.dim(1), classes = x.dim(2), most = label.dim(1);
  bool first = a.blank_label == CtcBlank::kFirst;
  if (DeviceWork* w = DeviceWork::Current()) {
    const CtcInts ints = {steps, batch, classes, most, first};
    const TensorView in[] = {x, label, data_lengths, label_lengths}, out[] = {loss0, slope};
    return w->Call(kDeviceCtc, DeviceSignature(kDeviceCtc), {in, 4, out, 2, &ints.steps, int(sizeof ints / sizeof(int64_t))});
  }
  int64_t blank = first ? 0 : classes - 1, lowest = first ? 1 : 0, highest = first ? classes - 1 : classes - 2;
  const int64_t *labels = Whole(ctx, label), *n = Whole(ctx, data_lengths), *m = Whole(ctx, label_lengths);
  std::vector<Sequence> all(static_cast<size_t>(batch));
  for (int64_t i = 0; i < batch; ++i) {
    const int64_t* row = labels + i * most;
    int64_t length = Length(ctx, "the label length", m, i, most);
    for (int64_t k = 0; !m && k < most; ++k) if (row[k] < lowest) { length = k; break; }
    Sequence& q = all[size_t(i)];
    q = {Length(ctx, "the number of steps", n, i, steps), classes, batch * classes, {blank}};
    for (int64_t k = 0; k < length; ++k) {
      if (row[k] < lowest || row[k] > highest)
        Fail(Status::kIndex, ctx.op->name, "a label must be a class in [", lowest, ", ", highest, "], given ", row[k], " in sequence ", i, ". Class ", blank, " is the blank.");
      q.spelled.push_back(row[k]), q.spelled.push_back(blank);
    }
  }
  if (slope) FillStrided(slope, 0);  // steps that do not count
  ForFloats(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    ParallelFor(batch, 1, [&](int64_t i, int64_t e) {
      for (; i < e; ++i) loss.data<T>()[i] = T(Loss(all[size_t(i)], x.data<T>() + i * classes, slope ? slope.data<T>() + i * classes : nullptr));
    });
  });
  loss.Store();
}

void CtcLossGradCpu(KernelContext& ctx, const NoAttrs&, const TensorView& slope, const TensorView& dy0, TensorView& dx0) {
  const TensorView dy = Widen(ctx, dy0), in[] = {slope, MakeView(dy.base, dy.dtype, Shape{dy.size(), 1}, dy.offset)};  // broadcast over classes
  WideOut dx(ctx, dx0);
  RunElementwise(*ctx.op, CpuLoops("mul"), ctx, nullptr, in, 2, dx.view);
  dx.Store();
}

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
#include "op/nn/softmax.h"

#include "op/nn/wide.h"

namespace flx {
namespace {

bool UseLength(const SoftmaxAttrs& a) { return a.HasLength(); }
Shape KeepAxis(const Shape& s, int axis) {
  Shape k = s;
  k[axis < 0 ? axis + s.ndim() : axis] = 1;
  return k;
}
void InferSoftmax(Infer& c, const SoftmaxAttrs& a) {
  c.set_y(0, c.x(0));
  c.set_x(0, c.y(0));
  if (!c.x(0).rank_known()) return;
  int axis = c.Axis(a.axis, c.x(0).ndim());
  Shape rows = c.x(0);
  rows.Erase(axis);
  c.set_x(1, rows);
  if (!c.has(1)) return;
  Shape s = c.x(1);
  s.Insert(axis, -1);
  c.set_x(0, s);
  c.set_y(0, s);
}
void SoftmaxTypes(Infer& c, const SoftmaxAttrs& a) {
  if (a.dtype != DType::kNone && !IsFloat(a.dtype)) c.FailType("attribute `dtype` must be a float type, given ", a.dtype, ".");
  NeedFloat(c, 0);
  if (c.has(1) && c.x_type(1) != DType::kNone && c.x_type(1) != DType::kInt32 && c.x_type(1) != DType::kInt64)
    c.FailType("input `length` must be int32 or int64, given ", c.x_type(1), ". Cast it first (operator Cast).");
  c.guess_x_type(1, DType::kInt32);
  if (a.dtype == DType::kNone) c.set_x_type(0, c.y_type(0));
  c.set_y_type(0, a.dtype == DType::kNone ? c.x_type(0) : a.dtype);
}
// Ones where a row counts, zeros behind its length.
Val LengthMask(Val y, Val length, const SoftmaxAttrs& a) {
  SoftmaxAttrs s;
  s.axis = a.axis, s.use_length = true, s.dtype = TypeOf(y);
  return CallOp("_greater_scalar", {CallWith("softmax", {ZerosLike(y), length}, s)}, {{"scalar", "0"}});
}
Op<SoftmaxAttrs> SoftmaxLike(const char* name, const char* doc) {
  return Op<SoftmaxAttrs>(name)
      .family("nn")
      .doc(doc)
      .traits(kInplace)
      .attr(&SoftmaxAttrs::axis, "axis", "The axis to normalise over.")
      .attr(&SoftmaxAttrs::temperature, "temperature", "Divides the input; None is 1.")
      .attr(&SoftmaxAttrs::dtype, "dtype", "The output's float type; None is the input's.")
      .attr(&SoftmaxAttrs::use_length, "use_length", "Take a second input with the length of each row; what lies behind it gives 0.")
      .input("data", "Any number of axes, float.")
      .input_when<UseLength>("length", "int32 or int64, the shape of data without `axis`: how many elements of each row count.")
      .output("output", "As data.")
      .types(SoftmaxTypes)
      .infer(InferSoftmax);
}
template <bool kNegative> void SoftmaxGradient(Grad& g, const SoftmaxAttrs& a) {
  if (!g.want(0)) return;
  g.dx[0] = CastTo(CallWith("_softmax_grad", {g.y(0), g.dy(0)}, SoftmaxGradAttrs{a.axis, a.Scale(kNegative)}), g.x_type(0));
}
Op<SoftmaxGradAttrs> GradLike(const char* name, const char* doc) {
  return Op<SoftmaxGradAttrs>(name)
      .family("nn")
      .doc(doc)
      .traits(kInternal | kInplace)
      .attr(&SoftmaxGradAttrs::axis, "axis", "The axis of the normalisation.")
      .attr(&SoftmaxGradAttrs::scale, "scale", "Factor of the result: 1 / temperature.")
      .input("y", "The result of the forward operator.")
      .input("dy", "Its gradient.")
      .output("dx", "The gradient of the forward operator's data.")
      .types(SameFloat)
      .infer(SameShape);
}

}  // namespace

OpDef SoftmaxOp() {
  return SoftmaxLike("softmax", "exp(x / t) / sum(exp(x / t)) along `axis`, computed from x - max(x), so that large values do not overflow.")
      .alias("_npx_softmax")
      .example("softmax([1, 1]) = [0.5, 0.5]")
      .gradient(SoftmaxGradient<false>)
      .kernel<SoftmaxKernel>();
}
OpDef SoftminOp() {
  return SoftmaxLike("softmin", "softmax(-x): exp(-x / t) / sum(exp(-x / t)) along `axis`.").gradient(SoftmaxGradient<true>).kernel<SoftminKernel>();
}
OpDef LogSoftmaxOp() {
  return SoftmaxLike("log_softmax", "x / t - log(sum(exp(x / t))) along `axis`: the logarithm of softmax without its loss of digits.")
      .alias("_npx_log_softmax")
      .gradient([](Grad& g, const SoftmaxAttrs& a) {
        if (!g.want(0)) return;
        Val y = g.y(0), dy = g.dy(0), dx;
        if (a.HasLength()) {
          Val mask = LengthMask(y, g.x(1), a);
          Val seen = dy * mask;
          dx = (seen - CallOp("exp", {y}) * mask * SumTo(seen, KeepAxis(ShapeOf(y), a.axis))) * a.Scale(false);
        } else {
          dx = CallWith("_log_softmax_grad", {y, dy}, SoftmaxGradAttrs{a.axis, a.Scale(false)});
        }
        g.dx[0] = CastTo(dx, g.x_type(0));
      })
      .kernel<LogSoftmaxKernel>();
}
OpDef SoftmaxGradOp() {
  return GradLike("_softmax_grad", "Gradient of softmax: scale * y * (dy - sum(y * dy)).")
      .compose([](const std::vector<Val>& x, const SoftmaxGradAttrs& a) {
        Val t = x[0] * x[1];
        return std::vector<Val>{(t - x[0] * SumTo(t, KeepAxis(ShapeOf(t), a.axis))) * a.scale};
      })
      .kernel<SoftmaxGradKernel>();
}
OpDef LogSoftmaxGradOp() {
  return GradLike("_log_softmax_grad", "Gradient of log_softmax: scale * (dy - exp(y) * sum(dy)).")
      .compose([](const std::vector<Val>& x, const SoftmaxGradAttrs& a) {
        return std::vector<Val>{(x[1] - CallOp("exp", {x[0]}) * SumTo(x[1], KeepAxis(ShapeOf(x[1]), a.axis))) * a.scale};
      })
      .kernel<LogSoftmaxGradKernel>();
}
OpDef SoftmaxActivationOp() {
  return Op<SoftmaxActivationAttrs>("SoftmaxActivation")
      .example("SoftmaxActivation(data (32, 10)): (32, 10)")
      .family("nn")
      .doc("softmax over all but the first axis (`instance`), or over axis 1 at each place (`channel`). Prefer softmax.")
      .attr(&SoftmaxActivationAttrs::mode, "mode", "What is normalised: each instance as a whole, or the channels of each place.")
      .input("data", "(batch, ...); at least two axes, three for `channel`.")
      .output("output", "As data.")
      .types(SameFloat)
      .infer([](Infer& c, const SoftmaxActivationAttrs& a) {
        c.set_y(0, c.x(0));
        c.set_x(0, c.y(0));
        int least = a.mode == SoftmaxMode::kChannel ? 3 : 2;
        if (c.x(0).rank_known()) c.Expect(c.x(0).ndim() >= least, "input `data` must have at least ", least, " axes in this mode, given ", c.x(0), ".");
      })
      .gradient([](Grad& g, const SoftmaxActivationAttrs& a) {
        if (!g.want(0)) return;
        Shape s = g.y_shape(0);
        Val y = g.y(0), dy = g.dy(0);
        if (a.mode == SoftmaxMode::kInstance) {
          Shape flat{s[0], s.Product(1, s.ndim())};
          y = ReshapeTo(y, flat), dy = ReshapeTo(dy, flat);
        }
        g.dx[0] = ReshapeTo(CallWith("_softmax_grad", {y, dy}, SoftmaxGradAttrs{1, 1.0}), s);
      })
      .kernel<SoftmaxActivationKernel>();
}

}  // namespace flx

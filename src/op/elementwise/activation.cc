// SPDX-License-Identifier: Apache-2.0
// Activations: MXNet's two operators that choose one by name, and the internal ones they are made of.
#include "op/elementwise/activation.h"

#include "op/elementwise/family.h"

namespace flx {
namespace {
using Vals = std::vector<Val>;
// 1 where c > 0, else `low`, without a branch.
Val Steps(Val c, Val low) {
  Val up = CallScalar("_greater_scalar", c, 0);
  return up + (1 - up) * low;
}
Val Steps(Val c, double low) { return CallScalar("_greater_scalar", c, 0) * (1 - low) + low; }

void ActivationGradient(Grad& g, const ActivationAttrs& a) {
  Val dy = g.dy(0), y = g.y(0);
  switch (a.act_type) {
    case ActType::kRelu: g.dx[0] = Call2("_relu_grad", y, dy); break;
    case ActType::kSigmoid: g.dx[0] = Call2("_sigmoid_grad", y, dy); break;
    case ActType::kTanh: g.dx[0] = Call2("_tanh_grad", y, dy); break;
    case ActType::kSoftrelu: g.dx[0] = -(dy * Call1("expm1", -y)); break;
    case ActType::kSoftsign: g.dx[0] = dy * Call1("square", 1 - Call1("abs", y)); break;
  }
}
Vals ActivationParts(const Vals& x, const ActivationAttrs& a) {
  return {Call1(a.act_type == ActType::kSoftrelu ? "_softrelu" : EnumNames<ActType>::names[size_t(a.act_type)], x[0])};
}
bool HasGamma(const LeakyAttrs& a) { return a.act_type == LeakyType::kPrelu; }
Val LeakyGradient(Grad& g, double slope) {  // y has x's sign unless the slope is negative
  return CallWith("_leaky_grad", {slope >= 0 ? g.y(0) : g.x(0), g.dy(0)}, SlopeAttrs{slope});
}
Val EluGradient(Grad& g, const EluAttrs& a) { return CallWith("_elu_grad", {a.slope >= 0 ? g.y(0) : g.x(0), g.y(0), g.dy(0)}, a); }
void LeakyReluGradient(Grad& g, const LeakyAttrs& a) {
  switch (a.act_type) {
    case LeakyType::kRrelu: g.dx[0] = g.dy(0) * g.y(1); break;
    case LeakyType::kLeaky: g.dx[0] = LeakyGradient(g, a.slope); break;
    case LeakyType::kElu: g.dx[0] = EluGradient(g, {a.slope, 1}); break;
    case LeakyType::kSelu: g.dx[0] = EluGradient(g, {kSeluSlope, kSeluScale}); break;
    case LeakyType::kGelu: g.dx[0] = Call2("_gelu_grad", g.x(0), g.dy(0)); break;
    case LeakyType::kPrelu: {
      Shape s = PreluShape(g.x_shape(0), g.x_shape(1));
      if (g.want(0)) g.dx[0] = g.dy(0) * Steps(g.x(0), ReshapeTo(g.x(1), s));
      if (g.want(1)) g.dx[1] = ReshapeTo(SumTo(g.dy(0) * CallScalar("_minimum_scalar", g.x(0), 0), s), g.x_shape(1));
    }
  }
}
void LeakyReluShapes(Infer& c, const LeakyAttrs& a) {
  c.set_y(0, c.x(0)), c.set_x(0, c.y(0));
  const Shape& s = c.x(0);
  c.set_y(1, a.act_type == LeakyType::kRrelu ? s : Shape{0});  // only rrelu remembers its slopes
  if (!c.has(1) || !s.rank_known()) return;
  int64_t channels = s.ndim() == 0 ? 1 : s[s.ndim() > 1 ? 1 : 0];
  if (!c.ranked(1)) c.guess_x(1, Shape{channels});
  c.Expect(!c.known(1) || c.x(1).size() == 1 || channels < 0 || c.x(1).size() == channels, "`gamma` needs one slope, or one for each of the ", channels,
           " channels (axis 1) of `data`, given shape ", c.x(1), ".");
}
Vals LeakyReluParts(const Vals& x, const LeakyAttrs& a) {
  switch (a.act_type) {
    case LeakyType::kRrelu: return {};  // it draws
    case LeakyType::kLeaky: return {CallWith("_leaky", {x[0]}, SlopeAttrs{a.slope})};
    case LeakyType::kElu: return {CallWith("_elu", {x[0]}, EluAttrs{a.slope, 1})};
    case LeakyType::kSelu: return {CallWith("_elu", {x[0]}, EluAttrs{kSeluSlope, kSeluScale})};
    case LeakyType::kGelu: return {Call1("_gelu", x[0])};
    case LeakyType::kPrelu: return {Call2("_prelu", x[0], ReshapeTo(x[1], PreluShape(ShapeOf(x[0]), ShapeOf(x[1]))))};
  }
  return {};
}
template <class A> Op<A> Internal(const char* name, const char* doc) {
  Op<A> o(name);
  o.family("elementwise").traits(kInternal).doc(doc).types(FloatsOnly<A>).infer(SameShape<A>);
  return o;
}
}  // namespace

Shape PreluShape(const Shape& x, const Shape& gamma) {
  int64_t n = gamma.size();
  Shape s = Shape::Filled(n == 1 ? 0 : x.ndim() - (x.ndim() > 1 ? 1 : 0), 1);
  if (n != 1) s[0] = n;
  return s;
}

void AddActivationOps(std::vector<OpDef>* ops) {
  auto add = [&](OpDef d) { ops->push_back(std::move(d)); };
  add(FloatUnary<ActivationAttrs>("Activation", "relu: max(x, 0). sigmoid: 1 / (1 + exp(-x)). tanh. softrelu: log(1 + exp(x)). softsign: x / (1 + |x|).")
          .attr(&ActivationAttrs::act_type, "act_type", "Which of them.").required()
          .traits(kInplace | kExpands).gradient(ActivationGradient).compose(ActivationParts).kernel<ActivationKernel>());
  Op<LeakyAttrs> leaky("LeakyReLU");
  leaky.family("elementwise").traits(kRandom | kExpands).doc(
      "Activations that let some of x < 0 through (for x > 0 they give x). leaky: slope * x. prelu: gamma * x, one gamma for each channel (axis 1) or one for all. "
      "rrelu: slope * x with a slope drawn for each element while training, else their mean. elu: slope * (exp(x) - 1). "
      "selu: self-normalising, scale 1.0507 and slope 1.6733 (Klambauer et al. 2017). gelu: x * (1 + erf(x / sqrt 2)) / 2 for all x.");
  leaky.input("data", "A floating-point array.").input_when<HasGamma>("gamma", "prelu's slopes.");
  leaky.attr(&LeakyAttrs::act_type, "act_type", "Which of them.");
  leaky.attr(&LeakyAttrs::slope, "slope", "The slope of leaky, the scale of elu below zero.");
  leaky.attr(&LeakyAttrs::lower_bound, "lower_bound", "The smallest slope that rrelu draws.");
  leaky.attr(&LeakyAttrs::upper_bound, "upper_bound", "The largest slope that rrelu draws.");
  leaky.output("output").hidden("mask", "rrelu's slope for each element, 1 above zero.");
  add(leaky.infer(LeakyReluShapes).types(FloatsOnly<LeakyAttrs>).gradient(LeakyReluGradient).compose(LeakyReluParts).kernel<LeakyKernel>());

  add(Internal<SlopeAttrs>("_leaky", "x where x > 0, else slope * x.").attr(&SlopeAttrs::slope, "slope", "The slope below zero.")
          .input("data", "A floating-point array.").output("output").gradient([](Grad& g, const SlopeAttrs& a) { g.dx[0] = LeakyGradient(g, a.slope); })
          .tiles(1, [](const SlopeAttrs& a, double* s) { s[0] = a.slope; }));
  add(Internal<SlopeAttrs>("_leaky_grad", "dy where c > 0, else slope * dy.").attr(&SlopeAttrs::slope, "slope", "The slope below zero.")
          .input("c", "x, or what has its sign.").input("dy", "The gradient.").output("dx")
          .compose([](const Vals& x, const SlopeAttrs& a) { return Vals{x[1] * Steps(x[0], a.slope)}; })
          .tiles(1, [](const SlopeAttrs& a, double* s) { s[0] = a.slope; }));
  add(Internal<NoAttrs>("_prelu", "x where x > 0, else slope * x; the slope broadcasts.").input("data", "A floating-point array.").input("slope", "The slope below zero.").output("output")
          .infer([](Infer& c, const NoAttrs&) { c.set_y(0, BroadcastShapes(c, c.x(0), c.x(1))); })
          .gradient([](Grad& g, const NoAttrs&) {
            if (g.want(0)) g.dx[0] = SumTo(g.dy(0) * Steps(g.x(0), g.x(1)), g.x_shape(0));
            if (g.want(1)) g.dx[1] = SumTo(g.dy(0) * CallScalar("_minimum_scalar", g.x(0), 0), g.x_shape(1));
          }).tiles());
  const auto elu_scalars = [](const EluAttrs& a, double* s) { s[0] = a.slope, s[1] = a.scale; };
  add(Internal<EluAttrs>("_elu", "scale * x where x > 0, else scale * slope * (exp(x) - 1).")
          .attr(&EluAttrs::slope, "slope", "The scale below zero.").attr(&EluAttrs::scale, "scale", "Of the whole.")
          .input("data", "A floating-point array.").output("output").gradient([](Grad& g, const EluAttrs& a) { g.dx[0] = EluGradient(g, a); }).tiles(2, elu_scalars));
  add(Internal<EluAttrs>("_elu_grad", "dy * scale where c > 0, else dy * (y + scale * slope).")
          .attr(&EluAttrs::slope, "slope", "The scale below zero.").attr(&EluAttrs::scale, "scale", "Of the whole.")
          .input("c", "x, or what has its sign.").input("y", "The result.").input("dy", "Its gradient.").output("dx")
          .compose([](const Vals& x, const EluAttrs& a) {
            Val up = CallScalar("_greater_scalar", x[0], 0);
            return Vals{x[2] * (up * a.scale + (1 - up) * (x[1] + a.slope * a.scale))};
          }).tiles(2, elu_scalars));
  add(Internal<NoAttrs>("_gelu", "x * (1 + erf(x / sqrt 2)) / 2.").input("data", "A floating-point array.").output("output")
          .gradient([](Grad& g, const NoAttrs&) { g.dx[0] = Call2("_gelu_grad", g.x(0), g.dy(0)); }).tiles());
  add(Internal<NoAttrs>("_gelu_grad", "dy times gelu's derivative.").input("data", "A floating-point array.").input("dy", "The gradient.").output("dx")
          .compose([](const Vals& x, const NoAttrs&) {
            Val normal = (Call1("erf", x[0] * 0.70710678118654752440) + 1) * 0.5, density = Call1("exp", Call1("square", x[0]) * -0.5) * 0.39894228040143267794;
            return Vals{x[1] * (normal + x[0] * density)};
          }).tiles());
}

}  // namespace flx

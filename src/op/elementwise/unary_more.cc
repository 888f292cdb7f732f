// SPDX-License-Identifier: Apache-2.0
// Operators of one array: trigonometry, special functions, and those with attributes of their own.
#include "op/elementwise/family.h"

namespace flx {
namespace {
using Rule = void (*)(Grad&, const NoAttrs&);
OpDef Float(const char* name, const char* doc, Rule gradient) { return FloatUnary(name, doc).gradient(gradient).tiles(); }

struct ClipAttrs { double a_min = 0, a_max = 0; };
struct HardSigmoidAttrs { double alpha = 0.2, beta = 0.5; };
struct SmoothL1Attrs { double scalar = 1; };
Val Between(Val x, double low, double high) { return CallScalar("_greater_equal_scalar", x, low) * CallScalar("_lesser_equal_scalar", x, high); }
Val Clip(Val x, double low, double high) { return CallWith("clip", {x}, ClipAttrs{low, high}); }
}  // namespace

void AddUnaryMoreOps(std::vector<OpDef>* ops) {
  auto add = [&](OpDef d) { ops->push_back(std::move(d)); };
  add(Float("sin", "The sine, of radians.", [](Grad& g, const NoAttrs&) { g.dx[0] = g.dy(0) * Call1("cos", g.x(0)); }));
  add(Float("cos", "The cosine, of radians.", [](Grad& g, const NoAttrs&) { g.dx[0] = -(g.dy(0) * Call1("sin", g.x(0))); }));
  add(Float("tan", "The tangent, of radians.", [](Grad& g, const NoAttrs&) { g.dx[0] = g.dy(0) * (Call1("square", g.y(0)) + 1); }));
  add(Float("arcsin", "The inverse sine, in radians; NaN outside [-1, 1].", [](Grad& g, const NoAttrs&) { g.dx[0] = g.dy(0) * Call1("rsqrt", 1 - Call1("square", g.x(0))); }));
  add(Float("arccos", "The inverse cosine, in radians; NaN outside [-1, 1].", [](Grad& g, const NoAttrs&) { g.dx[0] = -(g.dy(0) * Call1("rsqrt", 1 - Call1("square", g.x(0)))); }));
  add(Float("arctan", "The inverse tangent, in radians.", [](Grad& g, const NoAttrs&) { g.dx[0] = g.dy(0) / (Call1("square", g.x(0)) + 1); }));
  add(Float("sinh", "The hyperbolic sine.", [](Grad& g, const NoAttrs&) { g.dx[0] = g.dy(0) * Call1("cosh", g.x(0)); }));
  add(Float("cosh", "The hyperbolic cosine.", [](Grad& g, const NoAttrs&) { g.dx[0] = g.dy(0) * Call1("sinh", g.x(0)); }));
  add(Float("arcsinh", "The inverse hyperbolic sine.", [](Grad& g, const NoAttrs&) { g.dx[0] = g.dy(0) * Call1("rsqrt", Call1("square", g.x(0)) + 1); }));
  add(Float("arccosh", "The inverse hyperbolic cosine; NaN below 1.", [](Grad& g, const NoAttrs&) { g.dx[0] = g.dy(0) * Call1("rsqrt", Call1("square", g.x(0)) - 1); }));
  add(Float("arctanh", "The inverse hyperbolic tangent; NaN outside [-1, 1].", [](Grad& g, const NoAttrs&) { g.dx[0] = g.dy(0) / (1 - Call1("square", g.x(0))); }));
  add(Float("degrees", "Radians to degrees.", [](Grad& g, const NoAttrs&) { g.dx[0] = g.dy(0) * 57.295779513082320877; }));
  add(Float("radians", "Degrees to radians.", [](Grad& g, const NoAttrs&) { g.dx[0] = g.dy(0) * 0.017453292519943295769; }));
  add(Float("softsign", "x / (1 + |x|), element by element.", [](Grad& g, const NoAttrs&) { g.dx[0] = g.dy(0) * Call1("square", 1 - Call1("abs", g.y(0))); }));
  add(FloatUnary("_softrelu", "log(1 + exp(x)), without overflow.").traits(kInternal)
          .gradient([](Grad& g, const NoAttrs&) { g.dx[0] = -(g.dy(0) * Call1("expm1", -g.y(0))); }).tiles(0, nullptr, "softrelu"));
  add(Float("erf", "The error function, 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x.",
            [](Grad& g, const NoAttrs&) { g.dx[0] = g.dy(0) * (Call1("exp", -Call1("square", g.x(0))) * 1.1283791670955125739); }));
  add(Float("erfinv", "The inverse of the error function; NaN outside [-1, 1].",
            [](Grad& g, const NoAttrs&) { g.dx[0] = g.dy(0) * (Call1("exp", Call1("square", g.y(0))) * 0.88622692545275801365); }));
  add(Float("gamma", "The gamma function; NaN at the negative integers.", [](Grad& g, const NoAttrs&) { g.dx[0] = g.dy(0) * (g.y(0) * Call1("_digamma", g.x(0))); }));
  add(Float("gammaln", "The logarithm of the gamma function's absolute value.", [](Grad& g, const NoAttrs&) { g.dx[0] = g.dy(0) * Call1("_digamma", g.x(0)); }));
  add(FloatUnary("_digamma", "The derivative of gammaln.").traits(kInternal | kNoSecond).gradient([](Grad& g, const NoAttrs&) { g.dx[0] = g.dy(0) * Call1("_trigamma", g.x(0)); }).tiles());
  add(FloatUnary("_trigamma", "The derivative of _digamma.").traits(kInternal).tiles());

  add(Unary<ClipAttrs>("clip", "Each element, held within [a_min, a_max]; the gradient is 0 outside. NaN stays.")
          .attr(&ClipAttrs::a_min, "a_min", "The smallest result.").required()
          .attr(&ClipAttrs::a_max, "a_max", "The largest result.").required()
          .gradient([](Grad& g, const ClipAttrs& a) { g.dx[0] = g.dy(0) * Between(g.x(0), a.a_min, a.a_max); })
          .tiles(2, [](const ClipAttrs& a, double* s) { s[0] = a.a_min, s[1] = a.a_max; }));
  add(FloatUnary<HardSigmoidAttrs>("hard_sigmoid", "alpha * x + beta, held within [0, 1].")
          .attr(&HardSigmoidAttrs::alpha, "alpha", "The slope.")
          .attr(&HardSigmoidAttrs::beta, "beta", "The value at 0.")
          .gradient([](Grad& g, const HardSigmoidAttrs& a) {
            Val y = g.y(0);
            g.dx[0] = g.dy(0) * (CallScalar("_greater_scalar", y, 0) * CallScalar("_lesser_scalar", y, 1)) * a.alpha;
          })
          .tiles(2, [](const HardSigmoidAttrs& a, double* s) { s[0] = a.alpha, s[1] = a.beta; }));
  add(FloatUnary<SmoothL1Attrs>("smooth_l1", "(s x)^2 / 2 where |x| < 1 / s^2, else |x| - 1 / (2 s^2), with s = scalar.")
          .attr(&SmoothL1Attrs::scalar, "scalar", "s: the larger, the nearer to |x|.").runtime()
          .gradient([](Grad& g, const SmoothL1Attrs& a) { g.dx[0] = g.dy(0) * Clip(g.x(0) * (a.scalar * a.scalar), -1, 1); })
          .tiles(1, [](const SmoothL1Attrs& a, double* s) { s[0] = a.scalar; }));
}

}  // namespace flx

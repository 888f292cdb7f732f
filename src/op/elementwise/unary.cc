// SPDX-License-Identifier: Apache-2.0
// Operators of one array: arithmetic, rounding, powers, exponentials and logarithms. Gradients read y where they can.
#include "op/elementwise/family.h"

namespace flx {
namespace {
using Rule = void (*)(Grad&, const NoAttrs&);
OpDef Any(const char* name, const char* doc, Rule gradient) { return Unary(name, doc).gradient(gradient).tiles(); }
OpDef Flat(const char* name, const char* doc) { return Unary(name, doc).zero_gradient().tiles(); }
OpDef Float(const char* name, const char* doc, Rule gradient) { return FloatUnary(name, doc).gradient(gradient).tiles(); }
// An internal fused gradient: dx of y and dy.
OpDef FromY(const char* name, const char* doc, std::vector<Val> (*compose)(const std::vector<Val>&, const NoAttrs&)) {
  return Op<>(name).family("elementwise").traits(kInternal).doc(doc).input("y", "The operator's result.").input("dy", "Its gradient.").output("dx")
      .infer(SameShape<NoAttrs>).compose(compose).tiles();
}
}  // namespace

void AddUnaryOps(std::vector<OpDef>* ops) {
  auto add = [&](OpDef d) { ops->push_back(std::move(d)); };
  add(Any("abs", "The absolute value, element by element.", [](Grad& g, const NoAttrs&) { g.dx[0] = g.dy(0) * Call1("sign", g.x(0)); }));
  add(Flat("sign", "-1, 0 or 1, the sign of each element; NaN for NaN."));
  add(Flat("round", "The nearest integer; halves away from zero."));
  add(Flat("rint", "The nearest integer; halves downwards."));
  add(Flat("ceil", "The smallest integer not below each element."));
  add(Flat("floor", "The largest integer not above each element."));
  add(Flat("trunc", "Each element without its fraction (toward zero)."));
  add(Unary("fix", "The nearest integer toward zero, as trunc.").zero_gradient().tiles(0, nullptr, "trunc"));
  add(Flat("logical_not", "1 where the element is zero, else 0, in the input's dtype."));
  add(Any("negative", "-x, element by element.", [](Grad& g, const NoAttrs&) { g.dx[0] = -g.dy(0); }));
  add(Any("square", "x * x, element by element.", [](Grad& g, const NoAttrs&) { g.dx[0] = g.dy(0) * (g.x(0) * 2); }));
  add(Any("relu", "max(x, 0), element by element; the gradient at 0 is 0.", [](Grad& g, const NoAttrs&) { g.dx[0] = Call2("_relu_grad", g.y(0), g.dy(0)); }));
  add(Float("sqrt", "The square root; NaN below zero.", [](Grad& g, const NoAttrs&) { g.dx[0] = g.dy(0) / (g.y(0) * 2); }));
  add(Float("rsqrt", "1 / sqrt(x), element by element.", [](Grad& g, const NoAttrs&) {
    Val y = g.y(0);
    g.dx[0] = g.dy(0) * (y * y * y) * -0.5;
  }));
  add(Float("cbrt", "The cube root.", [](Grad& g, const NoAttrs&) {
    Val y = g.y(0);
    g.dx[0] = g.dy(0) / (y * y * 3);
  }));
  add(Float("rcbrt", "1 / cbrt(x), element by element.", [](Grad& g, const NoAttrs&) {
    Val y = g.y(0), y2 = y * y;
    g.dx[0] = g.dy(0) * (y2 * y2) * (-1.0 / 3);
  }));
  add(Float("reciprocal", "1 / x, element by element.", [](Grad& g, const NoAttrs&) {
    Val y = g.y(0);
    g.dx[0] = -(g.dy(0) * (y * y));
  }));
  add(Float("exp", "e to the power of each element.", [](Grad& g, const NoAttrs&) { g.dx[0] = g.dy(0) * g.y(0); }));
  add(Float("expm1", "exp(x) - 1, exact for small x.", [](Grad& g, const NoAttrs&) { g.dx[0] = g.dy(0) * (g.y(0) + 1); }));
  add(Float("log", "The natural logarithm; -inf at 0, NaN below.", [](Grad& g, const NoAttrs&) { g.dx[0] = g.dy(0) / g.x(0); }));
  add(Float("log10", "The logarithm to base 10.", [](Grad& g, const NoAttrs&) { g.dx[0] = g.dy(0) / (g.x(0) * 2.302585092994045684); }));
  add(Float("log2", "The logarithm to base 2.", [](Grad& g, const NoAttrs&) { g.dx[0] = g.dy(0) / (g.x(0) * 0.693147180559945309); }));
  add(Float("log1p", "log(1 + x), exact for small x.", [](Grad& g, const NoAttrs&) { g.dx[0] = g.dy(0) / (g.x(0) + 1); }));
  add(Float("sigmoid", "1 / (1 + exp(-x)), element by element.", [](Grad& g, const NoAttrs&) { g.dx[0] = Call2("_sigmoid_grad", g.y(0), g.dy(0)); }));
  add(Float("tanh", "The hyperbolic tangent.", [](Grad& g, const NoAttrs&) { g.dx[0] = Call2("_tanh_grad", g.y(0), g.dy(0)); }));
  add(FromY("_relu_grad", "dy where y > 0, else 0.",
            [](const std::vector<Val>& x, const NoAttrs&) { return std::vector<Val>{x[1] * CallScalar("_greater_scalar", x[0], 0)}; }));
  add(FromY("_sigmoid_grad", "dy * y * (1 - y).", [](const std::vector<Val>& x, const NoAttrs&) { return std::vector<Val>{x[1] * (x[0] * (1 - x[0]))}; }));
  add(FromY("_tanh_grad", "dy * (1 - y * y).", [](const std::vector<Val>& x, const NoAttrs&) { return std::vector<Val>{x[1] * (1 - x[0] * x[0])}; }));
}

}  // namespace flx

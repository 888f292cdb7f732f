// SPDX-License-Identifier: Apache-2.0
// Operators of two arrays, each in two forms: elemwise_add and its like want equal shapes, broadcast_add and its like follow NumPy's rule.
#include "op/elementwise/family.h"

namespace flx {
namespace {
using Rule = void (*)(Grad&, const NoAttrs&);
Op<> Two(const char* name, const char* doc) {
  Op<> o(name);
  o.family("elementwise").doc(doc).input("lhs", "The left operand.").input("rhs", "The right operand, of the same dtype.").output("output");
  return o;
}
void BroadcastRule(Infer& c, const NoAttrs&) { InferBroadcast(c); }

struct Pair {
  std::vector<OpDef>* ops;
  // Both forms; `old` are MXNet's further names of the first.
  void Add(const char* kernel, const char* elemwise, std::initializer_list<const char*> old, const char* broadcast, const char* doc, Rule gradient) const {
    if (elemwise) {
      Op<> o = Two(elemwise, doc);
      for (auto* a : old) o.alias(a);
      Finish(o.infer(SameShape<NoAttrs>), gradient, kernel);
    }
    Op<> o = Two(broadcast, doc);
    if (kernel == std::string_view("add")) o.alias("broadcast_plus");
    if (kernel == std::string_view("sub")) o.alias("broadcast_minus");
    Finish(o.infer(BroadcastRule), gradient, kernel);
  }
  void Finish(Op<>& o, Rule gradient, const char* kernel) const {
    if (gradient) o.gradient(gradient);
    else o.zero_gradient();
    ops->push_back(o.tiles(0, nullptr, kernel));
  }
};
// What both sides of a gradient rule end with: the broadcast is undone.
void Left(Grad& g, Val v) { g.dx[0] = SumTo(v, g.x_shape(0)); }
void Right(Grad& g, Val v) { g.dx[1] = SumTo(v, g.x_shape(1)); }
}  // namespace

void AddBinaryOps(std::vector<OpDef>* ops) {
  const Pair p{ops};
  const Rule sum = [](Grad& g, const NoAttrs&) {
    if (g.want(0)) Left(g, g.dy(0));
    if (g.want(1)) Right(g, g.dy(0));
  };
  p.Add("add", "elemwise_add", {"_Plus", "_add", "_plus"}, "broadcast_add", "lhs + rhs, element by element.", sum);
  p.Finish(Two("_grad_add", "lhs + rhs, where gradients meet.").infer(SameShape<NoAttrs>), sum, "add");
  p.Add("sub", "elemwise_sub", {"_Minus", "_minus", "_sub"}, "broadcast_sub", "lhs - rhs, element by element.", [](Grad& g, const NoAttrs&) {
    if (g.want(0)) Left(g, g.dy(0));
    if (g.want(1)) Right(g, -g.dy(0));
  });
  p.Add("mul", "elemwise_mul", {"_Mul", "_mul"}, "broadcast_mul", "lhs * rhs, element by element.", [](Grad& g, const NoAttrs&) {
    if (g.want(0)) Left(g, g.dy(0) * g.x(1));
    if (g.want(1)) Right(g, g.dy(0) * g.x(0));
  });
  p.Add("div", "elemwise_div", {"_Div", "_div"}, "broadcast_div", "lhs / rhs, element by element; of integers toward zero, and 0 where rhs is 0.", [](Grad& g, const NoAttrs&) {
    Val q = g.dy(0) / g.x(1);
    if (g.want(0)) Left(g, q);
    if (g.want(1)) Right(g, -(q * g.y(0)));
  });
  p.Add("mod", "_mod", {"_Mod"}, "broadcast_mod", "lhs modulo rhs, with the sign of rhs; 0 where rhs is 0.", [](Grad& g, const NoAttrs&) {
    if (g.want(0)) Left(g, g.dy(0));
    if (g.want(1)) Right(g, -(g.dy(0) * Call1("floor", g.x(0) / g.x(1))));
  });
  p.Add("power", "_power", {"_Power"}, "broadcast_power", "lhs to the power of rhs, element by element.", [](Grad& g, const NoAttrs&) {
    Val a = g.x(0), b = g.x(1);
    if (g.want(0)) Left(g, g.dy(0) * (b * Call2("broadcast_power", a, b - 1)));
    if (g.want(1)) Right(g, g.dy(0) * (g.y(0) * Call1("log", a)));
  });
  p.Add("maximum", "_maximum", {"_Maximum"}, "broadcast_maximum", "The larger of both; NaN where either is. A tie's gradient goes to lhs.", [](Grad& g, const NoAttrs&) {
    Val a = g.x(0), b = g.x(1);
    if (g.want(0)) Left(g, g.dy(0) * Call2("broadcast_greater_equal", a, b));
    if (g.want(1)) Right(g, g.dy(0) * Call2("broadcast_lesser", a, b));
  });
  p.Add("minimum", "_minimum", {"_Minimum"}, "broadcast_minimum", "The smaller of both; NaN where either is. A tie's gradient goes to lhs.", [](Grad& g, const NoAttrs&) {
    Val a = g.x(0), b = g.x(1);
    if (g.want(0)) Left(g, g.dy(0) * Call2("broadcast_lesser_equal", a, b));
    if (g.want(1)) Right(g, g.dy(0) * Call2("broadcast_greater", a, b));
  });
  p.Add("hypot", "_hypot", {"_Hypot"}, "broadcast_hypot", "sqrt(lhs^2 + rhs^2), without overflow on the way.", [](Grad& g, const NoAttrs&) {
    Val q = g.dy(0) / g.y(0);
    if (g.want(0)) Left(g, q * g.x(0));
    if (g.want(1)) Right(g, q * g.x(1));
  });
  p.Add("equal", "_equal", {"_Equal"}, "broadcast_equal", "1 where lhs == rhs, else 0, in the inputs' dtype.", nullptr);
  p.Add("not_equal", "_not_equal", {"_Not_Equal"}, "broadcast_not_equal", "1 where lhs != rhs, else 0, in the inputs' dtype.", nullptr);
  p.Add("greater", "_greater", {"_Greater"}, "broadcast_greater", "1 where lhs > rhs, else 0, in the inputs' dtype.", nullptr);
  p.Add("greater_equal", "_greater_equal", {"_Greater_Equal"}, "broadcast_greater_equal", "1 where lhs >= rhs, else 0, in the inputs' dtype.", nullptr);
  p.Add("lesser", "_lesser", {"_Lesser"}, "broadcast_lesser", "1 where lhs < rhs, else 0, in the inputs' dtype.", nullptr);
  p.Add("lesser_equal", "_lesser_equal", {"_Lesser_Equal"}, "broadcast_lesser_equal", "1 where lhs <= rhs, else 0, in the inputs' dtype.", nullptr);
  p.Add("logical_and", "_logical_and", {"_Logical_And"}, "broadcast_logical_and", "1 where neither is zero, else 0, in the inputs' dtype.", nullptr);
  p.Add("logical_or", "_logical_or", {"_Logical_Or"}, "broadcast_logical_or", "1 where either is not zero, else 0, in the inputs' dtype.", nullptr);
  p.Add("logical_xor", nullptr, {}, "broadcast_logical_xor", "1 where just one is not zero, else 0, in the inputs' dtype.", nullptr);
}

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// Operators of an array and a number. The number is runtime: a changed one needs no new plan.
#include <cmath>

#include "op/elementwise/family.h"

namespace flx {
namespace {
using Rule = void (*)(Grad&, const ScalarAttrs&);
void ScalarTypes(Infer& c, const ScalarAttrs& a) {
  DType t = c.x_type(0), y = c.y_type(0);
  if (t == DType::kNone) {
    if (y != DType::kFloat64 || a.is_int) c.set_x_type(0, y);  // a float64 result may come of integers
    return;
  }
  c.set_y_type(0, a.is_int || IsFloat(t) ? t : DType::kFloat64);
}
struct Adder {
  std::vector<OpDef>* ops;
  void operator()(const char* kernel, const char* name, const char* alias, const char* doc, Rule gradient) const {
    Op<ScalarAttrs> o(name);
    o.alias(alias).family("elementwise").doc(doc).input("data", "Any array.").output("output");
    o.attr(&ScalarAttrs::scalar, "scalar", "The number.").runtime();
    o.attr(&ScalarAttrs::is_int, "is_int", "False: the number may have a fraction, so that an integer array gives float64.");
    o.infer(SameShape<ScalarAttrs>).types(ScalarTypes);
    if (gradient) o.gradient(gradient);
    else o.zero_gradient();
    ops->push_back(o.tiles(1, [](const ScalarAttrs& a, double* s) { s[0] = a.scalar; }, kernel));
  }
};
}  // namespace

void AddScalarOps(std::vector<OpDef>* ops) {
  const Adder add{ops};
  add("add_scalar", "_plus_scalar", "_PlusScalar", "data + scalar.", [](Grad& g, const ScalarAttrs&) { g.dx[0] = g.dy(0); });
  add("sub_scalar", "_minus_scalar", "_MinusScalar", "data - scalar.", [](Grad& g, const ScalarAttrs&) { g.dx[0] = g.dy(0); });
  add("rsub_scalar", "_rminus_scalar", "_RMinusScalar", "scalar - data.", [](Grad& g, const ScalarAttrs&) { g.dx[0] = -g.dy(0); });
  add("mul_scalar", "_mul_scalar", "_MulScalar", "data * scalar.", [](Grad& g, const ScalarAttrs& a) { g.dx[0] = g.dy(0) * a.scalar; });
  add("div_scalar", "_div_scalar", "_DivScalar", "data / scalar; of integers toward zero.", [](Grad& g, const ScalarAttrs& a) { g.dx[0] = g.dy(0) / a.scalar; });
  add("rdiv_scalar", "_rdiv_scalar", "_RDivScalar", "scalar / data; of integers toward zero.", [](Grad& g, const ScalarAttrs&) { g.dx[0] = -(g.dy(0) * (g.y(0) / g.x(0))); });
  add("mod_scalar", "_mod_scalar", "_ModScalar", "data modulo scalar, with the sign of scalar; 0 where scalar is 0.", [](Grad& g, const ScalarAttrs&) { g.dx[0] = g.dy(0); });
  add("rmod_scalar", "_rmod_scalar", "_RModScalar", "scalar modulo data, with the sign of data; 0 where data is 0.",
      [](Grad& g, const ScalarAttrs& a) { g.dx[0] = -(g.dy(0) * Call1("floor", a.scalar / g.x(0))); });
  add("power_scalar", "_power_scalar", "_PowerScalar", "data to the power of scalar.",
      [](Grad& g, const ScalarAttrs& a) { g.dx[0] = g.dy(0) * (CallScalar("_power_scalar", g.x(0), a.scalar - 1) * a.scalar); });
  add("rpower_scalar", "_rpower_scalar", "_RPowerScalar", "scalar to the power of data.",
      [](Grad& g, const ScalarAttrs& a) { g.dx[0] = g.dy(0) * (g.y(0) * std::log(a.scalar)); });
  add("maximum_scalar", "_maximum_scalar", "_MaximumScalar", "The larger of data and scalar.",
      [](Grad& g, const ScalarAttrs& a) { g.dx[0] = g.dy(0) * CallScalar("_greater_equal_scalar", g.x(0), a.scalar); });
  add("minimum_scalar", "_minimum_scalar", "_MinimumScalar", "The smaller of data and scalar.",
      [](Grad& g, const ScalarAttrs& a) { g.dx[0] = g.dy(0) * CallScalar("_lesser_equal_scalar", g.x(0), a.scalar); });
  add("hypot_scalar", "_hypot_scalar", "_HypotScalar", "sqrt(data^2 + scalar^2).", [](Grad& g, const ScalarAttrs&) { g.dx[0] = g.dy(0) * (g.x(0) / g.y(0)); });
  add("equal_scalar", "_equal_scalar", "_EqualScalar", "1 where data == scalar, else 0, in the array's dtype.", nullptr);
  add("not_equal_scalar", "_not_equal_scalar", "_NotEqualScalar", "1 where data != scalar, else 0, in the array's dtype.", nullptr);
  add("greater_scalar", "_greater_scalar", "_GreaterScalar", "1 where data > scalar, else 0, in the array's dtype.", nullptr);
  add("greater_equal_scalar", "_greater_equal_scalar", "_GreaterEqualScalar", "1 where data >= scalar, else 0, in the array's dtype.", nullptr);
  add("lesser_scalar", "_lesser_scalar", "_LesserScalar", "1 where data < scalar, else 0, in the array's dtype.", nullptr);
  add("lesser_equal_scalar", "_lesser_equal_scalar", "_LesserEqualScalar", "1 where data <= scalar, else 0, in the array's dtype.", nullptr);
  add("logical_and_scalar", "_logical_and_scalar", "_LogicalAndScalar", "1 where neither data nor scalar is zero, else 0.", nullptr);
  add("logical_or_scalar", "_logical_or_scalar", "_LogicalOrScalar", "1 where data or scalar is not zero, else 0.", nullptr);
  add("logical_xor_scalar", "_logical_xor_scalar", "_LogicalXorScalar", "1 where just one of data and scalar is not zero, else 0.", nullptr);
}

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// Formulas of two and three arguments. See formula.h for how this header is included.
// f(x, s) with a runtime scalar s is a formula as it stands; ScalarFirst makes f(s, x) of it.
template <class F> struct ScalarFirst : F { template <class T> FLX_HD T operator()(T x, T s) const { return F::operator()(s, x); } };

struct Add : AnyNumber { template <class T> FLX_HD T operator()(T a, T b) const { return a + b; } };
struct Sub : AnyNumber { template <class T> FLX_HD T operator()(T a, T b) const { return a - b; } };
struct Mul : AnyNumber { template <class T> FLX_HD T operator()(T a, T b) const { return a * b; } };
struct Div : AnyNumber { template <class T> FLX_HD T operator()(T a, T b) const { return a / b; } };
struct Mod : AnyHeavy {  // the divisor's sign, as Python's; 0 where the divisor is 0
  template <class T> FLX_HD T operator()(T a, T b) const {
    T r = fmod(a, b), m = where(r != T(0), where(r < T(0), where(b > T(0), r + b, r), where(b < T(0), r + b, r)), r);
    return where(b == T(0), T(0), m);
  }
};
struct Power : AnyHeavy { template <class T> FLX_HD T operator()(T a, T b) const { return pow(a, b); } };
struct Hypot : AnyHeavy { template <class T> FLX_HD T operator()(T a, T b) const { return hypot(a, b); } };
struct Maximum : AnyNumber { template <class T> FLX_HD T operator()(T a, T b) const { return where(isnan(a), a, where(a > b, a, b)); } };
struct Minimum : AnyNumber { template <class T> FLX_HD T operator()(T a, T b) const { return where(isnan(a), a, where(a < b, a, b)); } };
struct Equal : AnyNumber { template <class T> FLX_HD T operator()(T a, T b) const { return where(a == b, T(1), T(0)); } };
struct NotEqual : AnyNumber { template <class T> FLX_HD T operator()(T a, T b) const { return where(a != b, T(1), T(0)); } };
struct Greater : AnyNumber { template <class T> FLX_HD T operator()(T a, T b) const { return where(a > b, T(1), T(0)); } };
struct GreaterEqual : AnyNumber { template <class T> FLX_HD T operator()(T a, T b) const { return where(a >= b, T(1), T(0)); } };
struct Lesser : AnyNumber { template <class T> FLX_HD T operator()(T a, T b) const { return where(a < b, T(1), T(0)); } };
struct LesserEqual : AnyNumber { template <class T> FLX_HD T operator()(T a, T b) const { return where(a <= b, T(1), T(0)); } };
struct LogicalAnd : AnyNumber { template <class T> FLX_HD T operator()(T a, T b) const { return where(a != T(0) && b != T(0), T(1), T(0)); } };
struct LogicalOr : AnyNumber { template <class T> FLX_HD T operator()(T a, T b) const { return where(a != T(0) || b != T(0), T(1), T(0)); } };
struct LogicalXor : AnyNumber {
  template <class T> FLX_HD T operator()(T a, T b) const { return where(a != T(0), where(b == T(0), T(1), T(0)), where(b != T(0), T(1), T(0))); }
};
struct Where : AnyNumber { template <class T> FLX_HD T operator()(T c, T x, T y) const { return where(c != T(0), x, y); } };

// Each serves several operators: "add" is elemwise_add, broadcast_add and _grad_add; "add_scalar" is _plus_scalar.
template <class List> void ListBinary(List& list) {
  list.template Add<Add, 2>("add");
  list.template Add<Sub, 2>("sub");
  list.template Add<Mul, 2>("mul");
  list.template Add<Div, 2>("div");
  list.template Add<Mod, 2>("mod");
  list.template Add<Power, 2>("power");
  list.template Add<Hypot, 2>("hypot");
  list.template Add<Maximum, 2>("maximum");
  list.template Add<Minimum, 2>("minimum");
  list.template Add<Equal, 2>("equal");
  list.template Add<NotEqual, 2>("not_equal");
  list.template Add<Greater, 2>("greater");
  list.template Add<GreaterEqual, 2>("greater_equal");
  list.template Add<Lesser, 2>("lesser");
  list.template Add<LesserEqual, 2>("lesser_equal");
  list.template Add<LogicalAnd, 2>("logical_and");
  list.template Add<LogicalOr, 2>("logical_or");
  list.template Add<LogicalXor, 2>("logical_xor");
  list.template Add<Where, 3>("where");
  list.template Add<Add, 1, 1>("add_scalar");
  list.template Add<Sub, 1, 1>("sub_scalar");
  list.template Add<ScalarFirst<Sub>, 1, 1>("rsub_scalar");
  list.template Add<Mul, 1, 1>("mul_scalar");
  list.template Add<Div, 1, 1>("div_scalar");
  list.template Add<ScalarFirst<Div>, 1, 1>("rdiv_scalar");
  list.template Add<Mod, 1, 1>("mod_scalar");
  list.template Add<ScalarFirst<Mod>, 1, 1>("rmod_scalar");
  list.template Add<Power, 1, 1>("power_scalar");
  list.template Add<ScalarFirst<Power>, 1, 1>("rpower_scalar");
  list.template Add<Hypot, 1, 1>("hypot_scalar");
  list.template Add<Maximum, 1, 1>("maximum_scalar");
  list.template Add<Minimum, 1, 1>("minimum_scalar");
  list.template Add<Equal, 1, 1>("equal_scalar");
  list.template Add<NotEqual, 1, 1>("not_equal_scalar");
  list.template Add<Greater, 1, 1>("greater_scalar");
  list.template Add<GreaterEqual, 1, 1>("greater_equal_scalar");
  list.template Add<Lesser, 1, 1>("lesser_scalar");
  list.template Add<LesserEqual, 1, 1>("lesser_equal_scalar");
  list.template Add<LogicalAnd, 1, 1>("logical_and_scalar");
  list.template Add<LogicalOr, 1, 1>("logical_or_scalar");
  list.template Add<LogicalXor, 1, 1>("logical_xor_scalar");
}

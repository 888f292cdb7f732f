// SPDX-License-Identifier: Apache-2.0
// What formulas find by unqualified names (op/elementwise/formula.h), for the value types of a device: float, double, and Wrapped, an integer that wraps
// around and never traps. Formulas' headers are included after it, in namespace flx::cuda.
#pragma once
#include <cmath>
#include <limits>
#include <type_traits>

#include "base/host_device.h"
#include "op/elementwise/formula_types.h"
#include "op/elementwise/special_formulas.h"

namespace flx::cuda {

#define FLX_MATH(name) \
  FLX_HD inline float name(float x) { return std::name(x); } \
  FLX_HD inline double name(double x) { return std::name(x); }
FLX_MATH(sqrt) FLX_MATH(floor) FLX_MATH(ceil) FLX_MATH(trunc) FLX_MATH(exp) FLX_MATH(expm1) FLX_MATH(log) FLX_MATH(log2) FLX_MATH(log10) FLX_MATH(log1p)
FLX_MATH(sin) FLX_MATH(cos) FLX_MATH(tan) FLX_MATH(asin) FLX_MATH(acos) FLX_MATH(atan) FLX_MATH(sinh) FLX_MATH(cosh) FLX_MATH(tanh)
FLX_MATH(asinh) FLX_MATH(acosh) FLX_MATH(atanh) FLX_MATH(cbrt) FLX_MATH(erf)
#undef FLX_MATH
#define FLX_MATH(name, of) \
  FLX_HD inline float name(float x) { return float(of(double(x))); } \
  FLX_HD inline double name(double x) { return of(x); }
FLX_MATH(erfinv, ErfinvOf) FLX_MATH(tgamma, GammaOf) FLX_MATH(lgamma, LogGammaOf) FLX_MATH(digamma, DigammaOf) FLX_MATH(trigamma, TrigammaOf)
#undef FLX_MATH
#define FLX_MATH(name) \
  FLX_HD inline float name(float x, float y) { return std::name(x, y); } \
  FLX_HD inline double name(double x, double y) { return std::name(x, y); }
FLX_MATH(pow) FLX_MATH(fmod) FLX_MATH(hypot) FLX_MATH(copysign)
#undef FLX_MATH
FLX_HD inline float abs(float x) { return std::fabs(x); }
FLX_HD inline double abs(double x) { return std::fabs(x); }
FLX_HD inline bool isnan(float x) { return x != x; }
FLX_HD inline bool isnan(double x) { return x != x; }
FLX_HD inline float where(bool c, float a, float b) { return c ? a : b; }
FLX_HD inline double where(bool c, double a, double b) { return c ? a : b; }

template <class I> struct Wrapped {
  using U = std::make_unsigned_t<I>;
  I v;
  Wrapped() = default;
  FLX_HD constexpr Wrapped(int c) : v(I(c)) {}
  FLX_HD static Wrapped Of(U u) { Wrapped w; w.v = I(u); return w; }
  FLX_HD static Wrapped From(double d) {  // toward zero, as far as the type reaches
    Wrapped w;
    w.v = d != d ? I(0) : d >= double(std::numeric_limits<I>::max()) ? std::numeric_limits<I>::max() : d <= double(std::numeric_limits<I>::min()) ? std::numeric_limits<I>::min() : I(d);
    return w;
  }
  FLX_HD bool IsMinusOne() const { return std::is_signed_v<I> && v == I(-1); }
  FLX_HD friend Wrapped operator+(Wrapped a, Wrapped b) { return Of(U(a.v) + U(b.v)); }
  FLX_HD friend Wrapped operator-(Wrapped a, Wrapped b) { return Of(U(a.v) - U(b.v)); }
  FLX_HD friend Wrapped operator*(Wrapped a, Wrapped b) { return Of(U(a.v) * U(b.v)); }
  FLX_HD friend Wrapped operator-(Wrapped a) { return Of(U(0) - U(a.v)); }
  FLX_HD friend Wrapped operator/(Wrapped a, Wrapped b) { return b.v == 0 ? Wrapped(0) : b.IsMinusOne() ? -a : Of(U(I(a.v / b.v))); }  // toward zero
  FLX_HD friend bool operator<(Wrapped a, Wrapped b) { return a.v < b.v; }
  FLX_HD friend bool operator<=(Wrapped a, Wrapped b) { return a.v <= b.v; }
  FLX_HD friend bool operator>(Wrapped a, Wrapped b) { return a.v > b.v; }
  FLX_HD friend bool operator>=(Wrapped a, Wrapped b) { return a.v >= b.v; }
  FLX_HD friend bool operator==(Wrapped a, Wrapped b) { return a.v == b.v; }
  FLX_HD friend bool operator!=(Wrapped a, Wrapped b) { return a.v != b.v; }
};
template <class I> FLX_HD Wrapped<I> where(bool c, Wrapped<I> a, Wrapped<I> b) { return c ? a : b; }
template <class I> FLX_HD bool isnan(Wrapped<I>) { return false; }
template <class I> FLX_HD Wrapped<I> abs(Wrapped<I> x) { return x < Wrapped<I>(0) ? -x : x; }
template <class I> FLX_HD Wrapped<I> floor(Wrapped<I> x) { return x; }
template <class I> FLX_HD Wrapped<I> ceil(Wrapped<I> x) { return x; }
template <class I> FLX_HD Wrapped<I> trunc(Wrapped<I> x) { return x; }
template <class I> FLX_HD Wrapped<I> copysign(Wrapped<I> x, Wrapped<I> s) { return s < Wrapped<I>(0) ? -abs(x) : abs(x); }
template <class I> FLX_HD Wrapped<I> fmod(Wrapped<I> a, Wrapped<I> b) { return b.v == 0 || b.IsMinusOne() ? Wrapped<I>(0) : Wrapped<I>::Of(typename Wrapped<I>::U(a.v % b.v)); }
template <class I> FLX_HD Wrapped<I> hypot(Wrapped<I> a, Wrapped<I> b) { return Wrapped<I>::From(std::hypot(double(a.v), double(b.v))); }
template <class I> FLX_HD Wrapped<I> pow(Wrapped<I> a, Wrapped<I> b) {  // exact; a negative exponent gives what truncation leaves
  if (b < Wrapped<I>(0)) return a.v == 1 ? a : a.IsMinusOne() ? (b.v % 2 ? a : Wrapped<I>(1)) : Wrapped<I>(0);
  Wrapped<I> y(1);
  for (auto e = b.v; e; e >>= 1, a = a * a)
    if (e & 1) y = y * a;
  return y;
}

// ---- elements as values and back
template <class L> struct ValueOf { using Type = L; };  // the type that a formula computes in
template <> struct ValueOf<int32_t> { using Type = Wrapped<int32_t>; };
template <> struct ValueOf<int64_t> { using Type = Wrapped<int64_t>; };
template <> struct ValueOf<uint64_t> { using Type = Wrapped<uint64_t>; };
template <class L> FLX_HD typename ValueOf<L>::Type Value(L v) {
  if constexpr (std::is_floating_point_v<L>) return v;
  else return ValueOf<L>::Type::Of(std::make_unsigned_t<L>(v));
}
template <class L> FLX_HD L Plain(typename ValueOf<L>::Type v) {
  if constexpr (std::is_floating_point_v<L>) return v;
  else return v.v;
}
template <class L> FLX_HD typename ValueOf<L>::Type NumberOf(double d) {
  if constexpr (std::is_floating_point_v<L>) return L(d);
  else return ValueOf<L>::Type::From(d);
}

}  // namespace flx::cuda

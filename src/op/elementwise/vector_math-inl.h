// SPDX-License-Identifier: Apache-2.0
// The CPU's value types: Pack<float|double>, a SIMD register with operators and math by unqualified names, and Wrapped<int32|int64|uint64>, an integer
// that wraps around and never traps. Included once per instruction set (Highway's per-target toggle).
#if defined(FLX_VECTOR_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FLX_VECTOR_MATH_INL_H_
#undef FLX_VECTOR_MATH_INL_H_
#else
#define FLX_VECTOR_MATH_INL_H_
#endif

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>

#include "op/elementwise/chain_machine.h"
#include "op/elementwise/formula.h"
#include "op/elementwise/special_formulas.h"
#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace flx {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// ---- floats ---------------------------------------------------------------------------------------------------------------------------
template <class T> struct Test {  // the result of a comparison, lane by lane
  hn::Mask<hn::ScalableTag<T>> m;
  friend HWY_INLINE Test operator&&(Test a, Test b) { return {hn::And(a.m, b.m)}; }
  friend HWY_INLINE Test operator||(Test a, Test b) { return {hn::Or(a.m, b.m)}; }
  friend HWY_INLINE Test operator!(Test a) { return {hn::Not(a.m)}; }
};
template <class T> struct Pack {
  using D = hn::ScalableTag<T>;
  using V = hn::Vec<D>;
  using Scalar = T;
  V v;
  Pack() = default;
  HWY_INLINE explicit Pack(V x) : v(x) {}
  HWY_INLINE Pack(double c) : v(hn::Set(D(), static_cast<T>(c))) {}  // numbers in formulas convert by themselves
  static HWY_INLINE Pack Inf() { return Pack(V(hn::Set(D(), std::numeric_limits<T>::infinity()))); }
  static HWY_INLINE Pack NaN() { return Pack(V(hn::Set(D(), std::numeric_limits<T>::quiet_NaN()))); }
  friend HWY_INLINE Pack operator+(Pack a, Pack b) { return Pack(hn::Add(a.v, b.v)); }
  friend HWY_INLINE Pack operator-(Pack a, Pack b) { return Pack(hn::Sub(a.v, b.v)); }
  friend HWY_INLINE Pack operator*(Pack a, Pack b) { return Pack(hn::Mul(a.v, b.v)); }
  friend HWY_INLINE Pack operator/(Pack a, Pack b) { return Pack(hn::Div(a.v, b.v)); }
  friend HWY_INLINE Pack operator-(Pack a) { return Pack(hn::Neg(a.v)); }
  friend HWY_INLINE Test<T> operator<(Pack a, Pack b) { return {hn::Lt(a.v, b.v)}; }
  friend HWY_INLINE Test<T> operator<=(Pack a, Pack b) { return {hn::Le(a.v, b.v)}; }
  friend HWY_INLINE Test<T> operator>(Pack a, Pack b) { return {hn::Gt(a.v, b.v)}; }
  friend HWY_INLINE Test<T> operator>=(Pack a, Pack b) { return {hn::Ge(a.v, b.v)}; }
  friend HWY_INLINE Test<T> operator==(Pack a, Pack b) { return {hn::Eq(a.v, b.v)}; }
  friend HWY_INLINE Test<T> operator!=(Pack a, Pack b) { return {hn::Not(hn::Eq(a.v, b.v))}; }  // true for NaN
};
template <class T> HWY_INLINE Pack<T> where(Test<T> c, Pack<T> a, Pack<T> b) { return Pack<T>(hn::IfThenElse(c.m, a.v, b.v)); }
template <class T> HWY_INLINE Test<T> isnan(Pack<T> x) { return x != x; }
template <class T> HWY_INLINE Pack<T> abs(Pack<T> x) { return Pack<T>(hn::Abs(x.v)); }
template <class T> HWY_INLINE Pack<T> sqrt(Pack<T> x) { return Pack<T>(hn::Sqrt(x.v)); }
template <class T> HWY_INLINE Pack<T> floor(Pack<T> x) { return Pack<T>(hn::Floor(x.v)); }
template <class T> HWY_INLINE Pack<T> ceil(Pack<T> x) { return Pack<T>(hn::Ceil(x.v)); }
template <class T> HWY_INLINE Pack<T> trunc(Pack<T> x) { return Pack<T>(hn::Trunc(x.v)); }
template <class T> HWY_INLINE Pack<T> copysign(Pack<T> x, Pack<T> s) { return Pack<T>(hn::CopySign(x.v, s.v)); }

// Each lane by a function of one number, for what has no vector form.
template <class F, class T> HWY_INLINE Pack<T> Lanes(Pack<T> x) {
  HWY_ALIGN T a[HWY_MAX_BYTES / sizeof(T)];
  hn::Store(x.v, typename Pack<T>::D(), a);
  for (size_t i = 0; i < hn::Lanes(typename Pack<T>::D()); ++i) a[i] = F::Of(a[i]);
  return Pack<T>(hn::Load(typename Pack<T>::D(), a));
}
template <class F, class T> HWY_INLINE Pack<T> Lanes(Pack<T> x, Pack<T> y) {
  HWY_ALIGN T a[HWY_MAX_BYTES / sizeof(T)], b[HWY_MAX_BYTES / sizeof(T)];
  hn::Store(x.v, typename Pack<T>::D(), a);
  hn::Store(y.v, typename Pack<T>::D(), b);
  for (size_t i = 0; i < hn::Lanes(typename Pack<T>::D()); ++i) a[i] = F::Of(a[i], b[i]);
  return Pack<T>(hn::Load(typename Pack<T>::D(), a));
}
// `fast` where `ok`, and elsewhere lane by lane: an element's result never depends on its neighbours.
template <class F, class T> HWY_INLINE Pack<T> Mend(Test<T> ok, Pack<T> x, Pack<T> fast) {
  return hn::AllTrue(typename Pack<T>::D(), ok.m) ? fast : where(ok, fast, Lanes<F>(x));
}

#define FLX_LANES(Name, expr) struct Name { template <class T> static T Of(T x) { return expr; } };
FLX_LANES(StdSin, std::sin(x))
FLX_LANES(StdCos, std::cos(x))
FLX_LANES(StdTan, std::tan(x))
FLX_LANES(StdAsinh, std::asinh(x))
FLX_LANES(StdAcosh, std::acosh(x))
FLX_LANES(StdCbrt, std::cbrt(x))
FLX_LANES(StdErf, std::erf(x))
FLX_LANES(LaneErfinv, T(ErfinvOf(double(x))))
FLX_LANES(LaneGamma, T(GammaOf(double(x))))
FLX_LANES(LaneLogGamma, T(LogGammaOf(double(x))))
FLX_LANES(LaneDigamma, T(DigammaOf(double(x))))
FLX_LANES(LaneTrigamma, T(TrigammaOf(double(x))))
#undef FLX_LANES
#define FLX_LANES(Name, expr) struct Name { template <class T> static T Of(T x, T y) { return expr; } };
FLX_LANES(StdPow, std::pow(x, y))
FLX_LANES(StdFmod, std::fmod(x, y))
FLX_LANES(StdHypot, std::hypot(x, y))
#undef FLX_LANES
#define FLX_PACK(name) template <class T> HWY_INLINE Pack<T> name(Pack<T> x)
FLX_PACK(rint) { return Pack<T>(hn::Round(x.v)); }  // ties to even
FLX_PACK(exp) {  // Highway's gives 0 far below, and overflows rightly up to 100 (720)
  constexpr double top = sizeof(T) == 4 ? 100 : 720;
  Pack<T> y(hn::Exp(typename Pack<T>::D(), where(x > top, Pack<T>(top), x).v));
  return where(isnan(x), x, y);
}
FLX_PACK(expm1) {
  constexpr double top = sizeof(T) == 4 ? 100 : 720;
  Pack<T> y(hn::Expm1(typename Pack<T>::D(), where(x > top, Pack<T>(top), x).v));
  return where(isnan(x) || x == Pack<T>(0), x, y);
}
template <class T> HWY_INLINE Pack<T> LogEnds(Pack<T> at, Pack<T> y) {  // what every logarithm does at 0, below and at infinity
  y = where(at == Pack<T>(0), -Pack<T>::Inf(), y);
  return where(at > Pack<T>(std::numeric_limits<T>::max()), Pack<T>::Inf(), where(at >= Pack<T>(0), y, Pack<T>::NaN()));
}
FLX_PACK(log) { return LogEnds(x, Pack<T>(hn::Log(typename Pack<T>::D(), x.v))); }
FLX_PACK(log2) { return LogEnds(x, Pack<T>(hn::Log2(typename Pack<T>::D(), x.v))); }
FLX_PACK(log10) { return LogEnds(x, Pack<T>(hn::Log10(typename Pack<T>::D(), x.v))); }
FLX_PACK(log1p) { return where(x == Pack<T>(0), x, LogEnds(x + Pack<T>(1), Pack<T>(hn::Log1p(typename Pack<T>::D(), x.v)))); }
FLX_PACK(sin) {  // Highway reduces the argument well up to about 39000
  Test<T> ok = abs(x) <= Pack<T>(30000);
  return where(x == Pack<T>(0), x, Mend<StdSin>(ok, x, Pack<T>(hn::Sin(typename Pack<T>::D(), where(ok, x, Pack<T>(0)).v))));
}
FLX_PACK(cos) {
  Test<T> ok = abs(x) <= Pack<T>(30000);
  return Mend<StdCos>(ok, x, Pack<T>(hn::Cos(typename Pack<T>::D(), where(ok, x, Pack<T>(0)).v)));
}
FLX_PACK(tan) {
  Test<T> ok = abs(x) <= Pack<T>(30000);
  return Mend<StdTan>(ok, x, sin(where(ok, x, Pack<T>(0))) / cos(where(ok, x, Pack<T>(0))));
}
FLX_PACK(asin) { return Pack<T>(hn::Asin(typename Pack<T>::D(), x.v)); }
FLX_PACK(acos) { return Pack<T>(hn::Acos(typename Pack<T>::D(), x.v)); }
FLX_PACK(atan) { return Pack<T>(hn::Atan(typename Pack<T>::D(), x.v)); }
// A polynomial, its highest coefficient first.
template <class T, size_t N> HWY_INLINE Pack<T> Polynomial(Pack<T> x, const double (&c)[N]) {
  Pack<T> y(c[0]);
  for (size_t i = 1; i < N; ++i) y = Pack<T>(hn::MulAdd(y.v, x.v, Pack<T>(c[i]).v));
  return y;
}
FLX_PACK(tanh) {
  if constexpr (sizeof(T) == 8) {
    Pack<T> a = where(abs(x) > Pack<T>(20), copysign(Pack<T>(20), x), x);
    return where(isnan(x), x, Pack<T>(hn::Tanh(typename Pack<T>::D(), a.v)));
  } else {  // x times a quotient of polynomials in x^2, fitted to a relative error of 4e-8; no result is beyond 1
    static constexpr double kOver[] = {2.0375780923620468e-11, -1.3599524173457667e-08, 9.538613085169345e-06, 0.002950382651761174, 0.12946775555610657, 1};
    static constexpr double kUnder[] = {0.0002321990905329585, 0.023884393274784088, 0.46280086040496826, 1};
    Pack<T> square = x * x;
    return where(abs(x) > Pack<T>(7.9), copysign(Pack<T>(1), x), x * Polynomial(square, kOver) / Polynomial(square, kUnder));
  }
}
FLX_PACK(sinh) {  // (e - 1/e) / 2 with e = exp(|x| - log 2) twice, so that it overflows only where sinh does
  Pack<T> a = abs(x), m = expm1(a), small = (m + m / (m + Pack<T>(1))) * Pack<T>(0.5), h = exp(a * Pack<T>(0.5));
  return copysign(where(a < Pack<T>(20), small, h * (h * Pack<T>(0.5))), x);
}
FLX_PACK(cosh) {
  Pack<T> a = abs(x), e = exp(a), small = (e + Pack<T>(1) / e) * Pack<T>(0.5), h = exp(a * Pack<T>(0.5));
  return where(a < Pack<T>(20), small, h * (h * Pack<T>(0.5)));
}
FLX_PACK(asinh) {
  Test<T> ok = abs(x) <= Pack<T>(1e9);
  return Mend<StdAsinh>(ok, x, Pack<T>(hn::Asinh(typename Pack<T>::D(), x.v)));
}
FLX_PACK(acosh) {
  Test<T> ok = x >= Pack<T>(1) && x <= Pack<T>(1e9);
  return Mend<StdAcosh>(ok, x, Pack<T>(hn::Acosh(typename Pack<T>::D(), where(ok, x, Pack<T>(1)).v)));
}
FLX_PACK(atanh) {
  Pack<T> a = abs(x);
  return where(x == Pack<T>(0), x, copysign(Pack<T>(0.5) * log1p((a + a) / (Pack<T>(1) - a)), x));
}
FLX_PACK(cbrt) { return Lanes<StdCbrt>(x); }
FLX_PACK(erf) {
  if constexpr (sizeof(T) == 8) {
    return Lanes<StdErf>(x);
  } else {  // Chebyshev fits: erf(x) / x in x^2 below 1, erfc(x) exp(x^2) in 1 / (x + 2) above, to 2e-9
    static constexpr double kSmall[] = {7.882497133e-05, -0.0008018854999, 0.005189311943, -0.0268543288, 0.1128359746, -0.376126269, 1.128379166};
    static constexpr double kTail[] = {15.39354991, -30.36531178, 18.18212034, -1.72309082, 2.798460931, 1.036417887, 0.5700110759, -0.0001604576218};
    Pack<T> a = abs(x), b = where(a > Pack<T>(4), Pack<T>(4), a), square = b * b;
    Pack<T> tail = Pack<T>(1) - exp(-square) * Polynomial(Pack<T>(1) / (b + Pack<T>(2)), kTail);
    return where(isnan(x), x, where(a < Pack<T>(1), x * Polynomial(square, kSmall), copysign(tail, x)));
  }
}
FLX_PACK(erfinv) { return Lanes<LaneErfinv>(x); }
FLX_PACK(tgamma) { return Lanes<LaneGamma>(x); }
FLX_PACK(lgamma) { return Lanes<LaneLogGamma>(x); }
FLX_PACK(digamma) { return Lanes<LaneDigamma>(x); }
FLX_PACK(trigamma) { return Lanes<LaneTrigamma>(x); }
#undef FLX_PACK
template <class T> HWY_INLINE Pack<T> pow(Pack<T> x, Pack<T> y) { return Lanes<StdPow>(x, y); }
template <class T> HWY_INLINE Pack<T> fmod(Pack<T> x, Pack<T> y) { return Lanes<StdFmod>(x, y); }
template <class T> HWY_INLINE Pack<T> hypot(Pack<T> x, Pack<T> y) { return Lanes<StdHypot>(x, y); }

// ---- integers -------------------------------------------------------------------------------------------------------------------------
template <class I> struct Wrapped {
  using U = std::make_unsigned_t<I>;
  using Scalar = I;
  I v;
  Wrapped() = default;
  constexpr Wrapped(int c) : v(I(c)) {}
  static Wrapped Of(U u) { Wrapped w; w.v = I(u); return w; }
  static Wrapped From(double d) {  // toward zero, as far as the type reaches
    Wrapped w;
    w.v = d != d ? 0 : d >= double(std::numeric_limits<I>::max()) ? std::numeric_limits<I>::max() : d <= double(std::numeric_limits<I>::min()) ? std::numeric_limits<I>::min() : I(d);
    return w;
  }
  friend Wrapped operator+(Wrapped a, Wrapped b) { return Of(U(a.v) + U(b.v)); }
  friend Wrapped operator-(Wrapped a, Wrapped b) { return Of(U(a.v) - U(b.v)); }
  friend Wrapped operator*(Wrapped a, Wrapped b) { return Of(U(a.v) * U(b.v)); }
  bool IsMinusOne() const { return std::is_signed_v<I> && v == I(-1); }
  friend Wrapped operator/(Wrapped a, Wrapped b) { return b.v == 0 ? Wrapped(0) : b.IsMinusOne() ? -a : Of(U(I(a.v / b.v))); }  // toward zero
  friend Wrapped operator-(Wrapped a) { return Of(U(0) - U(a.v)); }
  friend bool operator<(Wrapped a, Wrapped b) { return a.v < b.v; }
  friend bool operator<=(Wrapped a, Wrapped b) { return a.v <= b.v; }
  friend bool operator>(Wrapped a, Wrapped b) { return a.v > b.v; }
  friend bool operator>=(Wrapped a, Wrapped b) { return a.v >= b.v; }
  friend bool operator==(Wrapped a, Wrapped b) { return a.v == b.v; }
  friend bool operator!=(Wrapped a, Wrapped b) { return a.v != b.v; }
};
template <class I> Wrapped<I> where(bool c, Wrapped<I> a, Wrapped<I> b) { return c ? a : b; }
template <class I> bool isnan(Wrapped<I>) { return false; }
template <class I> Wrapped<I> abs(Wrapped<I> x) { return x < Wrapped<I>(0) ? -x : x; }
template <class I> Wrapped<I> floor(Wrapped<I> x) { return x; }
template <class I> Wrapped<I> ceil(Wrapped<I> x) { return x; }
template <class I> Wrapped<I> trunc(Wrapped<I> x) { return x; }
template <class I> Wrapped<I> copysign(Wrapped<I> x, Wrapped<I> s) { return s < Wrapped<I>(0) ? -abs(x) : abs(x); }
template <class I> Wrapped<I> fmod(Wrapped<I> a, Wrapped<I> b) { return b.v == 0 || b.IsMinusOne() ? Wrapped<I>(0) : Wrapped<I>::Of(typename Wrapped<I>::U(a.v % b.v)); }
template <class I> Wrapped<I> hypot(Wrapped<I> a, Wrapped<I> b) { return Wrapped<I>::From(std::hypot(double(a.v), double(b.v))); }
template <class I> Wrapped<I> pow(Wrapped<I> a, Wrapped<I> b) {  // exact; a negative exponent gives what truncation leaves
  if (b < Wrapped<I>(0)) return a.v == 1 ? a : a.IsMinusOne() ? (b.v % 2 ? a : Wrapped<I>(1)) : Wrapped<I>(0);
  Wrapped<I> y(1);
  for (auto e = b.v; e; e >>= 1, a = a * a)
    if (e & 1) y = y * a;
  return y;
}

// ---- loops ----------------------------------------------------------------------------------------------------------------------------
template <class T, class P, size_t N, class F, size_t... I>
HWY_INLINE P ApplyFormula(const F& f, const P* x, std::integral_constant<size_t, N>, std::index_sequence<I...>) { return f(x[I]...); }

// Inputs, then scalars, are the formula's arguments.
template <class T, class F, int kIn, int kScalars>
void FloatLoop(const void* const* in, void* out, int64_t n, const double* scalars) {
  using P = Pack<T>;
  const hn::ScalableTag<T> d;
  const int64_t lanes = int64_t(hn::Lanes(d));
  constexpr size_t kArgs = size_t(kIn + kScalars);
  const F f{};
  const T* from[kIn > 0 ? kIn : 1];
  for (int k = 0; k < kIn; ++k) from[k] = static_cast<const T*>(in[k]);
  T* to = static_cast<T*>(out);
  P x[kArgs];
  for (int k = 0; k < kScalars; ++k) x[kIn + k] = P(scalars[k]);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    for (int k = 0; k < kIn; ++k) x[k] = P(hn::LoadU(d, from[k] + i));
    hn::StoreU(ApplyFormula<T>(f, x, std::integral_constant<size_t, kArgs>(), std::make_index_sequence<kArgs>()).v, d, to + i);
  }
  if (i == n) return;
  // The tail as a whole register, so that an element's bits do not depend on its place; spare lanes repeat an element, which has no surprise.
  constexpr std::integral_constant<size_t, kArgs> args{};
  constexpr std::make_index_sequence<kArgs> each{};
  if (n - i == 1) {  // loads of just what was stored: an operation on one element does not wait for the store before it
    for (int k = 0; k < kIn; ++k) x[k] = P(hn::Set(d, from[k][i]));
    to[i] = hn::GetLane(ApplyFormula<T>(f, x, args, each).v);
    return;
  }
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2  // masked loads and stores touch no lane that is off
  const auto on = hn::FirstN(d, size_t(n - i));
  for (int k = 0; k < kIn; ++k) x[k] = P(hn::IfThenElse(on, hn::MaskedLoad(on, d, from[k] + i), hn::Set(d, from[k][n - 1])));
  hn::BlendedStore(ApplyFormula<T>(f, x, args, each).v, on, d, to + i);
#else
  HWY_ALIGN T rest[HWY_MAX_BYTES / sizeof(T)];
  for (int k = 0; k < kIn; ++k) {
    for (int64_t j = 0; j < lanes; ++j) rest[j] = from[k][i + j < n ? i + j : n - 1];
    x[k] = P(hn::Load(d, rest));
  }
  hn::Store(ApplyFormula<T>(f, x, args, each).v, d, rest);
  for (int64_t j = 0; i + j < n; ++j) to[i + j] = rest[j];
#endif
}
template <class I, class F, int kIn, int kScalars>
void IntLoop(const void* const* in, void* out, int64_t n, const double* scalars) {
  using P = Wrapped<I>;
  constexpr size_t kArgs = size_t(kIn + kScalars);
  const F f{};
  P x[kArgs];
  for (int k = 0; k < kScalars; ++k) x[kIn + k] = P::From(scalars[k]);
  for (int64_t i = 0; i < n; ++i) {
    for (int k = 0; k < kIn; ++k) x[k].v = static_cast<const I*>(in[k])[i];
    static_cast<I*>(out)[i] = ApplyFormula<I>(f, x, std::integral_constant<size_t, kArgs>(), std::make_index_sequence<kArgs>()).v;
  }
}

// One step of the chain machine: its four registers are argument kPlace of the formula, the other argument lies in memory.
template <class T> using AccFn = void (*)(const ChainCode*, char* const*, int64_t, typename Pack<T>::V, typename Pack<T>::V, typename Pack<T>::V, typename Pack<T>::V);
template <class T, class F, int kIn, int kScalars, int kPlace>
void AccStep(const ChainCode* pc, char* const* at, int64_t i, typename Pack<T>::V a, typename Pack<T>::V b, typename Pack<T>::V c, typename Pack<T>::V e) {
  using P = Pack<T>;
  const hn::ScalableTag<T> d;
  const int64_t lanes = int64_t(hn::Lanes(d));
  constexpr size_t kArgs = size_t(kIn + kScalars);
  constexpr std::integral_constant<size_t, kArgs> args{};
  constexpr std::make_index_sequence<kArgs> each{};
  const F f{};
  P x[kArgs];
  for (int k = 0; k < kScalars; ++k) x[kIn + k] = P(pc->scalars[k]);
  const T* from = reinterpret_cast<const T*>(at[pc->place]) + i;
  auto one = [&](typename P::V v, int64_t k) HWY_ATTR {
    x[kPlace] = P(v);
    if (kIn == 2) x[1 - kPlace] = P(hn::LoadU(d, from + k * lanes));
    return ApplyFormula<T>(f, x, args, each).v;
  };
  a = one(a, 0), b = one(b, 1), c = one(c, 2), e = one(e, 3);
  return reinterpret_cast<AccFn<T>>(pc[1].fn)(pc + 1, at, i, a, b, c, e);
}

template <class F, int kIn, int kScalars> HWY_INLINE TileLoops MakeLoops(const char* name) {
  TileLoops l;
  l.name = name, l.inputs = kIn, l.numbers = kScalars;
  if constexpr ((F::kTypes & kFloatFormula) != 0 && F::kCheap && kIn <= 2) {
    l.acc32[0] = reinterpret_cast<AnyFn>(&AccStep<float, F, kIn, kScalars, 0>), l.acc64[0] = reinterpret_cast<AnyFn>(&AccStep<double, F, kIn, kScalars, 0>);
    if constexpr (kIn == 2) l.acc32[1] = reinterpret_cast<AnyFn>(&AccStep<float, F, kIn, kScalars, 1>), l.acc64[1] = reinterpret_cast<AnyFn>(&AccStep<double, F, kIn, kScalars, 1>);
  }
  if constexpr ((F::kTypes & kFloatFormula) != 0) l.f32 = &FloatLoop<float, F, kIn, kScalars>, l.f64 = &FloatLoop<double, F, kIn, kScalars>;
  if constexpr ((F::kTypes & kIntFormula) != 0) l.i32 = &IntLoop<int32_t, F, kIn, kScalars>, l.i64 = &IntLoop<int64_t, F, kIn, kScalars>, l.u64 = &IntLoop<uint64_t, F, kIn, kScalars>;
  return l;
}
struct Collector {  // what a formulas header's list is given to
  LoopList* to;
  template <class F, int kIn = 1, int kScalars = 0> void Add(const char* name) {
    if (to->count < LoopList::kMax) to->items[to->count++] = {name, MakeLoops<F, kIn, kScalars>(name)};
  }
};

}  // namespace HWY_NAMESPACE
}  // namespace flx
HWY_AFTER_NAMESPACE();
#endif  // per-target guard

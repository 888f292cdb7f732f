// SPDX-License-Identifier: Apache-2.0
// Formulas of one argument (and runtime scalars). See formula.h for how this header is included.
struct Identity : AnyNumber { template <class T> FLX_HD T operator()(T x) const { return x; } };
struct Negative : AnyNumber { template <class T> FLX_HD T operator()(T x) const { return -x; } };
struct Abs : AnyNumber { template <class T> FLX_HD T operator()(T x) const { return abs(x); } };
struct Sign : AnyNumber {  // 0 for zeros; NaN for NaN
  template <class T> FLX_HD T operator()(T x) const { return where(isnan(x), x, where(x > T(0), T(1), where(x < T(0), T(-1), T(0)))); }
};
struct Round : AnyNumber {  // halves away from zero
  template <class T> FLX_HD T operator()(T x) const {
    T t = trunc(x);
    return where(abs(x - t) + abs(x - t) >= T(1), t + copysign(T(1), x), t);
  }
};
struct Rint : AnyNumber {  // MXNet's: halves to the lower neighbour
  template <class T> FLX_HD T operator()(T x) const {
    T low = floor(x);
    return where(x - low + (x - low) <= T(1), low, ceil(x));
  }
};
struct Ceil : AnyNumber { template <class T> FLX_HD T operator()(T x) const { return ceil(x); } };
struct Floor : AnyNumber { template <class T> FLX_HD T operator()(T x) const { return floor(x); } };
struct Trunc : AnyNumber { template <class T> FLX_HD T operator()(T x) const { return trunc(x); } };
struct Square : AnyNumber { template <class T> FLX_HD T operator()(T x) const { return x * x; } };
struct Relu : AnyNumber { template <class T> FLX_HD T operator()(T x) const { return where(x <= T(0), T(0), x); } };
struct LogicalNot : AnyNumber { template <class T> FLX_HD T operator()(T x) const { return where(x == T(0), T(1), T(0)); } };
struct Clip : AnyNumber {
  template <class T> FLX_HD T operator()(T x, T low, T high) const { return where(x < low, low, where(x > high, high, x)); }
};
struct Sqrt : FloatCheap { template <class T> FLX_HD T operator()(T x) const { return sqrt(x); } };
struct Rsqrt : FloatCheap { template <class T> FLX_HD T operator()(T x) const { return T(1) / sqrt(x); } };
struct Cbrt : FloatOnly { template <class T> FLX_HD T operator()(T x) const { return cbrt(x); } };
struct Rcbrt : FloatOnly { template <class T> FLX_HD T operator()(T x) const { return T(1) / cbrt(x); } };
struct Reciprocal : FloatCheap { template <class T> FLX_HD T operator()(T x) const { return T(1) / x; } };
struct Exp : FloatOnly { template <class T> FLX_HD T operator()(T x) const { return exp(x); } };
struct Expm1 : FloatOnly { template <class T> FLX_HD T operator()(T x) const { return expm1(x); } };
struct Log : FloatOnly { template <class T> FLX_HD T operator()(T x) const { return log(x); } };
struct Log2 : FloatOnly { template <class T> FLX_HD T operator()(T x) const { return log2(x); } };
struct Log10 : FloatOnly { template <class T> FLX_HD T operator()(T x) const { return log10(x); } };
struct Log1p : FloatOnly { template <class T> FLX_HD T operator()(T x) const { return log1p(x); } };
struct Sin : FloatOnly { template <class T> FLX_HD T operator()(T x) const { return sin(x); } };
struct Cos : FloatOnly { template <class T> FLX_HD T operator()(T x) const { return cos(x); } };
struct Tan : FloatOnly { template <class T> FLX_HD T operator()(T x) const { return tan(x); } };
struct Arcsin : FloatOnly { template <class T> FLX_HD T operator()(T x) const { return asin(x); } };
struct Arccos : FloatOnly { template <class T> FLX_HD T operator()(T x) const { return acos(x); } };
struct Arctan : FloatOnly { template <class T> FLX_HD T operator()(T x) const { return atan(x); } };
struct Sinh : FloatOnly { template <class T> FLX_HD T operator()(T x) const { return sinh(x); } };
struct Cosh : FloatOnly { template <class T> FLX_HD T operator()(T x) const { return cosh(x); } };
struct Tanh : FloatOnly { template <class T> FLX_HD T operator()(T x) const { return tanh(x); } };
struct Arcsinh : FloatOnly { template <class T> FLX_HD T operator()(T x) const { return asinh(x); } };
struct Arccosh : FloatOnly { template <class T> FLX_HD T operator()(T x) const { return acosh(x); } };
struct Arctanh : FloatOnly { template <class T> FLX_HD T operator()(T x) const { return atanh(x); } };
struct Degrees : FloatCheap { template <class T> FLX_HD T operator()(T x) const { return x * T(57.295779513082320877); } };
struct Radians : FloatCheap { template <class T> FLX_HD T operator()(T x) const { return x * T(0.017453292519943295769); } };
struct Sigmoid : FloatOnly {  // never overflows: e <= 1
  template <class T> FLX_HD T operator()(T x) const {
    T e = exp(-abs(x));
    return where(x < T(0), e, T(1)) / (T(1) + e);
  }
};
struct HardSigmoid : FloatCheap {
  template <class T> FLX_HD T operator()(T x, T alpha, T beta) const {
    T y = alpha * x + beta;
    return where(y < T(0), T(0), where(y > T(1), T(1), y));
  }
};
struct Softsign : FloatCheap { template <class T> FLX_HD T operator()(T x) const { return x / (T(1) + abs(x)); } };
struct Softrelu : FloatOnly { template <class T> FLX_HD T operator()(T x) const { return where(x > T(0), x, T(0)) + log1p(exp(-abs(x))); } };
struct SmoothL1 : FloatCheap {  // quadratic within 1/s^2 of zero
  template <class T> FLX_HD T operator()(T x, T s) const {
    T s2 = s * s, a = abs(x);
    return where(a > T(1) / s2, a - T(0.5) / s2, T(0.5) * s2 * x * x);
  }
};
struct Erf : FloatOnly { template <class T> FLX_HD T operator()(T x) const { return erf(x); } };
struct Erfinv : FloatOnly { template <class T> FLX_HD T operator()(T x) const { return erfinv(x); } };
struct Gamma : FloatOnly { template <class T> FLX_HD T operator()(T x) const { return tgamma(x); } };
struct Gammaln : FloatOnly { template <class T> FLX_HD T operator()(T x) const { return lgamma(x); } };
struct Digamma : FloatOnly { template <class T> FLX_HD T operator()(T x) const { return digamma(x); } };
struct Trigamma : FloatOnly { template <class T> FLX_HD T operator()(T x) const { return trigamma(x); } };

// The kernels made of them, by name: every device instantiates this list.
template <class List> void ListUnary(List& list) {
  list.template Add<Identity>("identity");
  list.template Add<Negative>("negative");
  list.template Add<Abs>("abs");
  list.template Add<Sign>("sign");
  list.template Add<Round>("round");
  list.template Add<Rint>("rint");
  list.template Add<Ceil>("ceil");
  list.template Add<Floor>("floor");
  list.template Add<Trunc>("trunc");
  list.template Add<Square>("square");
  list.template Add<Relu>("relu");
  list.template Add<LogicalNot>("logical_not");
  list.template Add<Clip, 1, 2>("clip");
  list.template Add<Sqrt>("sqrt");
  list.template Add<Rsqrt>("rsqrt");
  list.template Add<Cbrt>("cbrt");
  list.template Add<Rcbrt>("rcbrt");
  list.template Add<Reciprocal>("reciprocal");
  list.template Add<Exp>("exp");
  list.template Add<Expm1>("expm1");
  list.template Add<Log>("log");
  list.template Add<Log2>("log2");
  list.template Add<Log10>("log10");
  list.template Add<Log1p>("log1p");
  list.template Add<Sin>("sin");
  list.template Add<Cos>("cos");
  list.template Add<Tan>("tan");
  list.template Add<Arcsin>("arcsin");
  list.template Add<Arccos>("arccos");
  list.template Add<Arctan>("arctan");
  list.template Add<Sinh>("sinh");
  list.template Add<Cosh>("cosh");
  list.template Add<Tanh>("tanh");
  list.template Add<Arcsinh>("arcsinh");
  list.template Add<Arccosh>("arccosh");
  list.template Add<Arctanh>("arctanh");
  list.template Add<Degrees>("degrees");
  list.template Add<Radians>("radians");
  list.template Add<Sigmoid>("sigmoid");
  list.template Add<HardSigmoid, 1, 2>("hard_sigmoid");
  list.template Add<Softsign>("softsign");
  list.template Add<Softrelu>("softrelu");
  list.template Add<SmoothL1, 1, 1>("smooth_l1");
  list.template Add<Erf>("erf");
  list.template Add<Erfinv>("erfinv");
  list.template Add<Gamma>("gamma");
  list.template Add<Gammaln>("gammaln");
  list.template Add<Digamma>("_digamma");
  list.template Add<Trigamma>("_trigamma");
}

// SPDX-License-Identifier: Apache-2.0
// What the reductions do to elements. No include guard: each user includes it in a namespace of its own, the inner loops once per instruction set.

// Integers wrap around: the sum is taken unsigned, where that is defined.
template <class T> FLX_HD T Plus(T a, T b) {
  if constexpr (std::is_integral_v<T>) return T(uint64_t(a) + uint64_t(b)); else return a + b;
}
template <class T> FLX_HD T Times(T a, T b) {
  if constexpr (std::is_integral_v<T>) return T(uint64_t(a) * uint64_t(b)); else return a * b;
}
template <class T> FLX_HD T Lowest() { return std::is_floating_point_v<T> ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::lowest(); }
template <class T> FLX_HD T Highest() { return std::is_floating_point_v<T> ? std::numeric_limits<T>::infinity() : std::numeric_limits<T>::max(); }

// A formula: the empty reduction, one more element, and two partial results made one.
struct Sum {
  template <class T> FLX_HD static T Empty() { return T(0); }
  template <class T> FLX_HD static T Step(T a, T x) { return Plus(a, x); }
  template <class T> FLX_HD static T Merge(T a, T b) { return Plus(a, b); }
};
struct NanSum : Sum {
  template <class T> FLX_HD static T Step(T a, T x) { return Plus(a, x == x ? x : T(0)); }
};
struct AbsSum : Sum {
  template <class T> FLX_HD static T Step(T a, T x) { return Plus(a, x < T(0) ? T(0) - x : x); }
};
struct SquareSum : Sum {
  template <class T> FLX_HD static T Step(T a, T x) { return Plus(a, Times(x, x)); }
};
struct Prod {
  template <class T> FLX_HD static T Empty() { return T(1); }
  template <class T> FLX_HD static T Step(T a, T x) { return Times(a, x); }
  template <class T> FLX_HD static T Merge(T a, T b) { return Times(a, b); }
};
struct NanProd : Prod {
  template <class T> FLX_HD static T Step(T a, T x) { return Times(a, x == x ? x : T(1)); }
};
struct Max {
  template <class T> FLX_HD static T Empty() { return Lowest<T>(); }
  template <class T> FLX_HD static T Step(T a, T x) { return (x > a) | (x != x) ? x : a; }
  template <class T> FLX_HD static T Merge(T a, T b) { return Step(a, b); }
};
struct Min {
  template <class T> FLX_HD static T Empty() { return Highest<T>(); }
  template <class T> FLX_HD static T Step(T a, T x) { return (x < a) | (x != x) ? x : a; }
  template <class T> FLX_HD static T Merge(T a, T b) { return Step(a, b); }
};

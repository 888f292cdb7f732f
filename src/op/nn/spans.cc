// SPDX-License-Identifier: Apache-2.0
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "op/nn/spans.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"
#include "op/nn/spans.h"

HWY_BEFORE_NAMESPACE();
namespace flx {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Less than a vector, by way of memory of our own: masked loads and stores touch what lies behind the end on some instruction sets.
template <class D, class T> HWY_INLINE hn::Vec<D> LoadTail(D d, const T* x, int64_t n, T fill) {
  HWY_ALIGN T b[hn::MaxLanes(d)];
  hn::Store(hn::Set(d, fill), d, b);
  for (int64_t i = 0; i < n; ++i) b[i] = x[i];
  return hn::Load(d, b);
}
template <class D, class T> HWY_INLINE void StoreTail(hn::Vec<D> v, D d, int64_t n, T* y) {
  HWY_ALIGN T b[hn::MaxLanes(d)];
  hn::Store(v, d, b);
  for (int64_t i = 0; i < n; ++i) y[i] = b[i];
}
// Elements do not depend on each other, though the result may be written over an operand.
#undef FLX_INDEPENDENT
#if defined(__clang__)
#define FLX_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define FLX_INDEPENDENT _Pragma("GCC ivdep")
#endif
#undef FLX_SPAN
#define FLX_SPAN(T)                                  \
  const hn::ScalableTag<T> d;                        \
  const int64_t lanes = int64_t(hn::Lanes(d)), whole = n - n % lanes

template <class T> T Max(const T* x, int64_t n) {
  FLX_SPAN(T);
  const T low = -std::numeric_limits<T>::infinity();
  auto m = hn::Set(d, low);
  for (int64_t i = 0; i < whole; i += lanes) m = hn::Max(m, hn::LoadU(d, x + i));
  if (whole < n) m = hn::Max(m, LoadTail(d, x + whole, n - whole, low));
  return hn::GetLane(hn::MaxOfLanes(d, m));
}
template <class T> T Sum(const T* x, int64_t n) {
  FLX_SPAN(T);
  auto a = hn::Zero(d), b = a;
  int64_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) a = hn::Add(a, hn::LoadU(d, x + i)), b = hn::Add(b, hn::LoadU(d, x + i + lanes));
  for (; i < whole; i += lanes) a = hn::Add(a, hn::LoadU(d, x + i));
  if (i < n) b = hn::Add(b, LoadTail(d, x + i, n - i, T(0)));
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(a, b)));
}
template <class T> T Dot(const T* x, const T* y, int64_t n) {
  FLX_SPAN(T);
  auto a = hn::Zero(d), b = a;
  int64_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    a = hn::MulAdd(hn::LoadU(d, x + i), hn::LoadU(d, y + i), a);
    b = hn::MulAdd(hn::LoadU(d, x + i + lanes), hn::LoadU(d, y + i + lanes), b);
  }
  for (; i < whole; i += lanes) a = hn::MulAdd(hn::LoadU(d, x + i), hn::LoadU(d, y + i), a);
  if (i < n) b = hn::MulAdd(LoadTail(d, x + i, n - i, T(0)), LoadTail(d, y + i, n - i, T(0)), b);
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(a, b)));
}
template <class T> void SumAndDot(const T* x, const T* y, T shift, int64_t n, T out[2]) {
  FLX_SPAN(T);
  auto s = hn::Zero(d), p = s;
  const auto m = hn::Set(d, shift);
  for (int64_t i = 0; i < whole; i += lanes) {
    auto v = hn::LoadU(d, x + i);
    s = hn::Add(s, v), p = hn::MulAdd(v, hn::Sub(hn::LoadU(d, y + i), m), p);
  }
  if (whole < n) {
    auto v = LoadTail(d, x + whole, n - whole, T(0));
    s = hn::Add(s, v), p = hn::MulAdd(v, hn::Sub(LoadTail(d, y + whole, n - whole, shift), m), p);
  }
  out[0] = hn::GetLane(hn::SumOfLanes(d, s)), out[1] = hn::GetLane(hn::SumOfLanes(d, p));
}
template <class T> void Moments(const T* x, int64_t n, T out[2]) {
  FLX_SPAN(T);
  const T mean = n ? Sum(x, n) / T(n) : T(0);
  const auto m = hn::Set(d, mean);
  auto s = hn::Zero(d);
  for (int64_t i = 0; i < whole; i += lanes) {
    auto v = hn::Sub(hn::LoadU(d, x + i), m);
    s = hn::MulAdd(v, v, s);
  }
  if (whole < n) {
    auto v = hn::Sub(LoadTail(d, x + whole, n - whole, mean), m);
    s = hn::MulAdd(v, v, s);
  }
  out[0] = mean, out[1] = hn::GetLane(hn::SumOfLanes(d, s));
}
// Highway's Exp makes 0 of NaN.
template <class D> HWY_INLINE hn::Vec<D> ExpOf(D d, hn::Vec<D> x) { return hn::IfThenElse(hn::Eq(x, x), hn::Exp(d, x), x); }
template <class T> T ExpSum(const T* x, T shift, T scale, int64_t n, T* y) {
  FLX_SPAN(T);
  const auto m = hn::Set(d, shift), k = hn::Set(d, scale);
  auto s = hn::Zero(d);
  for (int64_t i = 0; i < whole; i += lanes) {
    auto e = ExpOf(d, hn::Mul(hn::Sub(hn::LoadU(d, x + i), m), k));
    s = hn::Add(s, e);
    if (y) hn::StoreU(e, d, y + i);
  }
  if (whole < n) {
    auto mask = hn::FirstN(d, size_t(n - whole));
    auto e = ExpOf(d, hn::Mul(hn::Sub(LoadTail(d, x + whole, n - whole, shift), m), k));
    s = hn::Add(s, hn::IfThenElseZero(mask, e));
    if (y) StoreTail(e, d, n - whole, y + whole);
  }
  return hn::GetLane(hn::SumOfLanes(d, s));
}
template <class T> void ExpRows(const T* x, const T* shift, T scale, int64_t n, T* y, T* sum) {
  FLX_SPAN(T);
  const auto k = hn::Set(d, scale);
  for (int64_t i = 0; i < whole; i += lanes) {
    auto e = ExpOf(d, hn::Mul(hn::Sub(hn::LoadU(d, x + i), hn::LoadU(d, shift + i)), k));
    hn::StoreU(hn::Add(e, hn::LoadU(d, sum + i)), d, sum + i);
    if (y) hn::StoreU(e, d, y + i);
  }
  if (whole < n) {
    auto e = ExpOf(d, hn::Mul(hn::Sub(LoadTail(d, x + whole, n - whole, T(0)), LoadTail(d, shift + whole, n - whole, T(0))), k));
    StoreTail(hn::Add(e, LoadTail(d, sum + whole, n - whole, T(0))), d, n - whole, sum + whole);
    if (y) StoreTail(e, d, n - whole, y + whole);
  }
}
// The rest are left to the compiler, which makes vectors of them for each instruction set.
template <class T> void Affine(const T* x, T shift, T scale, T bias, int64_t n, T* y) {
  FLX_INDEPENDENT for (int64_t i = 0; i < n; ++i) y[i] = (x[i] - shift) * scale + bias;
}
template <class T> void Affine2(const T* x, const T* y, T shift, T a, T b, T c, int64_t n, T* z) {
  FLX_INDEPENDENT for (int64_t i = 0; i < n; ++i) z[i] = a * x[i] + b * (y[i] - shift) + c;
}
template <class T> void AddRows(const T* x, int64_t n, T* sum) {
  FLX_INDEPENDENT for (int64_t i = 0; i < n; ++i) sum[i] += x[i];
}
template <class T> void MaxRows(const T* x, int64_t n, T* most) {
  FLX_INDEPENDENT for (int64_t i = 0; i < n; ++i) most[i] = x[i] > most[i] ? x[i] : most[i];
}
template <class T> void SquareRows(const T* x, const T* shift, int64_t n, T* sum) {
  FLX_INDEPENDENT for (int64_t i = 0; i < n; ++i) sum[i] += (x[i] - shift[i]) * (x[i] - shift[i]);
}
template <class T> void DotRows(const T* x, const T* y, const T* shift, int64_t n, T* sum, T* dot) {
  FLX_INDEPENDENT for (int64_t i = 0; i < n; ++i) sum[i] += x[i], dot[i] += x[i] * (y[i] - shift[i]);
}
template <class T> void AffineRows(const T* x, const T* shift, const T* scale, const T* bias, int64_t n, T* y) {
  FLX_INDEPENDENT for (int64_t i = 0; i < n; ++i) y[i] = (x[i] - shift[i]) * scale[i] + bias[i];
}
template <class T> void Affine2Rows(const T* x, const T* y, const T* shift, const T* a, const T* b, const T* c, int64_t n, T* z) {
  FLX_INDEPENDENT for (int64_t i = 0; i < n; ++i) z[i] = a[i] * x[i] + b[i] * (y[i] - shift[i]) + c[i];
}
template <class T> Spans<T> All() {
  return {&Max<T>, &Sum<T>, &Dot<T>, &SumAndDot<T>, &Moments<T>, &ExpSum<T>, &Affine<T>, &Affine2<T>, &AddRows<T>, &MaxRows<T>,
          &SquareRows<T>, &DotRows<T>, &AffineRows<T>, &Affine2Rows<T>, &ExpRows<T>};
}
Spans<float> AllFloat() { return All<float>(); }
Spans<double> AllDouble() { return All<double>(); }

}  // namespace HWY_NAMESPACE
}  // namespace flx
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace flx {
HWY_EXPORT(AllFloat);
HWY_EXPORT(AllDouble);
const Spans<float>& FloatSpans() {
  static const Spans<float> s = HWY_DYNAMIC_DISPATCH(AllFloat)();
  return s;
}
const Spans<double>& DoubleSpans() {
  static const Spans<double> s = HWY_DYNAMIC_DISPATCH(AllDouble)();
  return s;
}
}  // namespace flx
#endif

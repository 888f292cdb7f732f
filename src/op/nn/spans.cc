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

// Four at a time: an addition, or a comparison, takes several cycles to be ready for the next.
template <class T> T Max(const T* x, int64_t n) {
  FLX_SPAN(T);
  const T low = -std::numeric_limits<T>::infinity();
  auto m = hn::Set(d, low), m1 = m, m2 = m, m3 = m;
  int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    m = hn::Max(m, hn::LoadU(d, x + i)), m1 = hn::Max(m1, hn::LoadU(d, x + i + lanes));
    m2 = hn::Max(m2, hn::LoadU(d, x + i + 2 * lanes)), m3 = hn::Max(m3, hn::LoadU(d, x + i + 3 * lanes));
  }
  for (; i < whole; i += lanes) m = hn::Max(m, hn::LoadU(d, x + i));
  if (whole < n) m1 = hn::Max(m1, LoadTail(d, x + whole, n - whole, low));
  return hn::GetLane(hn::MaxOfLanes(d, hn::Max(hn::Max(m, m1), hn::Max(m2, m3))));
}
template <class T> T Sum(const T* x, int64_t n) {
  FLX_SPAN(T);
  auto a = hn::Zero(d), b = a, e = a, f = a;
  int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    a = hn::Add(a, hn::LoadU(d, x + i)), b = hn::Add(b, hn::LoadU(d, x + i + lanes));
    e = hn::Add(e, hn::LoadU(d, x + i + 2 * lanes)), f = hn::Add(f, hn::LoadU(d, x + i + 3 * lanes));
  }
  for (; i < whole; i += lanes) a = hn::Add(a, hn::LoadU(d, x + i));
  if (i < n) b = hn::Add(b, LoadTail(d, x + i, n - i, T(0)));
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(a, b), hn::Add(e, f))));
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
  auto s = hn::Zero(d), s1 = s, s2 = s, s3 = s;
  int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    auto v = hn::Sub(hn::LoadU(d, x + i), m), v1 = hn::Sub(hn::LoadU(d, x + i + lanes), m);
    auto v2 = hn::Sub(hn::LoadU(d, x + i + 2 * lanes), m), v3 = hn::Sub(hn::LoadU(d, x + i + 3 * lanes), m);
    s = hn::MulAdd(v, v, s), s1 = hn::MulAdd(v1, v1, s1), s2 = hn::MulAdd(v2, v2, s2), s3 = hn::MulAdd(v3, v3, s3);
  }
  for (; i < whole; i += lanes) {
    auto v = hn::Sub(hn::LoadU(d, x + i), m);
    s = hn::MulAdd(v, v, s);
  }
  s = hn::Add(hn::Add(s, s1), hn::Add(s2, s3));
  if (whole < n) {
    auto v = hn::Sub(LoadTail(d, x + whole, n - whole, mean), m);
    s = hn::MulAdd(v, v, s);
  }
  out[0] = mean, out[1] = hn::GetLane(hn::SumOfLanes(d, s));
}
// exp(x) = 2^n exp(r) with |r| at most half of log 2. Within two units in the last place, denormal results too; half of what Highway's takes.
template <class D> HWY_INLINE hn::Vec<D> FastExp(D d, hn::Vec<D> x) {
  const hn::RebindToSigned<D> di;
  x = hn::Min(hn::Max(x, hn::Set(d, -104.f)), hn::Set(d, 89.f));
  const auto magic = hn::Set(d, 12582912.f);  // 1.5 * 2^23: adding it rounds to whole numbers, which stand in the lower bits then
  const auto t = hn::MulAdd(x, hn::Set(d, 1.44269504089f), magic);
  const auto whole = hn::Sub(t, magic);
  auto r = hn::NegMulAdd(whole, hn::Set(d, 0.693359375f), x);
  r = hn::NegMulAdd(whole, hn::Set(d, -2.12194440e-4f), r);
  const auto q = hn::Mul(r, r);
  auto p = hn::MulAdd(hn::Set(d, 1.9875691500e-4f), r, hn::Set(d, 1.3981999507e-3f));
  p = hn::MulAdd(p, q, hn::MulAdd(hn::Set(d, 8.3334519073e-3f), r, hn::Set(d, 4.1665795894e-2f)));
  p = hn::MulAdd(p, q, hn::MulAdd(hn::Set(d, 1.6666665459e-1f), r, hn::Set(d, 5.0000001201e-1f)));
  p = hn::Add(hn::MulAdd(p, q, r), hn::Set(d, 1.f));
  const auto n = hn::Sub(hn::BitCast(di, t), hn::BitCast(di, magic)), half = hn::ShiftRight<1>(n), bias = hn::Set(di, 127);
  auto power = [&](decltype(n) e) { return hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(e, bias))); };
  return hn::Mul(hn::Mul(p, power(half)), power(hn::Sub(n, half)));
}
// Both make something else of NaN.
template <class D> HWY_INLINE hn::Vec<D> ExpOf(D d, hn::Vec<D> x) {
  if constexpr (sizeof(hn::TFromD<D>) == 4) return hn::IfThenElse(hn::Eq(x, x), FastExp(d, x), x);
  else return hn::IfThenElse(hn::Eq(x, x), hn::Exp(d, x), x);
}
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
template <class T> void Normalize(const T* x, T shift, T scale, const T* gamma, const T* beta, int64_t n, T* y) {
  FLX_INDEPENDENT for (int64_t i = 0; i < n; ++i) y[i] = (x[i] - shift) * scale * gamma[i] + beta[i];
}
template <class T> void NormalizeBack(const T* x, T shift, T scale, const T* gamma, const T* dy, int64_t n, T* dgamma, T* dbeta, T* t) {
  FLX_INDEPENDENT for (int64_t i = 0; i < n; ++i) dgamma[i] += dy[i] * (x[i] - shift) * scale, dbeta[i] += dy[i], t[i] = dy[i] * gamma[i];
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
  return {&Max<T>, &Sum<T>, &Dot<T>, &SumAndDot<T>, &Moments<T>, &ExpSum<T>, &Affine<T>, &Affine2<T>, &Normalize<T>, &NormalizeBack<T>, &AddRows<T>, &MaxRows<T>,
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

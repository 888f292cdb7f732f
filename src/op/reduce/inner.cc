// SPDX-License-Identifier: Apache-2.0
// Plain loops that the compiler makes vectors of, once per instruction set. Only functions of this file, and constants, are used inside: an inline
// function of the standard library compiled for AVX-512 could be the copy that the linker keeps for all.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "op/reduce/inner.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include <limits>

#include "hwy/highway.h"
#include "op/reduce/inner.h"

HWY_BEFORE_NAMESPACE();
namespace flx {
namespace HWY_NAMESPACE {
namespace {
#include "op/reduce/formulas.h"

namespace hn = hwy::HWY_NAMESPACE;

// ---- integers, and all of it on the baseline: plain loops, which the compiler makes vectors of where there are instructions
constexpr int kLanes = 32;  // independent results of a run
template <class F, class C> C PlainRun(const C* __restrict p, int64_t n) {
  C lane[kLanes];
  for (auto& l : lane) l = F::template Empty<C>();
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int j = 0; j < kLanes; ++j) lane[j] = F::template Step<C>(lane[j], p[i + j]);
  for (int j = 0; i < n; ++i, ++j) lane[j] = F::template Step<C>(lane[j], p[i]);
  for (int half = kLanes / 2; half > 0; half /= 2)
    for (int j = 0; j < half; ++j) lane[j] = F::template Merge<C>(lane[j], lane[j + half]);
  return lane[0];
}
template <class F, class C> void PlainColumns(C* __restrict acc, const C* const* rows, int count, int64_t n) {
  for (int k = 0; k < count; ++k) {
    const C* __restrict p = rows[k];
    for (int64_t i = 0; i < n; ++i) acc[i] = F::template Step<C>(acc[i], p[i]);
  }
}

// ---- floats: the formulas again, on vectors
#if HWY_TARGET == HWY_SCALAR
template <class C> constexpr bool kVectors = false;
#else
template <class C> constexpr bool kVectors = std::is_floating_point_v<C>;
#endif
template <class F> struct Vector;
struct Adding {
  template <class V> static HWY_INLINE V Merge(V a, V b) { return hn::Add(a, b); }
};
struct Multiplying {
  template <class V> static HWY_INLINE V Merge(V a, V b) { return hn::Mul(a, b); }
};
template <> struct Vector<Sum> : Adding {
  template <class D, class V> static HWY_INLINE V Step(D, V a, V x) { return hn::Add(a, x); }
};
template <> struct Vector<NanSum> : Adding {
  template <class D, class V> static HWY_INLINE V Step(D, V a, V x) { return hn::Add(a, hn::IfThenElseZero(hn::Eq(x, x), x)); }
};
template <> struct Vector<AbsSum> : Adding {
  template <class D, class V> static HWY_INLINE V Step(D, V a, V x) { return hn::Add(a, hn::Abs(x)); }
};
template <> struct Vector<SquareSum> : Adding {
  template <class D, class V> static HWY_INLINE V Step(D, V a, V x) { return hn::Add(a, hn::Mul(x, x)); }
};
template <> struct Vector<Prod> : Multiplying {
  template <class D, class V> static HWY_INLINE V Step(D, V a, V x) { return hn::Mul(a, x); }
};
template <> struct Vector<NanProd> : Multiplying {
  template <class D, class V> static HWY_INLINE V Step(D d, V a, V x) { return hn::Mul(a, hn::IfThenElse(hn::Eq(x, x), x, hn::Set(d, 1))); }
};
template <> struct Vector<Max> {  // x where it is greater or NaN, which Highway's Ne does not find
  template <class D, class V> static HWY_INLINE V Step(D, V a, V x) { return hn::IfThenElse(hn::Or(hn::Gt(x, a), hn::Not(hn::Eq(x, x))), x, a); }
  template <class V> static HWY_INLINE V Merge(V a, V b) { return Step(0, a, b); }
};
template <> struct Vector<Min> {
  template <class D, class V> static HWY_INLINE V Step(D, V a, V x) { return hn::IfThenElse(hn::Or(hn::Lt(x, a), hn::Not(hn::Eq(x, x))), x, a); }
  template <class V> static HWY_INLINE V Merge(V a, V b) { return Step(0, a, b); }
};
template <class F, class C> C FloatRun(const C* HWY_RESTRICT p, int64_t n) {
  using S = Vector<F>;
  const hn::ScalableTag<C> d;
  const int64_t w = int64_t(hn::Lanes(d));
  int64_t i = 0;
  C result = F::template Empty<C>();
  if (n >= w) {
    const auto empty = hn::Set(d, result);
    auto a0 = empty, a1 = empty, a2 = empty, a3 = empty, a4 = empty, a5 = empty, a6 = empty, a7 = empty;
    for (; i + 8 * w <= n; i += 8 * w) {
      a0 = S::Step(d, a0, hn::LoadU(d, p + i)), a1 = S::Step(d, a1, hn::LoadU(d, p + i + w));
      a2 = S::Step(d, a2, hn::LoadU(d, p + i + 2 * w)), a3 = S::Step(d, a3, hn::LoadU(d, p + i + 3 * w));
      a4 = S::Step(d, a4, hn::LoadU(d, p + i + 4 * w)), a5 = S::Step(d, a5, hn::LoadU(d, p + i + 5 * w));
      a6 = S::Step(d, a6, hn::LoadU(d, p + i + 6 * w)), a7 = S::Step(d, a7, hn::LoadU(d, p + i + 7 * w));
    }
    for (; i + w <= n; i += w) a0 = S::Step(d, a0, hn::LoadU(d, p + i));
    a0 = S::Merge(S::Merge(S::Merge(a0, a4), S::Merge(a2, a6)), S::Merge(S::Merge(a1, a5), S::Merge(a3, a7)));
    HWY_ALIGN C lane[HWY_MAX_BYTES / sizeof(C)];
    hn::Store(a0, d, lane);
    for (int64_t half = w / 2; half > 0; half /= 2)
      for (int64_t j = 0; j < half; ++j) lane[j] = F::template Merge<C>(lane[j], lane[j + half]);
    result = lane[0];
  }
  C tail = F::template Empty<C>();
  for (; i < n; ++i) tail = F::template Step<C>(tail, p[i]);
  return F::template Merge<C>(result, tail);
}
template <class F, class C> void FloatColumns(C* HWY_RESTRICT acc, const C* const* rows, int count, int64_t n) {
  using S = Vector<F>;
  const hn::ScalableTag<C> d;
  const int64_t w = int64_t(hn::Lanes(d));
  int64_t i = 0;
  if (count == kUnroll) {
    const C *p0 = rows[0], *p1 = rows[1], *p2 = rows[2], *p3 = rows[3], *p4 = rows[4], *p5 = rows[5], *p6 = rows[6], *p7 = rows[7];
    for (; i + w <= n; i += w) {
      auto a = hn::LoadU(d, acc + i);
      a = S::Step(d, S::Step(d, S::Step(d, S::Step(d, a, hn::LoadU(d, p0 + i)), hn::LoadU(d, p1 + i)), hn::LoadU(d, p2 + i)), hn::LoadU(d, p3 + i));
      a = S::Step(d, S::Step(d, S::Step(d, S::Step(d, a, hn::LoadU(d, p4 + i)), hn::LoadU(d, p5 + i)), hn::LoadU(d, p6 + i)), hn::LoadU(d, p7 + i));
      hn::StoreU(a, d, acc + i);
    }
  } else {
    for (; i + w <= n; i += w) {
      auto a = hn::LoadU(d, acc + i);
      for (int k = 0; k < count; ++k) a = S::Step(d, a, hn::LoadU(d, rows[k] + i));
      hn::StoreU(a, d, acc + i);
    }
  }
  for (; i < n; ++i)
    for (int k = 0; k < count; ++k) acc[i] = F::template Step<C>(acc[i], rows[k][i]);
}
template <class F, class C> WideOf<C> ReduceRun(const C* p, int64_t n) {
  if constexpr (kVectors<C>) return FloatRun<F, C>(p, n); else return PlainRun<F, C>(p, n);
}
template <class F, class C> void StepColumns(C* acc, const C* const* rows, int count, int64_t n) {
  if constexpr (kVectors<C>) FloatColumns<F, C>(acc, rows, count, n); else PlainColumns<F, C>(acc, rows, count, n);
}

// Blocks of kBlock: the extreme of each is found first, its place only in the block where the last better one was.
constexpr int64_t kBlock = 512;
template <bool kMax, class C> int64_t ArgRun(const C* __restrict p, int64_t n, C* best) {
  int64_t at = 0;
  C most = p[0];
  for (int64_t b = 0; b < n && most == most; b += kBlock) {
    int64_t len = n - b < kBlock ? n - b : kBlock;
    C found = kMax ? ReduceRun<Max, C>(p + b, len) : ReduceRun<Min, C>(p + b, len);
    if ((kMax ? found > most : found < most) || found != found) most = found, at = b;
  }
  if (most == most) while (!(p[at] == most)) ++at;
  else while (p[at] == p[at]) ++at;
  *best = most;
  return at;
}
// `first` of n columns on, one by one.
template <bool kMax, class C> void ArgRest(const C* p, int64_t stride, int64_t rows, int64_t first, int64_t n, C* __restrict best, IndexOf<C>* __restrict at) {
  using I = IndexOf<C>;
  for (int64_t i = first; i < n; ++i) best[i] = p[i], at[i] = 0;
  for (int64_t r = 1; r < rows; ++r) {
    const C* __restrict q = p + r * stride;
    for (int64_t i = first; i < n; ++i) {
      C x = q[i], b = best[i];
      I better = I(kMax ? x > b : x < b) | (I(x != x) & I(b == b));
      at[i] = better ? I(r) : at[i];
      best[i] = better ? x : b;
    }
  }
}
// Two vectors of columns at a time, kUnroll rows of each.
template <bool kMax, class C> void ArgColumns(const C* p, int64_t stride, int64_t rows, int64_t n, C* best, IndexOf<C>* at) {
  int64_t done = 0;
  if constexpr (kVectors<C>) {
    const hn::ScalableTag<C> d;
    const hn::RebindToSigned<decltype(d)> di;
    const int64_t w = int64_t(hn::Lanes(d));
    done = n / w * w;
    for (int64_t i = 0; i < done; i += w) hn::StoreU(hn::LoadU(d, p + i), d, best + i), hn::StoreU(hn::Zero(di), di, at + i);
    for (int64_t r = 1; r < rows; r += kUnroll) {
      const int64_t e = r + kUnroll < rows ? r + kUnroll : rows;
      for (int64_t i = 0; i < done; i += w) {
        auto b = hn::LoadU(d, best + i);
        auto k = hn::LoadU(di, at + i);
        for (int64_t q = r; q < e; ++q) {
          const auto x = hn::LoadU(d, p + q * stride + i);
          const auto worse = kMax ? hn::Le(x, b) : hn::Ge(x, b);
          const auto better = hn::And(hn::Not(worse), hn::Eq(b, b));
          b = hn::IfThenElse(better, x, b);
          k = hn::IfThenElse(hn::RebindMask(di, better), hn::Set(di, IndexOf<C>(q)), k);
        }
        hn::StoreU(b, d, best + i);
        hn::StoreU(k, di, at + i);
      }
    }
  }
  if (done < n) ArgRest<kMax>(p, stride, rows, done, n, best, at);
}
template <class F, class C> WideOf<C> RunOf(const C* p, int64_t n) { return ReduceRun<F, C>(p, n); }
template <class F, class C> void Fill(InnerLoops<C>* to) { to->run = &RunOf<F, C>, to->columns = &StepColumns<F, C>; }
template <class C> struct Tables { InnerLoops<C> inner[kReduceKinds]; ArgLoops<C> arg[2]; };
template <class C> const void* Table() {
  static Tables<C> t;
  Fill<Sum>(&t.inner[int(ReduceKind::kSum)]), Fill<NanSum>(&t.inner[int(ReduceKind::kNanSum)]);
  Fill<Prod>(&t.inner[int(ReduceKind::kProd)]), Fill<NanProd>(&t.inner[int(ReduceKind::kNanProd)]);
  Fill<Max>(&t.inner[int(ReduceKind::kMax)]), Fill<Min>(&t.inner[int(ReduceKind::kMin)]);
  Fill<AbsSum>(&t.inner[int(ReduceKind::kAbsSum)]), Fill<SquareSum>(&t.inner[int(ReduceKind::kSquareSum)]);
  t.arg[0] = {&ArgRun<false, C>, &ArgColumns<false, C>}, t.arg[1] = {&ArgRun<true, C>, &ArgColumns<true, C>};
  return &t;
}
}  // namespace
const void* TableF32() { return Table<float>(); }
const void* TableF64() { return Table<double>(); }
const void* TableI64() { return Table<int64_t>(); }
const void* TableU64() { return Table<uint64_t>(); }
}  // namespace HWY_NAMESPACE
}  // namespace flx
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace flx {
HWY_EXPORT(TableF32);
HWY_EXPORT(TableF64);
HWY_EXPORT(TableI64);
HWY_EXPORT(TableU64);
namespace {
template <class C> struct Tables { InnerLoops<C> inner[kReduceKinds]; ArgLoops<C> arg[2]; };
template <class C> const Tables<C>& Of() {
  static const auto* t = static_cast<const Tables<C>*>(
      std::is_same_v<C, float> ? HWY_DYNAMIC_DISPATCH(TableF32)() : std::is_same_v<C, double> ? HWY_DYNAMIC_DISPATCH(TableF64)()
      : std::is_same_v<C, int64_t> ? HWY_DYNAMIC_DISPATCH(TableI64)() : HWY_DYNAMIC_DISPATCH(TableU64)());
  return *t;
}
}  // namespace
template <class C> const InnerLoops<C>& Inner(ReduceKind kind) { return Of<C>().inner[int(kind)]; }
template <class C> const ArgLoops<C>& ArgInner(bool max) { return Of<C>().arg[max]; }
template const InnerLoops<float>& Inner<float>(ReduceKind);
template const InnerLoops<double>& Inner<double>(ReduceKind);
template const InnerLoops<int64_t>& Inner<int64_t>(ReduceKind);
template const InnerLoops<uint64_t>& Inner<uint64_t>(ReduceKind);
template const ArgLoops<float>& ArgInner<float>(bool);
template const ArgLoops<double>& ArgInner<double>(bool);
template const ArgLoops<int64_t>& ArgInner<int64_t>(bool);
template const ArgLoops<uint64_t>& ArgInner<uint64_t>(bool);
}  // namespace flx
#endif

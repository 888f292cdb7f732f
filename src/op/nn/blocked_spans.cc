// SPDX-License-Identifier: Apache-2.0
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "op/nn/blocked_spans.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "hwy/highway.h"
#include "op/nn/blocked_spans.h"
#include "op/nn/window.h"

HWY_BEFORE_NAMESPACE();
namespace flx {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// f(d, column) for the columns of a block, a vector at a time; d has as many lanes as divide b.
template <class T, size_t kLanes = 16, class F> HWY_INLINE void ForColumns(int64_t b, const F& f) {
  const hn::CappedTag<T, kLanes> d;
  const int64_t lanes = int64_t(hn::Lanes(d));
  if constexpr (kLanes > 1)
    if (b % lanes) return ForColumns<T, kLanes / 2>(b, f);
  for (int64_t j = 0; j < b; j += lanes) f(d, j);
}
// The sum of term(place), four partial sums at a time.
template <class D, class F> HWY_INLINE hn::Vec<D> SumOver(D d, int64_t places, const F& term) {
  auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
  int64_t i = 0;
  for (; i + 4 <= places; i += 4) s0 = hn::Add(s0, term(i)), s1 = hn::Add(s1, term(i + 1)), s2 = hn::Add(s2, term(i + 2)), s3 = hn::Add(s3, term(i + 3));
  for (; i < places; ++i) s0 = hn::Add(s0, term(i));
  return hn::Add(hn::Add(s0, s1), hn::Add(s2, s3));
}

template <class T> void Moments(const T* x, int64_t places, int64_t b, T* mean, T* m2) {
  ForColumns<T>(b, [&](auto d, int64_t j) {
    auto m = hn::Mul(SumOver(d, places, [&](int64_t i) { return hn::LoadU(d, x + i * b + j); }), hn::Set(d, places ? T(1) / T(places) : T(0)));
    hn::StoreU(m, d, mean + j);
    hn::StoreU(SumOver(d, places, [&](int64_t i) {
      auto v = hn::Sub(hn::LoadU(d, x + i * b + j), m);
      return hn::Mul(v, v);
    }), d, m2 + j);
  });
}
template <class T> void SumAndDot(const T* dy, const T* x, const T* shift, int64_t places, int64_t b, T* sum, T* dot) {
  ForColumns<T>(b, [&](auto d, int64_t j) {
    auto m = hn::LoadU(d, shift + j), q0 = hn::Zero(d), q1 = q0, s0 = q0, s1 = q0;
    int64_t i = 0;
    auto step = [&](int64_t at, auto& s, auto& q) {
      auto v = hn::LoadU(d, dy + at * b + j);
      s = hn::Add(s, v), q = hn::MulAdd(v, hn::Sub(hn::LoadU(d, x + at * b + j), m), q);
    };
    for (; i + 2 <= places; i += 2) step(i, s0, q0), step(i + 1, s1, q1);
    if (i < places) step(i, s0, q0);
    hn::StoreU(hn::Add(s0, s1), d, sum + j);
    hn::StoreU(hn::Add(q0, q1), d, dot + j);
  });
}
template <class T> void Affine(const T* x, const T* shift, const T* scale, const T* bias, int64_t places, int64_t b, T* y) {
  ForColumns<T>(b, [&](auto d, int64_t j) {
    auto m = hn::LoadU(d, shift + j), k = hn::LoadU(d, scale + j), c = hn::LoadU(d, bias + j);
    for (int64_t i = j; i < places * b; i += b) hn::StoreU(hn::MulAdd(hn::Sub(hn::LoadU(d, x + i), m), k, c), d, y + i);
  });
}
template <class T> void Affine2(const T* x, const T* y, const T* shift, const T* p, const T* q, const T* r, int64_t places, int64_t b, T* z) {
  ForColumns<T>(b, [&](auto d, int64_t j) {
    auto m = hn::LoadU(d, shift + j), kp = hn::LoadU(d, p + j), kq = hn::LoadU(d, q + j), kr = hn::LoadU(d, r + j);
    for (int64_t i = j; i < places * b; i += b)
      hn::StoreU(hn::MulAdd(kp, hn::LoadU(d, x + i), hn::MulAdd(kq, hn::Sub(hn::LoadU(d, y + i), m), kr)), d, z + i);
  });
}

// The part of a window that lies inside the data: rows (or columns) [first, last).
HWY_INLINE Inside Taps(const BlockPlane& g, int axis, int64_t o) {
  int64_t at = o * g.s[axis] - g.p[axis];
  int64_t first = at < 0 ? 0 : at, last = at + g.k[axis] < g.in[axis] ? at + g.k[axis] : g.in[axis];
  return {first, last};
}
// f(result's place, rows, columns) for each window.
template <class F> HWY_INLINE void ForWindows(const BlockPlane& g, const F& f) {
  for (int64_t i = 0; i < g.out[0]; ++i) {
    Inside rows = Taps(g, 0, i);
    for (int64_t j = 0; j < g.out[1]; ++j) f(i * g.out[1] + j, rows, Taps(g, 1, j));
  }
}
template <class F> HWY_INLINE void ForTaps(const BlockPlane& g, Inside rows, Inside columns, const F& f) {
  for (int64_t r = rows.first; r < rows.last; ++r)
    for (int64_t c = columns.first; c < columns.last; ++c) f((r * g.in[1] + c) * g.b);
}
template <class V> HWY_INLINE auto NaN(V v) { return hn::Not(hn::Eq(v, v)); }  // Ne(v, v) is false for NaN on some instruction sets
template <class V> HWY_INLINE V Larger(V v, V most) { return hn::IfThenElse(hn::Or(hn::Gt(v, most), NaN(v)), v, most); }
template <class T, class D> HWY_INLINE hn::Vec<D> Most(D d, const T* x, const BlockPlane& g, Inside rows, Inside columns) {
  auto most = hn::Set(d, -std::numeric_limits<T>::infinity());
  ForTaps(g, rows, columns, [&](int64_t at) { most = Larger(hn::LoadU(d, x + at), most); });
  return most;
}
template <class T> void MaxPool(const T* x, const BlockPlane& g, T* y) {
  ForColumns<T>(g.b, [&](auto d, int64_t j) {
    ForWindows(g, [&](int64_t at, Inside rows, Inside columns) { hn::StoreU(Most(d, x + j, g, rows, columns), d, y + at * g.b + j); });
  });
}
template <class T> void MaxPoolBack(const T* dy, const T* x, const BlockPlane& g, T* dx) {
  ForColumns<T>(g.b, [&](auto d, int64_t j) {
    ForWindows(g, [&](int64_t at, Inside rows, Inside columns) {
      auto most = Most(d, x + j, g, rows, columns);
      auto left = hn::LoadU(d, dy + at * g.b + j);  // what is not given away yet: the first of equal ones, or of NaN, gets it
      ForTaps(g, rows, columns, [&](int64_t from) {
        auto v = hn::LoadU(d, x + from + j);
        auto me = hn::Or(hn::Eq(v, most), NaN(v));
        hn::StoreU(hn::Add(hn::LoadU(d, dx + from + j), hn::IfThenElseZero(me, left)), d, dx + from + j);
        left = hn::IfThenZeroElse(me, left);
      });
    });
  });
}
template <class T> void SumPool(const T* x, const BlockPlane& g, const T* share, T* y) {
  ForColumns<T>(g.b, [&](auto d, int64_t j) {
    ForWindows(g, [&](int64_t at, Inside rows, Inside columns) {
      auto sum = hn::Zero(d);
      if (columns.last - columns.first == g.in[1]) {  // whole rows lie together
        int64_t n = (rows.last - rows.first) * g.in[1];
        sum = SumOver(d, n, [&](int64_t i) { return hn::LoadU(d, x + (rows.first * g.in[1] + i) * g.b + j); });
      } else {
        ForTaps(g, rows, columns, [&](int64_t from) { sum = hn::Add(sum, hn::LoadU(d, x + from + j)); });
      }
      hn::StoreU(hn::Mul(sum, hn::Set(d, share[at])), d, y + at * g.b + j);
    });
  });
}
template <class T> void SumPoolBack(const T* dy, const BlockPlane& g, const T* share, T* dx) {
  ForColumns<T>(g.b, [&](auto d, int64_t j) {
    ForWindows(g, [&](int64_t at, Inside rows, Inside columns) {
      auto v = hn::Mul(hn::LoadU(d, dy + at * g.b + j), hn::Set(d, share[at]));
      ForTaps(g, rows, columns, [&](int64_t to) { hn::StoreU(hn::Add(hn::LoadU(d, dx + to + j), v), d, dx + to + j); });
    });
  });
}
#if HWY_TARGET != HWY_SCALAR
// Four columns of four rows, turned; forth: to the packed weight.
template <bool kForth, class T> HWY_INLINE void TurnFour(T* const plain[4], T* const packed[4]) {
  const hn::FixedTag<T, 4> d;
  T* const* from = kForth ? plain : packed;
  T* const* to = kForth ? packed : plain;
  auto v0 = hn::LoadU(d, from[0]), v1 = hn::LoadU(d, from[1]), v2 = hn::LoadU(d, from[2]), v3 = hn::LoadU(d, from[3]);
  auto a = hn::InterleaveLower(d, v0, v2), b = hn::InterleaveLower(d, v1, v3), e = hn::InterleaveUpper(d, v0, v2), f = hn::InterleaveUpper(d, v1, v3);
  hn::StoreU(hn::InterleaveLower(d, a, b), d, to[0]), hn::StoreU(hn::InterleaveUpper(d, a, b), d, to[1]);
  hn::StoreU(hn::InterleaveLower(d, e, f), d, to[2]), hn::StoreU(hn::InterleaveUpper(d, e, f), d, to[3]);
}
#endif
template <bool kForth, class T> void PackBoth(T* plain, int64_t row, int64_t k, int64_t c, int64_t b, T* packed) {
  int64_t i = 0, j = 0, columns = c * k, q = 0;  // column q is number i of the window, channel j
  auto next = [&] { T* at = packed + (i * c + j) * b; return ++i == k ? (i = 0, ++j, at) : at; };
#if HWY_TARGET != HWY_SCALAR
  if constexpr (sizeof(T) == 4)
    for (; b % 4 == 0 && q + 4 <= columns; q += 4) {
      T* to[4];
      for (auto& t : to) t = next();
      for (int64_t o = 0; o < b; o += 4) {
        T *rows[4] = {plain + o * row + q, plain + (o + 1) * row + q, plain + (o + 2) * row + q, plain + (o + 3) * row + q}, *places[4] = {to[0] + o, to[1] + o, to[2] + o, to[3] + o};
        TurnFour<kForth>(rows, places);
      }
    }
#endif
  for (; q < columns; ++q) {
    T* to = next();
    for (int64_t o = 0; o < b; ++o) {
      if (kForth) to[o] = plain[o * row + q];
      else plain[o * row + q] = to[o];
    }
  }
}
template <class T> void Pack(const T* plain, int64_t row, int64_t k, int64_t c, int64_t b, T* packed) { PackBoth<true>(const_cast<T*>(plain), row, k, c, b, packed); }
template <class T> void Unpack(const T* packed, int64_t row, int64_t k, int64_t c, int64_t b, T* plain) { PackBoth<false>(plain, row, k, c, b, const_cast<T*>(packed)); }
template <class T> void AddRelu(const T* x, const T* addend, bool relu, int64_t n, T* y) {
  const hn::CappedTag<T, 16> d;
  const int64_t lanes = int64_t(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    auto v = hn::LoadU(d, x + i);
    if (addend) v = hn::Add(v, hn::LoadU(d, addend + i));
    if (relu) v = hn::IfThenZeroElse(hn::Le(v, hn::Zero(d)), v);  // NaN stays
    hn::StoreU(v, d, y + i);
  }
  for (; i < n; ++i) {
    T v = addend ? x[i] + addend[i] : x[i];
    y[i] = relu && v <= 0 ? T(0) : v;
  }
}
template <class T> BlockSpans<T> All() {
  return {&Moments<T>, &SumAndDot<T>, &Affine<T>, &Affine2<T>, &MaxPool<T>, &MaxPoolBack<T>, &SumPool<T>, &SumPoolBack<T>, &Pack<T>, &Unpack<T>, &AddRelu<T>};
}
}  // namespace
BlockSpans<float> FloatBlocks() { return All<float>(); }
BlockSpans<double> DoubleBlocks() { return All<double>(); }

}  // namespace HWY_NAMESPACE
}  // namespace flx
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace flx {
HWY_EXPORT(FloatBlocks);
HWY_EXPORT(DoubleBlocks);
const BlockSpans<float>& FloatBlockSpans() {
  static const BlockSpans<float> s = HWY_DYNAMIC_DISPATCH(FloatBlocks)();
  return s;
}
const BlockSpans<double>& DoubleBlockSpans() {
  static const BlockSpans<double> s = HWY_DYNAMIC_DISPATCH(DoubleBlocks)();
  return s;
}
}  // namespace flx
#endif

// SPDX-License-Identifier: Apache-2.0
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "op/rnn/rnn_gates.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "op/elementwise/vector_math-inl.h"
#include "op/rnn/rnn_loops.h"

HWY_BEFORE_NAMESPACE();
namespace flx {
namespace HWY_NAMESPACE {

// A register's worth of a row.
template <class T> struct Whole {
  static constexpr hn::ScalableTag<T> d{};
  int64_t at;
  HWY_INLINE Pack<T> operator()(const T* p) const { return Pack<T>(hn::LoadU(d, p + at)); }
  HWY_INLINE void Put(Pack<T> v, T* p) const { hn::StoreU(v.v, d, p + at); }
};
// Less at its end, by way of memory of our own, so that an element's bits do not depend on its place.
template <class T> struct Rest {
  static constexpr hn::ScalableTag<T> d{};
  int64_t at, left;
  HWY_INLINE Pack<T> operator()(const T* p) const {
    HWY_ALIGN T rest[HWY_MAX_BYTES / sizeof(T)];
    hn::Store(hn::Zero(d), d, rest);
    for (int64_t i = 0; i < left; ++i) rest[i] = p[at + i];
    return Pack<T>(hn::Load(d, rest));
  }
  HWY_INLINE void Put(Pack<T> v, T* p) const {
    HWY_ALIGN T rest[HWY_MAX_BYTES / sizeof(T)];
    hn::Store(v.v, d, rest);
    for (int64_t i = 0; i < left; ++i) p[at + i] = rest[i];
  }
};
template <class T, class F> HWY_INLINE void Each(int64_t n, const F& f) {
  const auto lanes = int64_t(hn::Lanes(hn::ScalableTag<T>()));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) f(Whole<T>{i});
  if (i < n) f(Rest<T>{i, n - i});
}
template <class T> HWY_INLINE Pack<T> SigmoidOf(Pack<T> x) {
  if constexpr (sizeof(T) == 4) {  // to 1e-7, which is what a gate needs, and half the work of an exponential
    return Pack<T>(hn::MulAdd(tanh(x * Pack<T>(0.5)).v, hn::Set(Whole<T>::d, T(0.5)), hn::Set(Whole<T>::d, T(0.5))));
  } else {  // never overflows: e <= 1
    Pack<T> e = exp(-abs(x));
    return where(x < Pack<T>(0), e, Pack<T>(1)) / (Pack<T>(1) + e);
  }
}
template <class T> HWY_INLINE Pack<T> Clipped(Pack<T> c, const T* clip) {
  Pack<T> low(clip[0]), high(clip[1]), held = where(c < low, low, where(c > high, high, c));
  return clip[2] != 0 ? where(isnan(c), low, held) : held;
}

template <class T> void Lstm(int64_t n, int64_t gap, const T* x, const T* h, const T* b, const T* cell_before, const T* clip, T* gates, T* cell_raw, T* cell, T* y) {
  Each<T>(n, [&](auto s) {
    auto sum = [&](int64_t k) { return s(x + k * gap) + s(h + k * gap) + s(b + k * gap); };
    Pack<T> i = SigmoidOf(sum(0)), f = SigmoidOf(sum(1)), g = tanh(sum(2)), o = SigmoidOf(sum(3)), c = f * s(cell_before) + i * g;
    if (gates) s.Put(i, gates), s.Put(f, gates + gap), s.Put(g, gates + 2 * gap), s.Put(o, gates + 3 * gap), s.Put(c, cell_raw);
    if (clip) c = Clipped(c, clip);
    s.Put(c, cell);
    s.Put(o * tanh(c), y);
  });
}
template <class T> void Gru(int64_t n, int64_t gap, const T* x, const T* h, const T* b, const T* b_n, const T* before, T* gates, T* y) {
  Each<T>(n, [&](auto s) {
    Pack<T> r = SigmoidOf(s(x) + s(h) + s(b)), z = SigmoidOf(s(x + gap) + s(h + gap) + s(b + gap)), hidden = s(h + 2 * gap) + s(b_n);
    Pack<T> c = tanh(s(x + 2 * gap) + s(b + 2 * gap) + r * hidden), old = s(before);
    if (gates) s.Put(r, gates), s.Put(z, gates + gap), s.Put(c, gates + 2 * gap), s.Put(hidden, gates + 3 * gap);
    s.Put(c + z * (old - c), y);
  });
}
template <class T> void Rnn(int64_t n, bool relu, const T* x, const T* h, const T* b, T* y) {
  Each<T>(n, [&](auto s) {
    Pack<T> v = s(x) + s(h) + s(b);
    s.Put(relu ? where(v <= Pack<T>(0), Pack<T>(0), v) : tanh(v), y);
  });
}
template <class T> void LstmBack(int64_t n, const T* gates, const T* cell_before, const T* clip_before, const T* cell_raw, const T* clip, const T* dy, T* dcell, T* dgates) {
  Each<T>(n, [&](auto s) {
    const Pack<T> one(1);
    Pack<T> i = s(gates), f = s(gates + n), g = s(gates + 2 * n), o = s(gates + 3 * n), raw = s(cell_raw), held = clip ? Clipped(raw, clip) : raw;
    Pack<T> t = tanh(held), d = s(dy), dc = s(dcell) + d * o * (one - t * t);
    if (clip) dc = where(raw >= Pack<T>(clip[0]) && raw <= Pack<T>(clip[1]), dc, Pack<T>(0));
    s.Put(dc * f, dcell);
    Pack<T> before = s(cell_before);
    if (clip_before) before = Clipped(before, clip_before);
    s.Put(dc * g * i * (one - i), dgates), s.Put(dc * before * f * (one - f), dgates + n);
    s.Put(dc * i * (one - g * g), dgates + 2 * n), s.Put(d * t * o * (one - o), dgates + 3 * n);
  });
}
template <class T> void GruBack(int64_t n, const T* gates, const T* before, const T* dy, T* dx, T* dh, T* dbefore) {
  Each<T>(n, [&](auto s) {
    const Pack<T> one(1);
    Pack<T> r = s(gates), z = s(gates + n), c = s(gates + 2 * n), hidden = s(gates + 3 * n), d = s(dy), old = s(before);
    Pack<T> dn = d * (one - z) * (one - c * c), dr = dn * hidden * r * (one - r), dz = d * (old - c) * z * (one - z);
    s.Put(dr, dx), s.Put(dz, dx + n), s.Put(dn, dx + 2 * n);
    s.Put(dr, dh), s.Put(dz, dh + n), s.Put(dn * r, dh + 2 * n);
    s.Put(d * z, dbefore);
  });
}
template <class T> void RnnBack(int64_t n, bool relu, const T* y, const T* dy, T* dx) {
  Each<T>(n, [&](auto s) {
    Pack<T> v = s(y), d = s(dy);
    s.Put(relu ? where(v > Pack<T>(0), d, Pack<T>(0)) : d * (Pack<T>(1) - v * v), dx);
  });
}
template <class T> GateLoops<T> All() { return {&Lstm<T>, &Gru<T>, &Rnn<T>, &LstmBack<T>, &GruBack<T>, &RnnBack<T>}; }
GateLoops<float> FloatGates() { return All<float>(); }
GateLoops<double> DoubleGates() { return All<double>(); }

}  // namespace HWY_NAMESPACE
}  // namespace flx
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace flx {
HWY_EXPORT(FloatGates);
HWY_EXPORT(DoubleGates);
template <> const GateLoops<float>& GatesOf<float>() {
  static const GateLoops<float> l = HWY_DYNAMIC_DISPATCH(FloatGates)();
  return l;
}
template <> const GateLoops<double>& GatesOf<double>() {
  static const GateLoops<double> l = HWY_DYNAMIC_DISPATCH(DoubleGates)();
  return l;
}
}  // namespace flx
#endif

// SPDX-License-Identifier: Apache-2.0
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "op/random/fill.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include <math.h>

#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"
#include "op/random/fill.h"

HWY_BEFORE_NAMESPACE();
namespace flx {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR  // one by one
bool Uniform(uint32_t k0, uint32_t k1, uint64_t first, int64_t n, double low, double high, float* y) {
  Philox p(Ticket{});
  p.key[0] = k0, p.key[1] = k1;
  bool above = false;
  for (int64_t i = 0; i < n; ++i) {
    uint32_t w[4];
    p(first + uint64_t(i), 0, w);
    y[i] = float(low + (high - low) * ToUnitDouble(w[0], w[1]));
    above |= double(y[i]) >= high;
  }
  return above;
}
void Normal(uint32_t k0, uint32_t k1, uint64_t first, int64_t n, float loc, float scale, float* y) {
  Philox p(Ticket{});
  p.key[0] = k0, p.key[1] = k1;
  for (int64_t i = 0; i < n; i += 2) {
    uint32_t w[4];
    p((first + uint64_t(i)) / 4, 0, w);
    const uint32_t *u = w + i % 4, low = u[0] & 0xffff;
    float r = scale * sqrtf(-2 * logf(float(u[0] >> 16) * 0x1p-16f + (float(low) + 0.5f) * 0x1p-32f)), t = float(int32_t(u[1])) * (3.14159265359f * 0x1p-31f);
    y[i] = loc + r * cosf(t);
    if (i + 1 < n) y[i + 1] = loc + r * sinf(t);
  }
}
#else
using D64 = hn::ScalableTag<uint64_t>;
using V64 = hn::Vec<D64>;
using DF = hn::ScalableTag<float>;
using VF = hn::Vec<DF>;

// The four words of consecutive elements, one in the lower half of each lane; the upper halves are anything.
struct Words { V64 a, b, c, d; };
HWY_INLINE V64 Product(V64 x, uint32_t m) {
  const hn::ScalableTag<uint32_t> d32;
  return hn::MulEven(hn::BitCast(d32, x), hn::Set(d32, m));
}
HWY_INLINE Words Rounds(uint32_t k0, uint32_t k1, uint64_t element) {
  const D64 d;
  Words w;
  w.a = hn::Iota(d, element), w.b = hn::ShiftRight<32>(w.a), w.c = w.d = hn::Zero(d);
  for (int r = 0; r < 10; ++r) {
    const auto p0 = Product(w.a, 0xD2511F53u), p1 = Product(w.c, 0xCD9E8D57u);
    w.a = hn::Xor(hn::Xor(hn::ShiftRight<32>(p1), w.b), hn::Set(d, uint64_t(k0)));
    w.c = hn::Xor(hn::Xor(hn::ShiftRight<32>(p0), w.d), hn::Set(d, uint64_t(k1)));
    w.b = p1, w.d = p0;
    k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
  }
  return w;
}
HWY_INLINE V64 Lower(V64 x) { return hn::And(x, hn::Set(D64(), 0xffffffffu)); }

bool Uniform(uint32_t k0, uint32_t k1, uint64_t first, int64_t n, double low, double high, float* y) {
  const D64 d;
  const hn::RebindToSigned<D64> di;
  const hn::RebindToFloat<D64> df;
  const hn::Rebind<float, D64> dh;
  const int64_t w = int64_t(hn::Lanes(d));
  const auto base = hn::Set(df, low), range = hn::Set(df, high - low), top = hn::Set(df, high), unit = hn::Set(df, 0x1p-53);
  auto above = hn::Lt(unit, hn::Zero(df));  // nowhere
  HWY_ALIGN float rest[HWY_MAX_BYTES / 8];
  for (int64_t i = 0; i < n; i += w) {
    const Words words = Rounds(k0, k1, first + uint64_t(i));
    const auto bits = hn::ShiftRight<11>(hn::Or(hn::ShiftLeft<32>(words.a), Lower(words.b)));
    const auto u = hn::Mul(hn::ConvertTo(df, hn::BitCast(di, bits)), unit);
    const auto v = hn::DemoteTo(dh, hn::Add(base, hn::Mul(range, u)));  // no fused step: the same bits everywhere
    above = hn::Or(above, hn::Ge(hn::PromoteTo(df, v), top));
    if (i + w <= n) {
      hn::StoreU(v, dh, y + i);
    } else {
      hn::Store(v, dh, rest);
      for (int64_t j = i; j < n; ++j) y[j] = rest[j - i];
    }
  }
  return !hn::AllFalse(df, above);
}

// The cosine and sine of `turns` / 2^32 of a whole turn, by polynomials on an eighth to either side of the nearest quarter.
HWY_INLINE void CosSin(hn::Vec<hn::ScalableTag<uint32_t>> turns, VF* cosine, VF* sine) {
  const DF d;
  const hn::RebindToUnsigned<DF> du;
  const hn::RebindToSigned<DF> di;
  const auto quarter = hn::ShiftRight<30>(hn::Add(turns, hn::Set(du, 1u << 29)));
  const auto x = hn::Mul(hn::ConvertTo(d, hn::BitCast(di, hn::ShiftLeft<2>(turns))), hn::Set(d, 1.57079632679f * 0x1p-32f));
  const auto q = hn::Mul(x, x);
  auto s = hn::MulAdd(hn::MulAdd(hn::Set(d, -1.9515295891e-4f), q, hn::Set(d, 8.3321608736e-3f)), q, hn::Set(d, -1.6666654611e-1f));
  s = hn::MulAdd(hn::Mul(s, q), x, x);
  auto c = hn::MulAdd(hn::MulAdd(hn::Set(d, 2.443315711809948e-5f), q, hn::Set(d, -1.388731625493765e-3f)), q, hn::Set(d, 4.166664568298827e-2f));
  c = hn::MulAdd(hn::Mul(c, q), q, hn::MulAdd(hn::Set(d, -0.5f), q, hn::Set(d, 1.f)));
  // Odd quarters exchange them; the signs' bits are the second bit of the quarter, for the cosine of the one after it.
  const auto odd = hn::RebindMask(d, hn::Ne(hn::And(quarter, hn::Set(du, 1)), hn::Zero(du)));
  const auto sign_s = hn::ShiftLeft<31>(hn::ShiftRight<1>(quarter)), sign_c = hn::ShiftLeft<31>(hn::ShiftRight<1>(hn::Add(quarter, hn::Set(du, 1))));
  *cosine = hn::Xor(hn::IfThenElse(odd, s, c), hn::BitCast(d, sign_c));
  *sine = hn::Xor(hn::IfThenElse(odd, c, s), hn::BitCast(d, sign_s));
}
void Normal(uint32_t k0, uint32_t k1, uint64_t first, int64_t n, float loc, float scale, float* y) {
  const D64 d;
  const DF df;
  const hn::RebindToUnsigned<DF> du;
  const hn::RebindToSigned<DF> di;
  const int64_t w = int64_t(hn::Lanes(d)) * 4;  // numbers of a step
  const auto shift = hn::Set(df, loc), times = hn::Set(df, scale);
  HWY_ALIGN float rest[HWY_MAX_BYTES / 2];
  for (int64_t i = 0; i < n; i += w) {
    const Words words = Rounds(k0, k1, first / 4 + uint64_t(i / 4));
    const auto u = hn::BitCast(du, hn::Or(Lower(words.a), hn::ShiftLeft<32>(words.c)));
    const auto v = hn::BitCast(du, hn::Or(Lower(words.b), hn::ShiftLeft<32>(words.d)));
    // (u + 1/2) / 2^32 with all the bits that a float has room for, also near 0
    const auto high = hn::ConvertTo(df, hn::BitCast(di, hn::ShiftRight<16>(u))), low = hn::ConvertTo(df, hn::BitCast(di, hn::And(u, hn::Set(du, 0xffff))));
    const auto p = hn::Add(hn::Mul(high, hn::Set(df, 0x1p-16f)), hn::Mul(hn::Add(low, hn::Set(df, 0.5f)), hn::Set(df, 0x1p-32f)));
    const auto r = hn::Mul(times, hn::Sqrt(hn::Max(hn::Zero(df), hn::Mul(hn::Set(df, -2.f), hn::Log(df, p)))));
    VF cosine, sine;
    CosSin(v, &cosine, &sine);
    cosine = hn::Add(shift, hn::Mul(r, cosine)), sine = hn::Add(shift, hn::Mul(r, sine));
    if (i + w <= n) {
      hn::StoreInterleaved2(cosine, sine, df, y + i);
    } else {
      hn::StoreInterleaved2(cosine, sine, df, rest);
      for (int64_t j = i; j < n; ++j) y[j] = rest[j - i];
    }
  }
}
#endif
}  // namespace
bool UniformOf(uint32_t k0, uint32_t k1, uint64_t first, int64_t n, double low, double high, float* y) { return Uniform(k0, k1, first, n, low, high, y); }
void NormalOf(uint32_t k0, uint32_t k1, uint64_t first, int64_t n, float loc, float scale, float* y) { Normal(k0, k1, first, n, loc, scale, y); }
}  // namespace HWY_NAMESPACE
}  // namespace flx
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace flx {
HWY_EXPORT(UniformOf);
HWY_EXPORT(NormalOf);
bool FillUniform(const Philox& p, uint64_t first, int64_t n, double low, double high, float* y) {
  return HWY_DYNAMIC_DISPATCH(UniformOf)(p.key[0], p.key[1], first, n, low, high, y);
}
void FillNormal(const Philox& p, uint64_t first, int64_t n, float loc, float scale, float* y) {
  HWY_DYNAMIC_DISPATCH(NormalOf)(p.key[0], p.key[1], first, n, loc, scale, y);
}
}  // namespace flx
#endif

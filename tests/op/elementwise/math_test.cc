// SPDX-License-Identifier: Apache-2.0
// The formulas' accuracy against long double, over ordinary and extreme values; conversions of every 16-bit pattern.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>
#include <string_view>
#include <vector>

#include "hwy/targets.h"
#include "op/elementwise/convert.h"
#include "op/elementwise/formula.h"
#include "op/elementwise/special_formulas.h"

namespace flx {
namespace {

using Long = long double;
struct Reference { const char* name; Long (*f)(Long); };
const Reference kReferences[] = {
    {"exp", [](Long x) { return expl(x); }},     {"expm1", [](Long x) { return expm1l(x); }},   {"log", [](Long x) { return logl(x); }},       {"log2", [](Long x) { return log2l(x); }},
    {"log10", [](Long x) { return log10l(x); }}, {"log1p", [](Long x) { return log1pl(x); }},   {"sin", [](Long x) { return sinl(x); }},       {"cos", [](Long x) { return cosl(x); }},
    {"tan", [](Long x) { return tanl(x); }},     {"arcsin", [](Long x) { return asinl(x); }},   {"arccos", [](Long x) { return acosl(x); }},   {"arctan", [](Long x) { return atanl(x); }},
    {"sinh", [](Long x) { return sinhl(x); }},   {"cosh", [](Long x) { return coshl(x); }},     {"tanh", [](Long x) { return tanhl(x); }},     {"arcsinh", [](Long x) { return asinhl(x); }},
    {"arccosh", [](Long x) { return acoshl(x); }}, {"arctanh", [](Long x) { return atanhl(x); }}, {"sqrt", [](Long x) { return sqrtl(x); }},   {"cbrt", [](Long x) { return cbrtl(x); }},
    {"rsqrt", [](Long x) { return 1 / sqrtl(x); }}, {"erf", [](Long x) { return erfl(x); }},    {"gammaln", [](Long x) { return lgammal(x); }},
    {"gamma", [](Long x) { return x < 0 && x == floorl(x) ? Long(NAN) : tgammal(x); }},
    {"sigmoid", [](Long x) { return 1 / (1 + expl(-x)); }}, {"softrelu", [](Long x) { return x > 50 ? x + expl(-x) : log1pl(expl(x)); }},
    {"softsign", [](Long x) { return fabsl(x) > 1e4900L ? Long(NAN) : x / (1 + fabsl(x)); }},
    {"round", [](Long x) { return roundl(x); }}, {"trunc", [](Long x) { return truncl(x); }},   {"relu", [](Long x) { return x <= 0 ? 0 : x; }},
};

// Each instruction set that this machine has, as if it had no better one.
template <class F> void ForEachTarget(const F& f) {
  const int64_t have = hwy::SupportedTargets();
  std::set<TileFn> loops;  // each set has its own
  size_t sets = 0;
  for (int64_t t : {HWY_AVX3, HWY_AVX2, HWY_EMU128}) {
    if (!(have & t)) continue;
    SCOPED_TRACE(hwy::TargetName(t));
    hwy::SetSupportedTargetsForTest(t);
    f();
    LoopList list;
    GetUnaryLoops(&list);
    loops.insert(list.items[0].loops.f32);
    ++sets;
  }
  hwy::SetSupportedTargetsForTest(0);
  EXPECT_GT(sets, 0u);
#ifdef HWY_COMPILE_ONLY_STATIC
  sets = 1;  // a build for the baseline has one, whatever the machine
#endif
  EXPECT_EQ(loops.size(), sets);
}
const TileLoops& Find(const LoopList& list, const char* name) {
  for (int i = 0; i < list.count; ++i) if (std::string_view(list.items[i].name) == name) return list.items[i].loops;
  ADD_FAILURE() << "no loops named " << name;
  return list.items[0].loops;
}
template <class T> void CheckAll() {
  LoopList list;
  GetUnaryLoops(&list);
  const T inf = std::numeric_limits<T>::infinity(), tiny = std::numeric_limits<T>::denorm_min(), huge = std::numeric_limits<T>::max();
  std::vector<T> x = {0, T(-0.0), inf, -inf, T(NAN), tiny, -tiny, std::numeric_limits<T>::min(), huge, -huge, 1, -1, T(0.5), T(-0.5), T(2.5), T(-2.5), T(88.7), T(89), T(-87.4), -100, T(-103.5), T(709.7),
                      T(710.2), -745, T(-708.5), 711, T(1e30), T(-1e30), 30000, 40000, T(1e7)};
  for (int i = -2000; i <= 2000; ++i)
    for (T v : {T(i) * T(0.00742), T(i) * T(0.0006), T(i) * T(0.062), T(std::exp(i * 0.04)), T(-std::exp(i * 0.04)), T(1 + i * 1e-7)}) x.push_back(v);
  std::vector<T> y(x.size());
  const void* in[] = {x.data()};
  for (auto& r : kReferences) {
    const TileLoops& l = Find(list, r.name);
    (sizeof(T) == 4 ? l.f32 : l.f64)(in, y.data(), int64_t(x.size()), nullptr);
    int wrong = 0;
    for (size_t i = 0; i < x.size() && wrong < 5; ++i) {
      Long exact = r.f(Long(x[i]));
      T want = T(exact);
      bool special = std::isnan(want) || std::isinf(want) || std::isnan(y[i]) || std::isinf(y[i]) || want == 0;
      bool ok = special ? (std::isnan(want) && std::isnan(y[i])) || (want == y[i] && (want != 0 || std::signbit(want) == std::signbit(y[i])))
                        : fabsl(Long(y[i]) - exact) <= 4 * std::numeric_limits<T>::epsilon() * std::max(fabsl(exact), Long(std::numeric_limits<T>::min()));
      if (!ok) ++wrong, ADD_FAILURE() << r.name << "(" << x[i] << ") is " << y[i] << ", should be " << want;
    }
  }
}
TEST(Formulas, Float32) { ForEachTarget([] { CheckAll<float>(); }); }
// Every float32 where tanh comes to 1: 1 - y^2, its slope, is never negative.
TEST(Formulas, TanhIsAtMostOne) {
  ForEachTarget([] {
    LoopList list;
    GetUnaryLoops(&list);
    const TileLoops& l = Find(list, "tanh");
    std::vector<float> x(1 << 16), y(x.size());
    const void* in[] = {x.data()};
    float most = 0;
    for (float at = 6; at < 9;) {
      for (float& v : x) v = at, at = std::nextafter(at, 10.f);
      l.f32(in, y.data(), int64_t(x.size()), nullptr);
      most = std::max(most, *std::max_element(y.begin(), y.end()));
    }
    EXPECT_EQ(most, 1);
  });
}
TEST(Formulas, Float64) { ForEachTarget([] { CheckAll<double>(); }); }

TEST(Special, Erfinv) {
  for (double v : {1e-300, 1e-10, 0.1, 0.5, 0.9, 0.999999, 1 - 1e-15, -0.3}) EXPECT_NEAR(std::erf(ErfinvOf(v)) / v, 1, 1e-14) << v;
  EXPECT_EQ(ErfinvOf(0), 0);
  EXPECT_TRUE(std::isinf(ErfinvOf(1)) && std::isinf(ErfinvOf(-1)) && ErfinvOf(-1) < 0);
  EXPECT_TRUE(std::isnan(ErfinvOf(1.1)) && std::isnan(ErfinvOf(NAN)));
}
TEST(Special, Digamma) {  // against differences of its integral and known values
  EXPECT_NEAR(DigammaOf(1), -0.57721566490153286061, 1e-14);
  EXPECT_NEAR(DigammaOf(0.5), -1.96351002602142347944, 1e-14);
  EXPECT_NEAR(TrigammaOf(1), 1.64493406684822643647, 1e-14);
  for (double x : {-3.3, -0.4, 0.2, 1.7, 5.0, 40.0}) {
    EXPECT_NEAR(DigammaOf(x), (LogGammaOf(x + 1e-5) - LogGammaOf(x - 1e-5)) / 2e-5, 1e-7) << x;
    EXPECT_NEAR(TrigammaOf(x) / ((DigammaOf(x + 1e-5) - DigammaOf(x - 1e-5)) / 2e-5), 1, 1e-7) << x;
  }
  EXPECT_TRUE(std::isnan(DigammaOf(0)) && std::isnan(DigammaOf(-2)) && std::isnan(GammaOf(-2)));
}

void EveryHalf() {
  std::vector<uint16_t> half(65536), back(65536);
  std::vector<float> wide(65536);
  for (size_t i = 0; i < half.size(); ++i) half[i] = uint16_t(i);
  FindConvert(DType::kFloat16, DType::kFloat32)(half.data(), wide.data(), 65536);
  FindConvert(DType::kFloat32, DType::kFloat16)(wide.data(), back.data(), 65536);
  for (size_t i = 0; i < half.size(); ++i) {
    float want = ToFloat(Half{half[i]});
    if (std::isnan(want)) {
      EXPECT_TRUE(std::isnan(wide[i]) && std::isnan(ToFloat(Half{back[i]}))) << i;
      continue;
    }
    ASSERT_EQ(std::memcmp(&want, &wide[i], 4), 0) << i;
    ASSERT_EQ(back[i], half[i]) << i;
  }
  FindConvert(DType::kBfloat16, DType::kFloat32)(half.data(), wide.data(), 65536);
  FindConvert(DType::kFloat32, DType::kBfloat16)(wide.data(), back.data(), 65536);
  for (size_t i = 0; i < half.size(); ++i) {
    if (std::isnan(ToFloat(Bfloat16{half[i]}))) { EXPECT_TRUE(std::isnan(wide[i]) && std::isnan(ToFloat(Bfloat16{back[i]}))) << i; continue; }
    ASSERT_EQ(back[i], half[i]) << i;
  }
}
void Rounding() {  // between neighbours, at ties, beyond the ends: as the scalar conversions
  std::vector<float> x;
  for (uint32_t i = 0; i < 200000; ++i) {
    uint32_t bits = i * 21473u + 17;
    float f;
    std::memcpy(&f, &bits, 4);
    if (!std::isnan(f)) x.push_back(f);
  }
  for (float f : {65504.f, 65519.f, 65520.f, 1e30f, 6e-8f, 2.9e-8f, 3e-8f, 1.00048828125f, 1.00146484375f, -0.f, INFINITY, -INFINITY}) x.push_back(f);
  for (int i = 0; i < 31744; ++i) x.push_back((ToFloat(Half{uint16_t(i)}) + ToFloat(Half{uint16_t(i + 1)})) / 2);
  std::vector<uint16_t> h(x.size()), b(x.size());
  FindConvert(DType::kFloat32, DType::kFloat16)(x.data(), h.data(), int64_t(x.size()));
  FindConvert(DType::kFloat32, DType::kBfloat16)(x.data(), b.data(), int64_t(x.size()));
  for (size_t i = 0; i < x.size(); ++i) {
    ASSERT_EQ(h[i], ToHalf(x[i]).bits) << x[i];
    ASSERT_EQ(b[i], ToBfloat16(x[i]).bits) << x[i];
  }
}
TEST(Convert, EveryHalf) { ForEachTarget(EveryHalf); }
TEST(Convert, Rounding) { ForEachTarget(Rounding); }
TEST(Convert, FloatsToIntegers) {
  const double x[] = {-1.9, 2.9, 300, -300, 1e20, -1e20, NAN, INFINITY};
  int8_t narrow[8];
  uint64_t wide[8];
  bool truth[8];
  FindConvert(DType::kFloat64, DType::kInt8)(x, narrow, 8);
  FindConvert(DType::kFloat64, DType::kUint64)(x, wide, 8);
  FindConvert(DType::kFloat64, DType::kBool)(x, truth, 8);
  const int8_t want[] = {-1, 2, 127, -128, 127, -128, 0, 127};
  for (int i = 0; i < 8; ++i) EXPECT_EQ(narrow[i], want[i]) << x[i];
  EXPECT_EQ(wide[0], 0u);
  EXPECT_EQ(wide[4], std::numeric_limits<uint64_t>::max());
  EXPECT_TRUE(truth[0] && truth[6]);
  const int32_t big[] = {257, -1, 0};
  uint8_t wrapped[3];
  FindConvert(DType::kInt32, DType::kUint8)(big, wrapped, 3);
  EXPECT_EQ(wrapped[0], 1);
  EXPECT_EQ(wrapped[1], 255);
}

}  // namespace
}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// Special functions that the standard library lacks, in double.
#pragma once
#include <cmath>
#include <limits>

#include "base/host_device.h"

namespace flx {

namespace special {
constexpr double kPi = 3.14159265358979323846, kNaN = std::numeric_limits<double>::quiet_NaN(), kInf = std::numeric_limits<double>::infinity();
FLX_HD inline bool Pole(double x) { return x <= 0 && x == std::floor(x); }
}  // namespace special

// Erf's inverse: NaN outside [-1, 1], infinite at the ends.
FLX_HD inline double ErfinvOf(double x) {
  using namespace special;
  double a = std::fabs(x);
  if (!(a <= 1)) return kNaN;
  if (a == 1) return std::copysign(kInf, x);
  if (a == 0) return x;
  // Winitzki's closed form is right to two digits; Halley's step triples them. erfc keeps the digits near one.
  constexpr double k = 0.147;
  double l = std::log1p(-a * a), t = 2 / (kPi * k) + l / 2, y = std::sqrt(std::sqrt(t * t - l / k) - t), c = 1 - a;
  for (int i = 0; i < 3; ++i) {
    double e = (a < 0.5 ? std::erf(y) - a : c - std::erfc(y)) / (1.1283791670955125739 * std::exp(-y * y));
    y -= e / (1 + y * e);
  }
  return std::copysign(y, x);
}

// The derivative of log gamma; NaN at 0 and the negative integers.
FLX_HD inline double DigammaOf(double x) {
  using namespace special;
  if (x != x || x == kInf) return x;
  if (x == -kInf || Pole(x)) return kNaN;
  double y = 0;
  if (x < 0) y = -kPi / std::tan(kPi * x), x = 1 - x;  // reflection
  for (; x < 12; x += 1) y -= 1 / x;                   // recurrence, up to where the asymptotic series serves
  double r = 1 / (x * x);
  return y + std::log(x) - 0.5 / x - r * (1.0 / 12 - r * (1.0 / 120 - r * (1.0 / 252 - r * (1.0 / 240 - r * (1.0 / 132 - r * 691.0 / 32760)))));
}

// Its derivative.
FLX_HD inline double TrigammaOf(double x) {
  using namespace special;
  if (x != x) return x;
  if (x == kInf) return 0;
  if (x == -kInf) return kNaN;
  if (Pole(x)) return kInf;
  double y = 0, sign = 1;
  if (x < 0) {
    double s = std::sin(kPi * x);
    y = kPi * kPi / (s * s), sign = -1, x = 1 - x;
  }
  double z = 0;
  for (; x < 12; x += 1) z += 1 / (x * x);
  double r = 1 / (x * x);
  z += 1 / x + r / 2 + r / x * (1.0 / 6 - r * (1.0 / 30 - r * (1.0 / 42 - r * (1.0 / 30 - r * (5.0 / 66 - r * 691.0 / 2730)))));
  return y + sign * z;
}

// NaN at the negative integers.
FLX_HD inline double GammaOf(double x) { return x < 0 && x == std::floor(x) ? special::kNaN : std::tgamma(x); }
// Log |gamma(x)|, without lgamma's global sign.
FLX_HD inline double LogGammaOf(double x) {
#ifdef __CUDA_ARCH__
  return lgamma(x);
#else
  int sign;
  return lgamma_r(x, &sign);
#endif
}

}  // namespace flx

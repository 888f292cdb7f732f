// SPDX-License-Identifier: Apache-2.0
// How random numbers become numbers of a distribution. Element i of an output has a stream of its own (Philox counter (i, draw)), so its value depends
// on the invocation's ticket, i and the parameters only: on no thread, order or device. Parameters that make no sense give NaN.
#pragma once
#include <cmath>
#include <cstdint>
#include <limits>

#include "base/random.h"
#include "op/elementwise/special_formulas.h"

namespace flx {

// The first four words of kBatch elements in a row: the rounds of Philox side by side, which the compiler makes vectors of.
constexpr int kBatch = 16;
inline void FirstWords(const Philox& p, uint64_t element, uint32_t out[kBatch][4]) {
  uint32_t a[kBatch], b[kBatch], c[kBatch] = {}, d[kBatch] = {}, k0 = p.key[0], k1 = p.key[1];
  for (int i = 0; i < kBatch; ++i) a[i] = uint32_t(element + uint64_t(i)), b[i] = uint32_t((element + uint64_t(i)) >> 32);
  for (int r = 0; r < 10; ++r) {
    for (int i = 0; i < kBatch; ++i) {
      uint64_t p0 = uint64_t(0xD2511F53u) * a[i], p1 = uint64_t(0xCD9E8D57u) * c[i];
      uint32_t n0 = uint32_t(p1 >> 32) ^ b[i] ^ k0, n2 = uint32_t(p0 >> 32) ^ d[i] ^ k1;
      b[i] = uint32_t(p1), d[i] = uint32_t(p0), a[i] = n0, c[i] = n2;
    }
    k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
  }
  for (int i = 0; i < kBatch; ++i) out[i][0] = a[i], out[i][1] = b[i], out[i][2] = c[i], out[i][3] = d[i];
}

// The random words of one element.
class Draws {
 public:
  FLX_HD Draws(const Philox& p, uint64_t element) : philox_(p), element_(element) {}
  FLX_HD Draws(const Philox& p, uint64_t element, const uint32_t first[4]) : philox_(p), element_(element), draw_(1), used_(0) {
    for (int i = 0; i < 4; ++i) words_[i] = first[i];
  }
  FLX_HD uint32_t Word() {
    if (used_ == 4) philox_(element_, draw_++, words_), used_ = 0;
    return words_[used_++];
  }
  FLX_HD uint64_t Words() {
    uint64_t high = Word();
    return high << 32 | Word();
  }
  FLX_HD double Uniform() {  // [0, 1)
    uint32_t high = Word(), low = Word();
    return ToUnitDouble(high, low);
  }
  FLX_HD double Normal() {
    uint32_t w[4] = {Word(), Word(), Word(), Word()};
    double z[2];
    ToNormal(w, z);
    return z[0];
  }
  FLX_HD uint64_t Below(uint64_t n) {  // uniform in [0, n), exactly (Lemire, 2019)
    for (;;) {
      unsigned __int128 m = static_cast<unsigned __int128>(Words()) * n;
      if (uint64_t(m) >= n || uint64_t(m) >= -n % n) return uint64_t(m >> 64);
    }
  }

 private:
  const Philox& philox_;
  uint64_t element_, draw_ = 0;
  uint32_t words_[4] = {};
  int used_ = 4;
};

constexpr double kNoNumber = std::numeric_limits<double>::quiet_NaN();

struct UniformD { FLX_HD static double Draw(Draws& d, double low, double high) { return low + (high - low) * d.Uniform(); } };
struct NormalD { FLX_HD static double Draw(Draws& d, double loc, double scale) { return scale >= 0 ? loc + scale * d.Normal() : kNoNumber; } };
struct ExponentialD { FLX_HD static double Draw(Draws& d, double lam, double) { return lam > 0 ? -std::log1p(-d.Uniform()) / lam : kNoNumber; } };
struct GammaD {  // Marsaglia and Tsang (2000); shape alpha, scale beta
  FLX_HD static double Draw(Draws& d, double alpha, double beta) {
    if (!(alpha > 0 && beta > 0)) return kNoNumber;
    double boost = 1;
    if (alpha < 1) boost = std::pow(1 - d.Uniform(), 1 / alpha), alpha += 1;
    double e = alpha - 1.0 / 3, c = 1 / std::sqrt(9 * e);
    for (;;) {
      double z = d.Normal(), v = 1 + c * z;
      if (v <= 0) continue;
      v = v * v * v;
      double u = 1 - d.Uniform();
      if (std::log(u) < 0.5 * z * z + e * (1 - v + std::log(v))) return e * v * boost * beta;
    }
  }
};
struct PoissonD {
  FLX_HD static double Draw(Draws& d, double lam, double) {
    if (!(lam >= 0) || lam > 1e15) return kNoNumber;
    if (lam < 12) {  // by inversion: one number of the stream
      double u = d.Uniform(), p = std::exp(-lam), sum = p;
      int64_t k = 0;
      while (u >= sum && k < 200) p *= lam / double(++k), sum += p;
      return double(k);
    }
    // transformed rejection (Hoermann, 1993)
    double root = std::sqrt(lam), b = 0.931 + 2.53 * root, a = -0.059 + 0.02483 * b, inverse = 1.1239 + 1.1328 / (b - 3.4), bound = 0.9277 - 3.6224 / (b - 2);
    for (;;) {
      double u = d.Uniform() - 0.5, v = 1 - d.Uniform(), s = 0.5 - std::abs(u), k = std::floor((2 * a / s + b) * u + lam + 0.43);
      if (s >= 0.07 && v <= bound) return k;
      if (k < 0 || (s < 0.013 && v > s)) continue;
      if (std::log(v * inverse / (a / (s * s) + b)) <= k * std::log(lam) - lam - LogGammaOf(k + 1)) return k;
    }
  }
};
struct NegativeBinomialD {  // failures before the k-th success: a Poisson whose mean is Gamma distributed
  FLX_HD static double Draw(Draws& d, double k, double p) {
    if (!(k > 0 && p > 0 && p <= 1)) return kNoNumber;
    return p == 1 ? 0 : PoissonD::Draw(d, GammaD::Draw(d, k, (1 - p) / p), 0);
  }
};
struct GeneralizedNegativeBinomialD {
  FLX_HD static double Draw(Draws& d, double mu, double alpha) {
    if (!(mu >= 0 && alpha >= 0)) return kNoNumber;
    return alpha == 0 || mu == 0 ? PoissonD::Draw(d, mu, 0) : PoissonD::Draw(d, GammaD::Draw(d, 1 / alpha, alpha * mu), 0);
  }
};

}  // namespace flx

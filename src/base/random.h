// SPDX-License-Identifier: Apache-2.0
// Philox4x32-10 (Salmon et al., SC'11): a counter-based generator, so that element i of draw d is the same on any thread, device and order.
#pragma once
#include <cmath>
#include <cstdint>

#include "base/host_device.h"

namespace flx {

struct Ticket { uint64_t seed = 0, ticket = 0; };  // one ticket per random invocation, given in program order

struct Philox {
  uint32_t key[2];
  FLX_HD explicit Philox(Ticket t) {
    // splitmix64 of seed and ticket: neighbouring tickets get unrelated keys
    uint64_t z = t.seed * 0x9E3779B97F4A7C15ull + t.ticket * 0xD1B54A32D192ED03ull + 0x2545F4914F6CDD1Dull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    z ^= z >> 31;
    key[0] = uint32_t(z), key[1] = uint32_t(z >> 32);
  }
  // Four words for (element, draw).
  FLX_HD void operator()(uint64_t element, uint64_t draw, uint32_t out[4]) const {
    uint32_t c[4] = {uint32_t(element), uint32_t(element >> 32), uint32_t(draw), uint32_t(draw >> 32)}, k0 = key[0], k1 = key[1];
    for (int r = 0; r < 10; ++r) {
      uint64_t p0 = uint64_t(0xD2511F53u) * c[0], p1 = uint64_t(0xCD9E8D57u) * c[2];
      uint32_t n0 = uint32_t(p1 >> 32) ^ c[1] ^ k0, n2 = uint32_t(p0 >> 32) ^ c[3] ^ k1;
      c[1] = uint32_t(p1), c[3] = uint32_t(p0), c[0] = n0, c[2] = n2;
      k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    for (int i = 0; i < 4; ++i) out[i] = c[i];
  }
};
FLX_HD inline float ToUnitFloat(uint32_t u) { return float(u >> 8) * 0x1p-24f; }                      // [0, 1)
FLX_HD inline double ToUnitDouble(uint32_t hi, uint32_t lo) { return double((uint64_t(hi) << 32 | lo) >> 11) * 0x1p-53; }  // [0, 1)
// Two standard normals of four words (Box and Muller, 1958), in double.
FLX_HD inline void ToNormal(const uint32_t u[4], double out[2]) {
  double a = 1.0 - ToUnitDouble(u[0], u[1]), b = ToUnitDouble(u[2], u[3]) * 6.283185307179586476925;
  double r = std::sqrt(-2.0 * std::log(a));
  out[0] = r * std::cos(b), out[1] = r * std::sin(b);
}

}  // namespace flx

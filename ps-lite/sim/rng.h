// SPDX-License-Identifier: Apache-2.0
// Random numbers of the simulator: one stream a purpose, so that taking a fault out of a schedule leaves the other draws as they were.
#pragma once
#include <cstdint>
#include <string_view>

namespace ps::sim {

inline uint64_t Mix(uint64_t x) {  // a bijection of 64 bits, after which neighbours are far apart
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}
inline uint64_t Mix(uint64_t a, uint64_t b) { return Mix(a ^ Mix(b)); }

inline uint64_t HashOf(std::string_view bytes) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : bytes) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
  return hash;
}

class Rng {
 public:
  explicit Rng(uint64_t seed) : state_(Mix(seed)) {}
  Rng(uint64_t seed, uint64_t stream) : state_(Mix(seed, stream)) {}
  uint64_t next() { return Mix(state_++); }
  uint64_t below(uint64_t n) { return n == 0 ? 0 : next() % n; }                          // 0 .. n-1
  int64_t between(int64_t lo, int64_t hi) { return lo + static_cast<int64_t>(below(static_cast<uint64_t>(hi - lo + 1))); }
  bool chance(uint32_t of_thousand) { return below(1000) < of_thousand; }
  // Mostly near lo, seldom near hi: what delays look like.
  int64_t skewed(int64_t lo, int64_t hi) {
    const uint64_t shift = below(12);
    return lo + static_cast<int64_t>(below((static_cast<uint64_t>(hi - lo) >> shift) + 1));
  }

 private:
  uint64_t state_;
};

}  // namespace ps::sim

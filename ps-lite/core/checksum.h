// SPDX-License-Identifier: Apache-2.0
// What files of the core begin with: lengths and checksums, in little-endian order.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace ps::core {

inline uint32_t Read32(const uint8_t* p) { return uint32_t(p[0]) | uint32_t(p[1]) << 8 | uint32_t(p[2]) << 16 | uint32_t(p[3]) << 24; }
inline uint32_t Checksum(const uint8_t* p, size_t n) {  // eight bytes at a time; against damage, not against attackers
  uint64_t h = 14695981039346656037u ^ n;
  auto mix = [&h](uint64_t word) {
    h = (h ^ word) * 1099511628211u;
    h ^= h >> 29;
  };
  for (; n >= 8; p += 8, n -= 8) mix(uint64_t(Read32(p)) | uint64_t(Read32(p + 4)) << 32);
  uint64_t last = 0;
  for (size_t i = 0; i < n; ++i) last |= uint64_t(p[i]) << 8 * i;
  mix(last);
  return uint32_t(h ^ (h >> 32));
}
inline void Write32(std::string& s, uint32_t v) {
  for (int i = 0; i < 4; ++i) s += char(v >> 8 * i);
}

}  // namespace ps::core

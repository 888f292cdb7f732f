// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <chrono>
#include <cstdint>

namespace flx {

// The moment `timeout_ms` from now (below 0: now). More than a century is a century, since the clock counts nanoseconds in 64 bits.
inline std::chrono::steady_clock::time_point DeadlineAfter(int64_t timeout_ms) {
  constexpr int64_t kCentury = int64_t(100) * 365 * 24 * 3600 * 1000;
  return std::chrono::steady_clock::now() + std::chrono::milliseconds(std::clamp<int64_t>(timeout_ms, 0, kCentury));
}

}  // namespace flx

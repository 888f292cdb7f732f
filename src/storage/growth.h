// SPDX-License-Identifier: Apache-2.0
// Tells when a number grew so much that a host should collect what it no longer reaches. What counts as much follows what is left after collections.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>

namespace flx {

class Growth {
 public:
  // Never for less than `least`, and then for half of what was left.
  constexpr explicit Growth(int64_t least) : least_(least) {}
  // Whether `now` is that much above the least seen since it last said so; one of several threads that ask at once hears it.
  bool Look(int64_t now) noexcept {
    int64_t floor = floor_.load(std::memory_order_relaxed);
    while (now < floor)
      if (floor_.compare_exchange_weak(floor, now, std::memory_order_relaxed)) return false;
    return now - floor > std::max(least_, floor / 2) && floor_.compare_exchange_strong(floor, now, std::memory_order_relaxed);
  }
  void Rest(int64_t now) noexcept { floor_.store(now, std::memory_order_relaxed); }  // counts from here on

 private:
  const int64_t least_;
  std::atomic<int64_t> floor_{0};
};

}  // namespace flx

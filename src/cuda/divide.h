// SPDX-License-Identifier: Apache-2.0
// Whole quotients of numbers that are not negative by one divisor: below 2^31 a multiplication and a shift, whose numbers the host finds once (Granlund and
// Montgomery, 1994). A division takes a GPU longer than all else that most kernels do with an element.
#pragma once
#include <cstdint>

#include "base/host_device.h"

namespace flx::cuda {

class Divisor {
 public:
  Divisor() = default;
  explicit Divisor(int64_t d) : d_(d) {
    if (d < 1 || d >= kShort) return;
    while ((int64_t(1) << shift_) < d) ++shift_;
    times_ = uint32_t((uint64_t(1) << 32) * ((uint64_t(1) << shift_) - uint64_t(d)) / uint64_t(d) + 1);
  }
  FLX_HD int64_t Of(int64_t n) const {
    if (n >= kShort || d_ >= kShort) return n / d_;
    return int64_t((uint32_t((uint64_t(uint32_t(n)) * times_) >> 32) + uint32_t(n)) >> shift_);
  }
  // The rest; n becomes the quotient.
  FLX_HD int64_t Split(int64_t* n) const {
    const int64_t q = Of(*n), rest = *n - q * d_;
    *n = q;
    return rest;
  }

 private:
  static constexpr int64_t kShort = int64_t(1) << 31;
  int64_t d_ = 1;
  uint32_t times_ = 1, shift_ = 0;
};

}  // namespace flx::cuda

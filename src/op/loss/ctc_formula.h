// SPDX-License-Identifier: Apache-2.0
// What the CPU's and the devices' CTC share: probabilities as logarithms, in float64.
#pragma once
#include <cmath>
#include <limits>

#include "base/host_device.h"

namespace flx {

constexpr double kNever = -std::numeric_limits<double>::infinity();
FLX_HD inline double AddLogs(double a, double b) {
  const double most = a > b ? a : b, least = a > b ? b : a;
  return most == kNever ? kNever : most + std::log1p(std::exp(least - most));
}

}  // namespace flx

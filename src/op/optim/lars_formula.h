// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cmath>

#include "base/host_device.h"

namespace flx {

// A layer's rate from the sums of squares of its weights and gradients (You et al. 2017): lr itself where a norm is 0.
FLX_HD inline double LarsRate(double lr, double weights, double gradients, double wd, double eta, double eps, double rescale) {
  const double w = std::sqrt(weights), g = std::sqrt(gradients) * rescale;
  return w > 0 && g > 0 ? lr * (eta * w / (g + wd * w + eps)) : lr;
}

}  // namespace flx

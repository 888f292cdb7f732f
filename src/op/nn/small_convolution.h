// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "op/nn/convolution.h"

namespace flx {

// Convolutions of few channels, in float32: windows are laid out as columns, some vectors of places at a time, and multiplied while they are in the
// cache, with the weight read as it lies. Nothing is packed or padded, so that single small images are quick. False: not taken.
bool SmallConvolution(const ConvGeometry& g, const float* x, const float* w, const float* bias, float* y);

}  // namespace flx

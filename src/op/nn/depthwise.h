// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "op/nn/convolution.h"

namespace flx {

struct DepthwisePlane { int64_t out[2], kernel[2], dilate[2], width; };  // rows, columns; width: of the frame's rows

// Convolution of float32 images with as many groups as channels, in and out, moving by one; false: not taken.
bool DepthwiseConvolution(const ConvGeometry& g, const float* x, const float* w, const float* bias, float* y);

}  // namespace flx

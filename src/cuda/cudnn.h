// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "device/device_call.h"
#include "device/kernels.h"

namespace flx::cuda {

enum class ConvPass { kForward, kGradData, kGradWeight };
// A convolution by cuDNN (cudnn.cc): y from x and w, x from w and y, or w from x and y; what it writes is told by the pass. FLX_DEVICE_NO_KERNEL if there is
// no cuDNN, or it has no way to do this one.
struct ConvArrays { void *x, *w, *y; int32_t dtype; };
int32_t CudnnConvolution(flx_device_queue* q, ConvPass pass, const ConvolutionInts& g, const ConvArrays& arrays, const flx_device_call* call);

}  // namespace flx::cuda

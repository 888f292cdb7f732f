// SPDX-License-Identifier: Apache-2.0
// Built where no convolution library is: our own kernels take all.
#include "op/nn/convolution.h"

namespace flx {
bool LibraryConvolution(KernelContext&, const ConvGeometry&, const float*, const float*, const float*, float*) { return false; }
bool LibraryConvolutionGradData(KernelContext&, const ConvGeometry&, const float*, const float*, float*) { return false; }
bool LibraryConvolutionGradWeight(KernelContext&, const ConvGeometry&, const float*, const float*, float*) { return false; }
}  // namespace flx

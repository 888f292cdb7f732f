// SPDX-License-Identifier: Apache-2.0
// Built where no convolution library is: our own kernels take all.
#include "op/nn/blocked.h"

namespace flx {
bool LibraryConvolution(KernelContext&, const ConvGeometry&, const float*, const float*, const float*, float*) { return false; }
bool LibraryConvolutionGradData(KernelContext&, const ConvGeometry&, const float*, const float*, float*) { return false; }
bool LibraryConvolutionGradWeight(KernelContext&, const ConvGeometry&, const float*, const float*, float*) { return false; }

int64_t BestBlock() { return 0; }
bool LibraryHasBlocked(int64_t) { return false; }
bool BlockedIsFast(BlockedPass, const ConvGeometry&, int64_t, bool) { return false; }
bool LibraryBlockedConvolution(const BlockedConvCall&) { return false; }
bool LibraryBlockedGradData(const ConvGeometry&, int64_t, const float*, const float*, float*) { return false; }
bool LibraryBlockedGradWeight(KernelContext&, const ConvGeometry&, int64_t, bool, const float*, const float*, float*) { return false; }
}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// Where cuDNN's headers were not there to build with: our own kernels do all.
#include "cuda/cudnn.h"

namespace flx::cuda {

int32_t CudnnConvolution(flx_device_queue*, ConvPass, const ConvolutionInts&, const ConvArrays&, const flx_device_call*) { return FLX_DEVICE_NO_KERNEL; }
int32_t CudnnPool(flx_device_queue*, const PoolInts&, int32_t, const void*, void*, const flx_device_call*) { return FLX_DEVICE_NO_KERNEL; }
int32_t CudnnPoolGrad(flx_device_queue*, const PoolInts&, int32_t, const void*, const void*, void*, const flx_device_call*) { return FLX_DEVICE_NO_KERNEL; }
int32_t CudnnBatchNorm(flx_device_queue*, const CudnnNorm&, const void*, const void*, const void*, void*, void*, void*, const flx_device_call*) { return FLX_DEVICE_NO_KERNEL; }
int32_t CudnnBatchNormGrad(flx_device_queue*, const CudnnNorm&, const void*, const void*, const void*, const void*, const void*, void*, void*, void*, const flx_device_call*) {
  return FLX_DEVICE_NO_KERNEL;
}
int32_t CudnnSoftmax(flx_device_queue*, const CudnnRows&, const void*, void*, const flx_device_call*) { return FLX_DEVICE_NO_KERNEL; }
int32_t CudnnSoftmaxGrad(flx_device_queue*, const CudnnRows&, const void*, const void*, void*, const flx_device_call*) { return FLX_DEVICE_NO_KERNEL; }

}  // namespace flx::cuda

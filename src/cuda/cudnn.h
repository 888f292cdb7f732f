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

// What follows is asked of cuDNN only where the option FLEXOR_CUDNN is `all` (FLX_CALL_CUDNN_ALL), by cudnn_nn.cc; all arrays contiguous, of one dtype but for
// a norm's parameters, which are of the type that is computed in. FLX_DEVICE_NO_KERNEL as above.
int32_t CudnnPool(flx_device_queue* q, const PoolInts& g, int32_t dtype, const void* x, void* y, const flx_device_call* call);
int32_t CudnnPoolGrad(flx_device_queue* q, const PoolInts& g, int32_t dtype, const void* x, const void* dy, void* dx, const flx_device_call* call);  // of a maximum
struct CudnnNorm { int32_t dtype; int64_t outer, channels, inner; double eps; };
// With the batch's own statistics: y, mean and inv.
int32_t CudnnBatchNorm(flx_device_queue* q, const CudnnNorm& n, const void* x, const void* gamma, const void* beta, void* y, void* mean, void* inv, const flx_device_call* call);
int32_t CudnnBatchNormGrad(flx_device_queue* q, const CudnnNorm& n, const void* x, const void* dy, const void* gamma, const void* mean, const void* inv, void* dx, void* dgamma,
                           void* dbeta, const flx_device_call* call);
struct CudnnRows { int32_t dtype; int64_t outer, n, inner; bool log; };
int32_t CudnnSoftmax(flx_device_queue* q, const CudnnRows& r, const void* x, void* y, const flx_device_call* call);
int32_t CudnnSoftmaxGrad(flx_device_queue* q, const CudnnRows& r, const void* y, const void* dy, void* dx, const flx_device_call* call);

}  // namespace flx::cuda

// SPDX-License-Identifier: Apache-2.0
// cuDNN, opened at run time, and its handle for each device. What uses it keeps descriptors of its own.
#pragma once
#include <cudnn.h>

#include <mutex>
#include <string>

#include "base/dtype.h"
#include "cuda/library.h"
#include "cuda/runtime.h"

namespace flx::cuda {

#ifndef FLEXOR_CUDNN_LIBRARY  // of the tests' emulated device: a library that computes by plain loops
constexpr char kCudnnFile[] = {'l', 'i', 'b', 'c', 'u', 'd', 'n', 'n', '.', 's', 'o', '.', '0' + CUDNN_MAJOR, 0};
#else
constexpr char kCudnnFile[] = FLEXOR_CUDNN_LIBRARY;
#endif
#define FLX_CUDNN_FUNCTIONS(X) \
  X(cudnnCreate) X(cudnnSetStream) X(cudnnGetErrorString) X(cudnnCreateTensorDescriptor) X(cudnnDestroyTensorDescriptor) X(cudnnSetTensorNdDescriptor) \
  X(cudnnCreateFilterDescriptor) X(cudnnDestroyFilterDescriptor) X(cudnnSetFilterNdDescriptor) X(cudnnCreateConvolutionDescriptor) \
  X(cudnnDestroyConvolutionDescriptor) X(cudnnSetConvolutionNdDescriptor) X(cudnnSetConvolutionGroupCount) X(cudnnSetConvolutionMathType) \
  X(cudnnGetConvolutionForwardAlgorithm_v7) X(cudnnFindConvolutionForwardAlgorithmEx) X(cudnnGetConvolutionForwardWorkspaceSize) X(cudnnConvolutionForward) \
  X(cudnnGetConvolutionBackwardDataAlgorithm_v7) X(cudnnFindConvolutionBackwardDataAlgorithmEx) X(cudnnGetConvolutionBackwardDataWorkspaceSize) \
  X(cudnnConvolutionBackwardData) X(cudnnGetConvolutionBackwardFilterAlgorithm_v7) X(cudnnFindConvolutionBackwardFilterAlgorithmEx) \
  X(cudnnGetConvolutionBackwardFilterWorkspaceSize) X(cudnnConvolutionBackwardFilter) \
  X(cudnnCreatePoolingDescriptor) X(cudnnDestroyPoolingDescriptor) X(cudnnSetPoolingNdDescriptor) X(cudnnPoolingForward) X(cudnnPoolingBackward) \
  X(cudnnBatchNormalizationForwardTraining) X(cudnnBatchNormalizationBackward) X(cudnnSoftmaxForward) X(cudnnSoftmaxBackward)

struct CudnnLibrary {
#define X(name) decltype(&::name) name = nullptr;
  FLX_CUDNN_FUNCTIONS(X)
#undef X
  OpenedLibrary so{"cuDNN", {kCudnnFile}};

  static const CudnnLibrary& Get() {
    static const CudnnLibrary* lib = new CudnnLibrary;
    return *lib;
  }

 private:
  CudnnLibrary() {
#define X(name) so.Find(&name, #name);
    FLX_CUDNN_FUNCTIONS(X)
#undef X
  }
};
inline bool Ok(cudnnStatus_t s) { return s == CUDNN_STATUS_SUCCESS; }
inline cudnnDataType_t CudnnType(DType t) {
  return t == DType::kFloat64 ? CUDNN_DATA_DOUBLE : t == DType::kFloat16 ? CUDNN_DATA_HALF : t == DType::kBfloat16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
}
// Its loads are of vectors.
inline bool CudnnAligned(const void* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; }

// The device's handle, for this queue, as long as it lives: a handle serves one thread at a time. Without a handle or a library, or where the options say so,
// it is false, and the caller's own kernel works.
class CudnnUse {
 public:
  CudnnUse(flx_device_queue* q, const flx_device_call* call) : lib(CudnnLibrary::Get()), on_(DeviceOf(q)) {
    if (FLX_CALL_HAS(call, FLX_CALL_NO_CUDNN) || !lib.so.whole() || on_.result() != cudaSuccess) return;
    PerDevice& d = OfDevice<PerDevice>(DeviceOf(q));
    lock_ = std::unique_lock<std::mutex>(d.mutex);
    if (!d.tried) {
      d.tried = true;
      if (!Ok(lib.cudnnCreate(&d.handle))) d.handle = nullptr;
    }
    if (d.handle && Ok(lib.cudnnSetStream(d.handle, StreamOf(q)))) handle = d.handle;
  }
  explicit operator bool() const { return handle != nullptr; }
  // What a call that was asked to work says to the device's user. Refused before anything was issued: the caller's own kernel may do it.
  int32_t Result(cudnnStatus_t s) const {
    if (Ok(s)) return FLX_DEVICE_OK;
    if (s >= CUDNN_STATUS_BAD_PARAM && s < CUDNN_STATUS_INTERNAL_ERROR) return FLX_DEVICE_NO_KERNEL;
    const std::string text = std::string("cuDNN: ") + lib.cudnnGetErrorString(s);
    return Failed(s >= CUDNN_STATUS_EXECUTION_FAILED ? FLX_DEVICE_LOST : FLX_DEVICE_ERROR, text.c_str());
  }
  const CudnnLibrary& lib;
  cudnnHandle_t handle = nullptr;

 private:
  struct PerDevice {
    std::mutex mutex;
    cudnnHandle_t handle = nullptr;
    bool tried = false;
  };
  OnDevice on_;
  std::unique_lock<std::mutex> lock_;
};
// 1 and 0 as the factors of results and of what was there, of the type that is computed in.
struct CudnnFactors {
  explicit CudnnFactors(DType t) : wide_(t == DType::kFloat64) {}
  const void* one() const { return wide_ ? static_cast<const void*>(&one64_) : &one32_; }
  const void* zero() const { return wide_ ? static_cast<const void*>(&zero64_) : &zero32_; }

 private:
  const bool wide_;
  const float one32_ = 1, zero32_ = 0;
  const double one64_ = 1, zero64_ = 0;
};
// Owns a tensor's descriptor.
class CudnnTensor {
 public:
  explicit CudnnTensor(const CudnnLibrary& lib) : lib_(lib) {}
  CudnnTensor(const CudnnTensor&) = delete;
  ~CudnnTensor() { if (t_) lib_.cudnnDestroyTensorDescriptor(t_); }
  // (batch, channels, places ...), whatever their order in memory, which the strides tell.
  bool Set(cudnnDataType_t type, int n, const int* dim, const int* stride) {
    return (t_ || Ok(lib_.cudnnCreateTensorDescriptor(&t_))) && Ok(lib_.cudnnSetTensorNdDescriptor(t_, type, n, dim, stride));
  }
  cudnnTensorDescriptor_t get() const { return t_; }

 private:
  const CudnnLibrary& lib_;
  cudnnTensorDescriptor_t t_ = nullptr;
};

}  // namespace flx::cuda

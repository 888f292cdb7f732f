// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

#include "device/device_call.h"

namespace flx::cuda {

// A file's kernels, for the module's list.
struct KernelTable {
  static constexpr int kMax = 256;
  flx_device_kernel items[kMax];
  int32_t count;
  void Add(const char* name, uint64_t signature, flx_device_kernel_function f) {
    if (count < kMax) items[count++] = {name, signature, reinterpret_cast<flx_device_function>(f)};
  }
};
void AddUnaryKernels(KernelTable* t);       // unary.cu: of floats
void AddUnaryAnyKernels(KernelTable* t);    // unary_any.cu: of any number
void AddBinaryKernels(KernelTable* t);      // binary.cu
void AddScalarKernels(KernelTable* t);      // scalar.cu
void AddActivationKernels(KernelTable* t);  // activation.cu
void AddUpdateKernels(KernelTable* t);      // update.cu
void AddCopyKernels(KernelTable* t);        // copy.cu
void AddReduceKernels(KernelTable* t);      // reduce.cu
void AddSoftmaxKernels(KernelTable* t);     // softmax.cu
void AddMatmulKernels(KernelTable* t);      // matmul.cu
void AddRandomKernels(KernelTable* t);      // random.cu
void AddConvolutionKernels(KernelTable* t); // convolution.cu
void AddPoolKernels(KernelTable* t);        // pool.cu
void AddBatchNormKernels(KernelTable* t);   // batch_norm.cu
void AddLossKernels(KernelTable* t);        // loss.cu
void AddIndexingKernels(KernelTable* t);    // indexing.cu
void AddCtcKernels(KernelTable* t);         // ctc.cu
void AddBoxKernels(KernelTable* t);         // boxes.cu
void AddRnnKernels(KernelTable* t);         // rnn.cu
inline void AddAllKernels(KernelTable* t) {
  AddUnaryKernels(t), AddUnaryAnyKernels(t), AddBinaryKernels(t), AddScalarKernels(t), AddActivationKernels(t), AddUpdateKernels(t);
  AddCopyKernels(t), AddReduceKernels(t), AddSoftmaxKernels(t), AddMatmulKernels(t), AddRandomKernels(t);
  AddConvolutionKernels(t), AddPoolKernels(t), AddBatchNormKernels(t), AddLossKernels(t), AddIndexingKernels(t);
  AddCtcKernels(t), AddBoxKernels(t), AddRnnKernels(t);
}

}  // namespace flx::cuda

// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

#include "device/device_call.h"

namespace flx::cuda {

// batch times c = alpha op(a) op(b) + beta c, row-major; ld: from one row as stored to the next, step: from one product to the next, in elements.
struct Product {
  const void *a, *b;
  void* c;
  int32_t dtype;
  bool trans_a, trans_b;
  int64_t m, n, k, lda, ldb, ldc, batch, step_a, step_b, step_c;
  double alpha, beta;
};
int32_t RunProduct(flx_device_queue* q, const Product& p, const flx_device_call* call);  // matmul.cu: by whichever way serves
// cublas.cc: FLX_DEVICE_NO_KERNEL if there is no cuBLASLt, or it has no way to do this one.
int32_t CublasProduct(flx_device_queue* q, const Product& p, const flx_device_call* call);

}  // namespace flx::cuda

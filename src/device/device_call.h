/* SPDX-License-Identifier: Apache-2.0 */
/* What a kernel of a device module is given: addresses and numbers, in plain C. device/kernels.h lists the kernels by name, and what `ints` and
 * `numbers` mean to each. A kernel issues its work to the queue and returns; what it was given is gone then, so it copies what its work reads. */
#ifndef FLEXOR_DEVICE_CALL_H_
#define FLEXOR_DEVICE_CALL_H_
#include <stdint.h>

#include "device/device_table.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct flx_device_tensor {
  void *data;                    /* its first element; null: an input not given, an output not wanted */
  int32_t dtype, ndim;           /* a number of FLX_DTYPE_... (flexor/c_api.h) */
  const int64_t *dims, *strides; /* in elements; any strides, 0 along what is broadcast */
} flx_device_tensor;

typedef struct flx_device_call {
  uint32_t size;                 /* sizeof(flx_device_call) as the library saw it */
  int32_t nin, nout, nints, nnumbers;
  const flx_device_tensor *in, *out;
  const int64_t *ints;
  const double *numbers;
  uint64_t seed, ticket;         /* of a random invocation */
  /* Memory of the device until the work issued here is done; at least 256-byte aligned. */
  int32_t (*scratch)(void *context, int64_t bytes, void **out);
  void *context;
} flx_device_call;

/* Returns FLX_DEVICE_OK, FLX_DEVICE_NO_KERNEL if it does not serve these dtypes or shapes (and did nothing), or what failed. */
typedef int32_t (*flx_device_kernel_function)(flx_device_queue *q, const flx_device_call *call);

#ifdef __cplusplus
}
#endif
#endif

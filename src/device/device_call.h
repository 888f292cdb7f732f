/* SPDX-License-Identifier: Apache-2.0 */
/* What a kernel of a device module is given: addresses and numbers, in plain C. device/kernels.h lists the kernels by name, and what `ints` and
 * `numbers` mean to each. A kernel issues its work to the queue and returns; what it was given is gone then, so it copies what its work reads. */
#ifndef FLEXOR_DEVICE_CALL_H_
#define FLEXOR_DEVICE_CALL_H_
#include <stddef.h>
#include <stdint.h>

#include "device/device_table.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct flx_device_tensor {
  void *data;                    /* its first element; null: an input not given, an output not wanted */
  int32_t dtype, ndim;           /* FLX_FLOAT32 ... (flexor/c_api.h) */
  const int64_t *dims, *strides; /* in elements; any strides, 0 along what is broadcast */
} flx_device_tensor;

typedef struct flx_device_call {
  uint32_t size;                 /* sizeof(flx_device_call) as the library saw it */
  int32_t nin, nout, nints, nnumbers;
  const flx_device_tensor *in, *out;
  const int64_t *ints;
  const double *numbers;
  uint64_t seed, ticket;         /* of a random invocation; see parameters */
  /* Memory of the device until the work issued here is done; at least 256-byte aligned. */
  int32_t (*scratch)(void *context, int64_t bytes, void **out);
  void *context;
  uint32_t flags;                /* of FLX_CALL_...; read by FLX_CALL_HAS */
  /* Not null: this call is recorded and will run many times, each time with other random numbers. Memory of the device with two words, read when the work
   * runs: what is to be added to seed and to ticket. */
  const uint64_t *parameters;
} flx_device_call;

/* What the user's options allow. */
enum {
  FLX_CALL_TF32_PRODUCTS = 1,     /* float32 matrix products may use TF32 */
  FLX_CALL_TF32_CONVOLUTIONS = 2, /* and convolutions */
  FLX_CALL_DETERMINISTIC = 4,     /* the same bits each time, or FLX_DEVICE_NOT_DETERMINISTIC */
  FLX_CALL_AUTOTUNE = 8,          /* a library's algorithms may be measured before one is chosen */
  FLX_CALL_CUDNN_ALL = 16,        /* cuDNN also where the module's own kernels are thought to be as good */
  FLX_CALL_NO_CUDNN = 32          /* nowhere */
};
/* A library of before a field gives a shorter call. */
#define FLX_CALL_HOLDS(call, field) ((call)->size >= offsetof(flx_device_call, field) + sizeof((call)->field))
#define FLX_CALL_HAS(call, flag) (FLX_CALL_HOLDS(call, flags) && ((call)->flags & (flag)) != 0)

/* Returns FLX_DEVICE_OK; FLX_DEVICE_NO_KERNEL if it does not serve these dtypes or shapes, FLX_DEVICE_NOT_DETERMINISTIC if it does, but not with the same
 * bits each time as the call demands (both having done nothing); or what failed. */
typedef int32_t (*flx_device_kernel_function)(flx_device_queue *q, const flx_device_call *call);

#ifdef __cplusplus
}
#endif
#endif

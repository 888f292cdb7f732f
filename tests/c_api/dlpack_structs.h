/* SPDX-License-Identifier: Apache-2.0
 * DLPack's structs as a consumer writes them, by its specification: what the tests hold the library's against. */
#ifndef FLEXOR_TESTS_DLPACK_STRUCTS_H_
#define FLEXOR_TESTS_DLPACK_STRUCTS_H_
#include <stdint.h>
typedef struct {
  void *data;
  int32_t device[2], ndim;
  uint8_t code, bits;
  uint16_t lanes;
  int64_t *shape, *strides;
  uint64_t offset;
} dlpack_tensor;
typedef struct dlpack_versioned {
  uint32_t major, minor;
  void *context;
  void (*drop)(struct dlpack_versioned *);
  uint64_t flags;
  dlpack_tensor t;
} dlpack_versioned;
typedef struct dlpack_legacy {
  dlpack_tensor t;
  void *context;
  void (*drop)(struct dlpack_legacy *);
} dlpack_legacy;
#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * Arguments with which each function of the table succeeds, found by the names and types of the arguments. */
#ifndef FLEXOR_TESTS_ABI_VALUES_H_
#define FLEXOR_TESTS_ABI_VALUES_H_
#include "abi_table.h"
#include "harness.h"

enum { ABI_OUT_BYTES = 64 };
typedef struct {
  const abi_function *f;
  abi_value v[ABI_MAX_ARGS];
  unsigned char out[ABI_MAX_ARGS][ABI_OUT_BYTES]; /* behind the out-pointers */
  flx_ndarray arrays[ABI_MAX_ARGS][2];
  const char *texts[ABI_MAX_ARGS][2];
  char *data;
  flx_ndarray x, y; /* y = relu(x), recorded */
} abi_call;

void abi_make(abi_call *c, const abi_function *f); /* new handles; out-parameters hold a pattern */
void abi_clean(abi_call *c);                        /* frees what abi_make and a successful call made */
void abi_give_back(abi_call *c);                    /* frees what a successful call made and restores the pattern */
int abi_outs_untouched(const abi_call *c);
/* Whether the header says that this argument may be null. */
int abi_null_allowed(const abi_function *f, int arg);
/* Every rule of this file is still in use: names what is not, and counts it. */
int abi_stale_rules(void);
#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * Every function of the C ABI, callable by number. abi_table.py writes the table from the headers. */
#ifndef FLEXOR_TESTS_ABI_TABLE_H_
#define FLEXOR_TESTS_ABI_TABLE_H_
#include <flexor/c_api.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef union {
  void *p;
  int64_t i;
  double d;
} abi_value;
typedef enum {
  ABI_INT32, ABI_INT64, ABI_DOUBLE, ABI_TEXT, ABI_OWN_TEXT, ABI_TEXTS, ABI_DIMS, ABI_SCALARS, ABI_DATA, ABI_BUFFER, ABI_ARRAYS, ABI_HANDLE, ABI_ANY_HANDLE,
  ABI_CALLBACK, ABI_POINTER, /* a function of the caller's, and what is handed to it */
  ABI_OUT, ABI_OUT_TEXT /* the caller's */, ABI_OUT_BORROWED, ABI_OUT_HANDLE, ABI_OUT_DIMS, ABI_OUT_ARRAYS
} abi_class;
typedef struct {
  const char *name;
  abi_class what;
  const char *kind; /* of a handle; "" */
  int bytes;        /* behind an out-pointer, for one element */
  int count;        /* the argument that counts this one's elements; -1 */
} abi_arg;
typedef struct {
  const char *name;
  int nargs;
  int fails; /* whether it returns a status */
  const abi_arg *args;
  flx_status (*call)(const abi_value *values);
  const char *comment; /* the header's */
} abi_function;
enum { ABI_MAX_ARGS = 16 };

extern const abi_function abi_functions[];
extern const int abi_function_count;

#ifdef __cplusplus
}
#endif
#endif

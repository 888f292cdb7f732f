/* SPDX-License-Identifier: Apache-2.0
 *
 * Plugins that do not link the library. ODD says what is odd about one: NEWER, FAILING, INITLESS; else all is well: its operator, odd_identity, is registered with
 * functions that it was handed. */
#include <flexor/c_api_native.h>
#include <string.h>

#define NEWER 1
#define FAILING 2
#define INITLESS 3
#define UNLINKED 4

int32_t flx_plugin_abi(void) { return ODD == NEWER ? FLX_ABI_VERSION + 1 : FLX_ABI_VERSION; }

#if ODD != INITLESS
/* The header's prototypes give the types; nothing is linked. */
static __typeof__(&flx_native_op_create) create;
static __typeof__(&flx_native_op_input) add_input;
static __typeof__(&flx_native_op_output) add_output;
static __typeof__(&flx_native_op_shape) set_shape;
static __typeof__(&flx_native_op_kernel) set_kernel;
static __typeof__(&flx_native_op_register) put;
static __typeof__(&flx_native_fail) fail;
static __typeof__(&flx_free) release;
/* The functions of one copy of the library for each copy that loads this plugin: its callbacks may be called by either. */
typedef struct {
  __typeof__(&flx_context_input) input;
  __typeof__(&flx_context_output_set) set;
  __typeof__(&flx_context_input_data) from;
  __typeof__(&flx_context_output_data) to;
} library;
static library libraries[2];
static int count;

static flx_status shape(flx_context c, void *user) {
  const library *l = user;
  int32_t dtype, ndim;
  const int64_t *dims;
  flx_status s = l->input(c, 0, &dtype, &dims, &ndim);
  return s ? s : l->set(c, 0, dtype, dims, ndim);
}
static flx_status kernel(flx_context c, void *user) {
  const library *l = user;
  const void *in;
  void *out;
  int64_t n;
  flx_status s = l->from(c, 0, &in, &n);
  if (!s) s = l->to(c, 0, &out, &n);
  if (!s) memcpy(out, in, (size_t)n);
  return s;
}
#define GET(to, name) ((to) = (__typeof__(to))resolve(name))
flx_status flx_plugin_init(flx_resolve_fn resolve) {
  library *l = &libraries[count++ % 2];
  flx_native_op op = 0;
  flx_status s;
  if (resolve("flx_no_such_function") || resolve("malloc") || resolve(0)) return 77;
  if (!GET(fail, "flx_native_fail")) return 78;
  if (ODD == FAILING) return fail(FLX_ERROR_DEVICE, "no camera is attached");
  GET(create, "flx_native_op_create"), GET(add_input, "flx_native_op_input"), GET(add_output, "flx_native_op_output"), GET(set_shape, "flx_native_op_shape");
  GET(set_kernel, "flx_native_op_kernel"), GET(put, "flx_native_op_register"), GET(release, "flx_free"), GET(l->input, "flx_context_input");
  GET(l->set, "flx_context_output_set"), GET(l->from, "flx_context_input_data"), GET(l->to, "flx_context_output_data");
  s = create("odd_identity", &op);
  if (!s) s = add_input(op, "data", "Any array.");
  if (!s) s = add_output(op, "output", "The same.");
  if (!s) s = set_shape(op, shape, l, 0);
  if (!s) s = set_kernel(op, 0, kernel, l, 0);
  if (!s) s = put(op);
  release(op);
  return s;
}
#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * c_api_native.h from C11: bad handles of every function, contexts out of their time, thread and place, and arguments that are refused before anything is
 * read. Nothing may have been taken over then: no drop is called. */
#include <flexor/c_api_native.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "native_cases.h"

static int wrong;
#define EXPECT(condition) ((condition) ? (void)0 : (void)(++wrong, fprintf(stderr, "%s:%d: expected %s\n", __FILE__, __LINE__, #condition)))
static void expect_status(flx_status want, flx_status got, const char *who, int line) {
  if (got == want && (got == FLX_OK || strstr(flx_last_error(), who))) return;
  ++wrong;
  fprintf(stderr, "%s:%d: expected status %d, got %d: %s\n", __FILE__, line, (int)want, (int)got, got == FLX_OK ? "ok" : flx_last_error());
}
#define EXPECT_OK(call) expect_status(FLX_OK, (call), "", __LINE__)
#define EXPECT_STATUS(want, call) expect_status((want), (call), "", __LINE__)

enum { NATIVE_OP, CONTEXT, NDARRAY };
static int drops, user;
static void count_drop(void *p) { drops += p == &user; }
static flx_status callback(flx_context c, void *p) { return (void)c, (void)p, FLX_OK; }
static void loop(int64_t begin, int64_t end, void *p) { (void)begin, (void)end, (void)p; }
static const int64_t sizes[1] = {3}, one = 1;
static flx_ndarray good;
static struct {
  const char *text;
  double number;
  const int64_t *dims;
  int32_t n, dtype;
  const void *in;
  void *out;
  int64_t nbytes, value;
} o;

static flx_ndarray make_array(void) {
  flx_ndarray a = NULL;
  EXPECT_OK(flx_ndarray_create_full(sizes, 1, FLX_FLOAT32, NULL, 2, &a));
  return a;
}
static flx_native_op make_op(const char *name) {
  flx_native_op op = NULL;
  EXPECT_OK(flx_native_op_create(name, &op));
  return op;
}

/* ---- an operator whose callbacks try what they may not */
static flx_context stale;
static void *use_elsewhere(void *context) {
  flx_status *result = context;
  *result = flx_context_count(stale, "inputs", &o.n);
  return NULL;
}
static flx_status shape_rule(flx_context c, void *p) {
  const int64_t *dims;
  int32_t dtype, ndim, n = 7;
  int64_t nbytes = 7, value = 7;
  const void *data = NULL;
  void *room = NULL;
  (void)p;
  EXPECT_OK(flx_context_input(c, 0, &dtype, &dims, &ndim));
  EXPECT_STATUS(FLX_ERROR_STATE, flx_context_output(c, 0, &dtype, &dims, &n)); /* not set yet */
  EXPECT_STATUS(FLX_ERROR_INDEX, flx_context_input(c, 1, &dtype, &dims, &n));
  EXPECT_STATUS(FLX_ERROR_INDEX, flx_context_input(c, -1, &dtype, &dims, &n));
  EXPECT_STATUS(FLX_ERROR_STATE, flx_context_input_data(c, 0, &data, &nbytes)); /* a kernel's */
  EXPECT_STATUS(FLX_ERROR_STATE, flx_context_workspace(c, 8, &room));
  EXPECT_STATUS(FLX_ERROR_STATE, flx_gradient_input(c, 0, &value)); /* a gradient's */
  EXPECT_STATUS(FLX_ERROR_INDEX, flx_context_output_set(c, 1, dtype, dims, ndim));
  EXPECT_STATUS(FLX_ERROR_TYPE, flx_context_output_set(c, 0, 99, dims, ndim));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_context_output_set(c, 0, dtype, NULL, 1));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_context_output_set(c, 0, dtype, dims, FLX_MAX_NDIM + 1));
  EXPECT(n == 7 && nbytes == 7 && value == 7 && !data && !room);
  EXPECT_OK(flx_context_output_set(c, 0, dtype, dims, ndim));
  EXPECT_OK(flx_context_output(c, 0, &dtype, &dims, &n));
  EXPECT(n == ndim);
  return FLX_OK;
}
static flx_status kernel(flx_context c, void *p) {
  const char *text = NULL, *kind = "";
  const void *in = NULL;
  void *out = NULL, *room = NULL, *stream = &room;
  const int64_t *values = NULL;
  int64_t nbytes = 0;
  int32_t n = 7, ready = 7;
  double number = 7;
  pthread_t thread;
  flx_status elsewhere = FLX_OK;
  (void)p;
  stale = c;
  EXPECT_OK(flx_handle_kind(c, &kind));
  EXPECT(strcmp(kind, "context") == 0);
  EXPECT(pthread_create(&thread, NULL, use_elsewhere, &elsewhere) == 0 && pthread_join(thread, NULL) == 0);
  EXPECT(elsewhere == FLX_ERROR_STATE);
  EXPECT_OK(flx_context_attr(c, "kernel", &text));
  EXPECT(strcmp(text, "(2, 3)") == 0);
  EXPECT_OK(flx_context_integers(c, "kernel", &values, &n));
  EXPECT(n == 2 && values[0] == 2 && values[1] == 3);
  EXPECT_OK(flx_context_integers(c, "width", &values, &n));
  EXPECT(n == 1 && values[0] == 9007199254740993);
  EXPECT_OK(flx_context_number(c, "beta", &number));
  EXPECT(number == 0.1);
  EXPECT_OK(flx_context_number(c, "on", &number));
  EXPECT(number == 1);
  EXPECT_STATUS(FLX_ERROR_TYPE, flx_context_number(c, "word", &number));
  EXPECT_STATUS(FLX_ERROR_TYPE, flx_context_integers(c, "beta", &values, &n));
  EXPECT_STATUS(FLX_ERROR_NAME, flx_context_attr(c, "beat", &text));
  EXPECT(strstr(flx_last_error(), "beta"));
  EXPECT_STATUS(FLX_ERROR_NAME, flx_context_count(c, "input", &n));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_context_workspace(c, -1, &room));
  EXPECT_STATUS(FLX_ERROR_MEMORY, flx_context_workspace(c, INT64_MAX, &room));
  EXPECT_OK(flx_context_workspace(c, 1000, &room));
  EXPECT((uintptr_t)room % 64 == 0);
  memset(room, 1, 1000);
  EXPECT_OK(flx_context_stream(c, &stream));
  EXPECT(stream == NULL);
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_context_parallel(c, 8, 0, loop, NULL));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_context_parallel(c, -1, 2, loop, NULL));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_context_parallel(c, 8, 2, NULL, NULL));
  EXPECT_STATUS(FLX_ERROR_STATE, flx_ndarray_wait(good, 0, &ready)); /* it holds the array: waiting for it would be for ever */
  EXPECT_STATUS(FLX_ERROR_STATE, flx_wait_all(-1, &ready));
  EXPECT(ready == 7);
  EXPECT_STATUS(FLX_ERROR_STATE, flx_context_output_set(c, 0, FLX_FLOAT32, sizes, 1));
  EXPECT_OK(flx_context_input_data(c, 0, &in, &nbytes));
  EXPECT_OK(flx_context_output_data(c, 0, &out, &nbytes));
  memcpy(out, in, (size_t)nbytes);
  return FLX_OK;
}
static flx_status gradient(flx_context c, void *p) {
  int64_t dy = 0, value = 7, two[2];
  int32_t n = 0, dtype, wanted = 0;
  const int64_t *dims;
  const char *const key[1] = {"no_such"}, *const text[1] = {"1"};
  (void)p;
  EXPECT_STATUS(FLX_ERROR_INDEX, flx_gradient_head(c, 1, &dy));
  EXPECT_OK(flx_gradient_head(c, 0, &dy));
  EXPECT_OK(flx_gradient_head(c, 0, &value));
  EXPECT(dy > 0 && value == dy);
  value = 7;
  EXPECT_STATUS(FLX_ERROR_INDEX, flx_gradient_set(c, 0, 0));
  EXPECT_STATUS(FLX_ERROR_INDEX, flx_gradient_set(c, 0, 99));
  EXPECT_STATUS(FLX_ERROR_INDEX, flx_gradient_set(c, 1, dy));
  EXPECT_STATUS(FLX_ERROR_NAME, flx_gradient_call(c, "no_such_operator", &dy, 1, NULL, NULL, 0, &value, 1, &n));
  EXPECT_STATUS(FLX_ERROR_NAME, flx_gradient_call(c, "relu", &dy, 1, key, text, 1, &value, 1, &n));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_gradient_call(c, "relu", &dy, 1, NULL, NULL, 0, &value, 0, &n));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_gradient_call(c, "relu", NULL, 1, NULL, NULL, 0, &value, 1, &n));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_gradient_call(c, "relu", &dy, -1, NULL, NULL, 0, &value, 1, &n));
  two[0] = dy, two[1] = dy;
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_gradient_call(c, "relu", two, 2, NULL, NULL, 0, &value, 1, &n));
  two[1] = -3;
  EXPECT_STATUS(FLX_ERROR_INDEX, flx_gradient_call(c, "broadcast_add", two, 2, NULL, NULL, 0, &value, 1, &n));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_gradient_scalar(c, "broadcast_add", dy, 2, &value));
  EXPECT(value == 7);
  EXPECT_OK(flx_gradient_call(c, "_np_sum", &dy, 1, NULL, NULL, 0, &value, 1, &n));
  EXPECT_OK(flx_gradient_describe(c, value, &dtype, &dims, &n));
  EXPECT(dtype == FLX_FLOAT32 && n == 0);
  EXPECT_STATUS(FLX_ERROR_SHAPE, flx_gradient_set(c, 0, value));
  EXPECT_OK(flx_gradient_wanted(c, 0, &wanted));
  EXPECT(wanted == 1);
  EXPECT_STATUS(FLX_ERROR_STATE, flx_context_workspace(c, 8, &o.out));
  return flx_gradient_set(c, 0, dy);
}
static void test_callbacks(void) {
  flx_native_op op = make_op("test_callbacks");
  flx_ndarray x = make_array(), y = NULL, dx = NULL;
  float got[3] = {0, 0, 0};
  int32_t n = 0, ready = 0;
  const char *const key[1] = {"kernel"}, *const value[1] = {"(2, 3)"};
  good = x;
  EXPECT_OK(flx_native_op_input(op, "data", "Any array."));
  EXPECT_OK(flx_native_op_output(op, "output", "The same."));
  EXPECT_OK(flx_native_op_attr(op, "kernel", "tuple of int", NULL, "Must be given."));
  EXPECT_OK(flx_native_op_attr(op, "width", "int", "9007199254740993", "More than a double holds."));
  EXPECT_OK(flx_native_op_attr(op, "beta", "double", "0.1", "A number."));
  EXPECT_OK(flx_native_op_attr(op, "on", "boolean", "True", "A switch."));
  EXPECT_OK(flx_native_op_attr(op, "word", "string", "", "A text."));
  EXPECT_OK(flx_native_op_shape(op, shape_rule, NULL, NULL));
  EXPECT_OK(flx_native_op_kernel(op, NULL, kernel, NULL, NULL));
  EXPECT_OK(flx_native_op_gradient(op, gradient, NULL, NULL));
  EXPECT_OK(flx_native_op_register(op));
  EXPECT_STATUS(FLX_ERROR_STATE, flx_native_op_register(op));
  EXPECT_STATUS(FLX_ERROR_STATE, flx_native_op_text(op, "doc", "too late"));
  flx_free(op);
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_invoke("test_callbacks", 0, &x, 1, NULL, NULL, 0, &y, 1, &n)); /* kernel= is missing */
  EXPECT_OK(flx_autograd_attach(x, "write", NULL));
  EXPECT_OK(flx_invoke("test_callbacks", FLX_RECORD, &x, 1, key, value, 1, &y, 1, &n));
  EXPECT_OK(flx_ndarray_read(y, got, sizeof got, FLX_FLOAT32, FLX_ROW_MAJOR, -1, &ready));
  EXPECT(got[0] == 2 && got[2] == 2);
  EXPECT_OK(flx_autograd_backward(&y, 1, NULL, 0, 0));
  EXPECT_OK(flx_autograd_grad(x, &dx));
  EXPECT_OK(flx_ndarray_read(dx, got, sizeof got, FLX_FLOAT32, FLX_ROW_MAJOR, -1, &ready));
  EXPECT(got[0] == 1);
  flx_free(x), flx_free(y), flx_free(dx);
}

/* ---- bad handles */
static int case_kind;
static void *bad_handle(int variant) {
  flx_native_op op = NULL;
  flx_ndarray array = NULL;
  void *h = NULL;
  switch (variant) {
    case 0: return NULL;
    case 1: return &wrong; /* an address */
    case 2: return (void *)(uintptr_t)0x1300000100000000u;
    case 3: return (void *)(uintptr_t)0x1400ffff00000007u;
    case 4: /* freed */
      if (case_kind == CONTEXT) return stale;
      if (case_kind == NATIVE_OP) h = op = make_op("never_registered");
      else h = array = make_array();
      flx_free(h);
      return h;
    default: /* of another kind, alive */ return case_kind == NDARRAY ? (void *)make_op("never_registered_either") : (void *)good;
  }
}
static void test_bad_handles(void) {
  int64_t before = 0, after = 0;
  good = make_array();
  EXPECT(stale != NULL);
  EXPECT_OK(flx_handle_live(NULL, &before));
  for (int variant = 0; variant < 6; ++variant) {
#define CASE(kind, function, call)                                           \
  {                                                                          \
    case_kind = kind;                                                        \
    void *h = bad_handle(variant);                                           \
    memset(&o, 0, sizeof o);                                                 \
    expect_status(FLX_ERROR_HANDLE, (call), #function, __LINE__);            \
    EXPECT(!o.text && !o.number && !o.dims && !o.n && !o.dtype && !o.in && !o.out && !o.nbytes && !o.value); \
    flx_free(kind == NDARRAY && variant == 5 ? h : NULL);                    \
  }
    NATIVE_HANDLE_CASES(CASE)
#undef CASE
  }
  EXPECT_OK(flx_handle_live(NULL, &after));
  EXPECT(before == after);
  flx_free(good);
}

static void test_arguments(void) {
  int64_t before = 0, after = 0;
  flx_native_op op = NULL, refused = NULL;
  flx_ndarray a = make_array(), made = NULL;
  float memory[4] = {1, 2, 3, 4};
  const int64_t negative[1] = {-2};
  EXPECT_OK(flx_handle_live(NULL, &before));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_native_op_create(NULL, &refused));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_native_op_create("test_unmade", NULL));
  EXPECT_STATUS(FLX_ERROR_NAME, flx_native_op_create("", &refused));
  EXPECT_STATUS(FLX_ERROR_NAME, flx_native_op_create("2fast", &refused));
  EXPECT_STATUS(FLX_ERROR_NAME, flx_native_op_create("with space", &refused));
  EXPECT_STATUS(FLX_ERROR_NAME, flx_native_op_create("caf\xc3\xa9", &refused));
  EXPECT_STATUS(FLX_ERROR_NAME, flx_native_op_create("relu", &refused));
  EXPECT_STATUS(FLX_ERROR_NAME, flx_native_op_create("Flatten", &refused));
  EXPECT(refused == NULL);
  op = make_op("test_arguments");
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_native_op_text(op, NULL, "x"));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_native_op_text(op, "doc", NULL));
  EXPECT_STATUS(FLX_ERROR_NAME, flx_native_op_text(op, "docs", "x"));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_native_op_input(op, NULL, "x"));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_native_op_input(op, "data", NULL));
  EXPECT_OK(flx_native_op_input(op, "data", "x"));
  EXPECT_STATUS(FLX_ERROR_NAME, flx_native_op_input(op, "data", "again"));
  EXPECT_STATUS(FLX_ERROR_NAME, flx_native_op_attr(op, "data", "int", "1", "an input has the name"));
  EXPECT_STATUS(FLX_ERROR_TYPE, flx_native_op_attr(op, "beta", "float17", "1", "no such type"));
  EXPECT_STATUS(FLX_ERROR_TYPE, flx_native_op_attr(op, "beta", "double", "one", "no such number"));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_native_op_attr(op, "beta", NULL, "1", "x"));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_native_op_shape(op, NULL, &user, count_drop));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_native_op_kernel(op, "cpu", NULL, &user, count_drop));
  EXPECT_STATUS(FLX_ERROR_UNSUPPORTED, flx_native_op_kernel(op, "gpu", callback, &user, count_drop));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_native_op_gradient(op, NULL, &user, count_drop));
  for (int i = 1; i < 16; ++i) {
    char name[16];
    snprintf(name, sizeof name, "x%d", i);
    EXPECT_OK(flx_native_op_input(op, name, "x"));
  }
  EXPECT_STATUS(FLX_ERROR_UNSUPPORTED, flx_native_op_input(op, "x16", "one too many"));
  flx_free(op);
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_engine_push(NULL, &user, count_drop, NULL, NULL, 0, NULL, 0, 0));
  EXPECT_STATUS(FLX_ERROR_NAME, flx_engine_push(callback, &user, count_drop, "fast", NULL, 0, NULL, 0, 0));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_engine_push(callback, &user, count_drop, NULL, NULL, 1, NULL, 0, 0));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_engine_push(callback, &user, count_drop, NULL, NULL, 0, NULL, -1, 0));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_engine_push(callback, &user, count_drop, NULL, NULL, 0, &a, FLX_MAX_COUNT + 1, 0));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_ndarray_from_memory(memory, sizes, 1, FLX_FLOAT32, NULL, &user, count_drop, NULL));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_ndarray_from_memory(NULL, sizes, 1, FLX_FLOAT32, NULL, &user, count_drop, &made));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_ndarray_from_memory(memory, NULL, 1, FLX_FLOAT32, NULL, &user, count_drop, &made));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_ndarray_from_memory((char *)memory + 1, sizes, 1, FLX_FLOAT32, NULL, &user, count_drop, &made));
  EXPECT_STATUS(FLX_ERROR_SHAPE, flx_ndarray_from_memory(memory, negative, 1, FLX_FLOAT32, NULL, &user, count_drop, &made));
  EXPECT_STATUS(FLX_ERROR_TYPE, flx_ndarray_from_memory(memory, sizes, 1, -1, NULL, &user, count_drop, &made));
  EXPECT_STATUS(FLX_ERROR_DEVICE, flx_ndarray_from_memory(memory, sizes, 1, FLX_FLOAT32, "nowhere", &user, count_drop, &made));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_plugin_load(NULL));
  EXPECT_STATUS(FLX_ERROR_HOST, flx_native_fail(FLX_OK, "zero is no failure"));
  EXPECT(strcmp(flx_last_error(), "zero is no failure") == 0);
  EXPECT_STATUS(FLX_ERROR_HOST, flx_native_fail(12345, NULL));
  EXPECT_STATUS(FLX_ERROR_SHAPE, flx_native_fail(FLX_ERROR_SHAPE, "%s is no format"));
  EXPECT(strcmp(flx_last_error(), "%s is no format") == 0);
  EXPECT(made == NULL);
  EXPECT_OK(flx_handle_live(NULL, &after));
  EXPECT(before == after);
  flx_free(a);
}

int main(void) {
  int32_t ready = 0;
  test_callbacks();
  test_bad_handles();
  test_arguments();
  EXPECT_OK(flx_wait_all(-1, &ready));
  EXPECT(drops == 0); /* no failed call took anything over */
  if (wrong) return fprintf(stderr, "%d expectations failed\n", wrong), 1;
  printf("3 passed, 0 failed\n");
  return 0;
}

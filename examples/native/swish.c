/* SPDX-License-Identifier: Apache-2.0
 *
 * A plugin of Flexor in C11: the operator example_swish, x * sigmoid(beta * x), with a kernel of its own and a gradient written with operators, so that second
 * derivatives come of themselves. CMakeLists.txt builds it from an installed Flexor; any program then takes it with flx_plugin_load(path). */
#include <flexor/c_api_native.h>
#include <math.h>

/* A library function that failed has left its message: its status is all that is to be handed on. */
#define TRY(call)                        \
  do {                                   \
    flx_status status_ = (call);         \
    if (status_ != FLX_OK) return status_; \
  } while (0)

/* The result is like the input; only floating dtypes are taken. */
static flx_status swish_shape(flx_context c, void *user) {
  int32_t dtype, ndim;
  const int64_t *dims;
  (void)user;
  TRY(flx_context_input(c, 0, &dtype, &dims, &ndim));
  if (dtype != FLX_FLOAT32 && dtype != FLX_FLOAT64)
    return flx_native_fail(FLX_ERROR_TYPE, "`data` must be float32 or float64. Cast it first (operator Cast).");
  return flx_context_output_set(c, 0, dtype, dims, ndim);
}

typedef struct {
  const void *x;
  void *y;
  double beta;
} swish_work;
static void swish_float(int64_t begin, int64_t end, void *user) {
  const swish_work *w = user;
  const float *x = w->x, beta = (float)w->beta;
  float *y = w->y;
  for (int64_t i = begin; i < end; ++i) y[i] = x[i] / (1.0f + expf(-beta * x[i]));
}
static void swish_double(int64_t begin, int64_t end, void *user) {
  const swish_work *w = user;
  const double *x = w->x;
  double *y = w->y;
  for (int64_t i = begin; i < end; ++i) y[i] = x[i] / (1.0 + exp(-w->beta * x[i]));
}
static flx_status swish_kernel(flx_context c, void *user) {
  swish_work w;
  int32_t dtype, ndim;
  const int64_t *dims;
  int64_t nbytes;
  (void)user;
  TRY(flx_context_input(c, 0, &dtype, &dims, &ndim));
  TRY(flx_context_input_data(c, 0, &w.x, &nbytes));
  TRY(flx_context_output_data(c, 0, &w.y, &nbytes));
  TRY(flx_context_number(c, "beta", &w.beta));
  if (dtype == FLX_FLOAT32) return flx_context_parallel(c, nbytes / 4, 4096, swish_float, &w);
  return flx_context_parallel(c, nbytes / 8, 4096, swish_double, &w);
}

static flx_status binary(flx_context c, const char *name, int64_t a, int64_t b, int64_t *out) {
  const int64_t in[2] = {a, b};
  int32_t n;
  return flx_gradient_call(c, name, in, 2, 0, 0, 0, out, 1, &n);
}
/* With s = sigmoid(beta x) the derivative is s + beta y (1 - s): y is asked for by value, so that it and x are what backward keeps. */
static flx_status swish_gradient(flx_context c, void *user) {
  int64_t x, y, dy, s, rest, slope;
  int32_t n;
  double beta;
  (void)user;
  TRY(flx_context_number(c, "beta", &beta));
  TRY(flx_gradient_input(c, 0, &x));
  TRY(flx_gradient_output(c, 0, &y));
  TRY(flx_gradient_head(c, 0, &dy));
  TRY(flx_gradient_scalar(c, "_mul_scalar", x, beta, &s));
  TRY(flx_gradient_call(c, "sigmoid", &s, 1, 0, 0, 0, &s, 1, &n));
  TRY(flx_gradient_scalar(c, "_rminus_scalar", s, 1, &rest));
  TRY(binary(c, "broadcast_mul", y, rest, &slope));
  TRY(flx_gradient_scalar(c, "_mul_scalar", slope, beta, &slope));
  TRY(binary(c, "broadcast_add", s, slope, &slope));
  TRY(binary(c, "broadcast_mul", dy, slope, &slope));
  return flx_gradient_set(c, 0, slope);
}

static flx_status describe(flx_native_op op) {
  TRY(flx_native_op_text(op, "doc", "x * sigmoid(beta * x), element by element (Ramachandran and others, 2017)."));
  TRY(flx_native_op_input(op, "data", "A float32 or float64 array."));
  TRY(flx_native_op_output(op, "output", "Of the input's shape and dtype."));
  TRY(flx_native_op_attr(op, "beta", "double", "1", "How sharp the bend is."));
  TRY(flx_native_op_shape(op, swish_shape, 0, 0));
  TRY(flx_native_op_kernel(op, "cpu", swish_kernel, 0, 0));
  TRY(flx_native_op_gradient(op, swish_gradient, 0, 0));
  return flx_native_op_register(op);
}

int32_t flx_plugin_abi(void) { return FLX_ABI_VERSION; }
flx_status flx_plugin_init(flx_resolve_fn resolve) {
  flx_native_op op = 0;
  flx_status status;
  (void)resolve; /* this plugin links the library */
  TRY(flx_native_op_create("example_swish", &op));
  status = describe(op);
  flx_free(op);
  return status;
}

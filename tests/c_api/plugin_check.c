/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin_check PLUGIN SCRATCH: loads the plugin of examples/native into a program that links the library, and checks all that its operator promises. Also run
 * on a plugin that was built outside the tree (tests/install). */
#include <flexor/c_api.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int wrong, checks;
#define EXPECT(condition) (++checks, (condition) ? (void)0 : (void)(++wrong, fprintf(stderr, "%s:%d: expected %s; last error: %s\n", __FILE__, __LINE__, #condition, flx_last_error())))
#define NEED(call)                                                                        \
  do {                                                                                    \
    if ((call) != FLX_OK) {                                                               \
      fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call, flx_last_error());    \
      exit(1);                                                                            \
    }                                                                                     \
  } while (0)
static int says(const char *part) { return strstr(flx_last_error(), part) != NULL; }

enum { N = 9 };
static const double BETA = 1.5;
static const char *const beta_key[1] = {"beta"}, *const beta_value[1] = {"1.5"};
static double swish(double x) { return x / (1 + exp(-BETA * x)); }

static flx_ndarray make(const double *x, int64_t n, int32_t dtype) {
  flx_ndarray a = NULL;
  NEED(flx_ndarray_create_from(x, n * 8, FLX_FLOAT64, FLX_ROW_MAJOR, &n, 1, dtype, NULL, &a));
  return a;
}
static void values(flx_ndarray a, double *out, int64_t n) {
  int32_t ready = 0;
  NEED(flx_ndarray_read(a, out, n * 8, FLX_FLOAT64, FLX_ROW_MAJOR, -1, &ready));
}
static flx_ndarray run(flx_ndarray x, int32_t mode) {
  flx_ndarray y = NULL;
  int32_t n = 0;
  NEED(flx_invoke("example_swish", mode, &x, 1, beta_key, beta_value, 1, &y, 1, &n));
  return y;
}
static flx_ndarray gradient(flx_ndarray y, flx_ndarray x, int32_t mode) {
  flx_ndarray g = NULL;
  int32_t n = 0;
  NEED(flx_autograd_gradients(&y, 1, NULL, 0, &x, 1, mode, &g, 1, &n));
  return g;
}

static void check_numbers(void) {
  double x[N], y[N], first[N], second[N];
  const double h = 1e-5;
  for (int i = 0; i < N; ++i) x[i] = (i - 4) * 0.7;
  for (int32_t dtype = FLX_FLOAT32; dtype <= FLX_FLOAT64; ++dtype) {
    flx_ndarray a = make(x, N, dtype), b = run(a, 0);
    values(b, y, N);
    for (int i = 0; i < N; ++i) EXPECT(fabs(y[i] - swish(x[i])) < (dtype == FLX_FLOAT32 ? 1e-6 : 1e-15));
    flx_free(a), flx_free(b);
  }
  flx_ndarray a = make(x, N, FLX_FLOAT64), b, g, gg;
  NEED(flx_autograd_attach(a, "write", NULL));
  b = run(a, FLX_RECORD);
  g = gradient(b, a, FLX_CREATE_GRAPH);
  gg = gradient(g, a, 0);
  values(g, first, N);
  values(gg, second, N);
  for (int i = 0; i < N; ++i) {
    EXPECT(fabs(first[i] - (swish(x[i] + h) - swish(x[i] - h)) / (2 * h)) < 1e-9);
    EXPECT(fabs(second[i] - (swish(x[i] + 100 * h) - 2 * swish(x[i]) + swish(x[i] - 100 * h)) / (1e4 * h * h)) < 1e-5);
  }
  flx_free(a), flx_free(b), flx_free(g), flx_free(gg);
}

/* Queued, behind others, on an array of many parts; by the prepared call. */
static void check_queued(void) {
  enum { MANY = 50000 };
  double *x = malloc(MANY * sizeof *x), *y = malloc(MANY * sizeof *y);
  flx_call call = NULL;
  flx_ndarray a, b = NULL, c = NULL;
  for (int i = 0; i < MANY; ++i) x[i] = (i % 101 - 50) * 0.1;
  NEED(flx_config_set("FLEXOR_ENGINE", "threaded"));
  NEED(flx_call_create("example_swish", beta_key, beta_value, 1, &call));
  a = make(x, MANY, FLX_FLOAT64);
  NEED(flx_call_unary(call, 0, a, &b));
  NEED(flx_call_unary(call, 0, b, &c));
  values(c, y, MANY);
  for (int i = 0; i < MANY; i += 997) EXPECT(fabs(y[i] - swish(swish(x[i]))) < 1e-14);
  NEED(flx_config_set("FLEXOR_ENGINE", "auto"));
  flx_free(call), flx_free(a), flx_free(b), flx_free(c);
  free(x), free(y);
}

static void check_errors(void) {
  const double x[2] = {1, 2};
  const char *const bad[1] = {"gamma"}, *const word[1] = {"steep"};
  flx_ndarray a = make(x, 2, FLX_FLOAT32), b = make(x, 2, FLX_INT32), both[2], y = NULL, small = NULL;
  int32_t n = 0;
  const int64_t three = 3;
  both[0] = both[1] = a;
  EXPECT(flx_invoke("example_swish", 0, &b, 1, NULL, NULL, 0, &y, 1, &n) == FLX_ERROR_TYPE && says("[example_swish] `data` must be float32 or float64"));
  EXPECT(flx_invoke("example_swish", 0, both, 2, NULL, NULL, 0, &y, 1, &n) == FLX_ERROR_ARGUMENT && says("expected 1 input (data), given 2"));
  EXPECT(flx_invoke("example_swish", 0, &a, 1, bad, word, 1, &y, 1, &n) == FLX_ERROR_NAME && says("no attribute is named `gamma`"));
  EXPECT(flx_invoke("example_swish", 0, &a, 1, beta_key, word, 1, &y, 1, &n) == FLX_ERROR_ARGUMENT && says("attribute `beta` must be a number"));
  NEED(flx_ndarray_create(&three, 1, FLX_FLOAT32, NULL, &small));
  EXPECT(flx_invoke_into("example_swish", 0, &a, 1, NULL, NULL, 0, &small, 1) == FLX_ERROR_SHAPE && says("example_swish"));
  EXPECT(y == NULL);
  flx_free(a), flx_free(b), flx_free(small);
}

static flx_layer layer(const char *kind, int32_t n, const char *const *keys, const char *const *settings) {
  flx_layer made = NULL;
  NEED(flx_layer_create(kind, NULL, keys, settings, n, &made));
  return made;
}
static void check_training(const char *scratch) {
  const char *const op[2] = {"op", "attrs"}, *const swish_layer[2] = {"example_swish", "beta=1.5"}, *const units[1] = {"units"}, *const eight[1] = {"8"}, *const one[1] = {"1"};
  const char *const keys[2] = {"epochs", "seed"}, *const settings[2] = {"300", "1"}, *const rate[1] = {"learning_rate"}, *const slow[1] = {"0.05"};
  const char *const names[2] = {"data", "label"}, *const batch[1] = {"batch_size"}, *const four[1] = {"4"};
  const double corners[8] = {0, 0, 0, 1, 1, 0, 1, 1}, labels[4] = {0, 1, 1, 0};
  const int64_t dims[2] = {4, 2};
  double before[4], after[4];
  flx_ndarray flat = make(corners, 8, FLX_FLOAT32), data[2], y = NULL;
  flx_layer net = layer("Sequential", 0, NULL, NULL), loss = layer("L2Loss", 0, NULL, NULL);
  flx_layer parts[3] = {layer("Dense", 1, units, eight), layer("Operator", 2, op, swish_layer), layer("Dense", 1, units, one)};
  flx_model model = NULL, back = NULL;
  flx_optimizer adam = NULL;
  flx_iter batches = NULL;
  flx_task fit = NULL;
  int32_t n = 0, ready = 0, event = FLX_PENDING;
  NEED(flx_ndarray_reshape(flat, dims, 2, 0, &data[0]));
  data[1] = make(labels, 4, FLX_FLOAT32);
  for (int i = 0; i < 3; ++i) NEED(flx_layer_add(net, parts[i]));
  NEED(flx_iter_from_arrays(data, 2, names, 2, batch, four, 1, &batches));
  NEED(flx_model_create(net, NULL, &model));
  NEED(flx_optimizer_create("Adam", rate, slow, 1, &adam));
  NEED(flx_fit_start(model, loss, adam, batches, NULL, keys, settings, 2, &fit));
  while (event != FLX_DONE) NEED(flx_task_next(fit, -1, &event));
  NEED(flx_model_run(model, 0, data, 1, &y, 1, &n));
  values(y, before, 4);
  for (int i = 0; i < 4; ++i) EXPECT(fabs(before[i] - labels[i]) < 0.1);
  NEED(flx_model_save(model, scratch, -1, &ready));
  NEED(flx_model_load(scratch, NULL, &back));
  flx_free(y);
  NEED(flx_model_run(back, 0, data, 1, &y, 1, &n));
  values(y, after, 4);
  EXPECT(memcmp(before, after, sizeof before) == 0);
  remove(scratch);
  flx_free(flat), flx_free(data[0]), flx_free(data[1]), flx_free(y), flx_free(net), flx_free(loss), flx_free(model), flx_free(back), flx_free(adam);
  flx_free(batches), flx_free(fit);
  for (int i = 0; i < 3; ++i) flx_free(parts[i]);
}

int main(int argc, char **argv) {
  static const char *const json = "{\"kind\":\"Operator\",\"settings\":{\"op\":\"example_swish\"}}";
  flx_entry entry = NULL;
  flx_layer missing = NULL;
  int64_t live = -1;
  int32_t ready = 0;
  if (argc != 3) return fprintf(stderr, "usage: %s PLUGIN SCRATCH\n", argv[0]), 2;
  EXPECT(flx_registry_find("operator", "example_swish", &entry) == FLX_ERROR_NAME);
  EXPECT(flx_layer_from_json(json, &missing) == FLX_ERROR_FORMAT && says("`example_swish`") && says("flx_plugin_load"));
  NEED(flx_plugin_load(argv[1]));
  NEED(flx_plugin_load(argv[1])); /* does nothing */
  NEED(flx_registry_find("operator", "example_swish", &entry));
  flx_free(entry);
  NEED(flx_layer_from_json(json, &missing));
  flx_free(missing);
  check_numbers();
  check_queued();
  check_errors();
  check_training(argv[2]);
  NEED(flx_wait_all(-1, &ready));
  NEED(flx_handle_live(NULL, &live));
  EXPECT(live == 0);
  printf("%d checks, %d failed\n", checks, wrong);
  return wrong != 0;
}

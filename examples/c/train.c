/* SPDX-License-Identifier: Apache-2.0
 *
 * A two-layer perceptron in plain C11, through the C ABI: it learns to tell the two arms of a spiral apart. Prints the loss going down, and fails if it
 * does not. */
#include <flexor/c_api.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { POINTS = 400, STEPS = 500 };

/* Every status is looked at; the message says what was wrong. */
#define CHECK(call)                                                                    \
  do {                                                                                 \
    if ((call) != FLX_OK) {                                                            \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, flx_last_error());            \
      exit(1);                                                                         \
    }                                                                                  \
  } while (0)

/* Points of two arms that wind around each other; the label is the arm. */
static void make_spiral(float *points, int32_t *labels) {
  for (int i = 0; i < POINTS; ++i) {
    int arm = i % 2;
    double t = (double)i / POINTS, angle = 6.0 * t + 3.14159265358979 * arm, noise = 0.03 * sin(12.9898 * i);
    points[2 * i] = (float)(t * cos(angle) + noise);
    points[2 * i + 1] = (float)(t * sin(angle) - noise);
    labels[i] = arm;
  }
}

static flx_layer make_layer(const char *kind, const char *const *keys, const char *const *values, int32_t npairs) {
  flx_layer layer = NULL;
  CHECK(flx_layer_create(kind, NULL, keys, values, npairs, &layer));
  return layer;
}

static flx_layer make_network(void) {
  const char *const keys[2] = {"units", "activation"};
  const char *const hidden[2] = {"64", "tanh"}, *const last[1] = {"2"};
  flx_layer net = make_layer("Sequential", NULL, NULL, 0), first = make_layer("Dense", keys, hidden, 2), second = make_layer("Dense", keys, last, 1);
  CHECK(flx_layer_add(net, first));
  CHECK(flx_layer_add(net, second));
  flx_free(first);
  flx_free(second);
  return net;
}

/* One step: forward, backward, update. Returns the mean loss before the update. */
static double train_step(flx_model model, flx_layer loss, flx_call mean, flx_optimizer adam, flx_params params, flx_ndarray x, flx_ndarray y) {
  flx_ndarray pair[2] = {NULL, y}, each = NULL, total = NULL;
  int32_t n = 0, ready = 0;
  double value = 0;
  CHECK(flx_model_run(model, FLX_RECORD | FLX_TRAIN, &x, 1, &pair[0], 1, &n));
  CHECK(flx_layer_run(loss, NULL, FLX_RECORD | FLX_TRAIN, pair, 2, &each, 1, &n)); /* one value per point */
  CHECK(flx_call_unary(mean, FLX_RECORD | FLX_TRAIN, each, &total));
  CHECK(flx_autograd_backward(&total, 1, NULL, 0, FLX_TRAIN));
  CHECK(flx_optimizer_step(adam, params));
  CHECK(flx_ndarray_item(total, -1, &ready, &value));
  flx_free(pair[0]);
  flx_free(each);
  flx_free(total);
  return value;
}

static double accuracy_of(flx_model model, flx_ndarray x, const int32_t *labels) {
  static float scores[2 * POINTS];
  flx_ndarray y = NULL;
  int32_t n = 0, ready = 0;
  int right = 0;
  CHECK(flx_model_run(model, 0, &x, 1, &y, 1, &n));
  CHECK(flx_ndarray_read(y, scores, (int64_t)sizeof scores, FLX_FLOAT32, FLX_ROW_MAJOR, -1, &ready));
  flx_free(y);
  for (int i = 0; i < POINTS; ++i) right += (scores[2 * i + 1] > scores[2 * i]) == (labels[i] == 1);
  return (double)right / POINTS;
}

int main(void) {
  static float points[2 * POINTS];
  static int32_t labels[POINTS];
  const int64_t x_dims[2] = {POINTS, 2}, y_dims[1] = {POINTS};
  const char *const shape_key[1] = {"data"}, *const shape[1] = {"(400, 2)"};
  const char *const rate_key[1] = {"learning_rate"}, *const rate[1] = {"0.02"};
  flx_ndarray x = NULL, y = NULL;
  flx_params params = NULL;
  flx_model model = NULL;
  flx_optimizer adam = NULL;
  flx_call mean = NULL;
  double first = 0, last = 0, accuracy;

  CHECK(flx_abi_require(FLX_ABI_VERSION));
  make_spiral(points, labels);
  CHECK(flx_ndarray_create_from(points, (int64_t)sizeof points, FLX_FLOAT32, FLX_ROW_MAJOR, x_dims, 2, FLX_FLOAT32, NULL, &x));
  CHECK(flx_ndarray_create_from(labels, (int64_t)sizeof labels, FLX_INT32, FLX_ROW_MAJOR, y_dims, 1, FLX_INT32, NULL, &y));

  flx_layer net = make_network();
  CHECK(flx_params_init(net, shape_key, shape, 1, NULL, 1, &params));
  CHECK(flx_params_attach(params, "write"));
  CHECK(flx_model_create(net, params, &model));
  flx_layer loss = make_layer("SoftmaxCrossEntropyLoss", NULL, NULL, 0);
  CHECK(flx_optimizer_create("Adam", rate_key, rate, 1, &adam));
  CHECK(flx_call_create("_np_mean", NULL, NULL, 0, &mean));

  for (int step = 0; step < STEPS; ++step) {
    last = train_step(model, loss, mean, adam, params, x, y);
    if (step == 0) first = last;
    if (step % 100 == 0 || step == STEPS - 1) printf("step %3d  loss %.4f\n", step, last);
  }
  accuracy = accuracy_of(model, x, labels);
  printf("accuracy %.1f %%\n", 100 * accuracy);

  flx_free(x);
  flx_free(y);
  flx_free(net);
  flx_free(params);
  flx_free(model);
  flx_free(loss);
  flx_free(adam);
  flx_free(mean);
  if (!(last < 0.2 * first) || accuracy < 0.95) {
    fprintf(stderr, "the loss went from %.4f to %.4f, the accuracy is %.3f: it did not learn\n", first, last, accuracy);
    return 1;
  }
  return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Loads the plugin, calls its operator, goes backward through it, and trains a network that has it as a layer. Usage: use PLUGIN */
#include <flexor/c_api.h>
#include <stdio.h>
#include <stdlib.h>

static void need(flx_status status) {
  if (status == FLX_OK) return;
  fprintf(stderr, "%s\n", flx_last_error());
  exit(1);
}
static flx_layer layer(const char *kind, int32_t n, const char *const *keys, const char *const *values) {
  flx_layer made = 0;
  need(flx_layer_create(kind, 0, keys, values, n, &made));
  return made;
}

int main(int argc, char **argv) {
  const char *const op[2] = {"op", "attrs"}, *const swish[2] = {"example_swish", "beta=1.5"}, *const beta[1] = {"beta"}, *const value[1] = {"1.5"};
  const char *const units[1] = {"units"}, *const eight[1] = {"8"}, *const one[1] = {"1"};
  const char *const fit_keys[2] = {"epochs", "seed"}, *const fit_values[2] = {"300", "1"}, *const rate[1] = {"learning_rate"}, *const slow[1] = {"0.05"};
  const char *const names[2] = {"data", "label"}, *const batch[1] = {"batch_size"}, *const four[1] = {"4"};
  const float corners[8] = {0, 0, 0, 1, 1, 0, 1, 1}, exclusive_or[4] = {0, 1, 1, 0};
  const int64_t dims[2] = {4, 2}, labels[1] = {4};
  flx_ndarray x = 0, y = 0, slope = 0, data[2];
  flx_layer net = layer("Sequential", 0, 0, 0), loss = layer("L2Loss", 0, 0, 0), part;
  flx_model model = 0;
  flx_optimizer adam = 0;
  flx_iter batches = 0;
  flx_task fit = 0;
  int32_t n, ready, event = FLX_PENDING;
  char *text = 0;
  double mean = 0;

  if (argc != 2) return fprintf(stderr, "usage: %s PLUGIN\n", argv[0]), 2;
  need(flx_plugin_load(argv[1]));

  need(flx_ndarray_create_full(labels, 1, FLX_FLOAT64, 0, 0.5, &x));
  need(flx_autograd_attach(x, "write", 0));
  need(flx_invoke("example_swish", FLX_RECORD, &x, 1, beta, value, 1, &y, 1, &n));
  need(flx_autograd_backward(&y, 1, 0, 0, 0));
  need(flx_autograd_grad(x, &slope));
  need(flx_ndarray_text(slope, -1, &ready, &text));
  printf("slope at 0.5: %s\n", text);
  flx_text_free(text);

  need(flx_layer_add(net, part = layer("Dense", 1, units, eight)));
  flx_free(part);
  need(flx_layer_add(net, part = layer("Operator", 2, op, swish)));
  flx_free(part);
  need(flx_layer_add(net, part = layer("Dense", 1, units, one)));
  flx_free(part);
  need(flx_ndarray_create_from(corners, sizeof corners, FLX_FLOAT32, FLX_ROW_MAJOR, dims, 2, FLX_FLOAT32, 0, &data[0]));
  need(flx_ndarray_create_from(exclusive_or, sizeof exclusive_or, FLX_FLOAT32, FLX_ROW_MAJOR, labels, 1, FLX_FLOAT32, 0, &data[1]));
  need(flx_iter_from_arrays(data, 2, names, 2, batch, four, 1, &batches));
  need(flx_model_create(net, 0, &model));
  need(flx_optimizer_create("Adam", rate, slow, 1, &adam));
  need(flx_fit_start(model, loss, adam, batches, 0, fit_keys, fit_values, 2, &fit));
  while (event != FLX_DONE) need(flx_task_next(fit, -1, &event));
  need(flx_task_number(fit, "loss", &mean));
  printf("loss after training on exclusive or: %.6f\n", mean);

  flx_free(x), flx_free(y), flx_free(slope), flx_free(data[0]), flx_free(data[1]);
  flx_free(net), flx_free(loss), flx_free(model), flx_free(adam), flx_free(batches), flx_free(fit);
  return mean < 0.01 ? 0 : 1;
}

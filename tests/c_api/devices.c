/* SPDX-License-Identifier: Apache-2.0
 *
 * Arrays and operators on a device, as a host sees them: on the emulated one (tests/device), which is as a GPU is to the ABI. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

static flx_ndarray filled(double value, const char *device) {
  const int64_t dims[] = {2, 3};
  flx_ndarray a = NULL;
  NEED(flx_ndarray_create_full(dims, 2, FLX_FLOAT32, device, value, &a));
  return a;
}
static int64_t stat_of(const char *device, const char *stat) {
  int64_t bytes = -1;
  EXPECT_OK(flx_memory_stat(device, stat, &bytes));
  return bytes;
}

static void test_arrays(void) {
  flx_ndarray a = filled(2, "emu(0)"), b = filled(3, "emu(0)"), pair[2] = {a, b}, sum = NULL, host = NULL;
  const char *where = NULL;
  float v[6] = {0};
  int32_t ready = 0, n = 0;
  EXPECT_OK(flx_ndarray_device(a, &where));
  EXPECT(strcmp(where, "emu(0)") == 0);
  EXPECT_OK(flx_invoke("broadcast_add", 0, pair, 2, NULL, NULL, 0, &sum, 1, &n));
  EXPECT_OK(flx_ndarray_device(sum, &where));
  EXPECT(strcmp(where, "emu(0)") == 0);
  EXPECT_OK(flx_ndarray_copy(sum, "cpu", &host));
  EXPECT_OK(flx_ndarray_device(host, &where));
  EXPECT(strcmp(where, "cpu(0)") == 0);
  for (int i = 0; i < 2; ++i) {
    EXPECT_OK(flx_ndarray_read(i ? sum : host, v, sizeof v, FLX_FLOAT32, 0, -1, &ready));
    EXPECT(ready == 1 && v[0] == 5 && v[5] == 5);
  }
  const float w[6] = {1, 2, 3, 4, 5, 6};
  EXPECT_OK(flx_ndarray_write(a, w, sizeof w, FLX_FLOAT32, 0));
  flx_ndarray row = NULL;
  EXPECT_OK(flx_ndarray_at(a, 1, 0, &row));
  EXPECT_OK(flx_ndarray_read(row, v, 12, FLX_FLOAT32, 0, -1, &ready));
  EXPECT(v[0] == 4 && v[2] == 6);
  flx_mapping m = NULL;
  EXPECT_STATUS(FLX_ERROR_DEVICE, flx_ndarray_map(a, 0, -1, &ready, &m));
  flx_ndarray mixed[2] = {a, host}, none = NULL;
  EXPECT_STATUS(FLX_ERROR_DEVICE, flx_invoke("broadcast_add", 0, mixed, 2, NULL, NULL, 0, &none, 1, &n));
  EXPECT(strstr(flx_last_error(), "emu(0)") != NULL && strstr(flx_last_error(), "cpu(0)") != NULL);
  const char *mode = "mode", *raise = "raise"; /* which asks a device to look at its values first */
  flx_ndarray taken[2] = {a, row};
  EXPECT_STATUS(FLX_ERROR_UNSUPPORTED, flx_invoke("take", 0, taken, 2, &mode, &raise, 1, &none, 1, &n));
  EXPECT(strstr(flx_last_error(), "[take] has no kernel for emu(0)") != NULL);
  flx_ndarray all[] = {a, b, sum, host, row};
  for (size_t i = 0; i < sizeof all / sizeof *all; ++i) flx_free(all[i]);
}
/* Operators without inputs: their attribute ctx says where, and a target takes what it is given where it is. */
static void test_makers(void) {
  const char *keys[] = {"shape", "ctx"}, *values[] = {"(2, 3)", "emu(1)"}, *where = NULL;
  flx_call call = NULL;
  flx_ndarray a = NULL, b = NULL;
  float here[6], there[6];
  int32_t n = 0, ready = 0;
  NEED(flx_call_create("_random_normal", keys, values, 2, &call));
  EXPECT_OK(flx_random_seed(5, NULL));
  EXPECT_OK(flx_call_run(call, 0, NULL, 0, NULL, 0, &a, 1, &n));
  EXPECT_OK(flx_ndarray_device(a, &where));
  EXPECT(strcmp(where, "emu(1)") == 0);
  EXPECT_OK(flx_random_seed(5, NULL));
  EXPECT_OK(flx_invoke("_random_normal", 0, NULL, 0, keys, values, 1, &b, 1, &n));
  EXPECT_OK(flx_ndarray_device(b, &where));
  EXPECT(strcmp(where, "cpu(0)") == 0);
  EXPECT_OK(flx_ndarray_read(a, there, sizeof there, FLX_FLOAT32, 0, -1, &ready));
  EXPECT_OK(flx_ndarray_read(b, here, sizeof here, FLX_FLOAT32, 0, -1, &ready));
  for (int i = 0; i < 6; ++i) EXPECT(fabsf(here[i] - there[i]) < 1e-6f);
  EXPECT_OK(flx_invoke_into("_ones", 0, NULL, 0, keys, values, 1, &a, 1));
  EXPECT_OK(flx_ndarray_read(a, there, sizeof there, FLX_FLOAT32, 0, -1, &ready));
  EXPECT(there[0] == 1 && there[5] == 1);
  values[1] = "gpu(77)";
  flx_ndarray none = NULL;
  EXPECT_STATUS(FLX_ERROR_DEVICE, flx_invoke("_zeros", 0, NULL, 0, keys, values, 2, &none, 1, &n));
  EXPECT(strstr(flx_last_error(), "gpu(77)") != NULL && none == NULL);
  flx_free(call), flx_free(a), flx_free(b);
}
static void expect_device(flx_params params, const char *name, const char *device) {
  flx_ndarray a = NULL;
  const char *where = NULL;
  EXPECT_OK(flx_params_get(params, name, &a));
  EXPECT_OK(flx_ndarray_device(a, &where));
  EXPECT(strcmp(where, device) == 0);
  flx_free(a);
}
static void test_networks(void) {
  const char *units[] = {"units", "activation"}, *two[] = {"2", "tanh"}, *keys[] = {"data", "device"}, *values[] = {"(4, 3)", "emu(0)"};
  flx_layer layer = NULL, loss = NULL;
  flx_params params = NULL, host = NULL, loaded = NULL;
  flx_ndarray x = NULL, y = NULL, z = NULL, w = NULL, g = NULL;
  int32_t n = 0, ready = 0;
  NEED(flx_layer_create("Dense", NULL, units, two, 2, &layer));
  NEED(flx_params_init(layer, keys, values, 2, NULL, 7, &params));
  expect_device(params, "weight", "emu(0)");
  EXPECT_OK(flx_params_copy(params, "cpu", &host));
  expect_device(host, "weight", "cpu(0)");
  const int64_t dims[] = {4, 3}, labels[] = {4, 2};
  NEED(flx_ndarray_create_full(dims, 2, FLX_FLOAT32, "emu(0)", 0.5, &x));
  EXPECT_STATUS(FLX_ERROR_DEVICE, flx_layer_run(layer, host, 0, &x, 1, &y, 1, &n));
  EXPECT(strstr(flx_last_error(), "parameter `weight` is on cpu(0), the data on emu(0)") != NULL);
  /* a training step on the device, its weights those of the same step on the CPU */
  flx_optimizer sgd = NULL, sgd_host = NULL;
  const char *rate[] = {"learning_rate"}, *half[] = {"0.5"};
  NEED(flx_layer_create("L2Loss", NULL, NULL, NULL, 0, &loss));
  NEED(flx_optimizer_create("Adam", rate, half, 1, &sgd));
  NEED(flx_optimizer_create("Adam", rate, half, 1, &sgd_host));
  float weight[2][6];
  for (int hybrid = 0; hybrid < 2; ++hybrid) {
    if (hybrid) EXPECT_OK(flx_layer_hybridize(layer, NULL, NULL, 0));
    for (int on_host = 0; on_host < 2; ++on_host) {
      const char *device = on_host ? "cpu" : "emu(0)";
      flx_params p = on_host ? host : params;
      flx_ndarray in = NULL, pair[2] = {NULL, NULL};
      EXPECT_OK(flx_params_attach(p, "write"));
      EXPECT_OK(flx_ndarray_create_full(dims, 2, FLX_FLOAT32, device, 0.5, &in));
      EXPECT_OK(flx_ndarray_create_full(labels, 2, FLX_FLOAT32, device, 0.25, &pair[1]));
      EXPECT_OK(flx_layer_run(layer, p, FLX_RECORD | FLX_TRAIN, &in, 1, &pair[0], 1, &n));
      EXPECT_OK(flx_layer_run(loss, NULL, FLX_RECORD | FLX_TRAIN, pair, 2, &z, 1, &n));
      EXPECT_OK(flx_autograd_backward(&z, 1, NULL, 0, FLX_TRAIN));
      EXPECT_OK(flx_optimizer_step(on_host ? sgd_host : sgd, p));
      EXPECT_OK(flx_params_get(p, "weight", &w));
      EXPECT_OK(flx_ndarray_read(w, weight[on_host], sizeof weight[0], FLX_FLOAT32, 0, -1, &ready));
      flx_ndarray all[] = {in, pair[0], pair[1], z, w};
      for (size_t i = 0; i < sizeof all / sizeof *all; ++i) flx_free(all[i]);
    }
    for (int i = 0; i < 6; ++i) EXPECT(fabsf(weight[0][i] - weight[1][i]) < 1e-5f);
  }
  EXPECT_OK(flx_params_move(params, "emu(1)"));
  expect_device(params, "bias", "emu(1)");
  EXPECT_OK(flx_params_get(params, "weight", &w));
  EXPECT_OK(flx_autograd_grad(w, &g));
  EXPECT(g != NULL);
  EXPECT_OK(flx_params_save(params, scratch_file("device.safetensors"), NULL, -1, &ready));
  EXPECT_OK(flx_params_load(scratch_file("device.safetensors"), "emu(0)", &loaded));
  expect_device(loaded, "weight", "emu(0)");
  EXPECT_STATUS(FLX_ERROR_DEVICE, flx_params_move(params, "emu(7)"));
  flx_model model = NULL, again = NULL;
  flx_params inside = NULL;
  NEED(flx_model_create(layer, params, &model));
  EXPECT_OK(flx_model_save(model, scratch_file("device.flx"), -1, &ready));
  EXPECT_OK(flx_model_load(scratch_file("device.flx"), "emu(0)", &again));
  EXPECT_OK(flx_model_params(again, &inside));
  expect_device(inside, "weight", "emu(0)");
  void *all[] = {layer, loss, params, host, loaded, x, w, g, sgd, sgd_host, model, again, inside};
  for (size_t i = 0; i < sizeof all / sizeof *all; ++i) flx_free(all[i]);
}
static void test_memory(void) {
  int32_t ready = 0;
  EXPECT_OK(flx_memory_peak_reset("emu(0)"));
  const int64_t before = stat_of("emu(0)", "live"), asked = before + stat_of("emu(0)", "cached") - stat_of("emu(0)", "fragmentation");
  flx_ndarray a = filled(1, "emu");
  EXPECT(stat_of("emu(0)", "live") + stat_of("emu(0)", "cached") - stat_of("emu(0)", "fragmentation") == asked + 24);
  int64_t none = 0;
  EXPECT_STATUS(FLX_ERROR_UNSUPPORTED, flx_memory_stat("cpu", "fragmentation", &none));
  EXPECT(stat_of("emu(0)", "live") > before && stat_of("emu(0)", "peak") >= stat_of("emu(0)", "live"));
  EXPECT(stat_of("emu(0)", "total") > 0 && stat_of("emu(1)", "live") == 0);
  flx_free(a);
  EXPECT_OK(flx_device_synchronize("emu(0)", -1, &ready));
  EXPECT(ready == 1 && stat_of("emu(0)", "live") == before && stat_of("emu(0)", "cached") > 0);
  EXPECT_OK(flx_memory_release_unused("emu(0)"));
  EXPECT(stat_of("emu(0)", "cached") == 0);
  EXPECT_OK(flx_memory_limit_set("emu(0)", 1));
  EXPECT(stat_of("emu(0)", "limit") == 1);
  const int64_t one = 1;
  /* memory is taken where an array is filled: the failure is the array's */
  if (flx_ndarray_create_full(&one, 1, FLX_FLOAT32, "emu(0)", 1, &a) == FLX_OK) {
    EXPECT_STATUS(FLX_ERROR_MEMORY, flx_ndarray_wait(a, -1, &ready));
    flx_free(a);
  }
  EXPECT(strstr(flx_last_error(), "no device memory") != NULL);
  EXPECT_OK(flx_memory_limit_set("emu(0)", 0));
}
static void test_devices(void) {
  int32_t n = 0, ready = 0;
  char *text = NULL;
  EXPECT_OK(flx_device_count("emu", &n));
  EXPECT(n == 2);
  EXPECT_OK(flx_device_properties("emu(1)", &text));
  EXPECT(strstr(text, "name ") != NULL && strstr(text, "memory ") != NULL);
  flx_text_free(text);
  EXPECT_OK(flx_device_properties(NULL, &text));
  EXPECT(strstr(text, "cores ") != NULL);
  flx_text_free(text);
  EXPECT_STATUS(FLX_ERROR_DEVICE, flx_device_properties("emu(2)", &text));
  EXPECT_STATUS(FLX_ERROR_DEVICE, flx_device_synchronize("gpu(7)", 0, &ready));
  EXPECT_OK(flx_device_synchronize(NULL, -1, &ready));
  EXPECT(ready == 1);
}

int main(int argc, char **argv) {
  if (argc > 1) use_folder(argv[1]);
  NEED(flx_config_set("FLEXOR_TEST_DEVICE", FLEXOR_EMULATED_DEVICE));
  run_test("arrays on a device", test_arrays);
  run_test("arrays made by operators", test_makers);
  run_test("networks on a device", test_networks);
  run_test("its memory", test_memory);
  run_test("what there is", test_devices);
  return finish_tests();
}

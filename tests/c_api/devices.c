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
  EXPECT_STATUS(FLX_ERROR_UNSUPPORTED, flx_invoke("sort", 0, &a, 1, NULL, NULL, 0, &none, 1, &n));
  EXPECT(strstr(flx_last_error(), "[sort] has no kernel for emu(0)") != NULL);
  flx_ndarray all[] = {a, b, sum, host, row};
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
  run_test("its memory", test_memory);
  run_test("what there is", test_devices);
  return finish_tests();
}

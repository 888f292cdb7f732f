/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "harness.h"

/* Too small a capacity is told before anything runs: a BatchNorm in training mode would move its means. */
void test_refused_before_running(void) {
  const char *const key[1] = {"data"}, *const value[1] = {"(4, 3)"};
  const int64_t shape[2] = {4, 3};
  flx_layer norm = NULL;
  flx_params p = NULL;
  flx_model m = NULL;
  flx_ndarray x = NULL, mean = NULL, out[2] = {NULL, NULL};
  int32_t count = 55;
  int64_t before = -1, after = -1;
  EXPECT_OK(flx_layer_create("BatchNorm", NULL, NULL, NULL, 0, &norm));
  EXPECT_OK(flx_params_init(norm, key, value, 1, NULL, 1, &p));
  EXPECT_OK(flx_model_create(norm, p, &m));
  EXPECT_OK(flx_ndarray_create_full(shape, 2, FLX_FLOAT32, NULL, 2, &x));
  EXPECT_OK(flx_params_get(p, "running_mean", &mean));
  EXPECT_OK(flx_ndarray_version(mean, &before));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_layer_run(norm, p, FLX_TRAIN, &x, 1, out, 0, &count));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_model_run(m, FLX_TRAIN, &x, 1, out, 0, &count));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_model_run(m, FLX_TRAIN, &x, 1, NULL, 1, &count));
  EXPECT_OK(flx_ndarray_version(mean, &after));
  EXPECT(after == before && count == 55);
  EXPECT_OK(flx_model_run(m, FLX_TRAIN, &x, 1, out, 1, &count));
  EXPECT_OK(flx_ndarray_version(mean, &after));
  EXPECT(after > before && count == 1);
  flx_free(norm), flx_free(p), flx_free(m), flx_free(x), flx_free(mean), flx_free(out[0]);
}

/* The longest timeout is as good as none: the clock must not run over. */
void test_longest_timeout(void) {
  int32_t event = FLX_PENDING;
  make_good();
  EXPECT_OK(flx_task_next(good.task, INT64_MAX, &event));
  EXPECT(event != FLX_PENDING);
  free_good();
}

void test_untouched(void) {
  make_good();
  flx_ndarray kept = good.ndarray, other = make_array(2, 1);
  const flx_ndarray pair[2] = {good.ndarray, other};
  flx_ndarray out[8];
  int32_t count = 55, ready = 55;
  double value = 55;
  int64_t shape[1] = {55};
  for (int i = 0; i < 8; ++i) out[i] = kept;
  int64_t before = live_handles();
  EXPECT_STATUS(FLX_ERROR_SHAPE, flx_invoke("broadcast_add", 0, pair, 2, NULL, NULL, 0, out, 8, &count));
  EXPECT_STATUS(FLX_ERROR_SHAPE, flx_call_binary(good.call, 0, good.ndarray, other, &out[1]));
  EXPECT_STATUS(FLX_ERROR_SHAPE, flx_ndarray_item(good.ndarray, -1, &ready, &value));
  EXPECT_STATUS(FLX_ERROR_INDEX, flx_ndarray_slice(good.ndarray, 1, 9, 0, &out[2]));
  EXPECT_STATUS(FLX_ERROR_INDEX, flx_ndarray_at(good.ndarray, 3, 0, &out[2]));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_ndarray_describe(good.ndarray, &ready, shape, 0, &count));
  EXPECT_STATUS(FLX_ERROR_NAME, flx_invoke("rellu", 0, pair, 1, NULL, NULL, 0, out, 8, &count));
  EXPECT(strstr(flx_last_error(), "relu") != NULL);
  /* too small a capacity makes nothing */
  const char *const k2[2] = {"num_outputs", "axis"}, *const v2[2] = {"3", "0"};
  const int64_t rows[2] = {4, 3};
  flx_ndarray batch = NULL;
  EXPECT_OK(flx_ndarray_create(rows, 2, FLX_FLOAT32, NULL, &batch));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_invoke("SliceChannel", 0, &good.ndarray, 1, k2, v2, 2, out, 2, &count));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_model_run(good.model, 0, &batch, 1, out, 0, &count));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_layer_run(good.layer, good.params, 0, &batch, 1, out, 0, &count));
  EXPECT_STATUS(FLX_ERROR_STATE, flx_layer_run(good.layer, NULL, 0, &batch, 1, out, 8, &count));
  flx_free(batch);
  for (int i = 0; i < 8; ++i) EXPECT(out[i] == kept);
  EXPECT(count == 55 && ready == 55 && value == 55 && shape[0] == 55);
  EXPECT(live_handles() == before);
  EXPECT_OK(flx_invoke("SliceChannel", 0, &good.ndarray, 1, k2, v2, 2, out, 3, &count));
  EXPECT(count == 3);
  for (int i = 0; i < 3; ++i) flx_free(out[i]);
  flx_free(other);
  free_good();
}

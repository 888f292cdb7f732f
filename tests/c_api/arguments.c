/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "harness.h"

static const char *const keys[1] = {"x"}, *const values[1] = {"1"}, *const shape_key[1] = {"data"}, *const shape_value[1] = {"(4, 3)"};
static int32_t i32, n;
static int64_t i64;
static char *text;
static flx_ndarray array, arrays[8];
static flx_call call;
static flx_layer layer;
static flx_params params;
static flx_optimizer optimizer;
static flx_schedule schedule;
static flx_initializer initializer;
static flx_metric metric;
static flx_iter iter;
static flx_task task;

/* X(type of the pointer, a good pointer, call with `p` and `c`): each group's count, for each function that has one. */
#define COUNT_CASES(X)                                                                                                                 \
  X(const int64_t *, dims, flx_ndarray_create(p, c, FLX_FLOAT32, NULL, &array))                                                        \
  X(const int64_t *, dims, flx_ndarray_create_full(p, c, FLX_FLOAT32, NULL, 1, &array))                                                \
  X(const int64_t *, dims, flx_ndarray_create_from(data, 4, FLX_FLOAT32, FLX_ROW_MAJOR, p, c, FLX_FLOAT32, NULL, &array))              \
  X(const int64_t *, dims, flx_ndarray_reshape(good.ndarray, p, c, 0, &array))                                                         \
  X(const flx_ndarray *, &good.ndarray, flx_invoke("relu", 0, p, c, NULL, NULL, 0, arrays, 8, &n))                                     \
  X(const char *const *, keys, flx_invoke("relu", 0, &good.ndarray, 1, p, values, c, arrays, 8, &n))                                   \
  X(const char *const *, values, flx_invoke("relu", 0, &good.ndarray, 1, keys, p, c, arrays, 8, &n))                                   \
  X(const flx_ndarray *, &good.ndarray, flx_invoke_into("relu", 0, p, c, NULL, NULL, 0, &good.ndarray, 1))                             \
  X(const flx_ndarray *, &good.ndarray, flx_invoke_into("relu", 0, &good.ndarray, 1, NULL, NULL, 0, p, c))                             \
  X(const char *const *, keys, flx_invoke_into("relu", 0, &good.ndarray, 1, p, values, c, &good.ndarray, 1))                           \
  X(const char *const *, keys, flx_call_create("relu", p, values, c, &call))                                                           \
  X(const flx_ndarray *, &good.ndarray, flx_call_run(good.call, 0, p, c, NULL, 0, arrays, 8, &n))                                      \
  X(const double *, &number, flx_call_run(good.call, 0, two, 2, p, c, arrays, 8, &n))                                                  \
  X(const flx_ndarray *, &good.ndarray, flx_call_run_into(good.call, 0, p, c, NULL, 0, &good.ndarray, 1))                              \
  X(const double *, &number, flx_call_run_into(good.call, 0, two, 2, p, c, &good.ndarray, 1))                                          \
  X(const flx_ndarray *, &good.ndarray, flx_call_run_into(good.call, 0, two, 2, NULL, 0, p, c))                                        \
  X(const flx_ndarray *, &good.ndarray, flx_autograd_backward(p, c, NULL, 0, 0))                                                       \
  X(const flx_ndarray *, &good.ndarray, flx_autograd_backward(&good.ndarray, 1, p, c, 0))                                              \
  X(const flx_ndarray *, &good.ndarray, flx_autograd_gradients(p, c, NULL, 0, &good.ndarray, 1, 0, arrays, 8, &n))                     \
  X(const flx_ndarray *, &good.ndarray, flx_autograd_gradients(&good.ndarray, 1, p, c, &good.ndarray, 1, 0, arrays, 8, &n))            \
  X(const flx_ndarray *, &good.ndarray, flx_autograd_gradients(&good.ndarray, 1, NULL, 0, p, c, 0, arrays, 8, &n))                     \
  X(const flx_ndarray *, &good.ndarray, flx_autograd_start(p, c, NULL, 0, &good.ndarray, 1, 0, &task))                                 \
  X(const flx_ndarray *, &good.ndarray, flx_autograd_start(&good.ndarray, 1, p, c, &good.ndarray, 1, 0, &task))                        \
  X(const flx_ndarray *, &good.ndarray, flx_autograd_start(&good.ndarray, 1, NULL, 0, p, c, 0, &task))                                 \
  X(const flx_ndarray *, &good.ndarray, flx_autograd_record(1, p, c, &good.ndarray, 1))                                                \
  X(const flx_ndarray *, &good.ndarray, flx_autograd_record(1, &good.ndarray, 1, p, c))                                                \
  X(const char *const *, keys, flx_layer_create("Flatten", NULL, p, values, c, &layer))                                                \
  X(const char *const *, shape_key, flx_layer_summary(good.layer, p, shape_value, c, 80, &text))                                       \
  X(const char *const *, shape_key, flx_params_init(good.layer, p, shape_value, c, NULL, 1, &params))                                  \
  X(const flx_ndarray *, &good.ndarray, flx_layer_run(good.layer, good.params, 0, p, c, arrays, 8, &n))                                \
  X(const flx_ndarray *, &good.ndarray, flx_model_run(good.model, 0, p, c, arrays, 8, &n))                                             \
  X(const char *const *, keys, flx_optimizer_create("SGD", p, values, c, &optimizer))                                                  \
  X(const char *const *, keys, flx_schedule_create("Cosine", p, values, c, &schedule))                                                 \
  X(const char *const *, keys, flx_initializer_create("Xavier", p, values, c, &initializer))                                           \
  X(const char *const *, keys, flx_metric_create("accuracy", p, values, c, &metric))                                                   \
  X(const flx_ndarray *, &good.ndarray, flx_metric_update(good.metric, p, c, &good.ndarray, 1))                                        \
  X(const flx_ndarray *, &good.ndarray, flx_metric_update(good.metric, &good.ndarray, 1, p, c))                                        \
  X(const char *const *, keys, flx_fit_start(good.model, good.layer, good.optimizer, good.iter, NULL, p, values, c, &task))            \
  X(const char *const *, keys, flx_evaluate_start(good.model, good.iter, p, c, &task))                                                 \
  X(const flx_ndarray *, &good.ndarray, flx_task_reply(good.task, p, c))                                                               \
  X(const char *const *, keys, flx_iter_create("MNISTIter", p, values, c, &iter))                                                      \
  X(const flx_ndarray *, &good.ndarray, flx_iter_from_arrays(p, c, keys, 1, NULL, NULL, 0, &iter))                                     \
  X(const char *const *, keys, flx_iter_from_arrays(&good.ndarray, 1, p, c, NULL, NULL, 0, &iter))                                     \
  X(const char *const *, keys, flx_iter_from_arrays(&good.ndarray, 1, keys, 1, p, values, c, &iter))                                   \
  X(const char *const *, keys, flx_log_configure(p, values, c))

/* Host memory: data or buffer, and its bytes. */
#define BYTES_CASES(X)                                                                                                        \
  X(const void *, data, flx_ndarray_write(good.ndarray, p, c, FLX_FLOAT32, FLX_ROW_MAJOR))                                    \
  X(const void *, data, flx_ndarray_create_from(p, c, FLX_FLOAT32, FLX_ROW_MAJOR, dims, 1, FLX_FLOAT32, NULL, &array))        \
  X(void *, buffer, flx_ndarray_read(good.ndarray, p, c, FLX_FLOAT32, FLX_ROW_MAJOR, -1, &i32))                               \
  X(const void *, data, flx_random_load(p, c))                                                                                \
  X(const void *, data, flx_model_from_bytes(p, c, NULL, &model))                                                             \
  X(const void *, data, flx_optimizer_from_bytes(p, c, &optimizer))                                                           \
  X(const void *, data, flx_record_write(good.record, p, c, &i64))

static const int64_t dims[1] = {3};
static const float data[3] = {1, 2, 3};
static float buffer[3];
static const double number = 1;
static flx_model model;

void test_counts(void) {
  make_good();
  const flx_ndarray two[2] = {good.ndarray, good.ndarray};
#define ONE(type, pointer, call)                                                                                 \
  for (int v = 0; v < 4; ++v) {                                                                                  \
    static const int32_t counts[4] = {-1, INT32_MIN, FLX_MAX_COUNT + 1, 1};                                      \
    type p = v < 3 ? pointer : NULL;                                                                             \
    int32_t c = counts[v];                                                                                       \
    expect_status(FLX_ERROR_ARGUMENT, call, "flx_", __FILE__, __LINE__, v == 3 ? "null, 1: " #call : #call);     \
  }
  COUNT_CASES(ONE)
#undef ONE
#define ONE(type, pointer, call)                                                                  \
  for (int v = 0; v < 3; ++v) {                                                                   \
    static const int64_t counts[3] = {-1, INT64_MIN, 12};                                         \
    type p = v < 2 ? pointer : NULL;                                                              \
    int64_t c = counts[v];                                                                        \
    flx_status s = call;                                                                          \
    expect_status(FLX_ERROR_ARGUMENT, s, "flx_", __FILE__, __LINE__, v == 2 ? "null, 12: " #call : #call); \
  }
  BYTES_CASES(ONE)
#undef ONE
  /* more axes than there may be, and sizes that no memory has */
  int64_t many[FLX_MAX_NDIM + 1];
  for (int i = 0; i <= FLX_MAX_NDIM; ++i) many[i] = 1;
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_ndarray_create(many, FLX_MAX_NDIM + 1, FLX_FLOAT32, NULL, &array));
  const int64_t huge[3] = {INT64_MAX, INT64_MAX, 4}, negative[1] = {-2}, large[1] = {(int64_t)1 << 60};
  EXPECT(flx_ndarray_create(huge, 3, FLX_FLOAT32, NULL, &array) != FLX_OK);
  EXPECT(flx_ndarray_create(negative, 1, FLX_FLOAT32, NULL, &array) != FLX_OK);
  EXPECT(flx_ndarray_create(large, 1, FLX_FLOAT32, NULL, &array) != FLX_OK);
  EXPECT_STATUS(FLX_ERROR_TYPE, flx_ndarray_create(dims, 1, 99, NULL, &array));
  EXPECT_STATUS(FLX_ERROR_TYPE, flx_ndarray_create(dims, 1, -1, NULL, &array));
  EXPECT(flx_ndarray_create(dims, 1, FLX_FLOAT32, "gpu(7)", &array) == FLX_ERROR_DEVICE);
  EXPECT(flx_ndarray_create(dims, 1, FLX_FLOAT32, "toaster", &array) == FLX_ERROR_DEVICE);
  EXPECT(array == NULL && layer == NULL && params == NULL && iter == NULL && task == NULL && model == NULL && text == NULL);
  free_good();
}

void test_null_pointers(void) {
  make_good();
  int64_t before = live_handles();
  /* results with nowhere to go */
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_ndarray_create(dims, 1, FLX_FLOAT32, NULL, NULL));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_ndarray_describe(good.ndarray, NULL, NULL, 0, NULL));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_ndarray_text(good.ndarray, -1, &i32, NULL));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_ndarray_slice(good.ndarray, 0, 1, 0, NULL));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_invoke("relu", 0, &good.ndarray, 1, NULL, NULL, 0, NULL, 8, &n));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_invoke("relu", 0, &good.ndarray, 1, NULL, NULL, 0, arrays, 8, NULL));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_invoke("relu", 0, &good.ndarray, 1, NULL, NULL, 0, arrays, 0, &n));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_invoke("relu", 0, &good.ndarray, 1, NULL, NULL, 0, arrays, -1, &n));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_call_unary(good.call, 0, good.ndarray, NULL));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_call_create("relu", NULL, NULL, 0, NULL));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_layer_create("Flatten", NULL, NULL, NULL, 0, NULL));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_params_create(NULL));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_model_create(good.layer, NULL, NULL));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_model_to_bytes(good.model, -1, &i32, NULL, NULL));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_handle_live(NULL, NULL));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_handle_kind(good.ndarray, NULL));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_wait_all(-1, NULL));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_task_next(good.task, 0, NULL));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_iter_next(good.iter, 0, NULL));
  /* texts that are not there */
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_invoke(NULL, 0, &good.ndarray, 1, NULL, NULL, 0, arrays, 8, &n));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_call_create(NULL, NULL, NULL, 0, &call));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_layer_create(NULL, NULL, NULL, NULL, 0, &layer));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_layer_from_json(NULL, &layer));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_registry_count(NULL, &i32));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_entry_text(good.entry, NULL, (const char **)&text));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_params_set(good.params, NULL, good.ndarray));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_params_load(NULL, NULL, &params));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_model_load(NULL, NULL, &model));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_model_save(good.model, NULL, -1, &i32));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_config_get(NULL, &text));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_autograd_attach(good.ndarray, NULL, NULL));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_record_open(NULL, "read", NULL));
  /* a null among the options */
  const char *const holes[1] = {NULL};
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_call_create("relu", holes, values, 1, &call));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_call_create("relu", keys, holes, 1, &call));
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_evaluate_start(good.model, good.iter, holes, 1, &task));
  EXPECT(live_handles() == before);
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

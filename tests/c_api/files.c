/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

static void write_file(const char *path, const void *bytes, size_t n) {
  FILE *f = fopen(path, "wb");
  EXPECT(f != NULL && fwrite(bytes, 1, n, f) == n);
  if (f) fclose(f);
}
/* The message and the facts of the last error name the file. */
#define EXPECT_NAMED(path) EXPECT(strstr(flx_last_error(), path) != NULL && strcmp(flx_last_error_field("file"), path) == 0)

void test_missing_files(void) {
  const char *missing = scratch_file("there/is/no.file"), *broken = scratch_file("broken.flx");
  const char *const image[1] = {"image"}, *const csv[2] = {"data_csv", "data_shape"};
  const char *const csv_values[2] = {missing, "(2,)"};
  flx_record record = NULL;
  flx_params params = NULL;
  flx_model model = NULL;
  flx_iter iter = NULL;
  char *bytes = NULL;
  int64_t nbytes = 0;
  int32_t ready = 0;
  make_good();
  int64_t before = live_handles();
  /* through dmlc-core, where it is built in: its exception must not end this C program */
  EXPECT_STATUS(FLX_ERROR_FILE, flx_record_open(missing, "read", &record));
  EXPECT_NAMED(missing);
  EXPECT_STATUS(FLX_ERROR_FILE, flx_record_open(missing, "write", &record));
  EXPECT_NAMED(missing);
  EXPECT_STATUS(FLX_ERROR_FILE, flx_iter_create("MNISTIter", image, &missing, 1, &iter));
  EXPECT_NAMED(missing);
  EXPECT_STATUS(FLX_ERROR_FILE, flx_iter_create("CSVIter", csv, csv_values, 2, &iter));
  EXPECT_NAMED(missing);
  EXPECT_STATUS(FLX_ERROR_FILE, flx_params_load(missing, NULL, &params));
  EXPECT_NAMED(missing);
  EXPECT_STATUS(FLX_ERROR_FILE, flx_model_load(missing, NULL, &model));
  EXPECT_NAMED(missing);
  EXPECT_STATUS(FLX_ERROR_FILE, flx_params_save(good.params, missing, "safetensors", -1, &ready));
  EXPECT_STATUS(FLX_ERROR_FILE, flx_model_save(good.model, missing, -1, &ready));

  /* not what they say: refused with the name, without a large allocation */
  write_file(broken, "no tensors here", 15);
  EXPECT_STATUS(FLX_ERROR_FORMAT, flx_model_load(broken, NULL, &model));
  EXPECT_NAMED(broken);
  EXPECT_STATUS(FLX_ERROR_FORMAT, flx_params_load(broken, NULL, &params));
  EXPECT_NAMED(broken);
  static const unsigned char hostile[16] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, '{', '}'};
  write_file(broken, hostile, sizeof hostile);
  EXPECT_STATUS(FLX_ERROR_FORMAT, flx_model_load(broken, NULL, &model));
  EXPECT_NAMED(broken);
  write_file(broken, "", 0);
  EXPECT_STATUS(FLX_ERROR_FORMAT, flx_model_load(broken, NULL, &model));
  EXPECT_STATUS(FLX_ERROR_FORMAT, flx_model_from_bytes("rubbish", 7, NULL, &model));
  EXPECT_STATUS(FLX_ERROR_FORMAT, flx_layer_from_json("{\"kind\":", &good.layer));
  EXPECT_STATUS(FLX_ERROR_FORMAT, flx_random_load("rubbish", 7));
  EXPECT(record == NULL && params == NULL && model == NULL && iter == NULL);

  /* every prefix of a good file is refused */
  EXPECT_OK(flx_model_to_bytes(good.model, -1, &ready, &bytes, &nbytes));
  EXPECT(nbytes > 64);
  for (int64_t n = 0; n < nbytes; ++n) {
    char *part = malloc((size_t)n + 1);
    memcpy(part, bytes, (size_t)n);
    EXPECT_STATUS(FLX_ERROR_FORMAT, flx_model_from_bytes(part, n, NULL, &model));
    free(part);
  }
  EXPECT_OK(flx_model_from_bytes(bytes, nbytes, NULL, &model));
  flx_free(model);
  flx_text_free(bytes);
  EXPECT(live_handles() == before);
  free_good();
}

void test_error_fields(void) {
  const int64_t dims[2] = {2, 3};
  flx_ndarray a = NULL, y = NULL, pair[2];
  int64_t live = 0;
  EXPECT_OK(flx_ndarray_create(dims, 2, FLX_FLOAT32, NULL, &a));
  pair[0] = a, pair[1] = a;
  int32_t n = 0;
  EXPECT_STATUS(FLX_ERROR_SHAPE, flx_invoke("dot", 0, pair, 2, NULL, NULL, 0, &y, 1, &n));
  EXPECT(strcmp(flx_last_error_field("kind"), "shape") == 0);
  EXPECT(strcmp(flx_last_error_field("operator"), "dot") == 0);
  EXPECT(strncmp(flx_last_error(), "[dot]", 5) == 0);
  EXPECT(strstr(flx_last_error(), "(2, 3)") != NULL);
  EXPECT(strcmp(flx_last_error_field("file"), "") == 0);
  EXPECT(strcmp(flx_last_error_field("offset"), "") == 0);
  EXPECT(strcmp(flx_last_error_field("no such field"), "") == 0);
  EXPECT(strcmp(flx_last_error_field(NULL), "") == 0);
  /* what succeeds does not touch the last error */
  const char *before = flx_last_error();
  EXPECT_OK(flx_handle_live(NULL, &live));
  EXPECT(strncmp(before, "[dot]", 5) == 0 && flx_last_error() == before);
  /* an option that is not there, and a value that it cannot have, name what would do */
  const char *const typo[1] = {"units"}, *const value[1] = {"many"}, *const other[1] = {"unitz"};
  flx_layer layer = NULL;
  EXPECT_STATUS(FLX_ERROR_ARGUMENT, flx_layer_create("Dense", NULL, typo, value, 1, &layer));
  EXPECT(strstr(flx_last_error(), "units") != NULL && strstr(flx_last_error(), "many") != NULL);
  EXPECT(flx_layer_create("Dense", NULL, other, value, 1, &layer) != FLX_OK);
  EXPECT(strstr(flx_last_error(), "`units`") != NULL);
  EXPECT_STATUS(FLX_ERROR_NAME, flx_layer_create("Dence", NULL, NULL, NULL, 0, &layer));
  EXPECT(strstr(flx_last_error(), "Dense") != NULL);
  flx_free(a);
}

void test_library(void) {
  static const char *const fields[] = {"path", "compiler", "blas", "features", "license", "build"};
  const char *text = NULL;
  char *value = NULL;
  int32_t has = 7, level = 0;
  EXPECT(flx_abi_version() >= FLX_ABI_VERSION);
  EXPECT_OK(flx_abi_require(FLX_ABI_VERSION));
  EXPECT_STATUS(FLX_ERROR_UNSUPPORTED, flx_abi_require(1000000));
  EXPECT(strlen(flx_version()) >= 5);
  for (size_t i = 0; i < sizeof fields / sizeof *fields; ++i) {
    EXPECT_OK(flx_library_text(fields[i], &text));
    EXPECT(text && *text);
  }
  EXPECT_STATUS(FLX_ERROR_NAME, flx_library_text("colour", &text));
  EXPECT_OK(flx_library_has("cpu", &has));
  EXPECT(has == 1);
  EXPECT_OK(flx_library_has("crystal ball", &has));
  EXPECT(has == 0);
  EXPECT_OK(flx_config_list(&value));
  EXPECT(strstr(value, "FLEXOR_ENGINE") != NULL);
  flx_text_free(value);
  value = NULL;
  EXPECT_STATUS(FLX_ERROR_NAME, flx_config_get("FLEXOR_ENGIN", &value));
  EXPECT(value == NULL && strstr(flx_last_error(), "FLEXOR_ENGINE") != NULL);
  /* the log can be read instead of shown */
  const char *const keys[2] = {"sink", "level"}, *const to_buffer[2] = {"buffer", "debug"}, *const to_stderr[2] = {"stderr", "warning"};
  EXPECT_OK(flx_log_configure(keys, to_buffer, 2));
  do EXPECT_OK(flx_log_next(&level, &value)), flx_text_free(value);
  while (level >= 0);
  EXPECT_OK(flx_log_configure(keys, to_stderr, 2));
  EXPECT(flx_log_configure(keys, (const char *const[]){"stderr", "loud"}, 2) != FLX_OK);
}

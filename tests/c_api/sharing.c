/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory in the host's hands and other libraries', and the hint to collect, as a host sees them. */
#include <stdint.h>
#include <string.h>

#include "dlpack_structs.h"
#include "harness.h"

static float *address_of(flx_mapping m, int64_t *nbytes) {
  int64_t address = 0;
  EXPECT_OK(flx_mapping_address(m, &address, nbytes));
  return (float *)(intptr_t)address;
}

void test_mappings(void) {
  flx_ndarray a = make_array(3, 2), sum = NULL, pair[2] = {a, a};
  flx_mapping m = NULL, second = NULL;
  int32_t ready = 0, n = 0;
  int64_t nbytes = 0, before = 0, after = 0;
  double value = 0;
  EXPECT_OK(flx_ndarray_map(a, 0, -1, &ready, &m));
  const float *read = address_of(m, &nbytes);
  EXPECT(ready == 1 && nbytes == 12 && read[2] == 2);
  /* whoever reads is let through, small or large */
  EXPECT_OK(flx_invoke("broadcast_add", 0, pair, 2, NULL, NULL, 0, &sum, 1, &n));
  EXPECT_OK(flx_wait_all(-1, &ready));
  flx_free(sum), sum = NULL;
  /* whoever writes is told at once, by his name, and nothing is counted as written */
  EXPECT_OK(flx_ndarray_version(a, &before));
  EXPECT_STATUS(FLX_ERROR_STATE, flx_invoke_into("relu", 0, &a, 1, NULL, NULL, 0, &a, 1));
  EXPECT(strstr(flx_last_error(), "[relu]") != NULL);
  EXPECT_STATUS(FLX_ERROR_STATE, flx_ndarray_map(a, 1, 0, &ready, &second));
  EXPECT_OK(flx_ndarray_version(a, &after));
  EXPECT(before == after && second == NULL);
  flx_free(m);
  EXPECT_STATUS(FLX_ERROR_HANDLE, flx_mapping_address(m, &before, &nbytes));
  EXPECT_OK(flx_invoke_into("relu", 0, &a, 1, NULL, NULL, 0, &a, 1));

  EXPECT_OK(flx_ndarray_map(a, 1, -1, &ready, &m));
  address_of(m, &nbytes)[0] = 7;
  EXPECT_STATUS(FLX_ERROR_STATE, flx_invoke("broadcast_add", 0, pair, 2, NULL, NULL, 0, &sum, 1, &n));
  EXPECT_STATUS(FLX_ERROR_STATE, flx_ndarray_wait(a, 0, &ready));
  EXPECT_OK(flx_wait_all(-1, &ready)); /* a turn of the host's is no work */
  flx_free(m);
  flx_ndarray first = NULL;
  EXPECT_OK(flx_ndarray_at(a, 0, 0, &first));
  EXPECT_OK(flx_ndarray_item(first, -1, &ready, &value));
  EXPECT(value == 7);
  flx_free(first);
  /* it outlives its array's handle */
  EXPECT_OK(flx_ndarray_map(a, 0, -1, &ready, &m));
  flx_free(a);
  EXPECT(address_of(m, &nbytes)[0] == 7);
  flx_free(m);
}

void test_dlpack(void) {
  flx_ndarray a = make_array(3, 2), b = NULL, y = NULL;
  int32_t ready = 0, n = 0;
  int64_t address = 0, count = -1, before = live_handles();
  double value = 0;
  EXPECT_OK(flx_ndarray_to_dlpack(a, -1, &ready, &address));
  dlpack_versioned *m = (dlpack_versioned *)(intptr_t)address;
  EXPECT(ready == 1 && m->major == 1 && m->flags == 0 && m->t.ndim == 1 && m->t.shape[0] == 3 && m->t.strides[0] == 1 && m->t.bits == 32);
  EXPECT_OK(flx_ndarray_from_dlpack(address, &b));
  ((float *)m->t.data)[0] = 5;
  flx_ndarray first = NULL;
  EXPECT_OK(flx_ndarray_at(b, 0, 0, &first));
  EXPECT_OK(flx_ndarray_item(first, -1, &ready, &value));
  EXPECT(value == 5);
  flx_free(first), flx_free(b);
  EXPECT_OK(flx_dlpack_collect(&count));
  EXPECT(count == 1);
  EXPECT_OK(flx_dlpack_collect(&count));
  EXPECT(count == 0);
  /* what a write would make wrong is read-only */
  EXPECT_OK(flx_autograd_attach(a, "write", NULL));
  EXPECT_OK(flx_invoke("relu", FLX_RECORD, &a, 1, NULL, NULL, 0, &y, 1, &n));
  EXPECT_OK(flx_ndarray_to_dlpack(y, -1, &ready, &address));
  m = (dlpack_versioned *)(intptr_t)address;
  EXPECT(m->flags == 1);
  flx_free(y);
  EXPECT(((float *)m->t.data)[0] == 5);
  m->drop(m);
  EXPECT(live_handles() == before);
  flx_free(a);
}

void test_gc_hint(void) {
  int32_t hints = 0, again = 0;
  flx_ndarray kept[8];
  const int64_t dims[1] = {4 << 20}; /* 16 MiB each */
  for (int i = 0; i < 3; ++i) flx_memory_gc_hint();
  EXPECT(flx_memory_gc_hint() == 0);
  for (int i = 0; i < 8; ++i) {
    EXPECT_OK(flx_ndarray_create(dims, 1, FLX_FLOAT32, NULL, &kept[i]));
    hints += flx_memory_gc_hint();
  }
  EXPECT(hints == 1);
  for (int i = 0; i < 8; ++i) flx_free(kept[i]);
  for (int round = 0; round < 20; ++round) { /* what is freed at once asks for nothing */
    EXPECT_OK(flx_ndarray_create(dims, 1, FLX_FLOAT32, NULL, &kept[0]));
    again += flx_memory_gc_hint();
    flx_free(kept[0]);
  }
  EXPECT(again == 0);
  /* a host that runs ahead of its operations holds what they will make */
  flx_ndarray ahead[12], x = NULL;
  int32_t n = 0, ready = 0, before = flx_memory_gc_hint();
  EXPECT(before == 0);
  EXPECT_OK(flx_config_set("FLEXOR_ENGINE", "threaded"));
  EXPECT_OK(flx_ndarray_create(dims, 1, FLX_FLOAT32, NULL, &x));
  hints = 0;
  for (int i = 0; i < 12; ++i) {
    EXPECT_OK(flx_invoke("sqrt", 0, i ? &ahead[i - 1] : &x, 1, NULL, NULL, 0, &ahead[i], 1, &n));
    hints += flx_memory_gc_hint();
  }
  EXPECT(hints == 1 || hints == 2);
  for (int i = 0; i < 12; ++i) flx_free(ahead[i]);
  flx_free(x);
  EXPECT_OK(flx_wait_all(-1, &ready));
  EXPECT(flx_memory_gc_hint() == 0);
  EXPECT_OK(flx_config_set("FLEXOR_ENGINE", ""));
  /* many small ones */
  enum { MANY = 210000 };
  static flx_ndarray small[MANY];
  hints = 0;
  for (int i = 0; i < MANY; ++i) {
    small[i] = make_array(1, 1);
    hints += flx_memory_gc_hint();
  }
  EXPECT(hints == 1 || hints == 2);
  for (int i = 0; i < MANY; ++i) flx_free(small[i]);
  EXPECT(flx_memory_gc_hint() == 0);
}

/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "harness.h"

#ifdef __SANITIZE_THREAD__
enum { ROUNDS = 4000 };
#else
enum { ROUNDS = 20000 };
#endif
enum { THREADS = 8, SLOTS = 24 };

static _Atomic(uintptr_t) slots[SLOTS];
static atomic_int bad_answers, used, refused;

static uint64_t next_random(uint64_t *state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return *state >> 33;
}
/* Somebody else may have freed it: both answers are right, anything else is not. */
static int allowed(flx_status s) {
  if (s == FLX_OK) atomic_fetch_add(&used, 1);
  else if (s == FLX_ERROR_HANDLE) atomic_fetch_add(&refused, 1);
  else atomic_fetch_add(&bad_answers, 1);
  return s == FLX_OK;
}
static void *use_and_free(void *arg) {
  uint64_t state = (uint64_t)(uintptr_t)arg * 977 + 3;
  flx_call add = NULL;
  const int64_t size = 3;
  if (flx_call_create("broadcast_add", NULL, NULL, 0, &add)) return (void *)1;
  for (int i = 0; i < ROUNDS; ++i) {
    flx_ndarray mine = NULL, sum = NULL, a = (flx_ndarray)atomic_load(&slots[next_random(&state) % SLOTS]), b = (flx_ndarray)atomic_load(&slots[next_random(&state) % SLOTS]);
    float got[3] = {0, 0, 0};
    int32_t dtype = -1, n = 0, ready = 0;
    int64_t dims[4];
    switch (next_random(&state) % 5) {
      case 0: /* a new array in its place; the old one is freed, sometimes twice */
        if (flx_ndarray_create_full(&size, 1, FLX_FLOAT32, NULL, 1, &mine)) return (void *)1;
        a = (flx_ndarray)atomic_exchange(&slots[next_random(&state) % SLOTS], (uintptr_t)mine);
        flx_free(a);
        if (i % 3 == 0) flx_free(a);
        break;
      case 1: flx_free(a); break; /* while others use it */
      case 2:
        if (allowed(flx_ndarray_describe(a, &dtype, dims, 4, &n)) && (dtype != FLX_FLOAT32 || n != 1 || dims[0] != 3)) atomic_fetch_add(&bad_answers, 1);
        break;
      case 3:
        if (allowed(flx_call_binary(add, 0, a, b, &sum))) {
          if (flx_ndarray_read(sum, got, sizeof got, FLX_FLOAT32, FLX_ROW_MAJOR, -1, &ready) || got[0] != 2 || got[2] != 2) atomic_fetch_add(&bad_answers, 1);
        }
        flx_free(sum);
        break;
      default:
        if (allowed(flx_ndarray_alias(a, &mine))) {
          flx_free(a);
          if (flx_ndarray_describe(mine, &dtype, dims, 4, &n)) atomic_fetch_add(&bad_answers, 1);
          flx_free(mine);
        }
    }
  }
  flx_free(add);
  return NULL;
}

void test_threads(void) {
  pthread_t threads[THREADS];
  void *result = NULL;
  int64_t before = live_handles();
  atomic_store(&used, 0), atomic_store(&refused, 0), atomic_store(&bad_answers, 0);
  for (int i = 0; i < SLOTS; ++i) atomic_store(&slots[i], (uintptr_t)make_array(3, 1));
  for (int i = 0; i < THREADS; ++i) EXPECT(pthread_create(&threads[i], NULL, use_and_free, (void *)(uintptr_t)(i + 1)) == 0);
  for (int i = 0; i < THREADS; ++i) {
    EXPECT(pthread_join(threads[i], &result) == 0);
    EXPECT(result == NULL);
  }
  for (int i = 0; i < SLOTS; ++i) flx_free((void *)atomic_load(&slots[i]));
  EXPECT(atomic_load(&bad_answers) == 0);
  EXPECT(atomic_load(&used) > ROUNDS / 10);
  EXPECT(atomic_load(&refused) > 0);
  EXPECT(live_handles() == before);
}

static void *free_it(void *h) {
  flx_free(h);
  return NULL;
}
/* Each kind is made here and freed in another thread; an error there is that thread's own. */
static void *fail_there(void *out) {
  int64_t n;
  *(int *)out = flx_handle_live("nonsense", &n) == FLX_ERROR_NAME && strstr(flx_last_error(), "nonsense") != NULL;
  return NULL;
}
void test_free_elsewhere(void) {
  pthread_t t;
  int64_t before = live_handles(), n = 0;
  int seen = 0;
  for (int k = 0; k < KINDS; ++k) {
    void *h = make_handle(k);
    EXPECT(pthread_create(&t, NULL, free_it, h) == 0);
    EXPECT(pthread_join(t, NULL) == 0);
    flx_free(h);
  }
  EXPECT(live_handles() == before);
  EXPECT_STATUS(FLX_ERROR_NAME, flx_handle_live("rubbish", &n));
  EXPECT(pthread_create(&t, NULL, fail_there, &seen) == 0);
  EXPECT(pthread_join(t, NULL) == 0);
  EXPECT(seen);
  EXPECT(strstr(flx_last_error(), "rubbish") != NULL);
}

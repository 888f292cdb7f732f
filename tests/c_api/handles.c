/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "handle_cases.h"
#include "harness.h"

/* Every out-parameter that a function may have, so that one comparison tells whether it was touched. */
typedef struct {
  int32_t i32, n;
  int64_t i64, dims[8];
  double f64;
  const char *borrowed;
  char *text;
  unsigned char buffer[64];
  flx_ndarray array, arrays[8];
  flx_layer layer;
  flx_params params;
  flx_model model;
  flx_task task;
  flx_iter iter;
} outs;
static outs o;
static const float data[3] = {1, 2, 3};
static const int64_t dims[1] = {3};
static const char *const key = "data", *const value = "(4, 3)", *const accuracy = "accuracy";
#define WITH(a, b) ((const flx_ndarray[]){(flx_ndarray)(a), (flx_ndarray)(b)})

/* Runs every case of the lists with each bad handle of the case's kind. */
static void run_cases(void *(*bad)(int kind, int variant), int variants, int null_too) {
  outs before;
  memset(&before, 0x5a, sizeof before);
#define ONE(kind, function, call)                                                                                     \
  for (int v = null_too ? -1 : 0; v < variants; ++v) {                                                                \
    void *h = v < 0 ? NULL : bad(kind, v);                                                                            \
    memcpy(&o, &before, sizeof o);                                                                                    \
    expect_status(FLX_ERROR_HANDLE, call, #function, __FILE__, __LINE__, #call);                                      \
    if (memcmp(&o, &before, sizeof o)) expect(0, __FILE__, __LINE__, #function " to leave its out-parameters alone"); \
    if (strcmp(flx_last_error_field("kind"), "handle")) expect(0, __FILE__, __LINE__, "the error's kind to be handle"); \
  }
  HANDLE_CASES(ONE)
  null_too = 0;
  OPTIONAL_HANDLE_CASES(ONE)
#undef ONE
}

static void *freed[KINDS], *others[KINDS];
enum { VARIANTS = 10 };
static void *bad_handle(int kind, int variant) {
  uint64_t good_bits = (uint64_t)(uintptr_t)others[kind], bits = 0;
  switch (variant) {
    case 0: return freed[kind];
    case 1: return others[(kind + 1) % KINDS]; /* a wrong kind */
    case 2: return others[(kind + 5) % KINDS];
    case 3: bits = 1; break;
    case 4: bits = ~(uint64_t)0; break;
    case 5: bits = 0xdeadbeefdeadbeefu; break;
    case 6: return (void *)&o; /* an address */
    case 7: bits = good_bits ^ 1; break; /* another generation */
    case 8: bits = good_bits | (uint64_t)0xffffff << 32; break; /* a slot that was never made */
    default: bits = (good_bits & 0x00ffffffffffffffu) | (uint64_t)0x7f << 56; break; /* a kind that there is not */
  }
  return (void *)(uintptr_t)bits;
}

void test_bad_handles(void) {
  make_good();
  for (int k = 0; k < KINDS; ++k) {
    freed[k] = make_handle(k);
    flx_free(freed[k]);
  }
  for (int k = 0; k < KINDS; ++k) others[k] = make_handle(k);
  for (int k = 0; k < KINDS; ++k) EXPECT(others[k] != freed[k]);
  run_cases(bad_handle, VARIANTS, 1);
  for (int k = 0; k < KINDS; ++k) flx_free(others[k]);
  free_good();
}

void test_freeing(void) {
  int64_t before = live_handles();
  flx_free(NULL);
  flx_text_free(NULL);
  for (int k = 0; k < KINDS; ++k) {
    void *h = make_handle(k), *next;
    flx_free(h);
    flx_free(h);
    next = make_handle(k); /* may have the slot of the first, which must not be taken for it */
    flx_free(h);
    const char *kind = "?";
    EXPECT_OK(flx_handle_kind(next, &kind));
    EXPECT(strcmp(kind, kind_names[k]) == 0);
    flx_free(next);
    flx_free((void *)(uintptr_t)((uint64_t)(uintptr_t)next ^ 0xff00000000000000u));
  }
  for (uint64_t bits = 1; bits < (uint64_t)1 << 62; bits *= 3) flx_free((void *)(uintptr_t)bits);
  flx_free((void *)&before);
  EXPECT(live_handles() == before);
}

void test_live_counts(void) {
  int64_t all = live_handles(), of_kind = 0, with = 0;
  for (int k = 0; k < KINDS; ++k) {
    EXPECT_OK(flx_handle_live(kind_names[k], &of_kind));
    void *h = make_handle(k);
    EXPECT_OK(flx_handle_live(kind_names[k], &with));
    EXPECT(with == of_kind + 1);
    EXPECT(live_handles() == all + 1);
    flx_free(h);
    EXPECT_OK(flx_handle_live(kind_names[k], &with));
    EXPECT(with == of_kind);
  }
  with = 77;
  EXPECT_STATUS(FLX_ERROR_NAME, flx_handle_live("ndaray", &with));
  EXPECT(with == 77);
  EXPECT(strstr(flx_last_error(), "ndarray") != NULL);
}

void test_kinds(void) {
  const char *kind = "?";
  for (int k = 0; k < KINDS; ++k) {
    void *h = make_handle(k);
    EXPECT_OK(flx_handle_kind(h, &kind));
    EXPECT(strcmp(kind, kind_names[k]) == 0);
    flx_free(h);
    EXPECT_OK(flx_handle_kind(h, &kind));
    EXPECT(strcmp(kind, "") == 0);
  }
  EXPECT_OK(flx_handle_kind(NULL, &kind));
  EXPECT(strcmp(kind, "") == 0);
  EXPECT_OK(flx_handle_kind((void *)&kind, &kind));
  EXPECT(strcmp(kind, "") == 0);
}

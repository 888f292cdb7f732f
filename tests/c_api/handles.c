/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "harness.h"

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

/* SPDX-License-Identifier: Apache-2.0
 * Bytes of resident memory that one more one-element array takes, of 100,000 held: results of an add. */
#include <flexor/c_api.h>
#include <stdio.h>
#include <stdlib.h>

enum { COUNT = 100000, BEFORE = 2000 };

static double resident(void) {
  long pages = 0;
  FILE *f = fopen("/proc/self/statm", "r");
  if (!f || fscanf(f, "%*s %ld", &pages) != 1) exit(1);
  fclose(f);
  return (double)pages * 4096;
}
static void hold(flx_call add, flx_ndarray one, flx_ndarray *held, int count) {
  for (int i = 0; i < count; ++i)
    if (flx_call_binary(add, 0, one, one, &held[i])) exit(1);
}

int main(void) {
  static flx_ndarray held[COUNT], first[BEFORE];
  const int64_t dim = 1;
  flx_ndarray one;
  flx_call add;
  if (flx_ndarray_create_full(&dim, 1, FLX_FLOAT32, NULL, 1, &one) || flx_call_create("broadcast_add", NULL, NULL, 0, &add)) return 1;
  for (int i = 0; i < COUNT; ++i) held[i] = (flx_ndarray)1; /* its pages are there */
  hold(add, one, first, BEFORE);
  double before = resident();
  hold(add, one, held, COUNT);
  printf("%.1f\n", (resident() - before) / COUNT);
  return 0;
}

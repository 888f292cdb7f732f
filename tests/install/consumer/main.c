/* SPDX-License-Identifier: Apache-2.0
 * Adds two arrays through the installed library. */
#include <flexor/c_api.h>
#include <stdio.h>

int main(void) {
  const float data[3] = {1.0f, 2.0f, 3.5f};
  float sum[3] = {0, 0, 0};
  const int64_t dims[1] = {3};
  int32_t n = 0, ready = 0;
  flx_ndarray a = 0, y = 0, pair[2];
  if (flx_abi_require(FLX_ABI_VERSION) ||
      flx_ndarray_create_from(data, sizeof data, FLX_FLOAT32, FLX_ROW_MAJOR, dims, 1, FLX_FLOAT32, 0, &a)) {
    fprintf(stderr, "%s\n", flx_last_error());
    return 1;
  }
  pair[0] = a, pair[1] = a;
  if (flx_invoke("broadcast_add", 0, pair, 2, 0, 0, 0, &y, 1, &n) ||
      flx_ndarray_read(y, sum, sizeof sum, FLX_FLOAT32, FLX_ROW_MAJOR, -1, &ready)) {
    fprintf(stderr, "%s\n", flx_last_error());
    return 1;
  }
  if (!ready || sum[0] != 2.0f || sum[1] != 4.0f || sum[2] != 7.0f) {
    fprintf(stderr, "got %g %g %g\n", (double)sum[0], (double)sum[1], (double)sum[2]);
    return 1;
  }
  flx_free(a);
  flx_free(y);
  printf("flexor %s\n", flx_version());
  return 0;
}

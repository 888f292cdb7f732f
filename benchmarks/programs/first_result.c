/* SPDX-License-Identifier: Apache-2.0
 * What process_bench times from its start: two arrays, their sum, and its value. */
#include <flexor/c_api.h>
#include <stddef.h>

int main(void) {
  const int64_t dim = 1;
  flx_ndarray pair[2], sum;
  int32_t n = 0, ready = 0;
  double value = 0;
  int bad = flx_ndarray_create_full(&dim, 1, FLX_FLOAT32, NULL, 1, &pair[0]) || flx_ndarray_create_full(&dim, 1, FLX_FLOAT32, NULL, 2, &pair[1]) ||
            flx_invoke("broadcast_add", 0, pair, 2, NULL, NULL, 0, &sum, 1, &n) || flx_ndarray_item(sum, -1, &ready, &value);
  return bad || value != 3;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * A process that knows nothing of the profiler: it computes, goes to another folder, forks, and ends. profiled_process_test.py profiles it from outside. */
#include <flexor/c_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void compute(int times) {
  const int64_t dims[2] = {4, 3};
  flx_ndarray x = NULL, y = NULL;
  int32_t n = 0, ready = 0;
  if (flx_ndarray_create_full(dims, 2, FLX_FLOAT32, NULL, 1, &x)) exit(2);
  for (int i = 0; i < times; ++i) {
    if (flx_invoke("relu", 0, &x, 1, NULL, NULL, 0, &y, 1, &n)) exit(2);
    flx_free(y);
  }
  flx_free(x);
  if (flx_wait_all(-1, &ready)) exit(2);
}

int main(void) {
  int status = 0;
  compute(100);
  if (chdir("/")) return 3;
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    compute(5);
    exit(0); /* with exit's handlers: the parent's file is not the child's */
  }
  if (waitpid(child, &status, 0) != child || status) return 4;
  compute(20);
  printf("%d\n", (int)getpid());
  return 0;
}

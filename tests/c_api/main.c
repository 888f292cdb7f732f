/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "harness.h"

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: c_abi_test FOLDER (for its files)\n");
    return 2;
  }
  use_folder(argv[1]);
  run_test("the library says what it is", test_library);
  run_test("freeing null, twice, garbage", test_freeing);
  run_test("handles are counted", test_live_counts);
  run_test("handles have a kind", test_kinds);
  run_test("handles made, used and freed by 8 threads", test_threads);
  run_test("freed in another thread while used", test_free_elsewhere);
  run_test("too small a capacity is told before running", test_refused_before_running);
  run_test("the longest timeout", test_longest_timeout);
  run_test("a failure leaves out-parameters untouched", test_untouched);
  run_test("missing and broken files", test_missing_files);
  run_test("facts of an error", test_error_fields);
  run_test("an array's memory in the host's hands", test_mappings);
  run_test("memory shared by DLPack", test_dlpack);
  run_test("a hint to collect", test_gc_hint);
  return finish_tests();
}

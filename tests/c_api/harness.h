/* SPDX-License-Identifier: Apache-2.0
 *
 * A tiny test harness in C11, and one good handle of every kind. */
#ifndef FLEXOR_TESTS_C_API_HARNESS_H_
#define FLEXOR_TESTS_C_API_HARNESS_H_
#include <flexor/c_api.h>
#include <stdint.h>

/* Counts, and says what was expected where; the test it stands in fails, and goes on. */
int expect(int ok, const char *file, int line, const char *text);
#define EXPECT(condition) expect((condition) ? 1 : 0, __FILE__, __LINE__, #condition)
/* The call gives this status; a failure's message is not empty and names `who`, the function ("" if it need not). */
int expect_status(flx_status want, flx_status got, const char *who, const char *file, int line, const char *text);
#define EXPECT_OK(call) expect_status(FLX_OK, (call), "", __FILE__, __LINE__, #call)
#define EXPECT_STATUS(want, call) expect_status((want), (call), "", __FILE__, __LINE__, #call)

/* What the fixtures need must work, or there is nothing to test: ends the program. */
void need(flx_status got, const char *file, int line, const char *text);
#define NEED(call) need((call), __FILE__, __LINE__, #call)

void run_test(const char *name, void (*test)(void));
void use_folder(const char *path); /* where scratch_file makes files */
int wrong_so_far(void);            /* faults of the test at work */
int finish_tests(void);            /* prints `N passed, N failed`; 0 if none failed */

/* Kinds of handles, in one order everywhere. */
enum { NDARRAY, ENTRY, CALL, LAYER, PARAMS, MODEL, OPTIMIZER, SCHEDULE, INITIALIZER, METRIC, ITER, RECORD, TASK, SYMBOL, GRAPH, SPAN, MAPPING, STORE, KINDS };
extern const char *const kind_names[KINDS];
void *make_handle(int kind); /* a new good one: the caller frees it */

typedef struct {
  flx_ndarray ndarray;
  flx_entry entry;
  flx_call call;
  flx_layer layer; /* a Sequential */
  flx_params params;
  flx_model model;
  flx_optimizer optimizer;
  flx_schedule schedule;
  flx_initializer initializer;
  flx_metric metric;
  flx_iter iter;
  flx_record record;
  flx_task task;
  flx_symbol symbol; /* relu of a variable `x` of shape (4, 3) */
  flx_graph graph;   /* of it */
  flx_span span;
  flx_mapping mapping; /* of an array of its own */
  flx_store store;     /* local */
} good_handles;
extern good_handles good;
void make_good(void);
void free_good(void);
int64_t live_handles(void);

flx_ndarray make_array(int64_t size, double value); /* float32 (size,) */
const char *scratch_file(const char *name);         /* a path in the test's own folder */

/* the tests */
void test_freeing(void);
void test_live_counts(void);
void test_kinds(void);
void test_threads(void);
void test_free_elsewhere(void);
void test_refused_before_running(void);
void test_longest_timeout(void);
void test_untouched(void);
void test_missing_files(void);
void test_error_fields(void);
void test_library(void);
void test_mappings(void);
void test_dlpack(void);
void test_gc_hint(void);

#endif

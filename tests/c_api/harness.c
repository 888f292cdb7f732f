/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int passed, failed, wrong;
const char *const kind_names[KINDS] = {"ndarray", "entry", "call", "layer", "params", "model", "optimizer", "schedule", "initializer", "metric", "iter", "record", "task", "symbol", "graph", "span", "mapping", "store"};
good_handles good;

int expect(int ok, const char *file, int line, const char *text) {
  if (!ok) {
    ++wrong;
    fprintf(stderr, "%s:%d: expected %s\n", file, line, text);
  }
  return ok;
}
int expect_status(flx_status want, flx_status got, const char *who, const char *file, int line, const char *text) {
  if (got == want && (got == FLX_OK || (*flx_last_error() && strstr(flx_last_error(), who)))) return 1;
  ++wrong;
  fprintf(stderr, "%s:%d: %s: expected status %d, got %d: %s\n", file, line, text, (int)want, (int)got, got == FLX_OK ? "ok" : flx_last_error());
  return 0;
}
void run_test(const char *name, void (*test)(void)) {
  wrong = 0;
  test();
  if (wrong) ++failed;
  else ++passed;
  printf("%s %s\n", wrong ? "FAILED" : "passed", name);
  fflush(stdout);
}

void need(flx_status got, const char *file, int line, const char *text) {
  if (got == FLX_OK) return;
  fprintf(stderr, "%s:%d: %s: %s\n", file, line, text, flx_last_error());
  exit(1);
}

static char folder[256];
const char *scratch_file(const char *name) {
  static char path[4][512];
  static int next;
  char *p = path[next++ % 4];
  snprintf(p, sizeof path[0], "%s/%s", folder, name);
  return p;
}
int64_t live_handles(void) {
  int64_t n = -1;
  NEED(flx_handle_live(NULL, &n));
  return n;
}
flx_ndarray make_array(int64_t size, double value) {
  flx_ndarray a = NULL;
  NEED(flx_ndarray_create_full(&size, 1, FLX_FLOAT32, NULL, value, &a));
  return a;
}
static flx_ndarray make_matrix(void) {
  const int64_t dims[2] = {4, 3};
  flx_ndarray a = NULL;
  NEED(flx_ndarray_create_full(dims, 2, FLX_FLOAT32, NULL, 1.5, &a));
  return a;
}
static flx_layer make_net(void) {
  const char *const key[1] = {"units"}, *const value[1] = {"2"};
  flx_layer net = NULL, dense = NULL;
  NEED(flx_layer_create("Sequential", NULL, NULL, NULL, 0, &net));
  NEED(flx_layer_create("Dense", NULL, key, value, 1, &dense));
  NEED(flx_layer_add(net, dense));
  flx_free(dense);
  return net;
}
static flx_params make_params(void) {
  const char *const key[1] = {"data"}, *const value[1] = {"(4, 3)"};
  flx_layer net = make_net();
  flx_params p = NULL;
  NEED(flx_params_init(net, key, value, 1, NULL, 1, &p));
  flx_free(net);
  return p;
}
static flx_model make_model(void) {
  flx_layer net = make_net();
  flx_params p = make_params();
  flx_model m = NULL;
  NEED(flx_model_create(net, p, &m));
  flx_free(net);
  flx_free(p);
  return m;
}
static flx_iter make_iter(void) {
  const char *const name[1] = {"data"}, *const key[1] = {"batch_size"}, *const value[1] = {"2"};
  flx_ndarray a = make_matrix();
  flx_iter it = NULL;
  NEED(flx_iter_from_arrays(&a, 1, name, 1, key, value, 1, &it));
  flx_free(a);
  return it;
}
static flx_task make_task(void) {
  flx_model m = make_model();
  flx_iter it = make_iter();
  flx_task t = NULL;
  NEED(flx_predict_start(m, it, &t));
  flx_free(m);
  flx_free(it);
  return t;
}

static flx_symbol make_symbol(void) {
  const char *const key[1] = {"shape"}, *const value[1] = {"(4, 3)"};
  flx_symbol x = NULL, y = NULL;
  NEED(flx_symbol_variable("x", key, value, 1, &x));
  NEED(flx_symbol_compose("relu", "r", &x, 1, NULL, 0, NULL, NULL, 0, &y));
  flx_free(x);
  return y;
}
static flx_graph make_graph(void) {
  flx_symbol s = make_symbol();
  flx_graph g = NULL;
  NEED(flx_graph_create(s, NULL, NULL, 0, &g));
  flx_free(s);
  return g;
}
static flx_mapping make_mapping(void) {
  flx_ndarray a = make_array(3, 2);
  flx_mapping m = NULL;
  int32_t ready = 0;
  NEED(flx_ndarray_map(a, 0, -1, &ready, &m));
  flx_free(a);
  return m;
}
/* of key `data`, with an optimizer */
static flx_store make_store(void) {
  const char *const key[1] = {"data"};
  flx_ndarray a = make_matrix();
  flx_optimizer sgd = NULL;
  flx_store s = NULL;
  NEED(flx_optimizer_create("SGD", NULL, NULL, 0, &sgd));
  NEED(flx_store_create("local", NULL, NULL, 0, &s));
  NEED(flx_store_init(s, key, 1, &a, 1));
  NEED(flx_store_optimizer(s, sgd));
  flx_free(a);
  flx_free(sgd);
  return s;
}

void *make_handle(int kind) {
  static int records;
  flx_entry entry = NULL;
  flx_call call = NULL;
  flx_optimizer optimizer = NULL;
  flx_schedule schedule = NULL;
  flx_initializer initializer = NULL;
  flx_metric metric = NULL;
  flx_record record = NULL;
  flx_span span = NULL;
  const char *const key[1] = {"step"}, *const value[1] = {"10"};
  char name[32];
  switch (kind) {
    case NDARRAY: return make_array(3, 2);
    case ENTRY: NEED(flx_registry_find("operator", "relu", &entry)); return entry;
    case CALL: NEED(flx_call_create("broadcast_add", NULL, NULL, 0, &call)); return call;
    case LAYER: return make_net();
    case PARAMS: return make_params();
    case MODEL: return make_model();
    case OPTIMIZER: NEED(flx_optimizer_create("SGD", NULL, NULL, 0, &optimizer)); return optimizer;
    case SCHEDULE: NEED(flx_schedule_create("Factor", key, value, 1, &schedule)); return schedule;
    case INITIALIZER: NEED(flx_initializer_create("Xavier", NULL, NULL, 0, &initializer)); return initializer;
    case METRIC: NEED(flx_metric_create("accuracy", NULL, NULL, 0, &metric)); return metric;
    case ITER: return make_iter();
    case RECORD:
      snprintf(name, sizeof name, "%d.rec", records++);
      NEED(flx_record_open(scratch_file(name), "write", &record));
      return record;
    case TASK: return make_task();
    case SYMBOL: return make_symbol();
    case GRAPH: return make_graph();
    case SPAN: NEED(flx_span_begin("here", NULL, &span)); return span;
    case MAPPING: return make_mapping();
    case STORE: return make_store();
    default: exit(1);
  }
}
void make_good(void) {
  good.ndarray = make_handle(NDARRAY), good.entry = make_handle(ENTRY), good.call = make_handle(CALL), good.layer = make_handle(LAYER);
  good.params = make_handle(PARAMS), good.model = make_handle(MODEL), good.optimizer = make_handle(OPTIMIZER), good.schedule = make_handle(SCHEDULE);
  good.initializer = make_handle(INITIALIZER), good.metric = make_handle(METRIC), good.iter = make_handle(ITER), good.record = make_handle(RECORD);
  good.task = make_handle(TASK), good.symbol = make_handle(SYMBOL), good.graph = make_handle(GRAPH), good.span = make_handle(SPAN);
  good.mapping = make_handle(MAPPING), good.store = make_handle(STORE);
}
void free_good(void) {
  flx_free(good.ndarray), flx_free(good.entry), flx_free(good.call), flx_free(good.layer), flx_free(good.params), flx_free(good.model);
  flx_free(good.optimizer), flx_free(good.schedule), flx_free(good.initializer), flx_free(good.metric), flx_free(good.iter), flx_free(good.record);
  flx_free(good.task), flx_free(good.symbol), flx_free(good.graph), flx_free(good.span), flx_free(good.mapping), flx_free(good.store);
}

void use_folder(const char *path) { snprintf(folder, sizeof folder, "%s", path); }
int wrong_so_far(void) { return wrong; }
int finish_tests(void) {
  printf("%d passed, %d failed\n", passed, failed);
  return failed ? 1 : 0;
}

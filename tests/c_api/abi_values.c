/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "abi_values.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dlpack_structs.h"

/* The first rule that fits function and argument holds. A new function needs a rule only where none of these suits it. */
typedef struct {
  const char *function, *arg, *value;
  int used;
} rule;
/* One row an argument: a text, the pairs of `keys` and `values` as "key=value;key=value", or how a handle or bytes are made (see make). "@name" is a scratch file. */
static rule rules[] = {
    {"flx_last_error_field", "field", "kind", 0},
    {"flx_library_text", "field", "path", 0},
    {"flx_layer_text", "field", "kind", 0},
    {"flx_entry_trait", "field", "inputs", 0},
    {"flx_task_number", "field", "loss", 0},
    {"flx_task_text", "field", "progress", 0},
    {"flx_symbol_transform", "name", "merge", 0},
    {"flx_graph_text", "field", "waits", 0},
    {"flx_layer_plan", "field", "plan", 0},
    {"flx_store_text", "field", "kind", 0},
    {"flx_store_number", "field", "rank", 0},
    {"*", "field", "name", 0},
    {"*", "feature", "cpu", 0},
    {"flx_config_*", "key", "FLEXOR_LOG_LEVEL", 0},
    {"flx_config_*", "value", "error", 0},
    {"flx_optimizer_*", "key", "learning_rate", 0},
    {"flx_optimizer_*", "value", "0.1", 0},
    {"flx_store_set", "key", "learning_rate", 0},
    {"flx_store_set", "value", "0.1", 0},
    {"flx_symbol_attr_*", "key", "lr_mult", 0},
    {"flx_symbol_attr_*", "value", "2", 0},
    {"*", "key", "a", 0},
    {"*", "value", "b", 0},
    {"flx_device_count", "kind", "cpu", 0},
    {"flx_handle_live", "kind", "ndarray", 0},
    {"flx_layer_create", "kind", "Dense", 0},
    {"flx_layer_create", "keys", "units=2", 0},
    {"flx_layer_summary", "keys", "data=(4, 3)", 0},
    {"flx_layer_table", "keys", "data=(4, 3)", 0},
    {"flx_layer_draw", "keys", "data=(4, 3)", 0},
    {"flx_symbol_variable", "keys", "shape=(2, 2)", 0},
    {"flx_graph_create", "keys", "monitor=*", 0},
    {"flx_profiler_start", "keys", "capacity=64K", 0},
    {"flx_profiler_summary", "sort", "total", 0},
    {"flx_params_init", "keys", "data=(4, 3)", 0},
    {"flx_schedule_create", "keys", "step=10", 0},
    {"flx_iter_create", "keys", "data_csv=@rows.csv;data_shape=(1,)", 0},
    {"flx_iter_from_arrays", "keys", "batch_size=2", 0},
    {"flx_iter_from_host", "keys", "batch_size=2", 0},
    {"flx_iter_create", "name", "CSVIter", 0},
    {"flx_optimizer_create", "name", "SGD", 0},
    {"flx_schedule_create", "name", "Factor", 0},
    {"flx_initializer_create", "name", "Xavier", 0},
    {"flx_metric_create", "name", "accuracy", 0},
    {"flx_store_create", "name", "local", 0},
    {"flx_invoke*", "name", "relu", 0},
    {"flx_call_create", "name", "relu", 0},
    {"flx_registry_find", "name", "relu", 0},
    {"*", "name", "0.weight", 0},
    {"flx_evaluate_start", "names", "accuracy", 0},
    {"flx_symbol_compose", "names", "data", 0},
    {"flx_symbol_*", "names", "x", 0},
    {"flx_layer_from_symbol", "names", "x", 0},
    {"*", "names", "data", 0},
    {"*", "op", "relu", 0},
    {"flx_checkpoint_load", "path", "@saved", 0},
    {"flx_checkpoint_save", "path", "@new", 0},
    {"*", "prefix", "net_", 0},
    {"*", "category", "mine", 0},
    {"*", "registry", "operator", 0},
    {"*", "stat", "live", 0},
    {"*", "device", "cpu", 0},
    {"*", "origin", "here.c:1", 0},
    {"*", "grad_req", "write", 0},
    {"*_draw", "format", "svg", 0},
    {"*", "format", "safetensors", 0},
    {"*", "message", "no luck", 0},
    {"flx_layer_from_json", "text", "{\"kind\":\"Flatten\"}", 0},
    {"flx_symbol_from_json", "text", "{\"nodes\":[{\"op\":\"null\",\"name\":\"x\",\"inputs\":[]}],\"arg_nodes\":[0],\"heads\":[[0,0,0]]}", 0},
    {"flx_symbol_load", "path", "@saved-symbol.json", 0},
    {"flx_params_load", "path", "@saved.flx", 0},
    {"flx_model_load", "path", "@saved.flx", 0},
    {"flx_store_load", "path", "@store.states", 0},
    {"flx_record_open", "path", "@rows.rec", 0},
    {"flx_plugin_load", "path", "@rows.csv", 0},
    {"*", "path", "@new.flx", 0},
    {"*", "access", "read", 0},
    {"flx_ndarray_item", "array", "one", 0},
    {"flx_call_binary", "call", "broadcast_add", 0},
    {"flx_call_scalar", "call", "_plus_scalar", 0},
    {"*", "call", "relu", 0},
    {"*", "loss", "L2Loss", 0},
    {"flx_layer_run", "layer", "Flatten", 0},
    {"flx_layer_plan", "layer", "hybridized", 0},
    {"flx_optimizer_step", "params", "graded", 0},
    {"flx_entry_attr_text", "entry", "Convolution", 0},
    {"flx_record_read", "record", "read", 0},
    {"flx_record_seek", "record", "read", 0},
    {"*", "record", "write", 0},
    {"flx_task_history", "task", "fit", 0},
    {"flx_task_column_*", "task", "fit", 0},
    {"flx_task_text", "task", "fit", 0},
    {"flx_fit_store", "task", "begin", 0},
    {"*", "task", "host", 0}, /* one that waits for a host function */
    {"flx_autograd_record", "arrays", "plain", 0},
    {"flx_autograd_record", "targets", "plain", 0},
    {"flx_autograd_*", "arrays", "y", 0},
    {"flx_autograd_*", "targets", "x", 0},
    {"flx_symbol_shape", "symbol", "inferred", 0},
    {"flx_symbol_gradient", "symbol", "inferred", 0},
    {"flx_symbol_transform", "symbol", "inferred", 0},
    {"flx_autograd_symbol", "array", "y", 0},
    {"flx_symbol_while_loop", "body", "pair", 0},
    {"flx_random_load", "data", "random", 0},
    {"flx_model_from_bytes", "data", "model", 0},
    {"flx_optimizer_from_bytes", "data", "optimizer", 0},
};
/* Integers by name; 0 for those that are not here. Counts follow what they count. */
static const struct {
  const char *arg;
  int64_t value;
} integers[] = {{"capacity", 3}, {"timeout_ms", 10000}, {"seed", 1}, {"stop", 1}, {"step", 1}, {"token", 1}, {"columns", 80}, {"abi_version", 1}, {"outputs", 1}, {"max_iterations", 3}};
/* What may be null, with the header's own words for it; a rule whose words are gone is stale. */
static struct {
  const char *function, *arg, *words;
  int used;
} nullable[] = {
    {"flx_memory_*", "device", "", 0}, /* as flx_memory_stat says for all of them */
    {"*", "device", "null", 0},
    {"flx_ndarray_create_*", "device", "as in flx_ndarray_create", 0},
    {"flx_origin_set", "origin", "null clears it", 0},
    {"flx_handle_live", "kind", "(null: of all kinds)", 0},
    {"flx_layer_create", "name", "(null: its kind)", 0},
    {"flx_layer_from_symbol", "name", "(null: its kind)", 0},
    {"flx_params_save", "format", "null: by extension", 0},
    {"flx_model_meta_set", "value", "a null `value` removes it", 0},
    {"flx_autograd_attach", "grad", "null: a new array of zeros", 0},
    {"flx_layer_run", "params", "(null: it needs none", 0},
    {"flx_model_create", "params", "(null: none yet", 0},
    {"flx_params_init", "initializer", "`initializer` may be null", 0},
    {"flx_optimizer_schedule", "schedule", "null ends that", 0},
    {"flx_fit_start", "valid", "`valid` may be null", 0},
    {"flx_autograd_*", "grads", "", 0}, /* entries of the group: flx_autograd_backward says so for all */
    {"flx_task_reply", "arrays", "entries may be null", 0},
    {"flx_profiler_summary", "sort", "null is share", 0},
    {"flx_span_begin", "category", "(null: user)", 0},
};

static const char *rule_for(const char *function, const char *arg) {
  for (size_t i = 0; i < sizeof rules / sizeof *rules; ++i)
    if (!strcmp(rules[i].arg, arg) && !fnmatch(rules[i].function, function, 0)) {
      rules[i].used = 1;
      return rules[i].value;
    }
  return NULL;
}
int abi_null_allowed(const abi_function *f, int arg) {
  for (size_t i = 0; i < sizeof nullable / sizeof *nullable; ++i)
    if (!strcmp(nullable[i].arg, f->args[arg].name) && !fnmatch(nullable[i].function, f->name, 0)) {
      if (!strstr(f->comment, nullable[i].words)) continue;
      nullable[i].used = 1;
      return 1;
    }
  return 0;
}
int abi_stale_rules(void) {
  int stale = 0;
  for (size_t i = 0; i < sizeof rules / sizeof *rules; ++i)
    if (!rules[i].used) ++stale, fprintf(stderr, "abi_values.c: the rule for `%s` of %s is used by nothing\n", rules[i].arg, rules[i].function);
  for (size_t i = 0; i < sizeof nullable / sizeof *nullable; ++i)
    if (!nullable[i].used) ++stale, fprintf(stderr, "abi_values.c: `%s` of %s: the header no longer says `%s`\n", nullable[i].arg, nullable[i].function, nullable[i].words);
  return stale;
}

static flx_ndarray matrix(int64_t rows, int64_t columns) {
  const int64_t dims[2] = {rows, columns};
  flx_ndarray a = NULL;
  NEED(flx_ndarray_create_full(dims, 2, FLX_FLOAT32, NULL, 1.5, &a));
  return a;
}
static void make_recorded(abi_call *c) {
  int32_t n = 0;
  if (c->x) return;
  c->x = matrix(4, 3);
  NEED(flx_autograd_attach(c->x, "write", NULL));
  NEED(flx_invoke("relu", FLX_RECORD, &c->x, 1, NULL, NULL, 0, &c->y, 1, &n));
}
static flx_iter make_batches(void) {
  const char *const names[2] = {"data", "label"}, *const key[1] = {"batch_size"}, *const value[1] = {"2"};
  flx_ndarray arrays[2] = {matrix(4, 3), matrix(4, 2)};
  flx_iter it = NULL;
  int32_t event = 0;
  NEED(flx_iter_from_arrays(arrays, 2, names, 2, key, value, 1, &it));
  NEED(flx_iter_next(it, -1, &event));
  flx_free(arrays[0]), flx_free(arrays[1]);
  return it;
}
static flx_task make_host_task(void) {
  flx_ndarray x = matrix(4, 3), y = matrix(4, 3);
  flx_task t = NULL;
  int32_t event = 0;
  NEED(flx_autograd_attach(x, "write", NULL));
  NEED(flx_autograd_record(7, &x, 1, &y, 1));
  NEED(flx_autograd_start(&y, 1, NULL, 0, NULL, 0, 0, &t));
  NEED(flx_task_next(t, -1, &event));
  if (event != FLX_HOST) fprintf(stderr, "abi_values.c: no host function is asked for\n"), exit(1);
  flx_free(x), flx_free(y);
  return t;
}
static flx_task make_fit_task(int done) {
  flx_model m = make_handle(MODEL);
  flx_optimizer o = make_handle(OPTIMIZER);
  flx_iter it = make_batches();
  flx_layer loss = NULL;
  flx_task t = NULL;
  int32_t event = -1;
  NEED(flx_layer_create("L2Loss", NULL, NULL, NULL, 0, &loss));
  NEED(flx_fit_start(m, loss, o, it, NULL, NULL, NULL, 0, &t));
  while (done && event != FLX_DONE) NEED(flx_task_next(t, -1, &event));
  flx_free(m), flx_free(o), flx_free(it), flx_free(loss);
  return t;
}
/* parameters with gradients, as after a backward */
static flx_params make_graded(void) {
  flx_layer net = make_handle(LAYER);
  flx_params p = make_handle(PARAMS);
  flx_ndarray x = matrix(4, 3), y = NULL;
  int32_t n = 0;
  NEED(flx_params_attach(p, "write"));
  NEED(flx_layer_run(net, p, FLX_RECORD | FLX_TRAIN, &x, 1, &y, 1, &n));
  NEED(flx_autograd_backward(&y, 1, NULL, 0, 0));
  flx_free(net), flx_free(x), flx_free(y);
  return p;
}
static flx_record open_record(const char *access) {
  flx_record r = NULL;
  NEED(flx_record_open(scratch_file(*access == 'r' ? "rows.rec" : "new.rec"), access, &r));
  return r;
}
static void make_files(void) {
  static int made;
  int64_t offset = 0;
  int32_t ready = 0;
  if (made++) return;
  FILE *f = fopen(scratch_file("rows.csv"), "w");
  if (!f) exit(1);
  fputs("1\n2\n", f);
  fclose(f);
  flx_record r = NULL;
  NEED(flx_record_open(scratch_file("rows.rec"), "write", &r));
  NEED(flx_record_write(r, "abcd", 4, &offset));
  flx_free(r);
  flx_model m = make_handle(MODEL);
  NEED(flx_model_save(m, scratch_file("saved.flx"), -1, &ready));
  flx_free(m);
  flx_store kept = make_handle(STORE);
  NEED(flx_store_save(kept, scratch_file("store.states"), -1, &ready));
  flx_free(kept);
  flx_symbol s = make_handle(SYMBOL);
  flx_params p = make_handle(PARAMS);
  NEED(flx_checkpoint_save(s, p, scratch_file("saved"), 0, -1, &ready));
  flx_free(s), flx_free(p);
}

static int kind_number(const char *kind) {
  for (int k = 0; k < KINDS; ++k)
    if (!strcmp(kind_names[k], kind)) return k;
  fprintf(stderr, "harness.c makes no handle of kind %s\n", kind);
  exit(1);
}
static flx_symbol make_symbol(const char *how) {
  flx_symbol s[2] = {make_handle(SYMBOL), NULL}, made = NULL;
  if (!how) return s[0];
  s[1] = s[0];
  if (!strcmp(how, "inferred")) NEED(flx_symbol_infer(s[0], NULL, NULL, 0, 0, &made));
  else NEED(flx_symbol_group(s, 2, &made));
  flx_free(s[0]);
  return made;
}
static void *make(abi_call *c, const abi_arg *a) {
  const char *how = rule_for(c->f->name, a->name);
  flx_call call = NULL;
  flx_entry entry = NULL;
  flx_layer layer = NULL;
  flx_model model = NULL;
  switch (kind_number(a->kind)) {
    case NDARRAY:
      if (!how || !strcmp(how, "plain")) return matrix(4, 3);
      if (!strcmp(how, "one")) return matrix(1, 1);
      make_recorded(c);
      return *how == 'x' ? c->x : c->y;
    case CALL: NEED(flx_call_create(how, NULL, NULL, 0, &call)); return call;
    case LAYER:
      if (!how) return make_handle(LAYER);
      if (!strcmp(how, "hybridized")) {
        layer = make_handle(LAYER);
        NEED(flx_layer_hybridize(layer, NULL, NULL, 0));
        return layer;
      }
      NEED(flx_layer_create(how, NULL, NULL, NULL, 0, &layer));
      return layer;
    case ENTRY:
      if (!how) return make_handle(ENTRY);
      NEED(flx_registry_find("operator", how, &entry));
      return entry;
    case PARAMS: return how ? make_graded() : make_handle(PARAMS);
    case MODEL:
      model = make_handle(MODEL);
      NEED(flx_model_meta_set(model, "a", "b"));
      return model;
    case SYMBOL: return make_symbol(how);
    case ITER: return make_batches();
    case RECORD: return open_record(how);
    case TASK: return *how == 'h' ? make_host_task() : make_fit_task(*how == 'f');
    default: return make_handle(kind_number(a->kind));
  }
}
static int64_t make_data(abi_call *c, const char *how) {
  int64_t n = 0;
  int32_t ready = 0;
  void *h = NULL;
  if (!how) { /* host memory of a (4, 3) float32 */
    c->data = calloc(1, 48);
    return 48;
  }
  if (!strcmp(how, "random")) NEED(flx_random_save(&c->data, &n));
  if (!strcmp(how, "model")) NEED(flx_model_to_bytes(h = make_handle(MODEL), -1, &ready, &c->data, &n));
  if (!strcmp(how, "optimizer")) NEED(flx_optimizer_to_bytes(h = make_handle(OPTIMIZER), -1, &ready, &c->data, &n));
  flx_free(h);
  return n;
}
/* A DLPack tensor of two floats that nobody has to let go of, as the one struct and the other; and letting go of what the library made. */
static int64_t tensor_address(const char *function) {
  static float data[2];
  static int64_t shape[1] = {2};
  static dlpack_versioned m = {1, 0, NULL, NULL, 0, {data, {1, 0}, 1, 2, 32, 1, shape, NULL, 0}};
  static dlpack_legacy l = {{data, {1, 0}, 1, 2, 32, 1, shape, NULL, 0}, NULL, NULL};
  return (int64_t)(intptr_t)(strstr(function, "legacy") ? (void *)&l : (void *)&m);
}
static void drop_tensor(const char *function, void *made) {
  if (strstr(function, "legacy")) ((dlpack_legacy *)made)->drop(made);
  else ((dlpack_versioned *)made)->drop(made);
}
static const char *file_or(const char *text) { return text && *text == '@' ? scratch_file(text + 1) : text; }

static int make_pairs(const char *text, const char **keys, const char **values) {
  static char copy[128];
  int n = 0;
  snprintf(copy, sizeof copy, "%s", text);
  for (char *pair = strtok(copy, ";"); pair; pair = strtok(NULL, ";"), ++n) {
    char *equals = strchr(pair, '=');
    *equals = 0;
    keys[n] = pair, values[n] = file_or(equals + 1);
  }
  return n;
}

void abi_make(abi_call *c, const abi_function *f) {
  static const int64_t dims[2] = {4, 3};
  make_files();
  memset(c, 0, sizeof *c);
  memset(c->out, 0xa5, sizeof c->out);
  c->f = f;
  for (int i = 0; i < f->nargs; ++i) {
    const abi_arg *a = &f->args[i];
    abi_value *count = a->count < 0 ? NULL : &c->v[a->count];
    const char *text = NULL;
    switch (a->what) {
      case ABI_INT32:
      case ABI_INT64:
        for (size_t k = 0; k < sizeof integers / sizeof *integers; ++k)
          if (!strcmp(integers[k].arg, a->name)) c->v[i].i = integers[k].value;
        if (!strcmp(a->name, "address")) c->v[i].i = tensor_address(f->name);
        break;
      case ABI_DOUBLE: c->v[i].d = 1; break;
      case ABI_TEXT: c->v[i].p = (void *)file_or(rule_for(f->name, a->name)); break;
      case ABI_TEXTS:
        if (!strcmp(a->name, "values")) break; /* with its keys */
        text = rule_for(f->name, a->name);
        c->v[i].p = c->texts[i];
        if (text && strcmp(a->name, "keys")) c->texts[i][0] = text, count->i = 1;
        if (!strcmp(a->name, "keys")) {
          c->v[i + 1].p = c->texts[i + 1];
          c->texts[i][0] = "a", c->texts[i + 1][0] = "b";
          if (text) count->i = make_pairs(text, c->texts[i], c->texts[i + 1]);
        }
        break;
      case ABI_DIMS: c->v[i].p = (void *)dims, count->i = 2; break;
      case ABI_SCALARS: c->v[i].p = c->out[i]; break;
      case ABI_DATA: count->i = make_data(c, rule_for(f->name, a->name)), c->v[i].p = c->data; break;
      case ABI_BUFFER: c->v[i].p = c->out[i], count->i = 48; break;
      case ABI_ARRAYS:
        c->arrays[i][0] = make(c, a);
        c->v[i].p = c->arrays[i], count->i = 1;
        break;
      case ABI_HANDLE: c->v[i].p = make(c, a); break;
      case ABI_ANY_HANDLE:
      case ABI_OWN_TEXT:
      case ABI_CALLBACK:
      case ABI_POINTER: break;
      default: c->v[i].p = c->out[i];
    }
  }
  for (int i = 0; i < f->nargs; ++i) /* counts that came before their group's own value */
    if (f->args[i].count >= 0 && f->args[i].what == ABI_OUT_DIMS) c->v[f->args[i].count].i = 8;
}
int abi_outs_untouched(const abi_call *c) {
  for (size_t i = 0; i < sizeof c->out; ++i)
    if (((const unsigned char *)c->out)[i] != 0xa5) return 0;
  return 1;
}
void abi_give_back(abi_call *c) {
  for (int i = 0; i < c->f->nargs; ++i) {
    void *h[ABI_OUT_BYTES / 8];
    abi_class what = c->f->args[i].what;
    memcpy(h, c->out[i], sizeof h);
    for (size_t k = 0; k < sizeof h / sizeof *h; ++k) {
      if ((uint64_t)(uintptr_t)h[k] == 0xa5a5a5a5a5a5a5a5u) break;
      if (what == ABI_OUT_HANDLE || what == ABI_OUT_ARRAYS) flx_free(h[k]);
      if (what == ABI_OUT_TEXT) flx_text_free(h[k]);
      if (strstr(c->f->name, "to_dlpack") && !strcmp(c->f->args[i].name, "out_address")) drop_tensor(c->f->name, h[k]);
    }
  }
  memset(c->out, 0xa5, sizeof c->out);
}
void abi_clean(abi_call *c) {
  abi_give_back(c);
  for (int i = 0; i < c->f->nargs; ++i) {
    if (c->f->args[i].what == ABI_HANDLE) flx_free(c->v[i].p);
    flx_free(c->arrays[i][0]);
  }
  flx_free(c->x), flx_free(c->y);
  flx_text_free(c->data);
  c->data = NULL;
}

/* SPDX-License-Identifier: Apache-2.0
 * The shared cases in C. README.md says what each command does.
 *   run_c errors TABLE | errors --record TABLE | values TABLE | fit TABLE DIGITS OUT | predict DIGITS OUT MODEL... */
#define _GNU_SOURCE /* mkdtemp */
#include <flexor/c_api.h>
#include <unistd.h>

#include "cases.h"

#define CHECK(call) do { if (call) { fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, flx_last_error()); exit(1); } } while (0)
enum { ROOM = 64 };
struct pairs { int count; const char *keys[ROOM], *values[ROOM]; };

static const char *const kDtypes[] = {"float32", "float64", "float16", "uint8", "int32", "int8", "int64", "bool", "int16", "uint16", "uint32", "uint64", "bfloat16"};
static const int kSizes[] = {4, 8, 2, 1, 4, 1, 8, 1, 2, 2, 4, 8, 2};
static int32_t dtype_of(const char *name) {
  for (int32_t i = 0; i < 13; ++i) if (!strcmp(name, kDtypes[i])) return i;
  return -1;
}
/* `text` with {folder} replaced by the folder of this run, or the other way round; yours. */
static char folder[] = "/tmp/shared_c_XXXXXX";
static char *replaced(const char *text, const char *from, const char *to) {
  const char *at = strstr(text, from);
  char *out = (char *)malloc(strlen(text) + strlen(to) + 1);
  if (!out) exit(2);
  if (!at) return strcpy(out, text);
  memcpy(out, text, (size_t)(at - text));
  strcpy(out + (at - text), to);
  return strcat(out, at + strlen(from));
}
/* The lines `attr key=value`, and from field `from` on those of `l`. */
static struct pairs attributes(const struct table_case *c) {
  struct pairs p = {0, {NULL}, {NULL}};
  for (int i = 0; i < c->count; ++i)
    if (!strcmp(c->lines[i].word, "attr")) {
      p.keys[p.count] = c->lines[i].keys[0];
      p.values[p.count++] = replaced(c->lines[i].values[0], "{folder}", folder);
    }
  return p;
}
static void forget(struct pairs *p) {
  for (int i = 0; i < p->count; ++i) free((void *)p->values[i]);
}
static struct pairs settings(const struct line *l) { /* all fields but the first */
  struct pairs p = {0, {NULL}, {NULL}};
  for (int i = 1; i < l->count; ++i) {
    p.keys[p.count] = l->keys[i];
    p.values[p.count++] = l->values[i];
  }
  return p;
}
/* The arrays of the lines `in`: zeros. */
static int32_t inputs(const struct table_case *c, flx_ndarray *arrays) {
  int32_t n = 0;
  int64_t dims[FLX_MAX_NDIM];
  for (int i = 0; i < c->count; ++i)
    if (!strcmp(c->lines[i].word, "in")) {
      int ndim = table_shape(table_get(&c->lines[i], "shape", "-"), dims);
      CHECK(flx_ndarray_create(dims, ndim, dtype_of(table_get(&c->lines[i], "dtype", "float32")), NULL, &arrays[n++]));
    }
  return n;
}
static flx_layer network(const struct table_case *c) {
  flx_layer net = NULL, layer = NULL;
  CHECK(flx_layer_create("Sequential", NULL, NULL, NULL, 0, &net));
  for (int i = 0; i < c->count; ++i)
    if (!strcmp(c->lines[i].word, "layer")) {
      struct pairs p = settings(&c->lines[i]);
      CHECK(flx_layer_create(table_get(&c->lines[i], "kind", ""), NULL, p.keys, p.values, p.count, &layer));
      CHECK(flx_layer_add(net, layer));
      flx_free(layer);
    }
  return net;
}
/* Writes the file of a case, if it has a text; its path, yours. */
static char *case_file(const struct line *call) {
  const char *name = table_get(call, "file", "none"), *text = table_get(call, "text", NULL);
  char *path = (char *)malloc(strlen(folder) + strlen(name) + 2);
  if (!path) exit(2);
  sprintf(path, "%s/%s", folder, name);
  if (text) {
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(text, 1, strlen(text), f) != strlen(text) || fclose(f)) table_fail("cannot be written", path);
  }
  return path;
}

/* ---- errors ------------------------------------------------------------------------------------------------------------------------------ */
static flx_status bad_call(const struct table_case *c) {
  const struct line *call = table_find(c, "call");
  const char *what = table_word(c, "call", "what"), *name = table_get(call, "name", "");
  struct pairs p = attributes(c);
  flx_ndarray arrays[ROOM], outs[ROOM];
  int32_t n = inputs(c, arrays), found = 0, ready = 0;
  int64_t dims[FLX_MAX_NDIM];
  double number = 0;
  void *handle = NULL;
  flx_status s = FLX_OK;
  char *text = NULL, *path = case_file(call);
  if (!strcmp(what, "operator")) s = flx_invoke(name, 0, arrays, n, p.keys, p.values, p.count, outs, ROOM, &found);
  else if (!strcmp(what, "layer")) s = flx_layer_create(name, NULL, p.keys, p.values, p.count, (flx_layer *)&handle);
  else if (!strcmp(what, "optimizer")) s = flx_optimizer_create(name, p.keys, p.values, p.count, (flx_optimizer *)&handle);
  else if (!strcmp(what, "schedule")) s = flx_schedule_create(name, p.keys, p.values, p.count, (flx_schedule *)&handle);
  else if (!strcmp(what, "initializer")) s = flx_initializer_create(name, p.keys, p.values, p.count, (flx_initializer *)&handle);
  else if (!strcmp(what, "metric")) s = flx_metric_create(name, p.keys, p.values, p.count, (flx_metric *)&handle);
  else if (!strcmp(what, "iter")) s = flx_iter_create(name, p.keys, p.values, p.count, (flx_iter *)&handle);
  else if (!strcmp(what, "batches")) {
    const char *names[2] = {"data", "label"}, *key = "batch_size", *value = table_get(call, "batch_size", "");
    s = flx_iter_from_arrays(arrays, n, names, 2, &key, &value, 1, (flx_iter *)&handle);
  } else if (!strcmp(what, "summary")) {
    const char *key = "data", *value = table_get(call, "input", "");
    flx_layer net = network(c);
    s = flx_layer_summary(net, &key, &value, 1, 80, &text);
    flx_free(net);
  } else if (!strcmp(what, "zeros")) {
    int ndim = table_shape(table_get(call, "shape", "-"), dims);
    s = flx_ndarray_create(dims, ndim, FLX_FLOAT32, table_get(call, "device", NULL), (flx_ndarray *)&handle);
  } else if (!strcmp(what, "item")) s = flx_ndarray_item(arrays[0], -1, &ready, &number);
  else if (!strcmp(what, "attach")) s = flx_autograd_attach(arrays[0], "write", NULL);
  else if (!strcmp(what, "backward")) s = flx_autograd_backward(arrays, 1, NULL, 0, 0);
  else if (!strcmp(what, "load_model")) s = flx_model_load(path, NULL, (flx_model *)&handle);
  else if (!strcmp(what, "load_arrays")) s = flx_params_load(path, NULL, (flx_params *)&handle);
  else if (!strcmp(what, "symbol_json")) s = flx_symbol_from_json(table_get(call, "text", ""), (flx_symbol *)&handle);
  else if (!strcmp(what, "config")) s = flx_config_set(table_get(call, "key", ""), table_get(call, "value", ""));
  else table_fail("an unknown call", what);
  for (int32_t i = 0; i < n; ++i) flx_free(arrays[i]);
  for (int32_t i = 0; s == FLX_OK && i < found; ++i) flx_free(outs[i]);
  flx_free(handle);
  flx_text_free(text);
  free(path);
  forget(&p);
  return s;
}
static const char *const kStatus[] = {"OK", "ERROR", "ARGUMENT", "TYPE", "SHAPE", "INDEX", "NAME", "HANDLE", "UNSUPPORTED", "MEMORY", "FILE", "FORMAT", "DEVICE",
                                      "NETWORK", "HOST", "STATE", "INTERNAL", "ROLLED_BACK"};
static const char *const kFields[] = {"kind", "operator", "node", "hint", "offset"};
static void print_escaped(const char *s) {
  for (; *s; ++s) fputs(*s == '\t' ? "\\t" : *s == '\n' ? "\\n" : *s == '\\' ? "\\\\" : (char[]){*s, 0}, stdout);
}
/* Whether `text` is `want`, in which {any} stands for anything, once at most. */
static int fits(const char *text, const char *want) {
  const char *gap = strstr(want, "{any}");
  if (!gap) return !strcmp(text, want);
  size_t head = (size_t)(gap - want), tail = strlen(gap + 5), n = strlen(text);
  return n >= head + tail && !memcmp(text, want, head) && !strcmp(text + n - tail, gap + 5);
}
static int errors(const char *path, int record) {
  struct table t = table_read(path);
  int passed = 0, failed = 0;
  for (int i = 0; i < t.count; ++i) {
    const struct table_case *c = &t.cases[i];
    const struct line *want = table_find(c, "error");
    const char *id = table_word(c, "case", "id"), *status = table_get(want, "status", "");
    flx_status s = bad_call(c);
    char *text = replaced(flx_last_error(), folder, "{folder}"), *file = replaced(flx_last_error_field("file"), folder, "{folder}");
    int good = !strcmp(kStatus[s], status);
    if (record) {
      if (s == FLX_OK || !good) fprintf(stderr, "%s: status %s, not %s: %s\n", id, kStatus[s], status, text);
      printf("error\tid=%s\tstatus=%s\ttext=", id, kStatus[s]);
      print_escaped(text);
      for (int f = 0; f < 5; ++f)
        if (*flx_last_error_field(kFields[f])) printf("\t%s=", kFields[f]), print_escaped(flx_last_error_field(kFields[f]));
      if (*file) printf("\tfile="), print_escaped(file);
      puts("");
    } else {
      good &= fits(text, table_get(want, "text", "")) && !strcmp(file, table_get(want, "file", ""));
      for (int f = 0; f < 5; ++f) good &= !strcmp(flx_last_error_field(kFields[f]), table_get(want, kFields[f], ""));
      if (!good) printf("FAILED %s: status %s, `%s`\n", id, kStatus[s], text);
    }
    good ? ++passed : ++failed;
    free(text);
    free(file);
  }
  if (!record) printf("%d passed, %d failed\n", passed, failed);
  table_free(&t);
  return failed > 0;
}

/* ---- values: bytes in, bytes out, in both orders ------------------------------------------------------------------------------------------- */
/* The elements of `hex` (row-major) as memory in `order`; how many bytes. */
static int64_t memory_of(const char *hex, const int64_t *dims, int ndim, int size, int32_t order, unsigned char *out) {
  int64_t count = 1, at[FLX_MAX_NDIM] = {0};
  for (int d = 0; d < ndim; ++d) count *= dims[d];
  for (int64_t i = 0; i < count; ++i) {
    int64_t place = 0, stride = 1;
    for (int d = 0; d < ndim; ++d) place += at[d] * stride, stride *= dims[d];
    unsigned char *to = out + (order == FLX_COLUMN_MAJOR ? place : i) * size;
    for (int b = 0; b < size; ++b) {
      unsigned value = 0;
      sscanf(hex + 2 * (i * size + b), "%2x", &value);
      to[b] = (unsigned char)value;
    }
    for (int d = ndim - 1; d >= 0 && ++at[d] == dims[d]; --d) at[d] = 0;
  }
  return count * size;
}
static int values(const char *path) {
  struct table t = table_read(path);
  int passed = 0, failed = 0;
  for (int i = 0; i < t.count; ++i) {
    const struct line *v = table_find(&t.cases[i], "array");
    static unsigned char in[1 << 16], out[1 << 16], want[1 << 16];
    int64_t dims[FLX_MAX_NDIM];
    int ndim = table_shape(table_get(v, "shape", "-"), dims), good = 1;
    int32_t dtype = dtype_of(table_get(v, "dtype", "")), ready = 0;
    if (dtype < 0) table_fail("an unknown dtype", table_get(v, "dtype", ""));
    for (int32_t from = 0; from < 2; ++from)
      for (int32_t to = 0; to < 2; ++to) {
        int64_t n = memory_of(table_get(v, "bytes", ""), dims, ndim, kSizes[dtype], from, in);
        flx_ndarray a = NULL;
        CHECK(flx_ndarray_create_from(in, n, dtype, from, dims, ndim, dtype, NULL, &a));
        CHECK(flx_ndarray_read(a, out, n, dtype, to, -1, &ready));
        memory_of(table_get(v, "bytes", ""), dims, ndim, kSizes[dtype], to, want);
        good &= !memcmp(out, want, (size_t)n);
        flx_free(a);
      }
    if (!good) printf("FAILED %s\n", table_word(&t.cases[i], "case", "id"));
    good ? ++passed : ++failed;
  }
  printf("%d passed, %d failed\n", passed, failed);
  table_free(&t);
  return failed > 0;
}

/* ---- the same bits ------------------------------------------------------------------------------------------------------------------------- */
static flx_iter digits(const char *from, const char *part, const char *batch) {
  char image[4096], label[4096];
  const char *keys[] = {"image", "label", "batch_size", "shuffle", "silent"}, *values[] = {image, label, batch, "False", "True"};
  flx_iter it = NULL;
  snprintf(image, sizeof image, "%s/%s-images-idx3-ubyte.gz", from, part);
  snprintf(label, sizeof label, "%s/%s-labels-idx1-ubyte.gz", from, part);
  CHECK(flx_iter_create("MNISTIter", keys, values, 5, &it));
  return it;
}
static void first_batch(flx_iter it, flx_ndarray *arrays) {
  int32_t event = 0, n = 0;
  CHECK(flx_iter_next(it, -1, &event));
  CHECK(flx_iter_arrays(it, arrays, 2, &n));
  flx_free(it);
}
static int fit(const char *table, const char *from, const char *out) {
  struct table t = table_read(table);
  for (int i = 0; i < t.count; ++i) {
    const struct table_case *c = &t.cases[i];
    const struct line *head = &c->lines[0], *opt = table_find(c, "optimizer");
    struct pairs p = settings(opt);
    const char *names[] = {"data", "label"}, *key = "batch_size", *size = table_get(head, "batch_size", "");
    const char *options[] = {"epochs", "seed"}, *chosen[] = {table_get(head, "epochs", ""), table_get(head, "seed", "")};
    flx_ndarray arrays[2];
    flx_iter train = NULL;
    flx_layer net = network(c), loss = NULL;
    flx_model model = NULL;
    flx_optimizer optimizer = NULL;
    flx_task task = NULL;
    int32_t event = FLX_PENDING, ready = 0;
    char path[4096];
    first_batch(digits(from, "train", table_get(head, "samples", "")), arrays);
    CHECK(flx_iter_from_arrays(arrays, 2, names, 2, &key, &size, 1, &train));
    CHECK(flx_model_create(net, NULL, &model));
    CHECK(flx_layer_create(table_word(c, "loss", "kind"), NULL, NULL, NULL, 0, &loss));
    CHECK(flx_optimizer_create(opt->values[0], p.keys, p.values, p.count, &optimizer));
    CHECK(flx_fit_start(model, loss, optimizer, train, NULL, options, chosen, 2, &task));
    while (event != FLX_DONE) CHECK(flx_task_next(task, -1, &event));
    snprintf(path, sizeof path, "%s/%s.flx", out, table_get(head, "id", ""));
    CHECK(flx_model_save(model, path, -1, &ready));
    void *all[] = {arrays[0], arrays[1], train, net, loss, model, optimizer, task};
    for (size_t k = 0; k < sizeof all / sizeof *all; ++k) flx_free(all[k]);
  }
  table_free(&t);
  return 0;
}
static int predict(int count, char **paths, const char *from, const char *out) {
  flx_ndarray arrays[2], scores = NULL;
  first_batch(digits(from, "test", "10"), arrays);
  for (int i = 0; i < count; ++i) {
    flx_model model = NULL;
    int32_t n = 0, ready = 0;
    float y[100];
    char path[4096], base[4096];
    snprintf(base, sizeof base, "%s", strrchr(paths[i], '/') ? strrchr(paths[i], '/') + 1 : paths[i]);
    CHECK(flx_model_load(paths[i], NULL, &model));
    CHECK(flx_model_run(model, 0, arrays, 1, &scores, 1, &n));
    CHECK(flx_ndarray_read(scores, y, (int64_t)sizeof y, FLX_FLOAT32, FLX_ROW_MAJOR, -1, &ready));
    if (snprintf(path, sizeof path, "%s/%s.scores", out, base) >= (int)sizeof path) table_fail("too long a name", paths[i]);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(y, sizeof y, 1, f) != 1 || fclose(f)) table_fail("cannot be written", path);
    if (snprintf(path, sizeof path, "%s/%s.flx", out, base) >= (int)sizeof path) table_fail("too long a name", paths[i]);
    CHECK(flx_model_save(model, path, -1, &ready));
    flx_free(scores);
    flx_free(model);
  }
  flx_free(arrays[0]);
  flx_free(arrays[1]);
  return 0;
}

int main(int argc, char **argv) {
  const char *command = argc > 1 ? argv[1] : "";
  CHECK(flx_abi_require(FLX_ABI_VERSION));
  if (argc == 3 && !strcmp(command, "values")) return values(argv[2]);
  if (argc == 5 && !strcmp(command, "fit")) return fit(argv[2], argv[3], argv[4]);
  if (argc > 4 && !strcmp(command, "predict")) return predict(argc - 4, argv + 4, argv[2], argv[3]);
  if (!strcmp(command, "errors") && argc >= 3 && mkdtemp(folder)) {
    int result = errors(argv[argc - 1], argc == 4);
    char clear[64];
    snprintf(clear, sizeof clear, "rm -r %s", folder);
    return system(clear) ? 1 : result;
  }
  fputs("usage: run_c errors [--record] TABLE | values TABLE | fit TABLE DIGITS OUT | predict DIGITS OUT MODEL...\n", stderr);
  return 2;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Random sequences of calls over the whole C ABI. The bytes choose functions and arguments: handles of every kind that live, were freed, or are of another
 * kind; texts from the registry and raw ones; small shapes. A call may fail as it likes, but not by FLX_ERROR_INTERNAL, and never without a message; at
 * the end of each input every handle is freed. FLEXOR_FUZZ_TRACE=1 prints the calls. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "abi_table.h"
#include "harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CALLS = 48, SLOTS = 4, WORDS = 8192, MEMORY = 64 << 20 };
static const uint8_t *at, *end;
static unsigned byte(void) { return at < end ? *at++ : 0; }
static unsigned two_bytes(void) { return byte() << 8 | byte(); }

static const char *words[WORDS];
static int word_count, tracing;
static char folder[] = "/tmp/flexor-fuzz-XXXXXX";
static void *pool[KINDS][SLOTS];

static void say(const char *what, const char *function) {
  fprintf(stderr, "%s: %s: %s\n", function, what, flx_last_error());
  abort();
}
static void add_word(const char *w) {
  if (word_count < WORDS && *w) words[word_count++] = w;
}
/* Names, attributes and their defaults; numbers, shapes and files. */
static void make_words(void) {
  static const char *const registries[] = {"operator", "layer", "optimizer", "schedule", "initializer", "metric", "iter"};
  static const char *const others[] = {"0", "1", "2", "3", "-1", "0.5", "1e-3", "nan", "(2, 2)", "(3,)", "()", "(1, 1)", "(4, 3)", "True", "False", "None", "float16", "int32", "float64",
                                       "uint8", "write", "add", "null", "read", "append", "cpu", "cpu(0)", "data", "label", "weight", "0.weight", "batch_size", "ndarray", "live", "kind",
                                       "name", "doc", "loss", "epoch", "epochs", "progress", "seed", "accuracy", "safetensors", "mxnet", "units", "{\"kind\":\"Dense\",\"settings\":{\"units\":\"2\"}}",
                                       "{\"kind\":\"Sequential\",\"children\":[]}", "\xff", "a.lr_mult", "%n", "mean"};
  for (size_t r = 0; r < sizeof registries / sizeof *registries; ++r) {
    int32_t n = 0, attrs = 0;
    if (flx_registry_count(registries[r], &n)) abort();
    add_word(registries[r]);
    for (int32_t i = 0; i < n; ++i) {
      flx_entry e = NULL;
      const char *text = "";
      if (flx_registry_at(registries[r], i, &e) || flx_entry_text(e, "name", &text) || flx_entry_attr_count(e, &attrs)) abort();
      add_word(text);
      for (int32_t k = 0; k < attrs; ++k)
        if (!flx_entry_attr_text(e, k, "name", &text)) add_word(text);
      flx_free(e);
    }
  }
  for (int repeat = 0; repeat < 20; ++repeat) /* as likely as all the names together */
    for (size_t i = 0; i < sizeof others / sizeof *others; ++i) add_word(others[i]);
}
static const char *text(char *room, int is_path) {
  static const char *const files[] = {"a.flx", "b.params", "c.rec", "d.csv", "no/such/file"};
  unsigned b = two_bytes();
  if (is_path) return scratch_file(files[b % 5]);
  if (b < 60000) return words[b % (unsigned)word_count];
  int n = (int)(b % 16);
  for (int i = 0; i < n; ++i) room[i] = (char)byte();
  room[n] = 0;
  return room;
}
static int kind_number(const char *kind) {
  for (int k = 0; k < KINDS; ++k)
    if (!strcmp(kind_names[k], kind)) return k;
  return -1;
}
static void *handle(int kind) {
  unsigned b = byte();
  if (b >= 250) return NULL;
  if (b >= 240) kind = (int)(b % KINDS);
  void **slot = &pool[kind][b % SLOTS];
  if (!*slot) *slot = make_handle(kind);
  if (b >= 230 && b < 240) flx_free(*slot); /* stays in the pool: the next use is of a freed one */
  return *slot;
}
static int64_t integer(const char *name) {
  static const int64_t some[] = {0, 1, 2, 3, 4, 7, 12, 48, -1, -2, 100, 1 << 20, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
  unsigned b = byte();
  if (!strcmp(name, "dtype") || !strcmp(name, "host_dtype")) return b < 200 ? 0 : b % 16 - 1;
  if (!strcmp(name, "mode")) return b < 100 ? 3 : b % 17;
  if (!strcmp(name, "timeout_ms")) return b % 3 ? -1 : 0;
  if (!strcmp(name, "columns")) return b;
  if (!strcmp(name, "address")) return -(int64_t)b; /* any other would be read */
  return some[b % (b < 200 ? 8 : 16)];
}
static int left_out(const char *name) { /* they change the process: files by any name, thousands of threads, the limit of memory */
  return !strcmp(name, "flx_config_set") || !strcmp(name, "flx_log_configure") || !strcmp(name, "flx_memory_limit_set") ||
         strstr(name, "to_dlpack"); /* and what nobody would let go of */
}

static void one_call(void) {
  static union {
    void *handle;
    char *text;
    const char *word;
    int64_t size;
  } room[ABI_MAX_ARGS][64]; /* behind pointers */
  static int64_t bytes[256]; /* host memory */
  abi_value v[ABI_MAX_ARGS];
  const abi_function *f = &abi_functions[two_bytes() % (unsigned)abi_function_count];
  if (left_out(f->name)) return;
  memset(v, 0, sizeof v);
  memset(room, 0, sizeof room);
  for (int i = 0; i < f->nargs; ++i) {
    const abi_arg *a = &f->args[i];
    int kind = *a->kind ? kind_number(a->kind) : 0, n;
    int64_t count = 0;
    int is_path = !strcmp(a->name, "path");
    int counted = 0;
    for (int k = 0; k < i; ++k) counted |= f->args[k].count == i;
    if (counted) continue; /* set with what it counts */
    v[i].p = room[i];
    switch (a->what) {
      case ABI_INT32:
      case ABI_INT64: v[i].i = integer(a->name); break;
      case ABI_DOUBLE: v[i].d = (double)(int8_t)byte() / 4; break;
      case ABI_TEXT: v[i].p = (void *)text((char *)room[i], is_path); break;
      case ABI_TEXTS:
        n = (int)(byte() % 4);
        for (int k = 0; k < n; ++k) room[i][k].word = text((char *)&room[i][8 + 4 * k], 0);
        count = n;
        break;
      case ABI_DIMS:
        n = (int)(byte() % 5);
        for (int k = 0; k < n; ++k) room[i][k].size = (int64_t)(byte() % 6) - (byte() > 240);
        count = n;
        break;
      case ABI_SCALARS: count = byte() % 3; break;
      case ABI_DATA:
      case ABI_BUFFER:
        v[i].p = (void *)bytes;
        count = byte() < 200 ? 4 * (byte() % 64) : (int64_t)(two_bytes() % sizeof bytes);
        if (a->what == ABI_DATA) {
          int64_t given = end - at < 64 ? end - at : 64;
          memcpy(bytes, at, (size_t)given), at += given;
        }
        break;
      case ABI_ARRAYS:
        n = (int)(byte() % 4);
        for (int k = 0; k < n; ++k) room[i][k].handle = handle(NDARRAY);
        count = n;
        break;
      case ABI_HANDLE: v[i].p = kind < 0 ? NULL : handle(kind); break;
      case ABI_ANY_HANDLE: v[i].p = handle((int)(byte() % KINDS)); break;
      case ABI_OWN_TEXT:
      case ABI_CALLBACK:
      case ABI_POINTER: v[i].p = NULL; break;
      case ABI_OUT_DIMS:
      case ABI_OUT_ARRAYS: count = 40; break;
      default: break;
    }
    if (a->count >= 0 && !(a->what == ABI_TEXTS && !strcmp(a->name, "values"))) v[a->count].i = count;
  }
  /* `values` must have as many entries as `keys` said */
  for (int i = 0; i < f->nargs; ++i)
    if (f->args[i].what == ABI_TEXTS && !strcmp(f->args[i].name, "values"))
      for (int64_t k = 0; k < v[f->args[i].count].i; ++k)
        if (!room[i][k].word) room[i][k].word = "1";
  if (tracing) fprintf(stderr, "%s\n", f->name);
  flx_status s = f->call(v);
  if (tracing && s) fprintf(stderr, "  %d: %s\n", (int)s, flx_last_error());
  if (s == FLX_ERROR_INTERNAL || s < 0 || s > FLX_ERROR_INTERNAL) say("an error inside the library", f->name);
  if (s) {
    if (!*flx_last_error()) say("no message", f->name);
    return;
  }
  for (int i = 0; i < f->nargs; ++i) {
    const abi_arg *a = &f->args[i];
    int n = a->what == ABI_OUT_HANDLE ? 1 : a->what == ABI_OUT_ARRAYS ? 40 : 0, kind = kind_number(a->kind);
    if (a->what == ABI_OUT_TEXT) flx_text_free(room[i][0].text);
    for (int k = 0; k < n; ++k) {
      void *h = room[i][k].handle;
      if (!h) break;
      if (kind < 0) {
        flx_free(h);
        continue;
      }
      void **slot = &pool[kind][byte() % SLOTS];
      flx_free(*slot);
      *slot = h;
    }
  }
}

static void clean_up(void) {
  char command[64];
  snprintf(command, sizeof command, "rm -rf %s", folder);
  if (system(command)) fprintf(stderr, "%s is left\n", folder);
}
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (!word_count) {
    if (!mkdtemp(folder)) abort();
    atexit(clean_up);
    use_folder(folder);
    tracing = getenv("FLEXOR_FUZZ_TRACE") != NULL;
    flx_config_set("FLEXOR_LOG_SINK", "none");
    make_words();
  }
  int64_t before = live_handles();
  int32_t ready = 0;
  at = data, end = data + size;
  flx_config_set("FLEXOR_ENGINE", byte() % 2 ? "inline" : "naive");
  flx_memory_limit_set(NULL, MEMORY);
  for (int i = 0; i < CALLS && at < end; ++i) one_call();
  for (int k = 0; k < KINDS; ++k)
    for (int i = 0; i < SLOTS; ++i) flx_free(pool[k][i]);
  memset(pool, 0, sizeof pool);
  while (flx_wait_all(-1, &ready) != FLX_OK) {}
  if (live_handles() != before) say("handles are left", "at the end");
  return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Every function of the headers, with every argument wrong in every way it can be. A wrong call must be refused before anything is read (what must not be
 * read lies on a page without access), with the right status and a message that names the argument, and leave out-parameters and handles as they were. */
#define _GNU_SOURCE
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "abi_values.h"

enum { PAGE = 4096, LONG = 200000 };
static char *page;   /* may be read and written; the one after it may not */
static char *no_page;
static char *long_text, *long_number;
static void *stale[KINDS], *live[KINDS];
static int calls, faults;

#define BIT(s) (1u << (s))
/* What a call may answer whose argument is odd, but not plainly wrong. */
static const unsigned odd = BIT(FLX_OK) | BIT(FLX_ERROR_ARGUMENT) | BIT(FLX_ERROR_TYPE) | BIT(FLX_ERROR_SHAPE) | BIT(FLX_ERROR_INDEX) | BIT(FLX_ERROR_NAME) |
                            BIT(FLX_ERROR_UNSUPPORTED) | BIT(FLX_ERROR_FILE) | BIT(FLX_ERROR_FORMAT) | BIT(FLX_ERROR_DEVICE) | BIT(FLX_ERROR_STATE);

static int is_utf8(const char *text) {
  const unsigned char *s = (const unsigned char *)text;
  while (*s) {
    int more = *s < 0x80 ? 0 : *s >= 0xc2 && *s < 0xe0 ? 1 : *s >= 0xe0 && *s < 0xf0 ? 2 : *s >= 0xf0 && *s < 0xf5 ? 3 : -1;
    if (more < 0 || (*s == 0xe0 && s[1] < 0xa0) || (*s == 0xed && s[1] > 0x9f) || (*s == 0xf0 && s[1] < 0x90) || (*s == 0xf4 && s[1] > 0x8f)) return 0;
    for (++s; more; --more, ++s)
      if ((*s & 0xc0) != 0x80) return 0;
  }
  return 1;
}
static int names(const char *message, const char *arg) {
  char quoted[64];
  snprintf(quoted, sizeof quoted, "`%s", arg);
  return strstr(message, quoted) != NULL;
}
static void fault(const abi_call *c, int arg, const char *what, const char *why, flx_status s) {
  ++faults;
  expect(0, __FILE__, __LINE__, "");
  if (arg < 0) fprintf(stderr, "a new function may need a rule in abi_values.c, so that its arguments are good\n");
  fprintf(stderr, "%s, `%s` %s: %s; status %d: %.300s\n", c->f->name, arg < 0 ? "" : c->f->args[arg].name, what, why, (int)s, s ? flx_last_error() : "ok");
}
/* What good arguments give where they cannot succeed here. */
static flx_status expected_of(const abi_function *f) {
  if (!strcmp(f->name, "flx_store_checkpoint")) return FLX_ERROR_UNSUPPORTED; /* the store at hand is of one process */
  return strcmp(f->name, "flx_plugin_load") ? FLX_OK : FLX_ERROR_FORMAT; /* no plugin is at hand */
}
/* Calls with v[arg] = bad. allowed: a mask of statuses; named: whether the message must name the argument, its count or its group. Restores all after. */
static void with(abi_call *c, int arg, const char *what, abi_value bad, int count_arg, int64_t count, unsigned allowed, int named) {
  abi_value v[ABI_MAX_ARGS];
  memcpy(v, c->v, sizeof v);
  if (arg >= 0) v[arg] = bad;
  if (count_arg >= 0) v[count_arg].i = count;
  int64_t before = live_handles();
  ++calls;
  flx_status s = c->f->call(v);
  const char *message = flx_last_error();
  if (s < 0 || s > 31 || !(allowed & BIT(s))) fault(c, arg, what, "another status is expected", s);
  if (s == FLX_OK) {
    abi_clean(c);
    abi_make(c, c->f);
    return;
  }
  if (!abi_outs_untouched(c)) fault(c, arg, what, "out-parameters were touched", s);
  if (live_handles() != before) fault(c, arg, what, "handles were made or freed", s);
  if (*message != '[' && s != FLX_ERROR_FILE && s != FLX_ERROR_FORMAT) fault(c, arg, what, "the message does not begin with [function or operator]", s);
  if (strlen(message) < 12 || strlen(message) > 8192) fault(c, arg, what, "the message is too short or too long", s);
  if (!is_utf8(message)) fault(c, arg, what, "the message is not UTF-8", s);
  if (named && arg >= 0 && !names(message, c->f->args[arg].name) && !(c->f->args[arg].count >= 0 && names(message, c->f->args[c->f->args[arg].count].name)))
    fault(c, arg, what, "the message does not name the argument", s);
}
static abi_value pointer(const void *p) { return (abi_value){.p = (void *)p}; }
static abi_value integer(int64_t i) { return (abi_value){.i = i}; }
static const abi_value none = {.i = 0};

/* ---- handles ------------------------------------------------------------------------------------------------------------------------ */
enum { GARBAGE = 7 };
static void *garbage(int kind, int which) {
  uint64_t bits = (uint64_t)(uintptr_t)live[kind];
  switch (which) {
    case 0: bits = 1; break;
    case 1: bits = ~(uint64_t)0; break;
    case 2: bits = 0xdeadbeefdeadbeefu; break;
    case 3: return &calls; /* an address */
    case 4: bits ^= 1; break; /* another generation */
    case 5: bits |= (uint64_t)0xffffff << 32; break; /* a slot that was never made */
    default: bits = (bits & 0x00ffffffffffffffu) | (uint64_t)0x7f << 56; /* a kind that there is not */
  }
  return (void *)(uintptr_t)bits;
}
static int kind_of(const abi_arg *a) {
  for (int k = 0; k < KINDS; ++k)
    if (!strcmp(kind_names[k], a->kind)) return k;
  return NDARRAY;
}
/* f(argument, what, handle) for each bad handle of a kind. */
static void bad_handles(abi_call *c, int arg, void (*f)(abi_call *, int, const char *, void *)) {
  char what[64];
  int kind = kind_of(&c->f->args[arg]);
  f(c, arg, "freed", stale[kind]);
  for (int k = 0; k < KINDS; ++k) {
    snprintf(what, sizeof what, "of kind %s", kind_names[k]);
    if (k != kind) f(c, arg, what, live[k]);
  }
  for (int g = 0; g < GARBAGE; ++g) {
    snprintf(what, sizeof what, "garbage %d", g);
    f(c, arg, what, garbage(kind, g));
  }
}
static void one_handle(abi_call *c, int arg, const char *what, void *h) { with(c, arg, what, pointer(h), -1, 0, BIT(FLX_ERROR_HANDLE), 1); }
static void last_of_two(abi_call *c, int arg, const char *what, void *h) {
  flx_ndarray two[2] = {c->arrays[arg][0], h};
  with(c, arg, what, pointer(two), c->f->args[arg].count, 2, BIT(FLX_ERROR_HANDLE), 1);
}
static void any_handle(abi_call *c, int arg, const char *what, void *h) {
  if (strcmp(what, "of kind") < 0 || !strstr(what, "of kind")) with(c, arg, what, pointer(h), -1, 0, BIT(FLX_OK), 0); /* good ones are kept */
}

/* ---- counts and pointers ------------------------------------------------------------------------------------------------------------- */
static void bad_counts(abi_call *c, int arg, int64_t most) {
  const int64_t counts[] = {-1, INT32_MIN, most + 1, INT32_MAX};
  int n = c->f->args[arg].count;
  for (size_t k = 0; k < sizeof counts / sizeof *counts; ++k) with(c, arg, "on a page without access, with a bad count", pointer(no_page), n, counts[k], BIT(FLX_ERROR_ARGUMENT), 1);
  with(c, arg, "null with a count of 1", none, n, 1, BIT(FLX_ERROR_ARGUMENT), 1);
  with(c, arg, "null with the largest count", none, n, most, BIT(FLX_ERROR_ARGUMENT), 1);
}
static int find(const abi_function *f, const char *arg) {
  for (int i = 0; i < f->nargs; ++i)
    if (!strcmp(f->args[i].name, arg)) return i;
  return -1;
}
static void bad_bytes(abi_call *c, int arg) {
  int n = c->f->args[arg].count, typed = find(c->f, "host_dtype") >= 0;
  int64_t right = c->v[n].i;
  with(c, arg, "on a page without access, -1 bytes", pointer(no_page), n, -1, BIT(FLX_ERROR_ARGUMENT), 0);
  with(c, arg, "on a page without access, INT64_MIN bytes", pointer(no_page), n, INT64_MIN, BIT(FLX_ERROR_ARGUMENT), 0);
  with(c, arg, "null with bytes", none, n, right, BIT(FLX_ERROR_ARGUMENT), 1);
  if (typed) { /* shape and item size say how many */
    const int64_t wrong[] = {0, 1, right - 1, right + 1, INT64_MAX};
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; ++k) with(c, arg, "on a page without access, wrong bytes", pointer(no_page), n, wrong[k], BIT(FLX_ERROR_ARGUMENT), 0);
    memcpy(page + 1, c->v[arg].p, (size_t)right);
    with(c, arg, "not aligned", pointer(page + 1), n, right, BIT(FLX_OK), 0);
  } else { /* rubbish, and what is right but cut short, up to the page's end */
    const int64_t sizes[] = {0, 1, 7, 8, 9, 80, 81, right - 1};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; ++k) {
      int64_t size = sizes[k];
      if (size < 0 || size > PAGE) continue;
      memset(page, 0xff, PAGE);
      with(c, arg, "rubbish", pointer(no_page - size), n, size, odd, 0);
      memcpy(no_page - size, c->v[arg].p, (size_t)(size < right ? size : right));
      with(c, arg, "cut short", pointer(no_page - size), n, size, odd, 0);
    }
  }
}
static void bad_texts(abi_call *c, int arg) { /* keys, values or names: one entry bad */
  int n = c->f->args[arg].count;
  const char *entry[1];
  with(c, arg, "with a null entry", pointer((entry[0] = NULL, entry)), n, 1, BIT(FLX_ERROR_ARGUMENT), 1);
  with(c, arg, "with an entry that is not UTF-8", pointer((entry[0] = "a\xff", entry)), n, 1, BIT(FLX_ERROR_ARGUMENT), 1);
  const char *others[] = {"", long_text, long_number, "%s%n", "dtype", "(-1,", "nan"};
  for (size_t k = 0; k < sizeof others / sizeof *others; ++k) with(c, arg, "with an odd entry", pointer((entry[0] = others[k], entry)), n, 1, odd, 0);
}
static void bad_text(abi_call *c, int arg) {
  static const char *const not_utf8[] = {"\xff\xfe", "a\xe2\x82", "\xed\xa0\x80", "\xc0\x80", "\xf5\x80\x80\x80"};
  const char *const others[] = {"", long_text, long_number, "%s%n%s", "\n", "[[[[", "../../.."};
  int path = !strcmp(c->f->args[arg].name, "path"); /* any bytes may name a file */
  if (!c->f->fails || abi_null_allowed(c->f, arg)) with(c, arg, "null", none, -1, 0, BIT(FLX_OK), 0);
  else with(c, arg, "null", none, -1, 0, BIT(FLX_ERROR_ARGUMENT), 1);
  for (size_t k = 0; k < sizeof not_utf8 / sizeof *not_utf8; ++k) with(c, arg, "not UTF-8", pointer(not_utf8[k]), -1, 0, c->f->fails && !path ? BIT(FLX_ERROR_ARGUMENT) : odd, !path && c->f->fails);
  for (size_t k = path ? 1 : 0; k < sizeof others / sizeof *others; ++k) with(c, arg, "odd", pointer(others[k]), -1, 0, odd, 0);
}

/* ---- numbers ------------------------------------------------------------------------------------------------------------------------ */
static void bad_integer(abi_call *c, int arg) {
  const char *name = c->f->args[arg].name;
  int wide = c->f->args[arg].what == ABI_INT64;
  const int64_t least = wide ? INT64_MIN : INT32_MIN, most = wide ? INT64_MAX : INT32_MAX;
  const int64_t extremes[] = {least, least + 1, -1, 0, most - 1, most}, dtypes[] = {least, -1, 13, 99, most}, orders[] = {least, -1, 2, most}, modes[] = {least, -1, 32, 1 << 30, most};
#define EACH(list, status, named) \
  for (size_t k = 0; k < sizeof list / sizeof *list; ++k) with(c, arg, "beyond its values", integer(list[k]), -1, 0, status, named)
  if (!strcmp(name, "dtype") || !strcmp(name, "host_dtype")) EACH(dtypes, BIT(FLX_ERROR_TYPE), 1);
  else if (!strcmp(name, "order")) EACH(orders, BIT(FLX_ERROR_ARGUMENT), 1);
  else if (!strcmp(name, "mode")) EACH(modes, BIT(FLX_ERROR_ARGUMENT), 1);
  else if (!strcmp(name, "timeout_ms")) EACH(extremes, BIT(expected_of(c->f)), 0);
  else if (!strcmp(name, "index")) {
    with(c, arg, "the least", integer(least), -1, 0, BIT(FLX_ERROR_INDEX), 1);
    with(c, arg, "the most", integer(most), -1, 0, BIT(FLX_ERROR_INDEX), 1);
    with(c, arg, "-1", integer(-1), -1, 0, BIT(FLX_ERROR_INDEX) | BIT(FLX_OK), 1); /* flx_ndarray_at counts from the end */
  } else EACH(extremes, odd, 0);
#undef EACH
}
static void bad_double(abi_call *c, int arg) {
  const double odds[] = {NAN, INFINITY, -INFINITY, 1e300, -1e300, 5e-324, -0.0};
  for (size_t k = 0; k < sizeof odds / sizeof *odds; ++k) with(c, arg, "odd", (abi_value){.d = odds[k]}, -1, 0, odd, 0);
}
static void bad_dims(abi_call *c, int arg) {
  static const int64_t shapes[][3] = {{-5, 4, 3}, {INT64_MAX, INT64_MAX, 4}, {INT64_MIN, 1, 1}, {(int64_t)1 << 60, 1, 1}, {(int64_t)1 << 32, (int64_t)1 << 32, 0}};
  for (size_t k = 0; k < sizeof shapes / sizeof *shapes; ++k) with(c, arg, "with impossible sizes", pointer(shapes[k]), c->f->args[arg].count, 3, (odd | BIT(FLX_ERROR_MEMORY)) & ~(k < 4 ? BIT(FLX_OK) : 0), 0);
}

static void misuse(abi_call *c, int arg) {
  const abi_arg *a = &c->f->args[arg];
  switch (a->what) {
    case ABI_HANDLE:
      bad_handles(c, arg, one_handle);
      if (abi_null_allowed(c->f, arg)) with(c, arg, "null", none, -1, 0, BIT(FLX_OK), 0);
      else one_handle(c, arg, "null", NULL);
      break;
    case ABI_ANY_HANDLE: bad_handles(c, arg, any_handle); break;
    case ABI_ARRAYS:
      bad_counts(c, arg, FLX_MAX_COUNT);
      bad_handles(c, arg, last_of_two);
      if (!abi_null_allowed(c->f, arg)) last_of_two(c, arg, "a null entry", NULL);
      else { /* entries may be null; two where one belongs are too many */
        flx_ndarray nothing[1] = {NULL};
        with(c, arg, "a null entry", pointer(nothing), a->count, 1, BIT(FLX_OK), 0);
      }
      break;
    case ABI_TEXTS: bad_counts(c, arg, FLX_MAX_COUNT), bad_texts(c, arg); break;
    case ABI_SCALARS: bad_counts(c, arg, FLX_MAX_COUNT); break;
    case ABI_DIMS: bad_counts(c, arg, FLX_MAX_NDIM), bad_dims(c, arg); break;
    case ABI_DATA:
    case ABI_BUFFER: bad_bytes(c, arg); break;
    case ABI_TEXT: bad_text(c, arg); break;
    case ABI_OWN_TEXT: with(c, arg, "null", none, -1, 0, BIT(FLX_OK), 0); break;
    case ABI_INT32:
    case ABI_INT64:
      for (int i = 0; i < c->f->nargs; ++i)
        if (c->f->args[i].count == arg) return; /* a count: with its pointer */
      bad_integer(c, arg);
      break;
    case ABI_DOUBLE: bad_double(c, arg); break;
    case ABI_CALLBACK: with(c, arg, "null", none, -1, 0, odd, 0); break;
    case ABI_POINTER: break; /* the caller's own */
    case ABI_OUT_DIMS:
    case ABI_OUT_ARRAYS: {
      const int64_t small[] = {0, -1, INT32_MIN};
      for (size_t k = 0; k < sizeof small / sizeof *small; ++k) with(c, arg, "on a page without access, too small a capacity", pointer(no_page), a->count, small[k], BIT(FLX_ERROR_ARGUMENT), 1);
      with(c, arg, "null", none, -1, 0, BIT(FLX_ERROR_ARGUMENT), 1);
      break;
    }
    default: with(c, arg, "null", none, -1, 0, BIT(FLX_ERROR_ARGUMENT), 1); /* the out-parameters */
  }
}

static const abi_function *now;
static void test_function(void) {
  const unsigned good = BIT(expected_of(now));
  abi_call c;
  int64_t before = live_handles();
  abi_make(&c, now);
  with(&c, -1, "all good", none, -1, 0, good, 0);
  for (int i = 0; i < now->nargs; ++i) misuse(&c, i);
  with(&c, -1, "all good, after all that", none, -1, 0, good, 0);
  abi_clean(&c);
  flx_config_set("FLEXOR_LOG_LEVEL", "");
  flx_memory_limit_set(NULL, 0);
  if (live_handles() != before) expect(0, __FILE__, __LINE__, "every handle to be freed");
}
static void test_rules(void) { expect(abi_stale_rules() == 0, __FILE__, __LINE__, "no stale rule"); }

int main(int argc, char **argv) {
  if (argc < 2) return fprintf(stderr, "usage: misuse_test FOLDER [FUNCTION]\n"), 2;
  use_folder(argv[1]);
  if (chdir(argv[1])) return perror(argv[1]), 2; /* odd paths become odd files */
  page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  long_text = malloc(LONG + 1), long_number = malloc(LONG + 1);
  if (page == MAP_FAILED || !long_text || !long_number || mprotect(page + PAGE, PAGE, PROT_NONE)) return 1;
  no_page = page + PAGE;
  memset(long_text, 'a', LONG), memset(long_number, '9', LONG);
  long_text[LONG] = long_number[LONG] = 0;
  for (int k = 0; k < KINDS; ++k) {
    stale[k] = make_handle(k), live[k] = make_handle(k);
    flx_free(stale[k]);
  }
  for (int i = 0; i < abi_function_count; ++i) {
    now = &abi_functions[i];
    if (argc < 3 || strstr(now->name, argv[2])) run_test(now->name, test_function);
  }
  if (argc < 3) run_test("rules in abi_values.c", test_rules);
  for (int k = 0; k < KINDS; ++k) flx_free(live[k]);
  free(long_text), free(long_number);
  printf("%d calls, %d faults\n", calls, faults);
  return finish_tests();
}

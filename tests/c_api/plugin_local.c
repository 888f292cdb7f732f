/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin_local LIBRARY FOLDER [COPY]: a host that does not link the library but opens it RTLD_LOCAL, as Python, R and Java do, loads the plugins of FOLDER. A plugin that
 * links libflexor.so.0, with no path to it, must find this copy; what cannot be loaded is refused by name. With COPY, another copy of the library at that path, both are
 * open in one process and stay apart. */
#include <dlfcn.h>
#include <flexor/c_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int wrong, checks;
typedef struct {
  flx_status (*load)(const char *);
  const char *(*last_error)(void);
  flx_status (*create)(const int64_t *, int32_t, int32_t, const char *, double, flx_ndarray *);
  flx_status (*invoke)(const char *, int32_t, const flx_ndarray *, int32_t, const char *const *, const char *const *, int32_t, flx_ndarray *, int32_t, int32_t *);
  flx_status (*item)(flx_ndarray, int64_t, int32_t *, double *);
  void (*release)(void *);
} library;
#define EXPECT(l, condition) (++checks, (condition) ? (void)0 : (void)(++wrong, fprintf(stderr, "%s:%d: expected %s; last error: %s\n", __FILE__, __LINE__, #condition, (l)->last_error())))

static void *symbol(void *lib, const char *name) {
  void *p = dlsym(lib, name);
  if (!p) fprintf(stderr, "%s\n", dlerror()), exit(1);
  return p;
}
static library open_library(const char *path) {
  library l;
  void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!lib) fprintf(stderr, "%s\n", dlerror()), exit(1);
  *(void **)&l.load = symbol(lib, "flx_plugin_load"), *(void **)&l.last_error = symbol(lib, "flx_last_error");
  *(void **)&l.create = symbol(lib, "flx_ndarray_create_full"), *(void **)&l.invoke = symbol(lib, "flx_invoke");
  *(void **)&l.item = symbol(lib, "flx_ndarray_item"), *(void **)&l.release = symbol(lib, "flx_free");
  return l;
}
static const char *in_folder(const char *folder, const char *name) {
  static char path[4][1024];
  static int next;
  char *p = path[next++ % 4];
  snprintf(p, sizeof path[0], "%s/%s", folder, name);
  return p;
}
/* The operator's value for 2, or -1. */
static double value_of(const library *l, const char *op) {
  const int64_t one = 1;
  flx_ndarray x = NULL, y = NULL;
  int32_t n = 0, ready = 0;
  double v = -1;
  if (!l->create(&one, 1, FLX_FLOAT64, NULL, 2, &x) && !l->invoke(op, 0, &x, 1, NULL, NULL, 0, &y, 1, &n) && l->item(y, -1, &ready, &v)) v = -1;
  l->release(x), l->release(y);
  return v;
}
static void refuse(const library *l, flx_status want, const char *path, const char *part) {
  flx_status got = l->load(path);
  const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
  EXPECT(l, got == want);
  EXPECT(l, strstr(l->last_error(), part) && strstr(l->last_error(), "flx_plugin_load") && strstr(l->last_error(), base));
}

int main(int argc, char **argv) {
  if (argc < 3) return fprintf(stderr, "usage: %s LIBRARY FOLDER [COPY]\n", argv[0]), 2;
  const library l = open_library(argv[1]);
  const char *folder = argv[2];
  EXPECT(&l, value_of(&l, "example_swish") == -1);
  EXPECT(&l, l.load(in_folder(folder, "example_swish.so")) == FLX_OK);
  EXPECT(&l, l.load(in_folder(folder, "./example_swish.so")) == FLX_OK); /* the same file */
  EXPECT(&l, value_of(&l, "example_swish") > 1.7 && value_of(&l, "example_swish") < 1.8);
  EXPECT(&l, l.load(in_folder(folder, "plugin_unlinked.so")) == FLX_OK);
  EXPECT(&l, value_of(&l, "odd_identity") == 2);
  refuse(&l, FLX_ERROR_FILE, in_folder(folder, "no_such_plugin.so"), "cannot be opened: No such file");
  refuse(&l, FLX_ERROR_FORMAT, argv[0], "cannot be loaded");
  refuse(&l, FLX_ERROR_FORMAT, argv[1], "is no plugin of Flexor: it does not export flx_plugin_abi");
  refuse(&l, FLX_ERROR_FORMAT, in_folder(folder, "plugin_initless.so"), "does not export flx_plugin_init");
  refuse(&l, FLX_ERROR_UNSUPPORTED, in_folder(folder, "plugin_newer.so"), "needs ABI version");
  refuse(&l, FLX_ERROR_DEVICE, in_folder(folder, "plugin_failing.so"), "flx_plugin_init failed: no camera is attached");
  refuse(&l, FLX_ERROR_DEVICE, in_folder(folder, "plugin_failing.so"), "no camera is attached"); /* tried again, not taken for loaded */
  if (argc > 3) {
    const library other = open_library(argv[3]);
    EXPECT(&other, other.load != l.load);
    EXPECT(&other, value_of(&other, "odd_identity") == -1); /* what the first copy has the second has not */
    refuse(&other, FLX_ERROR_STATE, in_folder(folder, "example_swish.so"), "is bound to another copy of the library");
    EXPECT(&other, value_of(&other, "example_swish") == -1);
    EXPECT(&other, other.load(in_folder(folder, "plugin_unlinked.so")) == FLX_OK); /* this one takes its functions from whoever loads it */
    EXPECT(&other, value_of(&other, "odd_identity") == 2);
    EXPECT(&l, value_of(&l, "odd_identity") == 2);
  } else {
    printf("SKIPPED two copies of the library: a sanitizer takes them for one\n");
  }
  printf("%d checks, %d failed\n", checks, wrong);
  return wrong != 0;
}

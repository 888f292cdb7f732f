// SPDX-License-Identifier: Apache-2.0
// R: a handle is an external pointer that frees it, with class flexor_<kind>; a failed call is a condition of class flexor_<status>_error, made by flx_raise
// (prelude.R). SWIG's own .R file is not used: generate.py writes the functions that call this glue. A call that may wait looks for Ctrl-C. What is held when R
// jumps out of here is R's (R_alloc), or an external pointer that is made before the call.
%{
#include <alloca.h>
#include <R_ext/Rallocators.h>
#include <Rinternals.h>
#include <Rversion.h>
typedef struct { const char *name; SEXP tag, class_name; int product, many; } flx_r_kind; /* one a kind of handle: what its external pointers carry */
static const char flx_r_array[] = "flexor_ndarray";
static SEXP flx_r_env(void) { /* where flx_raise is: the package; where there is none, the workspace */
  SEXP space = Rf_findVarInFrame(R_NamespaceRegistry, Rf_install("flexor"));
  return space == R_UnboundValue ? R_GlobalEnv : space;
}
static void flx_r_fail(flx_status status, const char *message) { /* flx_raise(status, message, fields) does not return */
  const char *fields[] = {"kind", "operator", "node", "origin", "hint", "file", "offset", ""};
  SEXP list = PROTECT(Rf_mkNamed(VECSXP, fields)), text = PROTECT(Rf_ScalarString(Rf_mkCharCE(message ? message : flx_last_error(), CE_UTF8)));
  for (int i = 0; *fields[i]; ++i)
    SET_VECTOR_ELT(list, i, Rf_ScalarString(Rf_mkCharCE(message ? "" : flx_last_error_field(fields[i]), CE_UTF8)));
  Rf_eval(PROTECT(Rf_lang4(Rf_install("flx_raise"), PROTECT(Rf_ScalarInteger(status)), text, list)), flx_r_env());
  UNPROTECT(4);
}
static void flx_r_raise(flx_status status) { flx_r_fail(status, NULL); }
static void flx_r_bad(const char *message) { flx_r_fail(FLX_ERROR_ARGUMENT, message); }
static void flx_r_finalize(SEXP p) { flx_free(R_ExternalPtrAddr(p)); R_ClearExternalPtr(p); }
/* Arrays come and go by the million, and R takes ten times as long for a finalizer as for an object. So an array's external pointer keeps a raw vector alive whose
 * memory R gives back by a function of ours. It does so amid a collection, where nothing may call R, and an array's history may hold functions of R: the handles
 * wait in a list, which a finalizer empties as soon as the collection is over. */
typedef struct flx_r_block { struct flx_r_block *next; void *handle; } flx_r_block;
static flx_r_block *flx_r_newest, *flx_r_dead;
static void *flx_r_give(R_allocator_t *unused, size_t size) {
  flx_r_newest = (flx_r_block *)malloc(sizeof *flx_r_newest + size);
  (void)unused;
  if (!flx_r_newest) return NULL;
  flx_r_newest->handle = NULL;
  return flx_r_newest + 1;
}
static void flx_r_take(R_allocator_t *unused, void *memory) {
  flx_r_block *b = (flx_r_block *)memory - 1;
  (void)unused;
  b->next = flx_r_dead;
  flx_r_dead = b;
}
static void flx_r_bury(void) {
  flx_r_block *b;
  while ((b = flx_r_dead)) {
    flx_r_dead = b->next;
    flx_free(b->handle);
    free(b);
  }
}
static int flx_r_watcher; /* the number of the last object whose end is waited for: the next collection's */
static void flx_r_seen(SEXP p);
static void flx_r_watch(void) {
  SEXP p = PROTECT(R_MakeExternalPtr((void *)(intptr_t)++flx_r_watcher, R_NilValue, R_NilValue));
  R_RegisterCFinalizerEx(p, flx_r_seen, FALSE);
  UNPROTECT(1);
}
static void flx_r_seen(SEXP p) {
  int last = (intptr_t)R_ExternalPtrAddr(p) == flx_r_watcher;
  R_ClearExternalPtr(p);
  flx_r_bury();
  if (last) flx_r_watch();
}
/* R forgets a finalizer that another one registers when more of them run after it. Then the list is found full outside of a collection. */
static void flx_r_tidy(void) {
  if (!flx_r_dead) return;
  flx_r_bury();
  flx_r_watch();
}
static SEXP flx_r_keep(void *h) {
  static R_allocator_t ours = {flx_r_give, flx_r_take, NULL, NULL};
  SEXP v;
  flx_r_tidy();
  if (!flx_r_watcher) flx_r_watch();
  v = Rf_allocVector3(RAWSXP, 1, &ours);
  flx_r_newest->handle = h;
  RAW(v)[0] = 0;
  return v;
}
static SEXP flx_r_family(void) { static SEXP s; if (!s) s = Rf_install("flexor"); return s; }
static SEXP flx_r_own(void *h, flx_r_kind *kind) {
  SEXP p, kept;
  if (!h) return R_NilValue;
  if (!kind->tag) {
    kind->tag = Rf_install(kind->name);
    R_PreserveObject(kind->class_name = Rf_mkString(kind->name));
    MARK_NOT_MUTABLE(kind->class_name);
    kind->many = !strcmp(kind->name, flx_r_array);
#if R_VERSION < R_Version(4, 3, 0)
    kind->product = kind->many || !strcmp(kind->name, "flexor_symbol");
#endif
  }
  kept = PROTECT(kind->many ? flx_r_keep(h) : kind->tag);
  p = PROTECT(R_MakeExternalPtr(h, flx_r_family(), kept));
  if (!kind->many) R_RegisterCFinalizerEx(p, flx_r_finalize, TRUE);
  Rf_setAttrib(p, R_ClassSymbol, kind->class_name);
  if (kind->product) SET_S4_OBJECT(p); /* before R 4.3 only S4 methods see %*% */
  UNPROTECT(2);
  return p;
}
static int flx_r_is_handle(SEXP p) { return TYPEOF(p) == EXTPTRSXP && R_ExternalPtrTag(p) == flx_r_family(); }
static const char *flx_r_name(SEXP handle) { /* of its kind; also of one that came out of a file */
  SEXP kept = R_ExternalPtrProtected(handle);
  return TYPEOF(kept) == RAWSXP ? flx_r_array : CHAR(PRINTNAME(kept));
}
static void *flx_r_handle(SEXP p) {
  void *h;
  if (p == R_NilValue) return NULL;
  if (!flx_r_is_handle(p)) flx_r_bad("a Flexor handle was expected, as nd_array() and its like give");
  h = R_ExternalPtrAddr(p);
  if (!h) flx_r_fail(FLX_ERROR_HANDLE, "this Flexor object comes from a saved workspace or another process, and what it stood for is not there any more. "
                                       "Make it anew; arrays are kept by saving as.array(x), models by save_model() or saveRDS() of the model itself.");
  return h;
}
static const char *flx_r_text(SEXP s) { /* UTF-8, alive until .Call returns */
  if (s == R_NilValue) return NULL;
  if (TYPEOF(s) != STRSXP || LENGTH(s) != 1 || STRING_ELT(s, 0) == NA_STRING) flx_r_bad("a string was expected");
  return Rf_translateCharUTF8(STRING_ELT(s, 0));
}
static SEXP flx_r_string(const char *t) { return t ? Rf_ScalarString(Rf_mkCharCE(t, CE_UTF8)) : R_NilValue; }
static SEXP flx_r_owned(char *t, R_xlen_t raw) { /* copied to R's memory first: what R then makes of it may fail */
  char *copy;
  SEXP s;
  R_xlen_t n = raw >= 0 ? raw : t ? (R_xlen_t)strlen(t) : 0;
  if (!t) return R_NilValue;
  copy = R_alloc((size_t)n + 1, 1);
  memcpy(copy, t, (size_t)n);
  copy[n] = 0;
  flx_text_free(t);
  if (raw < 0) return flx_r_string(copy);
  s = Rf_allocVector(RAWSXP, n);
  if (n) memcpy(RAW(s), copy, (size_t)n);
  return s;
}
static int64_t flx_r_whole(double d, double most) {
  if (!(d >= -most && d <= most) || d != (double)(int64_t)d) flx_r_bad("a whole number was expected");
  return (int64_t)d;
}
static double flx_r_number(SEXP s) {
  if ((TYPEOF(s) != REALSXP && TYPEOF(s) != INTSXP && TYPEOF(s) != LGLSXP) || XLENGTH(s) != 1) flx_r_bad("a number was expected");
  return Rf_asReal(s);
}
static void *flx_r_list(SEXP s, char what, int32_t *n) { /* what: 'h' a list of handles, 'i' whole numbers, 'd' numbers, 's' strings */
  R_xlen_t i, size;
  void **out;
  if (!Rf_isNull(s) && (what == 'h' ? TYPEOF(s) != VECSXP : what == 's' ? TYPEOF(s) != STRSXP : TYPEOF(s) != REALSXP && TYPEOF(s) != INTSXP))
    flx_r_bad(what == 'h' ? "a list of Flexor handles was expected" : what == 's' ? "strings were expected" : "numbers were expected");
  size = Rf_isNull(s) ? 0 : XLENGTH(s);
  if (size > FLX_MAX_COUNT) size = FLX_MAX_COUNT + 1; /* the library says that it is too many */
  out = (void **)R_alloc((size_t)size + 1, sizeof *out);
  for (i = 0; i < size; ++i) {
    if (what == 'h') out[i] = flx_r_handle(VECTOR_ELT(s, i));
    else if (what == 's' && STRING_ELT(s, i) == NA_STRING) flx_r_bad("a string was expected, given NA");
    else if (what == 's') out[i] = (void *)Rf_translateCharUTF8(STRING_ELT(s, i));
    else {
      double d = TYPEOF(s) == REALSXP ? REAL(s)[i] : INTEGER(s)[i] == NA_INTEGER ? NA_REAL : INTEGER(s)[i];
      if (what == 'd') ((double *)out)[i] = d;
      else ((int64_t *)out)[i] = flx_r_whole(d, 9007199254740992.0);
    }
  }
  *n = (int32_t)size;
  return out;
}
static SEXP flx_r_names(SEXP s) {
  SEXP names = Rf_isNull(s) ? s : Rf_getAttrib(s, R_NamesSymbol);
  if (!Rf_isNull(s) && XLENGTH(s) && Rf_isNull(names)) flx_r_bad("options are a named vector of strings, as c(axis = \"1\")");
  return names;
}
static SEXP flx_r_many(const void *p, int32_t n, flx_r_kind *kind) { /* handles, or whole numbers if kind is null */
  SEXP s = PROTECT(Rf_allocVector(kind ? VECSXP : REALSXP, n));
  for (int32_t i = 0; i < n; ++i) {
    if (kind) SET_VECTOR_ELT(s, i, flx_r_own(((void *const *)p)[i], kind));
    else REAL(s)[i] = (double)((const int64_t *)p)[i];
  }
  UNPROTECT(1);
  return s;
}
static void *flx_r_memory(SEXP s, int64_t *n) {
  int size = TYPEOF(s) == REALSXP ? 8 : TYPEOF(s) == RAWSXP ? 1 : TYPEOF(s) == INTSXP || TYPEOF(s) == LGLSXP ? 4 : 0;
  if (!size) flx_r_bad("a vector of numbers or a raw vector was expected");
  *n = (int64_t)XLENGTH(s) * size;
  return size == 8 ? (void *)REAL(s) : size == 1 ? (void *)RAW(s) : TYPEOF(s) == INTSXP ? (void *)INTEGER(s) : (void *)LOGICAL(s);
}
/* FLEXOR_ORIGIN: each call tells the library the user's line or call, which flx_origin (prelude.R) finds. It stays until the next call: R has one thread. */
static int flx_r_traced;
static void flx_r_origin(void) {
  SEXP origin = PROTECT(Rf_eval(PROTECT(Rf_lang1(Rf_install("flx_origin"))), flx_r_env()));
  flx_origin_set(TYPEOF(origin) == STRSXP && LENGTH(origin) == 1 ? Rf_translateCharUTF8(STRING_ELT(origin, 0)) : NULL);
  UNPROTECT(2);
}
/* Memory of handles is not R's, so R does not see that it should collect; the library knows, and R's thread does it here, before a call. */
static void flx_r_collect(void) {
  flx_r_tidy();
  if (flx_memory_gc_hint()) R_gc();
}
%}
%{
/* SWIG registers the functions and leaves the library open to a search by name, which nobody wants. */
#define R_registerRoutines(dll, c, call, fortran, external) (R_registerRoutines(dll, c, call, fortran, external), R_useDynamicSymbols(dll, FALSE))
%}
%init %{
  if (flx_abi_require(FLX_ABI_VERSION)) Rf_error("%s", flx_last_error());
%}
%exception {
  flx_r_collect();
  if (flx_r_traced) flx_r_origin();
  struct flx_wait wait = flx_wait_take();
  for (;;) {
    $action
    if (!flx_wait_more(&wait)) break;
    R_CheckUserInterrupt();
    flx_wait_again(&wait);
  }
}
%typemap(out) flx_status { $result = R_NilValue; if ($1) flx_r_raise($1); }
%typemap(out) const char * { $result = flx_r_string($1); }
%typemap(out) int32_t { $result = Rf_ScalarInteger($1); }

%define FLX_KIND(K)
%{ static flx_r_kind flx_r_##K = {"flexor_" #K}; %}
%typemap(in) flx_##K { $1 = (flx_##K)flx_r_handle($input); }
%typemap(in, numinputs=0) flx_##K * (flx_##K temp = NULL) { $1 = &temp; }
%typemap(argout) flx_##K * { %append_output(flx_r_own(*$1, &flx_r_##K)); }
%enddef
%typemap(in) void *handle { $1 = flx_r_handle($input); }
%typemap(in) char *text { flx_r_bad("texts are freed by the glue"); }
%typemap(in) const char * { $1 = ($1_ltype)flx_r_text($input); }
%typemap(in) int32_t { $1 = (int32_t)flx_r_whole(flx_r_number($input), 2147483647); }
%typemap(in) int64_t { $1 = flx_r_whole(flx_r_number($input), 9007199254740992.0); }
%typemap(in) double { $1 = flx_r_number($input); }
%define FLX_LIST(WHAT, PATTERN...)
%typemap(in) (PATTERN) { $1 = flx_r_list($input, WHAT, &$2); }
%typemap(argout) (PATTERN) ""
%typemap(freearg) (PATTERN) ""
%enddef
FLX_LIST('h', const flx_ndarray *arrays, int32_t narrays)
FLX_LIST('i', const int64_t *dims, int32_t ndim)
FLX_LIST('d', const double *scalars, int32_t nscalars)
FLX_LIST('s', const char *const *names, int32_t nnames)
%typemap(in) (const char *const *keys, const char *const *values, int32_t npairs) { $1 = flx_r_list(flx_r_names($input), 's', &$3); $2 = flx_r_list($input, 's', &$3); }
%typemap(argout) (const char *const *keys, const char *const *values, int32_t npairs) ""
%typemap(in) (const void *data, int64_t nbytes) { $1 = flx_r_memory($input, &$2); }
%typemap(in) (void *buffer, int64_t buffer_nbytes) { $1 = flx_r_memory($input, &$2); }

%typemap(in, numinputs=0) int32_t * (int32_t temp = 0), int64_t * (int64_t temp = 0), double * (double temp = 0) { $1 = &temp; }
FLX_WAIT_TYPEMAPS
// SWIG knows no `check` for R. No input comes after timeout_ms (header_rules.py), so nothing fails between this and the call.
%typemap(in) int64_t timeout_ms { $1 = flx_r_whole(flx_r_number($input), 9007199254740992.0); flx_wait_begin(&$1); }
%typemap(argout) int32_t * { %append_output(Rf_ScalarInteger(*$1)); }
%typemap(argout) int32_t *out_ready { %append_output(Rf_ScalarLogical(*$1)); }
%typemap(argout) int64_t * { %append_output(Rf_ScalarReal((double)*$1)); }
%typemap(argout) double * { %append_output(Rf_ScalarReal(*$1)); }
%typemap(in, numinputs=0) const char ** (const char *temp = NULL) { $1 = ($1_ltype)&temp; }
%typemap(in, numinputs=0) char ** (char *temp = NULL) { $1 = &temp; }
%typemap(argout) const char ** { %append_output(flx_r_string(*$1)); }
%typemap(argout) char ** { %append_output(flx_r_owned(*$1, -1)); }
%typemap(in, numinputs=0) (char **out_bytes, int64_t *out_nbytes) (char *temp = NULL, int64_t n = 0) { $1 = &temp; $2 = &n; }
%typemap(argout) (char **out_bytes, int64_t *out_nbytes) { %append_output(flx_r_owned(*$1, (R_xlen_t)*$2)); }
%typemap(in, numinputs=0) (int64_t *out_dims, int32_t capacity, int32_t *out_ndim) (int64_t temp[FLX_MAX_NDIM], int32_t n = 0) { $1 = temp; $2 = FLX_MAX_NDIM; $3 = &n; }
%typemap(argout) (int64_t *out_dims, int32_t capacity, int32_t *out_ndim) { %append_output(flx_r_many($1, *$3, NULL)); }
%typemap(in, numinputs=0) (flx_ndarray *out_arrays, int32_t capacity, int32_t *out_narrays) (int32_t n = 0) { R_CheckStack2(FLX_MAX_COUNT * sizeof(flx_ndarray)); $1 = (flx_ndarray *)alloca(FLX_MAX_COUNT * sizeof(flx_ndarray)); $2 = FLX_MAX_COUNT; $3 = &n; }
%typemap(argout) (flx_ndarray *out_arrays, int32_t capacity, int32_t *out_narrays) { %append_output(flx_r_many($1, *$3, &flx_r_ndarray)); }
%typemap(freearg) int32_t *, int64_t *, double *, char **, const char **, const char *, (int64_t *out_dims, int32_t capacity, int32_t *out_ndim) ""

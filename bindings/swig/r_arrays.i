// SPDX-License-Identifier: Apache-2.0
// R's arithmetic on arrays without a detour: `x + y` reaches the library in one .Call. What is no pair of arrays or plain numbers goes on in R's code
// (arith_slow in arithmetic.R, call_one in call.R). The mode bits of calls (gradient() records) live here.
%{
static int32_t flx_r_bits;
/* How R's operators are called in the library: two arrays, array and number, number and array. The order is that of `flx_operators` in arithmetic.R. */
static struct { const char *both, *right, *left; flx_call calls[3]; } flx_r_operators[] = {
  {"broadcast_add", "_plus_scalar", "_plus_scalar"}, {"broadcast_sub", "_minus_scalar", "_rminus_scalar"}, {"broadcast_mul", "_mul_scalar", "_mul_scalar"},
  {"broadcast_div", "_div_scalar", "_rdiv_scalar"}, {"broadcast_power", "_power_scalar", "_rpower_scalar"}, {"broadcast_mod", "_mod_scalar", "_rmod_scalar"},
  {"broadcast_equal", "_equal_scalar", "_equal_scalar"}, {"broadcast_not_equal", "_not_equal_scalar", "_not_equal_scalar"},
  {"broadcast_greater", "_greater_scalar", "_lesser_scalar"}, {"broadcast_lesser", "_lesser_scalar", "_greater_scalar"},
  {"broadcast_greater_equal", "_greater_equal_scalar", "_lesser_equal_scalar"}, {"broadcast_lesser_equal", "_lesser_equal_scalar", "_greater_equal_scalar"},
  {"broadcast_maximum", "_maximum_scalar", "_maximum_scalar"}, {"broadcast_minimum", "_minimum_scalar", "_minimum_scalar"}};
static flx_call flx_r_operator(int which, int form) {
  flx_call *call = &flx_r_operators[which].calls[form];
  if (!*call) {
    const char *key = "scalar", *value = "0", *name = form == 0 ? flx_r_operators[which].both : form == 1 ? flx_r_operators[which].right : flx_r_operators[which].left;
    flx_status status = flx_call_create(name, &key, &value, form ? 1 : 0, call);
    if (status) flx_r_raise(status);
  }
  return *call;
}
static int flx_r_is_array(SEXP s) { return flx_r_is_handle(s) && TYPEOF(R_ExternalPtrProtected(s)) == RAWSXP; }
static int flx_r_is_plain(SEXP s) {
  if ((TYPEOF(s) != REALSXP && TYPEOF(s) != INTSXP) || XLENGTH(s) != 1 || ATTRIB(s) != R_NilValue) return 0;
  return TYPEOF(s) == REALSXP || INTEGER(s)[0] != NA_INTEGER;
}
/* Prepared calls of operators without attributes, by name: R keeps one CHARSXP for a text, so its address finds the call. */
enum { FLX_R_CALLS = 1024 };
static struct { SEXP name; flx_call call; } flx_r_calls[FLX_R_CALLS];
static flx_call flx_r_named(SEXP name) {
  size_t i = ((size_t)name >> 4) * 0x9e3779b97f4a7c15ull >> 54, tries = 0;
  flx_call call;
  for (; flx_r_calls[i].name; i = (i + 1) % FLX_R_CALLS) {
    if (flx_r_calls[i].name == name) return flx_r_calls[i].call;
    if (++tries == FLX_R_CALLS / 2) flx_r_bad("too many operators");
  }
  flx_status status = flx_call_create(CHAR(name), NULL, NULL, 0, &call);
  if (status) flx_r_raise(status);
  R_PreserveObject(name);
  flx_r_calls[i].call = call;
  flx_r_calls[i].name = name;
  return call;
}
%}
%typemap(in) SEXP { $1 = $input; }
%typemap(out) SEXP { $result = $1; }
%inline %{
/* The mode bits that calls have, and from now on `bits` (NULL: as they are). */
SEXP flx_r_mode(SEXP bits) {
  int32_t old = flx_r_bits;
  if (bits != R_NilValue) flx_r_bits = (int32_t)Rf_asInteger(bits);
  return Rf_ScalarInteger(old);
}
SEXP flx_r_origins(SEXP on) {
  flx_r_traced = Rf_asLogical(on) == 1;
  if (!flx_r_traced) flx_origin_set(NULL);
  return R_NilValue;
}
SEXP flx_r_arith(SEXP which, SEXP x, SEXP y, SEXP last) { /* last: a type error is one */
  flx_ndarray out = NULL;
  flx_status status;
  int left = flx_r_is_array(x), right = flx_r_is_array(y), i = INTEGER(which)[0];
  if (left && right) status = flx_call_binary(flx_r_operator(i, 0), flx_r_bits, flx_r_handle(x), flx_r_handle(y), &out);
  else if (left && flx_r_is_plain(y)) status = flx_call_scalar(flx_r_operator(i, 1), flx_r_bits, flx_r_handle(x), Rf_asReal(y), &out);
  else if (right && flx_r_is_plain(x)) status = flx_call_scalar(flx_r_operator(i, 2), flx_r_bits, flx_r_handle(y), Rf_asReal(x), &out);
  else status = FLX_ERROR_TYPE;
  if (!status) return flx_r_own(out, &flx_r_ndarray);
  if (status != FLX_ERROR_TYPE || Rf_asLogical(last)) flx_r_raise(status);
  x = PROTECT(Rf_lang4(Rf_install("arith_slow"), which, x, y)); /* R's vectors, symbols, unequal dtypes */
  y = Rf_eval(x, flx_r_env());
  UNPROTECT(1);
  return y;
}
/* An operator of one or two inputs and one output, without attributes. */
SEXP flx_r_quick(SEXP name, SEXP x, SEXP y) {
  flx_ndarray out = NULL;
  flx_status status;
  if (!flx_r_is_array(x) || (y != R_NilValue && !flx_r_is_array(y))) {
    SEXP list = PROTECT(y == R_NilValue ? Rf_lang2(Rf_install("list"), x) : Rf_lang3(Rf_install("list"), x, y));
    x = Rf_eval(PROTECT(Rf_lang3(Rf_install("call_one"), name, list)), flx_r_env());
    UNPROTECT(2);
    return x;
  }
  if (y == R_NilValue) status = flx_call_unary(flx_r_named(STRING_ELT(name, 0)), flx_r_bits, flx_r_handle(x), &out);
  else status = flx_call_binary(flx_r_named(STRING_ELT(name, 0)), flx_r_bits, flx_r_handle(x), flx_r_handle(y), &out);
  if (status) flx_r_raise(status);
  return flx_r_own(out, &flx_r_ndarray);
}
/* Whether a handle still stands for something: not after it came out of a file. */
SEXP flx_r_alive(SEXP s) { return Rf_ScalarLogical(flx_r_is_handle(s) && R_ExternalPtrAddr(s) != NULL); }
SEXP flx_r_is(SEXP s, SEXP kind) { /* whether s is a handle of a kind, given as its class */
  return Rf_ScalarLogical(flx_r_is_handle(s) && !strcmp(flx_r_name(s), CHAR(STRING_ELT(kind, 0))));
}
%}

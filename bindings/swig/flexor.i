// SPDX-License-Identifier: Apache-2.0
// The C ABI for Python, R and Java: one typemap file per language, and no line about any single function. Typemaps match the argument groups of c_api.h by name;
// kinds.i, the list of handle kinds, is made from the header by generate.py, which also refuses a header with an argument that is in none of its groups.
%module flexor
%{
#include <flexor/c_api.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Room for the results of any call. One is kept for the next call, whichever thread makes it. Pages that are not used cost nothing. */
static void *flx_spare;
static void *flx_room(void) {
  void *p = __atomic_exchange_n(&flx_spare, NULL, __ATOMIC_ACQUIRE);
  return p ? p : malloc(FLX_MAX_COUNT * sizeof(void *)); /* without memory the library says that out_arrays is null */
}
static void flx_room_back(void *p) { if (p) free(__atomic_exchange_n(&flx_spare, p, __ATOMIC_RELEASE)); }

/* A function with timeout_ms waits in slices; between them the language looks for its interrupts. The typemaps of timeout_ms and of the answer leave here
 * where both lie, and %exception takes that for its loop. */
enum { FLX_SLICE_MS = 100 };
struct flx_wait { int64_t *slice, left; int32_t *answer, pending; };
static __thread struct flx_wait flx_waiting;
static int flx_wait_next(struct flx_wait *w) {
  *w->slice = w->left < 0 || w->left > FLX_SLICE_MS ? FLX_SLICE_MS : w->left;
  if (w->left >= 0) w->left -= *w->slice;
  return 1;
}
static void flx_wait_begin(int64_t *timeout) { flx_waiting.slice = timeout; flx_waiting.left = *timeout; flx_wait_next(&flx_waiting); }
static struct flx_wait flx_wait_take(void) { struct flx_wait w = flx_waiting; flx_waiting.slice = NULL; return w; }
/* Whether to wait on: the answer is `pending` and there is time. A failed call leaves the answer as it was: INT_MIN, by flx_wait_again before each slice but the first. */
static int flx_wait_more(struct flx_wait *w) { return w->slice && *w->answer == w->pending && w->left != 0 && flx_wait_next(w); }
static void flx_wait_again(struct flx_wait *w) { *w->answer = INT_MIN; }
%}
%include <stdint.i>

%define FLX_WAIT_TYPEMAPS
%typemap(check) int64_t timeout_ms { flx_wait_begin(&$1); }
%typemap(in, numinputs=0) int32_t *out_ready (int32_t temp = INT_MIN) { $1 = &temp; flx_waiting.answer = &temp; flx_waiting.pending = 0; }
%typemap(in, numinputs=0) int32_t *out_event (int32_t temp = INT_MIN) { $1 = &temp; flx_waiting.answer = &temp; flx_waiting.pending = FLX_PENDING; }
%enddef

#if defined(SWIGPYTHON)
%include "python.i"
#elif defined(SWIGR)
%include "r.i"
#elif defined(SWIGJAVA)
%include "java.i"
#else
#error "no typemaps for this language: write <language>.i, as python.i is"
#endif
%include "kinds.i"
#if defined(SWIGR)
%include "r_arrays.i"
#endif
%apply (const flx_ndarray *arrays, int32_t narrays) { (const flx_ndarray *grads, int32_t ngrads), (const flx_ndarray *targets, int32_t ntargets), (const flx_symbol *symbols, int32_t nsymbols) };
%include <flexor/c_api.h>
%include <flexor/c_api_train.h>

/* SPDX-License-Identifier: Apache-2.0
 *
 * flexor/c_api_native.h: the part of the C ABI with function pointers, for C and C++ code only; no other language's binding includes it. With it a host
 * or a plugin adds operators of its own, takes log records, runs functions in the engine, and lends its memory to arrays.
 *
 * Beside the rules of c_api.h:
 *
 *  1. A function given here (a callback) gets a `context` and the `user` it was given with. It returns FLX_OK, or fails: `return flx_native_fail(status,
 *     message);`, or the status of a library function that failed. Its message then is the operator's: "[name] message".
 *  2. Callbacks run on engine threads and on threads of the host, several at once: what `user` points to must allow that. A shape rule and a gradient
 *     run in the thread that calls the operator, or goes backward.
 *  3. A callback must not wait for the engine (functions with `timeout_ms` fail there with FLX_ERROR_STATE, whatever the timeout), longjmp, end its thread
 *     or fork. It may call any other function. A C++ exception that leaves it is caught at the border and becomes the failure "[name] the kernel threw: ...":
 *     a last resort, since the host's C++ runtime may go on counting it as in flight. Catch your own.
 *  4. A context is valid until the callback returns, in the thread that was called; later, or elsewhere, its use is FLX_ERROR_HANDLE or FLX_ERROR_STATE. A
 *     kernel may hand the memory it asked for to threads of its own, as long as they are done when it returns. It is not freed.
 *  5. Where `user` is given with `drop`, the library owns it once the call has succeeded (after a failed call it is still the caller's), and calls
 *     drop(user) exactly once when nothing can call or read it any more: on an engine thread or in one that waits, never inside flx_free. `drop` may be
 *     null. What is registered stays for the life of the process, and its `user` is never dropped.
 *  6. A plugin is a shared object that exports flx_plugin_abi and flx_plugin_init (below); flx_plugin_load loads it. examples/native is one.
 *
 * All functions are since version 0.1.0.
 */
#ifndef FLEXOR_C_API_NATIVE_H_
#define FLEXOR_C_API_NATIVE_H_

#include <flexor/c_api.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct flx_native_op_s *flx_native_op; /* an operator that is being described; flx_free */
typedef struct flx_context_s *flx_context;     /* what a callback works on */
typedef flx_status (*flx_native_fn)(flx_context context, void *user);
typedef void (*flx_drop_fn)(void *user);
typedef void (*flx_log_fn)(int32_t level, const char *text, void *user);
typedef void (*flx_loop_fn)(int64_t begin, int64_t end, void *user);
typedef void (*flx_any_fn)(void);
typedef flx_any_fn (*flx_resolve_fn)(const char *name);

/* ---- operators ------------------------------------------------------------------------------------------------------------------------------------- */
/** Fails a callback: keeps `message` as this thread's error and returns `status` (FLX_ERROR_HOST if that is FLX_OK or no status). */
FLX_DRAFT flx_status flx_native_fail(flx_status status, const char *message);
/** Begins an operator called `name` (letters, digits, `_`, not a digit first; at most 100), in `out_op`. It needs at least an output, a shape rule and a
 *  kernel, and is known to nobody until flx_native_op_register. Errors: FLX_ERROR_NAME for a name that is taken or not allowed. */
FLX_DRAFT flx_status flx_native_op_create(const char *name, flx_native_op *out_op);
/** Sets a text of `op`: `field` is doc, family, example or since; `text` is copied. Errors: FLX_ERROR_NAME. */
FLX_DRAFT flx_status flx_native_op_text(flx_native_op op, const char *field, const char *text);
/** Adds an input to `op`, called `name`, described by `doc`. Inputs are numbered from 0 in the order they are added. Errors: FLX_ERROR_NAME. */
FLX_DRAFT flx_status flx_native_op_input(flx_native_op op, const char *name, const char *doc);
/** Adds an output to `op`, called `name`, described by `doc`, numbered like inputs. Errors: FLX_ERROR_NAME. */
FLX_DRAFT flx_status flx_native_op_output(flx_native_op op, const char *name, const char *doc);
/** Adds an attribute to `op`: its `name`, its `value_type` (boolean, int, double, string, dtype, "tuple of int" or "tuple of double"), its `default_value` in MXNet's
 *  string form (null: it must be given) and what it means, `doc`. Errors: FLX_ERROR_NAME, FLX_ERROR_TYPE. */
FLX_DRAFT flx_status flx_native_op_attr(flx_native_op op, const char *name, const char *value_type, const char *default_value, const char *doc);
/** Gives `op` its shape rule: `rule` reads the inputs' shapes and dtypes and the attributes and sets each output (flx_context_output_set), or fails. It is
 *  asked only when all inputs are known, may be asked at any time, and must answer the same for the same question. `user`, `drop`: rule 5. */
FLX_DRAFT flx_status flx_native_op_shape(flx_native_op op, flx_native_fn rule, void *user, flx_drop_fn drop);
/** Gives `op` its kernel for devices of kind `device` ("cpu"; null is the same): `run` writes all of every output (flx_context_output_data) from the inputs
 *  (flx_context_input_data), whatever was there before. Inputs and outputs are contiguous and row-major. It keeps no state, may run several times at once,
 *  and does not run when no output has an element. `user`, `drop`: rule 5. Errors: FLX_ERROR_UNSUPPORTED for another device. */
FLX_DRAFT flx_status flx_native_op_kernel(flx_native_op op, const char *device, flx_native_fn run, void *user, flx_drop_fn drop);
/** Gives `op` its gradient, written with operators: `gradient` asks for values of inputs, outputs and head gradients (flx_gradient_input, _output, _head), calls
 *  operators on them (flx_gradient_call, _scalar) and sets the gradient of each input (flx_gradient_set; none set: zero). What it asks for by value is kept
 *  for backward, and second derivatives come of themselves. It also runs on shapes alone, and must not depend on anything but shapes, dtypes and
 *  attributes. Without one the operator is not differentiable, and going backward through it is FLX_ERROR_UNSUPPORTED. `user`, `drop`: rule 5. */
FLX_DRAFT flx_status flx_native_op_gradient(flx_native_op op, flx_native_fn gradient, void *user, flx_drop_fn drop);
/** Registers `op`, which from then on is an operator like any other, in every function and language, for the life of the process. Whatever comes of it, the
 *  description is used up; free the handle. If it is refused, nothing is registered and every `user` is dropped before this returns. Errors:
 *  FLX_ERROR_NAME if the name was taken meanwhile, FLX_ERROR_STATE for what is missing. */
FLX_DRAFT flx_status flx_native_op_register(flx_native_op op);

/* ---- in every callback ----------------------------------------------------------------------------------------------------------------------------- */
/** Attribute `key` of the operator at work in `context` as text, in `out_value`, borrowed until the callback returns. Errors: FLX_ERROR_NAME. */
FLX_DRAFT flx_status flx_context_attr(flx_context context, const char *key, const char **out_value);
/** Attribute `key` as a number, in `out_value`: a boolean is 0 or 1. No text is parsed; `context` as above. Errors: FLX_ERROR_NAME, FLX_ERROR_TYPE. */
FLX_DRAFT flx_status flx_context_number(flx_context context, const char *key, double *out_value);
/** Attribute `key`, an int or a tuple of int, as `out_count` integers from `out_values`, borrowed until the callback returns; `context` as above. Errors:
 *  FLX_ERROR_NAME, FLX_ERROR_TYPE. */
FLX_DRAFT flx_status flx_context_integers(flx_context context, const char *key, const int64_t **out_values, int32_t *out_count);
/** A number of `context`: `field` is inputs, outputs, or training (1 in training mode), in `out_value`. Errors: FLX_ERROR_NAME. */
FLX_DRAFT flx_status flx_context_count(flx_context context, const char *field, int32_t *out_value);
/** Input `index` in `context`: its `out_dtype`, and its shape as `out_ndim` sizes from `out_dims`, borrowed until the callback returns. Errors: FLX_ERROR_INDEX. */
FLX_DRAFT flx_status flx_context_input(flx_context context, int32_t index, int32_t *out_dtype, const int64_t **out_dims, int32_t *out_ndim);
/** Output `index` in `context`: `out_dtype`, and `out_ndim` sizes from `out_dims`, as in flx_context_input. Errors: FLX_ERROR_INDEX, FLX_ERROR_STATE in a shape rule that has not set it yet. */
FLX_DRAFT flx_status flx_context_output(flx_context context, int32_t index, int32_t *out_dtype, const int64_t **out_dims, int32_t *out_ndim);

/* ---- in a shape rule --------------------------------------------------------------------------------------------------------------------------------- */
/** In a shape rule: output `index` has `dtype` and shape `dims`/`ndim`; `context` is the rule's. Errors: FLX_ERROR_INDEX, FLX_ERROR_SHAPE, FLX_ERROR_TYPE,
 *  FLX_ERROR_STATE in another callback. */
FLX_DRAFT flx_status flx_context_output_set(flx_context context, int32_t index, int32_t dtype, const int64_t *dims, int32_t ndim);

/* ---- in a kernel, or a function of flx_engine_push ------------------------------------------------------------------------------------------------------- */
/** The memory of input `index`, to be read: `out_nbytes` from `out_data`. Aligned for its dtype, not more; `context` is a kernel's. Errors: FLX_ERROR_INDEX,
 *  FLX_ERROR_STATE in another callback. */
FLX_DRAFT flx_status flx_context_input_data(flx_context context, int32_t index, const void **out_data, int64_t *out_nbytes);
/** The memory of output `index`, to be wholly written: `out_nbytes` from `out_data`. It is none of the inputs'; `context` and errors as in
 *  flx_context_input_data. */
FLX_DRAFT flx_status flx_context_output_data(flx_context context, int32_t index, void **out_data, int64_t *out_nbytes);
/** `nbytes` of memory to work in, aligned to 64 bytes, until the kernel returns, in `out_data`; `context` is a kernel's. Errors: FLX_ERROR_MEMORY,
 *  FLX_ERROR_STATE in another callback. */
FLX_DRAFT flx_status flx_context_workspace(flx_context context, int64_t nbytes, void **out_data);
/** The device's queue that the kernel is to use, in `out_stream` (a cudaStream_t on a GPU); null on the CPU. `context` is a kernel's. Errors: FLX_ERROR_STATE. */
FLX_DRAFT flx_status flx_context_stream(flx_context context, void **out_stream);
/** Calls `body` for parts of [0, `n`), at most `grain` long, on the library's threads and this one, and returns when all are done. The parts depend on `n` and
 *  `grain` only. `body` gets `user`, calls no library function, and must not throw or fail. `context` is a kernel's. Errors: FLX_ERROR_STATE. */
FLX_DRAFT flx_status flx_context_parallel(flx_context context, int64_t n, int64_t grain, flx_loop_fn body, void *user);

/* ---- in a gradient: values are numbers above 0, valid in the context that gave them; 0 is no value -------------------------------------------------------- */
/** Input `index` by value, which keeps it for backward, in `out_value`; `context` is a gradient's. Errors: FLX_ERROR_INDEX, FLX_ERROR_STATE in another
 *  callback, or if the input was overwritten since. */
FLX_DRAFT flx_status flx_gradient_input(flx_context context, int32_t index, int64_t *out_value);
/** Output `index` by value, which keeps it for backward, in `out_value`; `context` and errors as in flx_gradient_input. */
FLX_DRAFT flx_status flx_gradient_output(flx_context context, int32_t index, int64_t *out_value);
/** The gradient of output `index` that came back, in `out_value`; zeros if nobody asked for that output. `context` and errors as in flx_gradient_input. */
FLX_DRAFT flx_status flx_gradient_head(flx_context context, int32_t index, int64_t *out_value);
/** Whether the gradient of input `index` is asked for, in `out_wanted`, 1 or 0: not computing others saves work. `context` and errors as in flx_gradient_input. */
FLX_DRAFT flx_status flx_gradient_wanted(flx_context context, int32_t index, int32_t *out_wanted);
/** Calls operator `name` on values `inputs`/`ninputs` (0: an optional input is absent) with attributes `keys`/`values`/`npairs`; its results in
 *  `out_values`/`capacity`/`out_nvalues`. `context` is a gradient's. Errors: FLX_ERROR_NAME, FLX_ERROR_SHAPE, FLX_ERROR_TYPE, FLX_ERROR_INDEX for no value. */
FLX_DRAFT flx_status flx_gradient_call(flx_context context, const char *name, const int64_t *inputs, int32_t ninputs, const char *const *keys,
                                       const char *const *values, int32_t npairs, int64_t *out_values, int32_t capacity, int32_t *out_nvalues);
/** Calls operator `name`, of one input and one number (_mul_scalar, _plus_scalar ...), on `input` with `scalar`, which need not become text; the result in
 *  `out_value`. `context` and errors as in flx_gradient_call. */
FLX_DRAFT flx_status flx_gradient_scalar(flx_context context, const char *name, int64_t input, double scalar, int64_t *out_value);
/** The `out_dtype` of `value`, and its shape as `out_ndim` sizes from `out_dims`, borrowed until the callback returns; `context` is a gradient's. Errors:
 *  FLX_ERROR_INDEX. */
FLX_DRAFT flx_status flx_gradient_describe(flx_context context, int64_t value, int32_t *out_dtype, const int64_t **out_dims, int32_t *out_ndim);
/** The gradient of input `index` is `value`, of the input's shape; `context` is a gradient's. Errors: FLX_ERROR_INDEX, FLX_ERROR_SHAPE. */
FLX_DRAFT flx_status flx_gradient_set(flx_context context, int32_t index, int64_t value);

/* ---- log, engine, memory ----------------------------------------------------------------------------------------------------------------------------------- */
/** Gives every log record from now on to `log`, in place of the sink of flx_log_configure; null: to the sink again. `log` is called in the thread that logs,
 *  by several at once, holds no lock of the library's, and may call what a callback may (rule 3); what it logs itself goes to the sink. A `log` that is
 *  replaced may still be running in another thread when this returns: `drop` tells when it is not. `user`, `drop`: rule 5, but `drop` is called in whichever
 *  thread is the last to leave it. */
FLX_DRAFT flx_status flx_native_log(flx_log_fn log, void *user, flx_drop_fn drop);
/** Queues `run`: once `arrays`/`narrays` and `targets`/`ntargets` are its turn, it runs on an engine thread, reads the arrays as inputs and writes all of
 *  every target as output (to change one in place, give it in both lists). `lane` is compute (null is the same), or copy, io or comm, which have a thread each
 *  and may block there on what is not the engine's; of what is ready, higher `priority` runs first. If it fails, or an array it reads has no value, the
 *  targets have none, with its message; without targets flx_wait_all says so. `user`, `drop`: rule 5. Errors: FLX_ERROR_NAME, FLX_ERROR_DEVICE. */
FLX_DRAFT flx_status flx_engine_push(flx_native_fn run, void *user, flx_drop_fn drop, const char *lane, const flx_ndarray *arrays, int32_t narrays,
                                     const flx_ndarray *targets, int32_t ntargets, int32_t priority);
/** An array over `data`, the host's own memory, contiguous and row-major, writable, aligned for `dtype`; shape `dims`/`ndim`, `device` null or "cpu", in
 *  `out_array`. The memory must stay until drop(user): after the last handle and view went, and all pending work on it. Who writes it otherwise waits for the
 *  array first. `user`, `drop`: rule 5. Errors: FLX_ERROR_SHAPE, FLX_ERROR_TYPE, FLX_ERROR_DEVICE. */
FLX_DRAFT flx_status flx_ndarray_from_memory(void *data, const int64_t *dims, int32_t ndim, int32_t dtype, const char *device, void *user,
                                             flx_drop_fn drop, flx_ndarray *out_array);

/* ---- what a plugin exports ----------------------------------------------------------------------------------------------------------------------------------- */
#define FLX_PLUGIN __attribute__((visibility("default"))) /* a plugin has these two, the library does not */
/** Returns the FLX_ABI_VERSION that the plugin was built with. It is asked before anything else; a library with a lower version refuses the plugin. */
FLX_PLUGIN int32_t flx_plugin_abi(void);
/** Registers what the plugin brings and returns FLX_OK, or fails as in rule 1. A plugin that links libflexor calls its functions as they are: the copy already
 *  loaded is found by its SONAME, however the host opened it, and flx_plugin_load refuses a plugin bound to another copy. A plugin that does not link it takes
 *  each function from `resolve`, which gives null for a name the library does not have. A plugin is never unloaded, also when this failed. */
FLX_PLUGIN flx_status flx_plugin_init(flx_resolve_fn resolve);

#ifdef __cplusplus
}
#endif
#endif /* FLEXOR_C_API_NATIVE_H_ */

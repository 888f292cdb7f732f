/* SPDX-License-Identifier: Apache-2.0
 *
 * flexor/c_api.h: the public C ABI of Flexor. Every other language, the C++ headers included, reaches the library through this file alone.
 * It includes flexor/c_api_train.h, its part about layers, training, data and stores.
 *
 * The whole ABI follows twelve rules.
 *
 *  1. The library never calls; it is called. No function pointer stands in these headers (c_api_native.h, for C and C++ alone, is apart). Where user code is wanted (a custom function's gradient,
 *     progress), a flx_task says so as an event, and the thread that drives the task answers.
 *  2. No state of the caller's thread or process is changed or remembered, but the last error and the debugging origin: recording and training are a
 *     `mode` argument, devices are arguments, no signal handler, locale or BLAS setting of the host is touched. A call computes in the default
 *     floating-point mode, whatever the host's, and leaves the host's mode and errno as they were, also when it fails.
 *  3. A handle is an opaque 64-bit value, typed for the C compiler, never an address. A null, freed or wrong-kind handle is an error with a name, not a
 *     crash. flx_free takes any kind, from any thread, in any order, twice, at exit, after fork; it never blocks, calls back, logs or fails.
 *  4. Every function returns flx_status, but those that cannot fail. 0 is success. Out-parameters are untouched on failure.
 *  5. Only a function with an argument `timeout_ms` may block. It returns within that time (less than 0: no limit, 0: poll) and says by `out_ready` or
 *     `out_event` whether it got there, so that every host can look for its own interrupts.
 *  6. Types: int32_t, int64_t, double, const char * (UTF-8), handles, and the argument groups below. 64-bit platforms only.
 *  7. const char **out_x is borrowed: it lives as long as the handle asked (for ever, if none). char **out_x is yours: flx_text_free.
 *  8. Options are key/value strings in MXNet's string forms ("(2, 2)", "float32", "True"). JSON crosses only as a document.
 *  9. Indices and axes are 0-based; shapes are logical: element (i, j) is element (i, j) in every language, whatever `order` is.
 * 10. From version 1.0.0 on functions are added, never changed or removed. Status codes, events, fields and options may be added, so that a caller
 *     treats an unknown status as FLX_ERROR and skips an unknown event. Until then every function is FLX_DRAFT and may change.
 * 11. Every function may be called from any thread at any time. Handles of kinds params, iter, metric, optimizer, task and record are locked for the
 *     call; the order between threads is the caller's.
 * 12. Counts are at most FLX_MAX_COUNT, axes at most FLX_MAX_NDIM; a count beyond, a negative one, or a null pointer with a positive count is an error
 *     before anything is read.
 *
 * Argument groups (their names are part of the ABI, since bindings match them by name):
 *   in   (const int64_t *dims, int32_t ndim)                                        integers: a shape
 *   in   (const char *const *keys, const char *const *values, int32_t npairs)       options
 *   in   (const char *const *names, int32_t nnames)                                 strings
 *   in   (const flx_ndarray *arrays, int32_t narrays)   also grads/ngrads, targets/ntargets; an entry may be null where said
 *   in   (const flx_symbol *symbols, int32_t nsymbols)
 *   in   (const double *scalars, int32_t nscalars)      runtime attributes in the definition's order; none: as prepared
 *   in   (const void *data, int64_t nbytes)             host memory, read before the call returns
 *   out  (void *buffer, int64_t buffer_nbytes)          host memory, filled before the call returns
 *   out  (int64_t *out_dims, int32_t capacity, int32_t *out_ndim)
 *   out  (flx_ndarray *out_arrays, int32_t capacity, int32_t *out_narrays)          new handles; too small a capacity makes none
 *   out  (char **out_bytes, int64_t *out_nbytes)        yours: flx_text_free
 *
 * All functions are since version 0.1.0 unless their comment says otherwise ("Since 0.2.0."); c_api/abi.txt is the record of them. "Errors" names statuses
 * beyond FLX_ERROR_HANDLE and FLX_ERROR_ARGUMENT, which any function with such arguments may return.
 */
#ifndef FLEXOR_C_API_H_
#define FLEXOR_C_API_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(SWIG)
#define FLX_API
#else
#define FLX_API __attribute__((visibility("default")))
#endif
#define FLX_DRAFT FLX_API /* exported under the version node FLEXOR_DRAFT; may change until 1.0.0 */

#define FLX_ABI_VERSION 1 /* counts up by one with every release that adds a function */

/* ---- constants (a closed type, an open set of values) ------------------------------------------------------------------------------ */
enum { FLX_MAX_NDIM = 32, FLX_MAX_COUNT = 65536 };
typedef int32_t flx_status;
enum { /* native exception classes follow these one to one */
  FLX_OK = 0, FLX_ERROR = 1, FLX_ERROR_ARGUMENT = 2, FLX_ERROR_TYPE = 3, FLX_ERROR_SHAPE = 4, FLX_ERROR_INDEX = 5, FLX_ERROR_NAME = 6,
  FLX_ERROR_HANDLE = 7, FLX_ERROR_UNSUPPORTED = 8, FLX_ERROR_MEMORY = 9, FLX_ERROR_FILE = 10, FLX_ERROR_FORMAT = 11, FLX_ERROR_DEVICE = 12,
  FLX_ERROR_NETWORK = 13, FLX_ERROR_HOST = 14 /* user code failed: flx_task_fail */, FLX_ERROR_STATE = 15, FLX_ERROR_INTERNAL = 16,
  FLX_ERROR_ROLLED_BACK = 17 /* the job of a store went back to its checkpoint: flx_store_recover */
};
enum { /* dtype: MXNet's numbers */
  FLX_FLOAT32 = 0, FLX_FLOAT64 = 1, FLX_FLOAT16 = 2, FLX_UINT8 = 3, FLX_INT32 = 4, FLX_INT8 = 5, FLX_INT64 = 6, FLX_BOOL = 7,
  FLX_INT16 = 8, FLX_UINT16 = 9, FLX_UINT32 = 10, FLX_UINT64 = 11, FLX_BFLOAT16 = 12
};
enum { FLX_ROW_MAJOR = 0, FLX_COLUMN_MAJOR = 1 };                             /* order of host memory: C, NumPy, Scala | R, Julia */
enum { FLX_RECORD = 1, FLX_TRAIN = 2, FLX_RETAIN = 4, FLX_CREATE_GRAPH = 8, FLX_TRACE = 16 }; /* mode: bits, 0 is plain */
enum { FLX_ARGUMENT = 0, FLX_AUXILIARY = 1, FLX_OUTPUT = 2, FLX_INTERNAL = 3, FLX_INPUT = 4 }; /* part of a symbol; FLX_INPUT is arguments and auxiliaries in the graph's order */
enum { /* event of a task or an iterator */
  FLX_DONE = 0, FLX_PENDING = 1 /* the time is up, call again */, FLX_BATCH = 2, FLX_EPOCH = 3, FLX_HOST = 4 /* run a host function, then reply */
};

/* ---- handle kinds -------------------------------------------------------------------------------------------------------------------- */
typedef struct flx_ndarray_s *flx_ndarray;         /* an array */
typedef struct flx_mapping_s *flx_mapping;         /* an array's memory in the host's hands, until it is freed */
typedef struct flx_entry_s *flx_entry;             /* something registered: operator, layer, optimizer, metric ... */
typedef struct flx_call_s *flx_call;               /* an operator with its attributes, ready to run; immutable */
typedef struct flx_symbol_s *flx_symbol;           /* one or more outputs of a graph of operators; immutable but for its nodes' attributes */
typedef struct flx_graph_s *flx_graph;             /* a symbol ready to run; immutable */
typedef struct flx_layer_s *flx_layer;             /* what a layer is: kind, settings, children; holds no parameter */
typedef struct flx_params_s *flx_params;           /* ordered name -> array (parameters, states, a loaded file) */
typedef struct flx_model_s *flx_model;             /* layer + params + metadata: what is fitted, saved, loaded */
typedef struct flx_optimizer_s *flx_optimizer;     /* an update rule with its state */
typedef struct flx_schedule_s *flx_schedule;       /* learning rate by step */
typedef struct flx_initializer_s *flx_initializer; /* first values of parameters */
typedef struct flx_metric_s *flx_metric;           /* a quality measure, accumulated */
typedef struct flx_iter_s *flx_iter;               /* source of batches */
typedef struct flx_record_s *flx_record;           /* RecordIO file, open for reading or writing */
typedef struct flx_task_s *flx_task;               /* work that its caller drives: fit, evaluate, predict, backward with host functions */
typedef struct flx_store_s *flx_store;             /* arrays by key, summed over those who push: of this process, or of a job */
typedef struct flx_span_s *flx_span;               /* a stretch of time for the profiler: from its making until it is freed */

/* ---- library, errors, handles ---------------------------------------------------------------------------------------------------------- */
/** The ABI version of the library loaded; the header's is FLX_ABI_VERSION. Never fails. */
FLX_DRAFT int32_t flx_abi_version(void);
/** Every binding's first call: fails, naming both versions, when the library is older than `abi_version`. Errors: FLX_ERROR_UNSUPPORTED. */
FLX_DRAFT flx_status flx_abi_require(int32_t abi_version);
/** The library's version, "0.1.0". Borrowed for ever. */
FLX_DRAFT const char *flx_version(void);
/** This thread's last error message, until its next failure; "" if nothing failed yet. Borrowed. */
FLX_DRAFT const char *flx_last_error(void);
/** One fact of this thread's last error: `field` is kind, operator, node, origin, hint, file or offset; "" if unknown. Borrowed until the next failure. */
FLX_DRAFT const char *flx_last_error_field(const char *field);
/** Remembers `origin`, the caller's source line, for errors of operations that this thread pushes; null clears it. */
FLX_DRAFT flx_status flx_origin_set(const char *origin);
/** A fact of the library: `field` is path, compiler, blas, features, license or build. `out_text` is borrowed for ever. Errors: FLX_ERROR_NAME. */
FLX_DRAFT flx_status flx_library_text(const char *field, const char **out_text);
/** Whether the library was built with `feature` (openblas, onednn, dmlc, cuda): `out_has` is 1 or 0; 0 for names it does not know. */
FLX_DRAFT flx_status flx_library_has(const char *feature, int32_t *out_has);
/** Sets option `key` of the FLEXOR_ table to `value` at run time. Errors: FLX_ERROR_NAME with the nearest name. */
FLX_DRAFT flx_status flx_config_set(const char *key, const char *value);
/** Reads option `key`; `out_value` is yours. Errors: FLX_ERROR_NAME. */
FLX_DRAFT flx_status flx_config_get(const char *key, char **out_value);
/** The table of options (name, type, value, default, meaning) as text for people; `out_text` is yours. */
FLX_DRAFT flx_status flx_config_list(char **out_text);
/** Configures logging. `keys`/`values`/`npairs`: level = debug, info, warning, error or none; sink = stderr, buffer, none or a file's path. */
FLX_DRAFT flx_status flx_log_configure(const char *const *keys, const char *const *values, int32_t npairs);
/** Takes the oldest buffered log record (sink = buffer): its `out_level` (0 debug to 3 error; -1 when there is none) and `out_text`, yours (null when none). */
FLX_DRAFT flx_status flx_log_next(int32_t *out_level, char **out_text);
/** Lets go of `handle`, whatever its kind. Null and stale handles are no error (rule 3). */
FLX_DRAFT void flx_free(void *handle);
/** Frees a `text` or bytes that the library gave (char **); null is no error. */
FLX_DRAFT void flx_text_free(char *text);
/** The kind of `handle`: `out_kind` is "ndarray" ..., or "" if it is null, freed or garbage. Borrowed for ever. */
FLX_DRAFT flx_status flx_handle_kind(void *handle, const char **out_kind);
/** How many handles of `kind` (null: of all kinds) are not freed yet, in `out_count`: what leak tests ask. Errors: FLX_ERROR_NAME. */
FLX_DRAFT flx_status flx_handle_live(const char *kind, int64_t *out_count);
/** Loads the plugin in the file `path`: a shared object that registers operators by flexor/c_api_native.h. It stays for the life of the process; loading it again
 *  does nothing. Errors name the file: FLX_ERROR_FILE, FLX_ERROR_FORMAT for what is no plugin, FLX_ERROR_UNSUPPORTED if it needs a newer library,
 *  FLX_ERROR_STATE if it is bound to another copy of the library, and what its own function failed with. */
FLX_DRAFT flx_status flx_plugin_load(const char *path);
/** Optional at the end: finishes work and stops the library's threads within `timeout_ms`; `out_ready` says whether it got there. Handles stay
 *  freeable, and later work starts the threads again. */
FLX_DRAFT flx_status flx_shutdown(int64_t timeout_ms, int32_t *out_ready);

/* ---- devices, memory, random ------------------------------------------------------------------------------------------------------------- */
/** How many devices of `kind` ("cpu", "gpu") there are, in `out_count`; 0 for a kind this machine lacks. */
FLX_DRAFT flx_status flx_device_count(const char *kind, int32_t *out_count);
/** What `device` (null: the CPU) is, in `out_text`, yours: lines of a word and its value, such as "name ..." and "memory ..." (bytes). Errors: FLX_ERROR_DEVICE. */
FLX_DRAFT flx_status flx_device_properties(const char *device, char **out_text);
/** Waits until everything issued so far is done on `device` (null: the CPU), at most `timeout_ms` (-1: as long as it takes); `out_ready` says whether it is. What failed
 *  is reported by the arrays and by flx_wait_all. Errors: FLX_ERROR_DEVICE. */
FLX_DRAFT flx_status flx_device_synchronize(const char *device, int64_t timeout_ms, int32_t *out_ready);
/** Memory of `device` ("cpu", "gpu(0)"; null is the CPU): `stat` is live, cached, peak, limit or total, or, not of the CPU, fragmentation (what is live or
 *  cached and was asked for by no live array); `out_bytes` its value. Errors: FLX_ERROR_DEVICE, FLX_ERROR_NAME, FLX_ERROR_UNSUPPORTED. */
FLX_DRAFT flx_status flx_memory_stat(const char *device, const char *stat, int64_t *out_bytes);
/** Limits the memory the library takes on `device` to `bytes` (0: no limit). Errors: FLX_ERROR_DEVICE. */
FLX_DRAFT flx_status flx_memory_limit_set(const char *device, int64_t bytes);
/** Sets the peak of `device` back to what is live now. Errors: FLX_ERROR_DEVICE. */
FLX_DRAFT flx_status flx_memory_peak_reset(const char *device);
/** Gives the cached memory of `device` back to the system. Errors: FLX_ERROR_DEVICE. */
FLX_DRAFT flx_status flx_memory_release_unused(const char *device);
/** For hosts with a collector, which sees a handle's few bytes and not the array behind it: 1, once, when what arrays hold (the host's own memory under them
 *  included) grew by 64 MiB, and by half of what was left after the last time, or when handles did by 100000 and by half; else 0. Ask it now and then, as where
 *  results become objects of the host, and collect in the host's own way when it says 1. It costs two loads. Never fails. */
FLX_DRAFT int32_t flx_memory_gc_hint(void);
/** Seeds the random stream with `seed`; `device` null or "cpu". The same seed gives the same numbers in every language. Errors: FLX_ERROR_DEVICE. */
FLX_DRAFT flx_status flx_random_seed(int64_t seed, const char *device);
/** The state of the random stream, to resume exactly: `out_bytes` of length `out_nbytes`, yours. */
FLX_DRAFT flx_status flx_random_save(char **out_bytes, int64_t *out_nbytes);
/** Sets the random stream to what flx_random_save gave: `data` of `nbytes`. Errors: FLX_ERROR_FORMAT. */
FLX_DRAFT flx_status flx_random_load(const void *data, int64_t nbytes);

/* ---- arrays -------------------------------------------------------------------------------------------------------------------------------- */
/** A new array of zeros with shape `dims`/`ndim` and `dtype` on `device` (null: the CPU), in `out_array`. Errors: FLX_ERROR_SHAPE, FLX_ERROR_TYPE, FLX_ERROR_MEMORY, FLX_ERROR_DEVICE. */
FLX_DRAFT flx_status flx_ndarray_create(const int64_t *dims, int32_t ndim, int32_t dtype, const char *device, flx_ndarray *out_array);
/** A new array filled with `value`: shape `dims`/`ndim`, `dtype`, `device` as in flx_ndarray_create, in `out_array`. */
FLX_DRAFT flx_status flx_ndarray_create_full(const int64_t *dims, int32_t ndim, int32_t dtype, const char *device, double value, flx_ndarray *out_array);
/** A new array from host memory `data` of `nbytes` (exactly shape x item size of `host_dtype`), laid out by `order`, converted to `dtype`; shape
 *  `dims`/`ndim`, `device` as in flx_ndarray_create, in `out_array`. Floats become integers by truncation, saturated. */
FLX_DRAFT flx_status flx_ndarray_create_from(const void *data, int64_t nbytes, int32_t host_dtype, int32_t order, const int64_t *dims, int32_t ndim,
                                             int32_t dtype, const char *device, flx_ndarray *out_array);
/** Overwrites `array` from host memory `data` of `nbytes` with `host_dtype` and `order`. Never blocks: behind pending work it is queued, the data copied. */
FLX_DRAFT flx_status flx_ndarray_write(flx_ndarray array, const void *data, int64_t nbytes, int32_t host_dtype, int32_t order);
/** Waits for `array` and copies it to host memory `buffer` of `buffer_nbytes` as `host_dtype` in `order`, within `timeout_ms`; `out_ready` says whether
 *  it was done. Errors: what made the array, at every read. */
FLX_DRAFT flx_status flx_ndarray_read(flx_ndarray array, void *buffer, int64_t buffer_nbytes, int32_t host_dtype, int32_t order, int64_t timeout_ms,
                                      int32_t *out_ready);
/** The value of a one-element `array` as a double in `out_value`, within `timeout_ms`; `out_ready` says whether it was done. Errors: FLX_ERROR_SHAPE, what made the array. */
FLX_DRAFT flx_status flx_ndarray_item(flx_ndarray array, int64_t timeout_ms, int32_t *out_ready, double *out_value);
/** `out_dtype`, and the shape in `out_dims`/`capacity`/`out_ndim`, of `array`. Does not wait. */
FLX_DRAFT flx_status flx_ndarray_describe(flx_ndarray array, int32_t *out_dtype, int64_t *out_dims, int32_t capacity, int32_t *out_ndim);
/** Where `array` is: `out_device` is "cpu(0)" ..., borrowed for ever. */
FLX_DRAFT flx_status flx_ndarray_device(flx_ndarray array, const char **out_device);
/** The elements' bytes of `array`, in `out_nbytes`. */
FLX_DRAFT flx_status flx_ndarray_nbytes(flx_ndarray array, int64_t *out_nbytes);
/** How often the memory of `array` was written, counted in program order and shared by its views, in `out_version`. */
FLX_DRAFT flx_status flx_ndarray_version(flx_ndarray array, int64_t *out_version);
/** `array` as printed text (long ones shortened), with dtype and shape: `out_text` is yours; waits up to `timeout_ms`, `out_ready` says whether it was done. */
FLX_DRAFT flx_status flx_ndarray_text(flx_ndarray array, int64_t timeout_ms, int32_t *out_ready, char **out_text);
/** Waits until all that writes `array` is done, up to `timeout_ms`; `out_ready` says whether it is. Errors: what made the array, at every wait. */
FLX_DRAFT flx_status flx_ndarray_wait(flx_ndarray array, int64_t timeout_ms, int32_t *out_ready);
/** Waits for everything pushed so far, up to `timeout_ms`; `out_ready` says whether it is done. Errors: failures that nobody has seen yet, one a call. */
FLX_DRAFT flx_status flx_wait_all(int64_t timeout_ms, int32_t *out_ready);
/** A copy of `array` on `device` (null: where it is) in `out_array`, queued like any operation. Errors: FLX_ERROR_DEVICE. */
FLX_DRAFT flx_status flx_ndarray_copy(flx_ndarray array, const char *device, flx_ndarray *out_array);
/** Copies `array` into `target` of the same shape, converting the dtype. Errors: FLX_ERROR_SHAPE. */
FLX_DRAFT flx_status flx_ndarray_copy_into(flx_ndarray array, flx_ndarray target);
/** A view of `array` from `start` to `stop` (exclusive; negative counts from the end) along axis 0, in `out_array`; `mode` may hold FLX_RECORD. Errors: FLX_ERROR_INDEX. */
FLX_DRAFT flx_status flx_ndarray_slice(flx_ndarray array, int64_t start, int64_t stop, int32_t mode, flx_ndarray *out_array);
/** A view of element `index` of axis 0 of `array` (one axis less), in `out_array`; `mode` may hold FLX_RECORD. Errors: FLX_ERROR_INDEX. */
FLX_DRAFT flx_status flx_ndarray_at(flx_ndarray array, int64_t index, int32_t mode, flx_ndarray *out_array);
/** `array` with shape `dims`/`ndim` in `out_array`, a view where it can be; MXNet's codes 0, -1, -2, -3, -4 as in operator Reshape; `mode` may hold
 *  FLX_RECORD. Errors: FLX_ERROR_SHAPE. */
FLX_DRAFT flx_status flx_ndarray_reshape(flx_ndarray array, const int64_t *dims, int32_t ndim, int32_t mode, flx_ndarray *out_array);
/** Another handle on the same `array`, in `out_array`: gradient and history are shared. */
FLX_DRAFT flx_status flx_ndarray_alias(flx_ndarray array, flx_ndarray *out_array);
/** The memory of `array` without its history and gradient, in `out_array`. */
FLX_DRAFT flx_status flx_ndarray_detach(flx_ndarray array, flx_ndarray *out_array);

/* ---- memory shared with the host and with other libraries ------------------------------------------------------------------------------------- */
/** The host's turn on the memory of `array`, in place: waits until what writes it is done, with `writable` (1 or 0) until all that uses it is, within
 *  `timeout_ms`; `out_ready` says whether it got there, `out_mapping` is the turn. flx_free ends it, in any thread. Until then what would overwrite the array, and
 *  with `writable` what uses it in any way, fails with FLX_ERROR_STATE where it is called: it would wait for the host, which may be waiting for it. So nothing
 *  hangs, whoever forgets a mapping. Reading beside a mapping that is not writable is free, and there may be several. Views share their memory and the turn.
 *  Errors: FLX_ERROR_UNSUPPORTED for a view with gaps (copy it), FLX_ERROR_DEVICE, FLX_ERROR_STATE, what made the array. */
FLX_DRAFT flx_status flx_ndarray_map(flx_ndarray array, int32_t writable, int64_t timeout_ms, int32_t *out_ready, flx_mapping *out_mapping);
/** Where the elements of `mapping` lie, in row-major order without gaps: `out_address`, and `out_nbytes`; until it is freed. */
FLX_DRAFT flx_status flx_mapping_address(flx_mapping mapping, int64_t *out_address, int64_t *out_nbytes);
/** The memory of `array` for another library: `out_address` is that of a new DLManagedTensorVersioned (DLPack 1.0; in Python a capsule named
 *  "dltensor_versioned"), whoever takes it calls its deleter once, in any thread. Waits within `timeout_ms` until what was pushed so far that writes the array is
 *  done (if the tensor may be written: that uses it); `out_ready` says whether it got there. It is read-only where `array` has a history, which a write would make
 *  wrong. From then on both sides see the same elements and neither waits for the other: after a later operation that writes the array, flx_ndarray_wait
 *  before the other side looks. Errors: FLX_ERROR_DEVICE, FLX_ERROR_STATE, what made the array. */
FLX_DRAFT flx_status flx_ndarray_to_dlpack(flx_ndarray array, int64_t timeout_ms, int32_t *out_ready, int64_t *out_address);
/** The same for a consumer from before DLPack 1.0 (a capsule named "dltensor"): `out_address` is that of a DLManagedTensor, which cannot say that it is read-only.
 *  `array`, `timeout_ms`, `out_ready` and errors as in flx_ndarray_to_dlpack. */
FLX_DRAFT flx_status flx_ndarray_to_dlpack_legacy(flx_ndarray array, int64_t timeout_ms, int32_t *out_ready, int64_t *out_address);
/** An array over the memory of another library, `address` being that of its DLManagedTensorVersioned, in `out_array`; a read-only tensor, and one whose elements
 *  share memory, are copied at once. The tensor is taken over when this succeeds (name its capsule "used_dltensor_versioned" then, and leave its deleter
 *  alone): flx_dlpack_collect lets go of it after the last use. On failure it stays the caller's. Errors: FLX_ERROR_UNSUPPORTED for a version, FLX_ERROR_DEVICE, FLX_ERROR_TYPE,
 *  FLX_ERROR_SHAPE. */
FLX_DRAFT flx_status flx_ndarray_from_dlpack(int64_t address, flx_ndarray *out_array);
/** The same for `address` of a DLManagedTensor from before DLPack 1.0 (capsules "dltensor" and "used_dltensor"), in `out_array`. Errors: as flx_ndarray_from_dlpack. */
FLX_DRAFT flx_status flx_ndarray_from_dlpack_legacy(int64_t address, flx_ndarray *out_array);
/** Calls the deleters of imported tensors that nothing uses any more, in this thread (the library calls nobody by itself); `out_count` says how many. Costs a load
 *  where there is none: call it where arrays are imported or freed. */
FLX_DRAFT flx_status flx_dlpack_collect(int64_t *out_count);

/* ---- the registry: operators, layers, losses, optimizers, schedules, initializers, metrics, iterators ------------------------------------------- */
/** How many entries `registry` ("operator", "layer", "optimizer", "schedule", "initializer", "metric", "iter", "pass", "store", "options") has, in `out_count`. Errors: FLX_ERROR_NAME. */
FLX_DRAFT flx_status flx_registry_count(const char *registry, int32_t *out_count);
/** Entry `index` of `registry`, by name in rising order, in `out_entry`. Errors: FLX_ERROR_NAME, FLX_ERROR_INDEX. */
FLX_DRAFT flx_status flx_registry_at(const char *registry, int32_t index, flx_entry *out_entry);
/** The entry of `registry` called `name` (or having it as an alias), in `out_entry`. Errors: FLX_ERROR_NAME with the nearest name. */
FLX_DRAFT flx_status flx_registry_find(const char *registry, const char *name, flx_entry *out_entry);
/** A text of `entry`: `field` is name, aliases (comma-separated), family, doc, example or since; `out_text` is borrowed for ever. Errors: FLX_ERROR_NAME. */
FLX_DRAFT flx_status flx_entry_text(flx_entry entry, const char *field, const char **out_text);
/** A trait of `entry`: `field` is differentiable, random, variadic, inputs, outputs or loss; `out_value` is 1, 0 or a count (of outputs: -1 if the attributes
 *  decide). Errors: FLX_ERROR_NAME. */
FLX_DRAFT flx_status flx_entry_trait(flx_entry entry, const char *field, int32_t *out_value);
/** The number of inputs that `entry` names, optional ones included, in `out_count`. */
FLX_DRAFT flx_status flx_entry_input_count(flx_entry entry, int32_t *out_count);
/** Input `index` of `entry`: `field` is name or doc, or kind (required, optional, list, auxiliary); `out_text` is borrowed for ever. Errors: FLX_ERROR_NAME, FLX_ERROR_INDEX. */
FLX_DRAFT flx_status flx_entry_input_text(flx_entry entry, int32_t index, const char *field, const char **out_text);
/** The number of attributes (settings) of `entry`, in `out_count`. */
FLX_DRAFT flx_status flx_entry_attr_count(flx_entry entry, int32_t *out_count);
/** Attribute `index` of `entry`: `field` is name, type, default, range, doc, required ("1" if it must be given) or runtime ("1" if its value travels with
 *  the call); `out_text` is borrowed for ever. Errors: FLX_ERROR_NAME, FLX_ERROR_INDEX. */
FLX_DRAFT flx_status flx_entry_attr_text(flx_entry entry, int32_t index, const char *field, const char **out_text);

/* ---- imperative calls -------------------------------------------------------------------------------------------------------------------------- */
/** Runs operator `name` on `arrays`/`narrays` with attributes `keys`/`values`/`npairs`; new results in `out_arrays`/`capacity`/`out_narrays`. `mode`
 *  holds FLX_RECORD and FLX_TRAIN. Errors: FLX_ERROR_NAME, FLX_ERROR_SHAPE, FLX_ERROR_TYPE, FLX_ERROR_DEVICE, what made an input. */
FLX_DRAFT flx_status flx_invoke(const char *name, int32_t mode, const flx_ndarray *arrays, int32_t narrays, const char *const *keys,
                                const char *const *values, int32_t npairs, flx_ndarray *out_arrays, int32_t capacity, int32_t *out_narrays);
/** Runs operator `name` on `arrays`/`narrays` with attributes `keys`/`values`/`npairs` into `targets`/`ntargets`, which must have the results' shapes and
 *  dtypes and may be inputs; `mode` as in flx_invoke. Errors: as flx_invoke. */
FLX_DRAFT flx_status flx_invoke_into(const char *name, int32_t mode, const flx_ndarray *arrays, int32_t narrays, const char *const *keys,
                                     const char *const *values, int32_t npairs, const flx_ndarray *targets, int32_t ntargets);
/** Prepares operator `name` with attributes `keys`/`values`/`npairs` for many runs, in `out_call`; it may be run by several threads at once. Errors: FLX_ERROR_NAME. */
FLX_DRAFT flx_status flx_call_create(const char *name, const char *const *keys, const char *const *values, int32_t npairs, flx_call *out_call);
/** Runs `call` on `arrays`/`narrays`: the hot path, no string is parsed. `scalars`/`nscalars` are values of the runtime attributes in their order, or
 *  none; `mode`, `out_arrays`/`capacity`/`out_narrays` and errors as in flx_invoke. */
FLX_DRAFT flx_status flx_call_run(flx_call call, int32_t mode, const flx_ndarray *arrays, int32_t narrays, const double *scalars, int32_t nscalars,
                                  flx_ndarray *out_arrays, int32_t capacity, int32_t *out_narrays);
/** Runs `call` on `arrays`/`narrays` with `scalars`/`nscalars` into `targets`/`ntargets`; `mode` and errors as in flx_invoke_into. */
FLX_DRAFT flx_status flx_call_run_into(flx_call call, int32_t mode, const flx_ndarray *arrays, int32_t narrays, const double *scalars, int32_t nscalars,
                                       const flx_ndarray *targets, int32_t ntargets);
/** Runs `call` of one input and one output on `lhs`; the result in `out_array`; `mode` as in flx_invoke. */
FLX_DRAFT flx_status flx_call_unary(flx_call call, int32_t mode, flx_ndarray lhs, flx_ndarray *out_array);
/** Runs `call` of two inputs and one output on `lhs` and `rhs`; the result in `out_array`; `mode` as in flx_invoke. */
FLX_DRAFT flx_status flx_call_binary(flx_call call, int32_t mode, flx_ndarray lhs, flx_ndarray rhs, flx_ndarray *out_array);
/** Runs `call` of one input, one output and one runtime attribute on `lhs` with `scalar`; the result in `out_array`; `mode` as in flx_invoke. */
FLX_DRAFT flx_status flx_call_scalar(flx_call call, int32_t mode, flx_ndarray lhs, double scalar, flx_ndarray *out_array);

/* ---- gradients --------------------------------------------------------------------------------------------------------------------------------- */
/** Makes `array` a leaf whose gradient backward stores: `grad_req` is write, add or null (detaches). `grad` is where to, of the same shape and dtype;
 *  null: a new array of zeros. Errors: FLX_ERROR_TYPE for integers, FLX_ERROR_SHAPE. */
FLX_DRAFT flx_status flx_autograd_attach(flx_ndarray array, const char *grad_req, flx_ndarray grad);
/** The gradient attached to `array`, in `out_array`; a null handle if there is none. */
FLX_DRAFT flx_status flx_autograd_grad(flx_ndarray array, flx_ndarray *out_array);
/** Goes backward from `arrays`/`narrays` with head gradients `grads`/`ngrads` (none, or null entries: ones) and stores the attached gradients. `mode`: FLX_RETAIN keeps
 *  the history for another backward, FLX_CREATE_GRAPH records the backward itself. Errors: FLX_ERROR_STATE (no history, already let go, an input was
 *  overwritten, a host function is on the tape), FLX_ERROR_UNSUPPORTED. */
FLX_DRAFT flx_status flx_autograd_backward(const flx_ndarray *arrays, int32_t narrays, const flx_ndarray *grads, int32_t ngrads, int32_t mode);
/** Gradients of `arrays`/`narrays` (head gradients `grads`/`ngrads`) with respect to `targets`/`ntargets`, returned in `out_arrays`/`capacity`/`out_narrays` and
 *  not stored; `mode` and errors as in flx_autograd_backward. */
FLX_DRAFT flx_status flx_autograd_gradients(const flx_ndarray *arrays, int32_t narrays, const flx_ndarray *grads, int32_t ngrads,
                                            const flx_ndarray *targets, int32_t ntargets, int32_t mode, flx_ndarray *out_arrays, int32_t capacity,
                                            int32_t *out_narrays);
/** The same as a task, in `out_task`, for a tape that holds host functions: `arrays`/`narrays`, `grads`/`ngrads`, `mode` as above; with
 *  `targets`/`ntargets` the gradients are the task's arrays when it is done, else they are stored. FLX_HOST asks for a host gradient: flx_task_token,
 *  flx_task_arrays (dy of each output, then each input, then each output), flx_task_reply with one gradient (or null) per input. */
FLX_DRAFT flx_status flx_autograd_start(const flx_ndarray *arrays, int32_t narrays, const flx_ndarray *grads, int32_t ngrads,
                                        const flx_ndarray *targets, int32_t ntargets, int32_t mode, flx_task *out_task);
/** Records that the host made `targets`/`ntargets` from `arrays`/`narrays` by its function `token` (0 or more, chosen by the host). */
FLX_DRAFT flx_status flx_autograd_record(int64_t token, const flx_ndarray *arrays, int32_t narrays, const flx_ndarray *targets, int32_t ntargets);
/** Whether backward could begin at `array` (it has a history or a gradient attached): `out_value` is 1 or 0. */
FLX_DRAFT flx_status flx_autograd_recorded(flx_ndarray array, int32_t *out_value);
/** A host function's token that nothing may ask for any more (no tape, operator, iterator or metric holds it), in `out_token`; -1 when there is none. */
FLX_DRAFT flx_status flx_token_next(int64_t *out_token);

/* ---- symbols ---------------------------------------------------------------------------------------------------------------------------------------- */
/** A variable called `name`, in `out_symbol`. Attributes `keys`/`values`/`npairs`: shape ("(64, None)": None is unknown), dtype, init, lr_mult, wd_mult, ctx_group; others
 *  are kept as they are. Errors: FLX_ERROR_ARGUMENT, FLX_ERROR_TYPE for a shape or dtype that is none. */
FLX_DRAFT flx_status flx_symbol_variable(const char *name, const char *const *keys, const char *const *values, int32_t npairs, flx_symbol *out_symbol);
/** Operator `op` on `symbols`/`nsymbols` (one output each) as a node called `name`, with attributes `keys`/`values`/`npairs`, in `out_symbol`. `names`/`nnames` say which
 *  input each symbol is (none: in order; "" for one: the next in order). Inputs that are missing become variables, as conv0_weight for node conv0.
 *  Errors: FLX_ERROR_NAME. */
FLX_DRAFT flx_status flx_symbol_compose(const char *op, const char *name, const flx_symbol *symbols, int32_t nsymbols, const char *const *names, int32_t nnames,
                                        const char *const *keys, const char *const *values, int32_t npairs, flx_symbol *out_symbol);
/** A loop over axis 0 of its data as a node called `name`, in `out_symbol`. `body` is a symbol over placeholders `names`/`nnames`, variables that stand for one element
 *  of each data, then for each state; its first `outputs` outputs are stacked, the others are the new states. `symbols`/`nsymbols` go in for the
 *  placeholders. What in the body does not depend on a placeholder is computed once, before the loop. Results: what is stacked, then the last states. */
FLX_DRAFT flx_status flx_symbol_foreach(const char *name, flx_symbol body, int32_t outputs, const char *const *names, int32_t nnames, const flx_symbol *symbols,
                                        int32_t nsymbols, flx_symbol *out_symbol);
/** A loop called `name` that runs `body` while `condition` (one number) is not 0, at most `max_iterations` times, in `out_symbol`. `names`/`nnames` are placeholders of its
 *  variables, `symbols`/`nsymbols` their first values; of the body's outputs the first `outputs` are stacked (filled up with zeros to max_iterations), the
 *  others are the new variables. Results: what is stacked, then the last variables. */
FLX_DRAFT flx_status flx_symbol_while_loop(const char *name, flx_symbol condition, flx_symbol body, int32_t outputs, int64_t max_iterations, const char *const *names,
                                           int32_t nnames, const flx_symbol *symbols, int32_t nsymbols, flx_symbol *out_symbol);
/** A choice called `name`: `yes` if `condition` (one number) is not 0, else `no`, of equally many outputs, in `out_symbol`. All are symbols over placeholders
 *  `names`/`nnames`, for which `symbols`/`nsymbols` go in; only what depends on a placeholder is left to the choice. */
FLX_DRAFT flx_status flx_symbol_cond(const char *name, flx_symbol condition, flx_symbol yes, flx_symbol no, const char *const *names, int32_t nnames,
                                     const flx_symbol *symbols, int32_t nsymbols, flx_symbol *out_symbol);
/** `symbol` with its variables `names`/`nnames` replaced by `symbols`/`nsymbols`, in `out_symbol`. Errors: FLX_ERROR_NAME. */
FLX_DRAFT flx_status flx_symbol_substitute(flx_symbol symbol, const flx_symbol *symbols, int32_t nsymbols, const char *const *names, int32_t nnames,
                                           flx_symbol *out_symbol);
/** The outputs of all `symbols`/`nsymbols` as one symbol, in `out_symbol`. */
FLX_DRAFT flx_status flx_symbol_group(const flx_symbol *symbols, int32_t nsymbols, flx_symbol *out_symbol);
/** Number `index` of `part` (FLX_OUTPUT, FLX_INTERNAL, FLX_INPUT ...) of `symbol`, as a symbol of one output, in `out_symbol`. Errors: FLX_ERROR_INDEX. */
FLX_DRAFT flx_status flx_symbol_at(flx_symbol symbol, int32_t part, int32_t index, flx_symbol *out_symbol);
/** How many `part` of `symbol` has, in `out_count`. */
FLX_DRAFT flx_status flx_symbol_count(flx_symbol symbol, int32_t part, int32_t *out_count);
/** The name of number `index` of `part` of `symbol` ("conv0_weight", "fc1_output"), in `out_name`; borrowed until `symbol` is freed. Errors: FLX_ERROR_INDEX. */
FLX_DRAFT flx_status flx_symbol_name(flx_symbol symbol, int32_t part, int32_t index, const char **out_name);
/** Attribute `key` of the node that gives the first output of `symbol`, in `out_value`, yours; null if unset. lr_mult and its like are found as MXNet's `__lr_mult__`, too. */
FLX_DRAFT flx_status flx_symbol_attr_get(flx_symbol symbol, const char *key, char **out_value);
/** Sets attribute `key` of that node of `symbol` to `value`, for all symbols that share the node. Errors: FLX_ERROR_ARGUMENT for an operator's attribute
 *  that is wrong, or would change its inputs or outputs. */
FLX_DRAFT flx_status flx_symbol_attr_set(flx_symbol symbol, const char *key, const char *value);
/** The number of attributes of all nodes of `symbol`, in `out_count`. */
FLX_DRAFT flx_status flx_symbol_attr_count(flx_symbol symbol, int32_t *out_count);
/** Attribute `index` of all nodes of `symbol`: `out_node`, `out_key`, `out_value`, borrowed until `symbol` is freed. Errors: FLX_ERROR_INDEX. */
FLX_DRAFT flx_status flx_symbol_attr_at(flx_symbol symbol, int32_t index, const char **out_node, const char **out_key, const char **out_value);
/** `symbol` with its shapes and dtypes found, forwards and backwards, in `out_symbol`. `keys`/`values`/`npairs`: data = "(64, 1, 28, 28)", data.dtype = "float16". `partial` 0:
 *  all must be found, dtypes that nothing tells are float32; 1: what can be found. Errors: FLX_ERROR_SHAPE, FLX_ERROR_TYPE naming the node, its operator
 *  and its inputs; FLX_ERROR_NAME. */
FLX_DRAFT flx_status flx_symbol_infer(flx_symbol symbol, const char *const *keys, const char *const *values, int32_t npairs, int32_t partial, flx_symbol *out_symbol);
/** What flx_symbol_infer found for number `index` of `part` of `symbol`: `out_dtype` (-1: unknown), `out_known` (2: all sizes, 1: their number, 0: nothing), and the shape
 *  in `out_dims`/`capacity`/`out_ndim`, unknown sizes being -1. Errors: FLX_ERROR_STATE if the symbol was not inferred, FLX_ERROR_INDEX. */
FLX_DRAFT flx_status flx_symbol_shape(flx_symbol symbol, int32_t part, int32_t index, int32_t *out_dtype, int32_t *out_known, int64_t *out_dims, int32_t capacity,
                                      int32_t *out_ndim);
/** The gradients of the variables `names`/`nnames` as a graph, in `out_symbol`, one output for each: over the variables of `symbol`, which must be inferred, and a
 *  variable <output>_head for each output whose head gradient counts (a loss takes none). Errors: FLX_ERROR_STATE if no shapes are known, FLX_ERROR_NAME,
 *  FLX_ERROR_UNSUPPORTED for control flow. */
FLX_DRAFT flx_status flx_symbol_gradient(flx_symbol symbol, const char *const *names, int32_t nnames, flx_symbol *out_symbol);
/** What `array` was computed by while recording, as a graph, in `out_symbol`; what it began with are variables x0, x1 ... Errors: FLX_ERROR_STATE without a history,
 *  FLX_ERROR_UNSUPPORTED for host functions. */
FLX_DRAFT flx_status flx_autograd_symbol(flx_ndarray array, flx_symbol *out_symbol);
/** `symbol` as MXNet's JSON document, `out_text`, yours. Errors: FLX_ERROR_UNSUPPORTED for operators that are the library's own, as gradients have them. */
FLX_DRAFT flx_status flx_symbol_to_json(flx_symbol symbol, char **out_text);
/** The symbol that the JSON document `text` describes, in `out_symbol`; documents of older MXNet versions are upgraded. Errors: FLX_ERROR_FORMAT with the offset. */
FLX_DRAFT flx_status flx_symbol_from_json(const char *text, flx_symbol *out_symbol);
/** Writes `symbol` to the file `path` as flx_symbol_to_json gives it. Errors: FLX_ERROR_FILE. */
FLX_DRAFT flx_status flx_symbol_save(flx_symbol symbol, const char *path);
/** The symbol in the file `path`, in `out_symbol`. Errors: FLX_ERROR_FILE, FLX_ERROR_FORMAT with the offset. */
FLX_DRAFT flx_status flx_symbol_load(const char *path, flx_symbol *out_symbol);
/** A table for people: each operator of `symbol` with output shapes (of an inferred symbol), parameters and multiply-adds, in lines of at most `columns` characters;
 *  `out_text` is yours. */
FLX_DRAFT flx_status flx_symbol_summary(flx_symbol symbol, int32_t columns, char **out_text);
/** The table of flx_symbol_summary of `symbol` as a JSON document, `out_text`, yours. */
FLX_DRAFT flx_status flx_symbol_table(flx_symbol symbol, char **out_text);
/** A picture of `symbol`, with the shapes of an inferred one: `format` is svg or dot; `out_text` is yours. */
FLX_DRAFT flx_status flx_symbol_draw(flx_symbol symbol, const char *format, char **out_text);
/** `symbol`, which knows its shapes (flx_symbol_infer), after the pass `name` (registry "pass"), in `out_symbol`: to be read, drawn or run. Options `keys`/`values`/`npairs`:
 *  training = True for a graph that trains. Errors: FLX_ERROR_NAME, FLX_ERROR_STATE, FLX_ERROR_SHAPE; FLX_ERROR_UNSUPPORTED for control flow, and where the pass
 *  made constants, which a symbol cannot hold. */
FLX_DRAFT flx_status flx_symbol_transform(flx_symbol symbol, const char *name, const char *const *keys, const char *const *values, int32_t npairs,
                                          flx_symbol *out_symbol);
/** MXNet's checkpoint of prefix `path` and `epoch`, the files path-symbol.json and path-0000.params: `out_symbol`, and `out_params` without `arg:` and `aux:`, states marked as
 *  such. Errors: FLX_ERROR_FILE, FLX_ERROR_FORMAT with the offset. */
FLX_DRAFT flx_status flx_checkpoint_load(const char *path, int32_t epoch, flx_symbol *out_symbol, flx_params *out_params);
/** Writes `symbol` and `params` as MXNet's checkpoint of prefix `path` and `epoch`, within `timeout_ms`; `out_ready` says whether it was done. Errors: FLX_ERROR_FILE. */
FLX_DRAFT flx_status flx_checkpoint_save(flx_symbol symbol, flx_params params, const char *path, int32_t epoch, int64_t timeout_ms, int32_t *out_ready);

/** `symbol` ready to run, in `out_graph`. It runs by plans, made at the first run of each signature (shapes, dtypes, mode, wanted gradients), as one operation of the
 *  engine. Options `keys`/`values`/`npairs`: monitor = names of internals that become outputs too ("fc*_output|bn?_output"); plan = False to run node by node, as
 *  graphs with control flow do; passes = which improve the plan (registry "pass": empty for the defaults, "none", "fuse,merge" for these alone, "-fuse" for the defaults
 *  without it); memory = False to give each value a place of its own; plans = how many are kept (8); print = True to keep the graph's text before and after
 *  each pass; fallback = True to run node by node what cannot be planned. Errors: FLX_ERROR_NAME, FLX_ERROR_ARGUMENT. */
FLX_DRAFT flx_status flx_graph_create(flx_symbol symbol, const char *const *keys, const char *const *values, int32_t npairs, flx_graph *out_graph);
/** A graph of what was called with mode FLX_TRACE between `arrays`/`narrays` and the results `targets`/`ntargets`, in `out_graph`; options `keys`/`values`/`npairs` as flx_graph_create has
 *  them. It runs on arrays in the place of those; arrays that the function used besides are its own from then on. In that mode calls run in inference
 *  mode, take no random numbers and change nothing; reading a result (flx_ndarray_read, _item, _text, _wait), writing into an array and host functions are
 *  FLX_ERROR_UNSUPPORTED, naming the operator. */
FLX_DRAFT flx_status flx_graph_trace(const flx_ndarray *arrays, int32_t narrays, const flx_ndarray *targets, int32_t ntargets, const char *const *keys,
                                     const char *const *values, int32_t npairs, flx_graph *out_graph);
/** The symbol that `graph` runs, its monitored internals being outputs, in `out_symbol`. */
FLX_DRAFT flx_status flx_graph_symbol(flx_graph graph, flx_symbol *out_symbol);
/** A text about `graph`: `field` is waits ("1" if it reads a condition on its way or holds code of the host's, so that flx_graph_run refuses it; else "0"), planned ("1" or "0"), program (its nodes), or, of
 *  the plan used last: graph (what the passes left), plan (steps and the places of their arrays), passes (what each changed, and its time), print (option print: the
 *  graph around each pass), memory, signatures, prologue (what is computed once for each version of the parameters), svg or dot (a picture of graph); `out_text` is yours. Errors: FLX_ERROR_NAME. */
FLX_DRAFT flx_status flx_graph_text(flx_graph graph, const char *field, char **out_text);
/** Runs `graph` on `arrays`/`narrays`, its arguments, then its auxiliary states, which training changes; outputs, which share no memory with them, in
 *  `out_arrays`/`capacity`/`out_narrays`. `mode` holds FLX_RECORD and
 *  FLX_TRAIN. Errors name the node: FLX_ERROR_SHAPE, FLX_ERROR_TYPE; FLX_ERROR_UNSUPPORTED for a graph that waits (flx_graph_start runs it). */
FLX_DRAFT flx_status flx_graph_run(flx_graph graph, int32_t mode, const flx_ndarray *arrays, int32_t narrays, flx_ndarray *out_arrays, int32_t capacity,
                                   int32_t *out_narrays);
/** Begins to run `graph` on `arrays`/`narrays` with `mode`, as flx_graph_run does, in `out_task`: for graphs with conditions or code of the host's (operator `_host`), which must be waited for. When it is done,
 *  flx_task_arrays has the outputs. */
FLX_DRAFT flx_status flx_graph_start(flx_graph graph, int32_t mode, const flx_ndarray *arrays, int32_t narrays, flx_task *out_task);

/* ---- profiler ---------------------------------------------------------------------------------------------------------------------------------------- */
/** Begins to record what runs when, and forgets what was recorded before; also while it runs. Options `keys`/`values`/`npairs`: operators, planned, passes, waits,
 *  copies, memory (True), api (False): what is recorded, spans, counters and marks of the host's being so always; capacity (64M): bytes that the records
 *  may take, what comes later is dropped and counted; keep (False): nothing is forgotten. Errors: FLX_ERROR_NAME. */
FLX_DRAFT flx_status flx_profiler_start(const char *const *keys, const char *const *values, int32_t npairs);
/** Ends the recording; what is recorded stays. Spans that have begun are recorded when they end. If it does not run, nothing happens. */
FLX_DRAFT flx_status flx_profiler_stop(void);
/** Forgets what is recorded, and gives its memory back. If the profiler runs, it goes on. */
FLX_DRAFT flx_status flx_profiler_clear(void);
/** Whether the profiler runs: `out_running` is 1 or 0. */
FLX_DRAFT flx_status flx_profiler_running(int32_t *out_running);
/** Writes what is recorded to the file `path` as JSON that Perfetto and chrome://tracing open (trace events), also while it runs. Errors: FLX_ERROR_FILE. */
FLX_DRAFT flx_status flx_profiler_save(const char *path);
/** A table for people of what is recorded, added up by name, and of counters, in lines of at most `columns` characters (0: 100). `sort` is name, count, total, self
 *  (without spans inside), mean, min, max or share (of all spans' own time); null is share. `out_text` is yours. Errors: FLX_ERROR_NAME. */
FLX_DRAFT flx_status flx_profiler_summary(const char *sort, int32_t columns, char **out_text);
/** The table of flx_profiler_summary as a JSON document, times in nanoseconds, shares of 1, `out_text`, yours. */
FLX_DRAFT flx_status flx_profiler_table(char **out_text);
/** Records that the counter `name` is `value` from now on. If the profiler does not run, nothing happens. */
FLX_DRAFT flx_status flx_profiler_counter(const char *name, double value);
/** Records this moment, called `name`. If the profiler does not run, nothing happens. */
FLX_DRAFT flx_status flx_profiler_mark(const char *name);
/** Begins a span called `name` (its first 120 bytes count) of `category` (null: user), in `out_span`: flx_free ends it, in any thread. It is recorded if the profiler runs now. */
FLX_DRAFT flx_status flx_span_begin(const char *name, const char *category, flx_span *out_span);

#ifdef __cplusplus
}
#endif

#include <flexor/c_api_train.h>
#endif /* FLEXOR_C_API_H_ */

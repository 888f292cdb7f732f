/* SPDX-License-Identifier: Apache-2.0
 *
 * flexor/c_api_train.h: the part of the C ABI about layers, parameters and models, training, data and stores. flexor/c_api.h includes it; its rules, types
 * and argument groups hold here.
 */
#ifndef FLEXOR_C_API_TRAIN_H_
#define FLEXOR_C_API_TRAIN_H_

#include <flexor/c_api.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- layers, parameters, models ------------------------------------------------------------------------------------------------------------------ */
/** A layer or loss of registry "layer": its `kind` (Dense, Conv2D, BatchNorm, Sequential, SoftmaxCrossEntropyLoss ...), a `name` for summaries (null: its
 *  kind) and settings `keys`/`values`/`npairs`, in `out_layer`. Errors: FLX_ERROR_NAME. */
FLX_DRAFT flx_status flx_layer_create(const char *kind, const char *name, const char *const *keys, const char *const *values, int32_t npairs,
                                      flx_layer *out_layer);
/** `symbol` as a layer called `name` (null: its kind), in `out_layer`. Its variables `names`/`nnames` are the layer's inputs, in this order; all others are its parameters, under
 *  their own names, auxiliary ones being states. Errors: FLX_ERROR_NAME. */
FLX_DRAFT flx_status flx_layer_from_symbol(flx_symbol symbol, const char *name, const char *const *names, int32_t nnames, flx_layer *out_layer);
/** `layer` as a graph over `symbols`/`nsymbols`, in `out_symbol`: parameters become variables called `prefix` and their own names, with shapes. The symbols' shapes must be known: by
 *  their variables' shape, or from flx_symbol_infer. Errors: FLX_ERROR_SHAPE. */
FLX_DRAFT flx_status flx_layer_apply(flx_layer layer, const char *prefix, const flx_symbol *symbols, int32_t nsymbols, flx_symbol *out_symbol);
/** Appends `child` to the container `layer`; children are named by position, from 0. Errors: FLX_ERROR_STATE if `layer` holds no children or is `child` itself. */
FLX_DRAFT flx_status flx_layer_add(flx_layer layer, flx_layer child);
/** The number of children of `layer`, in `out_count`. */
FLX_DRAFT flx_status flx_layer_child_count(flx_layer layer, int32_t *out_count);
/** Child `index` of `layer`, in `out_layer`. Errors: FLX_ERROR_INDEX. */
FLX_DRAFT flx_status flx_layer_child_at(flx_layer layer, int32_t index, flx_layer *out_layer);
/** A text of `layer`: `field` is kind, name, or a setting; `out_text` is yours. Errors: FLX_ERROR_NAME. */
FLX_DRAFT flx_status flx_layer_text(flx_layer layer, const char *field, char **out_text);
/** `layer` with its children as a JSON document, `out_text`, yours; equal layers give equal bytes. */
FLX_DRAFT flx_status flx_layer_to_json(flx_layer layer, char **out_text);
/** The layer that the JSON document `text` describes, in `out_layer`. Errors: FLX_ERROR_FORMAT. */
FLX_DRAFT flx_status flx_layer_from_json(const char *text, flx_layer *out_layer);
/** A table for people: each layer of `layer` with output shape and number of parameters, for input shapes `keys`/`values`/`npairs` (data =
 *  "(64, 1, 28, 28)"), in lines of at most `columns` characters; `out_text` is yours. Errors: FLX_ERROR_SHAPE. */
FLX_DRAFT flx_status flx_layer_summary(flx_layer layer, const char *const *keys, const char *const *values, int32_t npairs, int32_t columns,
                                       char **out_text);
/** The table of flx_layer_summary of `layer` for input shapes `keys`/`values`/`npairs` as a JSON document, `out_text`, yours. Errors: FLX_ERROR_SHAPE. */
FLX_DRAFT flx_status flx_layer_table(flx_layer layer, const char *const *keys, const char *const *values, int32_t npairs, char **out_text);
/** A picture of `layer` as a graph, for input shapes `keys`/`values`/`npairs` without unknown sizes: `format` is svg or dot; `out_text` is yours. Errors: FLX_ERROR_SHAPE. */
FLX_DRAFT flx_status flx_layer_draw(flx_layer layer, const char *const *keys, const char *const *values, int32_t npairs, const char *format, char **out_text);
/** Runs `layer` with `params` (null: it needs none, as losses do) on `arrays`/`narrays`; outputs in `out_arrays`/`capacity`/`out_narrays`. A loss takes
 *  predictions and labels and gives one value per sample. `mode` holds FLX_RECORD and FLX_TRAIN. Errors: FLX_ERROR_STATE for a missing parameter,
 *  FLX_ERROR_SHAPE, FLX_ERROR_TYPE. */
FLX_DRAFT flx_status flx_layer_run(flx_layer layer, flx_params params, int32_t mode, const flx_ndarray *arrays, int32_t narrays, flx_ndarray *out_arrays,
                                   int32_t capacity, int32_t *out_narrays);

/** Runs of `layer` (flx_layer_run, flx_model_run of a model with this very layer) go through a cached graph from now on: traced once for each signature, improved by passes and
 *  run as one operation, forwards and backwards. Options `keys`/`values`/`npairs`: active = False to run operator by operator again; passes, memory, plans, fallback, print
 *  as flx_graph_create has them. Errors: FLX_ERROR_NAME, FLX_ERROR_ARGUMENT; what cannot be traced is an error of the run that names the operator. */
FLX_DRAFT flx_status flx_layer_hybridize(flx_layer layer, const char *const *keys, const char *const *values, int32_t npairs);
/** A text about the plans of `layer`, once it is hybridized: `field` is one of those of flx_graph_text from graph on; `out_text` is yours. Errors: FLX_ERROR_STATE, FLX_ERROR_NAME. */
FLX_DRAFT flx_status flx_layer_plan(flx_layer layer, const char *field, char **out_text);

/** An empty set of parameters, in `out_params`. */
FLX_DRAFT flx_status flx_params_create(flx_params *out_params);
/** First values for all parameters of `layer`, in `out_params`: options `keys`/`values`/`npairs` give the input shapes (data = "(64, 1, 28, 28)"), dtype
 *  (float32) and device (cpu), on which they are made; `initializer` may be null (Xavier); a value depends on `seed`, the parameter's name and its shape only. Errors: FLX_ERROR_SHAPE. */
FLX_DRAFT flx_status flx_params_init(flx_layer layer, const char *const *keys, const char *const *values, int32_t npairs, flx_initializer initializer,
                                     int64_t seed, flx_params *out_params);
/** The number of arrays in `params`, in `out_count`. */
FLX_DRAFT flx_status flx_params_count(flx_params params, int32_t *out_count);
/** The name of array `index` of `params`, in `out_name`; borrowed until `params` is freed. Errors: FLX_ERROR_INDEX. */
FLX_DRAFT flx_status flx_params_name(flx_params params, int32_t index, const char **out_name);
/** Array `index` of `params`, in `out_array`: the array itself, not a copy. Errors: FLX_ERROR_INDEX. */
FLX_DRAFT flx_status flx_params_at(flx_params params, int32_t index, flx_ndarray *out_array);
/** The array called `name` in `params`, in `out_array`; a null handle if there is none. */
FLX_DRAFT flx_status flx_params_get(flx_params params, const char *name, flx_ndarray *out_array);
/** Puts `array` into `params` as `name`, in place of one that has the name. */
FLX_DRAFT flx_status flx_params_set(flx_params params, const char *name, flx_ndarray array);
/** Attaches a gradient, as flx_autograd_attach does with `grad_req`, to every array of `params` that training changes: parameters, not states (running means).
 *  Errors: FLX_ERROR_TYPE. */
FLX_DRAFT flx_status flx_params_attach(flx_params params, const char *grad_req);
/** Writes `params` to the file `path` in `format` (safetensors or mxnet; null: by extension, .flx and .safetensors or .params), within `timeout_ms`; `out_ready`
 *  says whether it was done. The old file stays until the new one is whole. Errors: FLX_ERROR_FILE, FLX_ERROR_NAME. */
FLX_DRAFT flx_status flx_params_save(flx_params params, const char *path, const char *format, int64_t timeout_ms, int32_t *out_ready);
/** Reads the arrays of the file `path` (safetensors, .flx, MXNet's .params; recognised by content) to `device` (null: the CPU), in `out_params`. Errors: FLX_ERROR_FILE,
 *  FLX_ERROR_FORMAT with the offset. */
FLX_DRAFT flx_status flx_params_load(const char *path, const char *device, flx_params *out_params);
/** Arrays of `params` that are elsewhere are copied to `device` (null: the CPU), in their places; gradients that were attached are attached there anew, of zeros. An
 *  optimizer's states follow at its next step. Arrays got before stay where they are. Errors: FLX_ERROR_DEVICE. */
FLX_DRAFT flx_status flx_params_move(flx_params params, const char *device);
/** A copy of `params` on `device` (null: where they are) in `out_params`, without gradients. Errors: FLX_ERROR_DEVICE. */
FLX_DRAFT flx_status flx_params_copy(flx_params params, const char *device, flx_params *out_params);

/** A model of `layer` with `params` (null: none yet; fitting makes them), in `out_model`. */
FLX_DRAFT flx_status flx_model_create(flx_layer layer, flx_params params, flx_model *out_model);
/** The layer of `model`, in `out_layer`. */
FLX_DRAFT flx_status flx_model_layer(flx_model model, flx_layer *out_layer);
/** The parameters of `model`, in `out_params`: shared, not copied; a null handle if it has none yet. */
FLX_DRAFT flx_status flx_model_params(flx_model model, flx_params *out_params);
/** Keeps `value` as metadata `key` of `model` (class labels, scaling, whatever a package keeps); a null `value` removes it. */
FLX_DRAFT flx_status flx_model_meta_set(flx_model model, const char *key, const char *value);
/** Metadata `key` of `model` in `out_value`, yours; null if unset. */
FLX_DRAFT flx_status flx_model_meta_get(flx_model model, const char *key, char **out_value);
/** The number of metadata of `model`, in `out_count`. */
FLX_DRAFT flx_status flx_model_meta_count(flx_model model, int32_t *out_count);
/** The key of metadata `index` of `model`, in rising order, in `out_key`, yours. Errors: FLX_ERROR_INDEX. */
FLX_DRAFT flx_status flx_model_meta_key(flx_model model, int32_t index, char **out_key);
/** Runs `model` on `arrays`/`narrays`; outputs in `out_arrays`/`capacity`/`out_narrays`. `mode` holds FLX_RECORD and FLX_TRAIN. Errors: FLX_ERROR_STATE
 *  without parameters, FLX_ERROR_SHAPE, FLX_ERROR_TYPE. */
FLX_DRAFT flx_status flx_model_run(flx_model model, int32_t mode, const flx_ndarray *arrays, int32_t narrays, flx_ndarray *out_arrays, int32_t capacity,
                                   int32_t *out_narrays);
/** Writes `model` to the file `path` as .flx, one safetensors file that every language reads, within `timeout_ms`; `out_ready` says whether it was done. Errors:
 *  FLX_ERROR_FILE, FLX_ERROR_STATE without parameters. */
FLX_DRAFT flx_status flx_model_save(flx_model model, const char *path, int64_t timeout_ms, int32_t *out_ready);
/** Reads the model in the file `path` to `device` (null: the CPU), in `out_model`. Errors: FLX_ERROR_FILE, FLX_ERROR_FORMAT with the offset. */
FLX_DRAFT flx_status flx_model_load(const char *path, const char *device, flx_model *out_model);
/** The bytes of flx_model_save, for saveRDS, pickle and Serialization: `model` to `out_bytes` of length `out_nbytes`, yours, within `timeout_ms`; `out_ready` says whether it was done. */
FLX_DRAFT flx_status flx_model_to_bytes(flx_model model, int64_t timeout_ms, int32_t *out_ready, char **out_bytes, int64_t *out_nbytes);
/** The model in `data` of `nbytes`, on `device` (null: the CPU), in `out_model`. Errors: FLX_ERROR_FORMAT. */
FLX_DRAFT flx_status flx_model_from_bytes(const void *data, int64_t nbytes, const char *device, flx_model *out_model);

/* ---- training -------------------------------------------------------------------------------------------------------------------------------------- */
/** An optimizer of registry "optimizer" called `name` with settings `keys`/`values`/`npairs`, in `out_optimizer`. Errors: FLX_ERROR_NAME. */
FLX_DRAFT flx_status flx_optimizer_create(const char *name, const char *const *keys, const char *const *values, int32_t npairs, flx_optimizer *out_optimizer);
/** Updates every array of `params` that has a gradient attached, by `optimizer`. Errors: FLX_ERROR_STATE for a gradient not renewed since the last step. */
FLX_DRAFT flx_status flx_optimizer_step(flx_optimizer optimizer, flx_params params);
/** Updates `weight` in place from `grad` by `optimizer`; its state is kept under `name`. Errors: FLX_ERROR_SHAPE. */
FLX_DRAFT flx_status flx_optimizer_update(flx_optimizer optimizer, const char *name, flx_ndarray weight, flx_ndarray grad);
/** Changes setting `key` of `optimizer` to `value`; "<parameter>.lr_mult" and "<parameter>.wd_mult" are settings too. Errors: FLX_ERROR_NAME. */
FLX_DRAFT flx_status flx_optimizer_set(flx_optimizer optimizer, const char *key, const char *value);
/** The number that setting `key` of `optimizer` has now, in `out_value`; learning_rate follows the schedule. Errors: FLX_ERROR_NAME. */
FLX_DRAFT flx_status flx_optimizer_get(flx_optimizer optimizer, const char *key, double *out_value);
/** Lets `schedule` give the learning rate of `optimizer`; null ends that. */
FLX_DRAFT flx_status flx_optimizer_schedule(flx_optimizer optimizer, flx_schedule schedule);
/** The state of `optimizer`, to resume exactly: `out_bytes` of length `out_nbytes`, yours, within `timeout_ms`; `out_ready` says whether it was done. */
FLX_DRAFT flx_status flx_optimizer_to_bytes(flx_optimizer optimizer, int64_t timeout_ms, int32_t *out_ready, char **out_bytes, int64_t *out_nbytes);
/** The optimizer in `data` of `nbytes`, in `out_optimizer`. Errors: FLX_ERROR_FORMAT. */
FLX_DRAFT flx_status flx_optimizer_from_bytes(const void *data, int64_t nbytes, flx_optimizer *out_optimizer);
/** A schedule of registry "schedule" called `name` with settings `keys`/`values`/`npairs`, in `out_schedule`. Errors: FLX_ERROR_NAME. */
FLX_DRAFT flx_status flx_schedule_create(const char *name, const char *const *keys, const char *const *values, int32_t npairs, flx_schedule *out_schedule);
/** The learning rate that `schedule` gives at `step` (updates so far), in `out_value`. */
FLX_DRAFT flx_status flx_schedule_value(flx_schedule schedule, int64_t step, double *out_value);
/** An initializer of registry "initializer" called `name` with settings `keys`/`values`/`npairs`, in `out_initializer`. Errors: FLX_ERROR_NAME. */
FLX_DRAFT flx_status flx_initializer_create(const char *name, const char *const *keys, const char *const *values, int32_t npairs,
                                            flx_initializer *out_initializer);
/** Fills `array` as `initializer` does for a parameter called `name` with `seed`. Errors: FLX_ERROR_SHAPE. */
FLX_DRAFT flx_status flx_initializer_fill(flx_initializer initializer, const char *name, int64_t seed, flx_ndarray array);
/** A metric of registry "metric" called `name` with settings `keys`/`values`/`npairs`, in `out_metric`. Errors: FLX_ERROR_NAME. */
FLX_DRAFT flx_status flx_metric_create(const char *name, const char *const *keys, const char *const *values, int32_t npairs, flx_metric *out_metric);
/** Adds a batch to `metric`: predictions `arrays`/`narrays` for labels `targets`/`ntargets`. Nothing waits. Errors: FLX_ERROR_SHAPE. */
FLX_DRAFT flx_status flx_metric_update(flx_metric metric, const flx_ndarray *arrays, int32_t narrays, const flx_ndarray *targets, int32_t ntargets);
/** Value `index` of `metric` over all that was added, in `out_value`, within `timeout_ms`; `out_ready` says whether it was done; NaN if nothing was added. */
FLX_DRAFT flx_status flx_metric_value(flx_metric metric, int32_t index, int64_t timeout_ms, int32_t *out_ready, double *out_value);
/** The number of values of `metric`, in `out_count`. */
FLX_DRAFT flx_status flx_metric_count(flx_metric metric, int32_t *out_count);
/** The name of value `index` of `metric`, in `out_name`; borrowed until `metric` is freed. Errors: FLX_ERROR_INDEX. */
FLX_DRAFT flx_status flx_metric_name(flx_metric metric, int32_t index, const char **out_name);
/** Forgets what was added to `metric`. */
FLX_DRAFT flx_status flx_metric_reset(flx_metric metric);

/** Begins to fit `model` with `loss` and `optimizer` to the batches of `train`, in `out_task`; `valid` may be null. Options `keys`/`values`/`npairs`: epochs, metrics,
 *  seed, checkpoint, patience, clip_gradient, report_every ... (docs/fit.md). flx_task_next goes on. Errors: FLX_ERROR_NAME. */
FLX_DRAFT flx_status flx_fit_start(flx_model model, flx_layer loss, flx_optimizer optimizer, flx_iter train, flx_iter valid, const char *const *keys,
                                   const char *const *values, int32_t npairs, flx_task *out_task);
/** Begins to measure `model` on the batches of `data` by the metrics `names`/`nnames`, in `out_task`; when done, flx_task_number has each by its name. */
FLX_DRAFT flx_status flx_evaluate_start(flx_model model, flx_iter data, const char *const *names, int32_t nnames, flx_task *out_task);
/** Begins to predict the batches of `data` with `model`, in `out_task`; when done, flx_task_arrays has the outputs, padding removed. */
FLX_DRAFT flx_status flx_predict_start(flx_model model, flx_iter data, flx_task *out_task);

/** Goes on with `task` until there is news or `timeout_ms` is up: `out_event` is FLX_DONE, FLX_PENDING, FLX_BATCH, FLX_EPOCH or FLX_HOST. Errors: what went
 *  wrong in the work. */
FLX_DRAFT flx_status flx_task_next(flx_task task, int64_t timeout_ms, int32_t *out_event);
/** A number of `task`: `field` is first (1 at FLX_HOST if the batch wanted is the first of an epoch), epoch, epochs, batch, loss, seconds, samples_per_second, or a column of its history; `out_value` is NaN if there is none (yet). */
FLX_DRAFT flx_status flx_task_number(flx_task task, const char *field, double *out_value);
/** A text of `task`: `field` is progress, the line a terminal shows; at FLX_HOST also host, what is wanted (forward, backward, batch or metric), and label, whose function it
 *  is in words; `out_text` is yours. Errors: FLX_ERROR_NAME. */
FLX_DRAFT flx_status flx_task_text(flx_task task, const char *field, char **out_text);
/** Which host function `task` wants at FLX_HOST, in `out_token`; -1 if none. */
FLX_DRAFT flx_status flx_task_token(flx_task task, int64_t *out_token);
/** The arrays of `task`: a host function's inputs at FLX_HOST, or its results when done, in `out_arrays`/`capacity`/`out_narrays`. A capacity of 0 with a
 *  null `out_arrays` asks for the number alone. */
FLX_DRAFT flx_status flx_task_arrays(flx_task task, flx_ndarray *out_arrays, int32_t capacity, int32_t *out_narrays);
/** Answers FLX_HOST of `task` with the host function's results `arrays`/`narrays`; entries may be null (gradients of zero). What does not fit (their number, shapes, dtypes) is an error that
 *  names the function, and the answer is wanted still. Errors: FLX_ERROR_STATE if none is wanted, FLX_ERROR_SHAPE, FLX_ERROR_TYPE. */
FLX_DRAFT flx_status flx_task_reply(flx_task task, const flx_ndarray *arrays, int32_t narrays);
/** Answers FLX_HOST of `task` with a failure: the next flx_task_next reports `message` as FLX_ERROR_HOST. */
FLX_DRAFT flx_status flx_task_fail(flx_task task, const char *message);
/** Lets `task` finish this batch, keep the model usable, and then be done. At any time, from any thread; a batch that still needs the host's code is given up, and nothing more
 *  is asked. */
FLX_DRAFT flx_status flx_task_stop(flx_task task);
/** The history of a fit `task`: float64, epochs x columns, in `out_array`. */
FLX_DRAFT flx_status flx_task_history(flx_task task, flx_ndarray *out_array);
/** The number of columns of the history of `task`, in `out_count`. */
FLX_DRAFT flx_status flx_task_column_count(flx_task task, int32_t *out_count);
/** The name of column `index` of the history of `task`, in `out_name`, borrowed for ever: epoch, loss, accuracy, valid.loss, valid.accuracy, seconds ... Errors: FLX_ERROR_INDEX. */
FLX_DRAFT flx_status flx_task_column_name(flx_task task, int32_t index, const char **out_name);

/* ---- data -------------------------------------------------------------------------------------------------------------------------------------------- */
/** A source of batches of registry "iter" called `name` (MNISTIter, CSVIter ...) with settings `keys`/`values`/`npairs`, in `out_iter`. Errors: FLX_ERROR_NAME,
 *  FLX_ERROR_FILE, FLX_ERROR_FORMAT with the offset. */
FLX_DRAFT flx_status flx_iter_create(const char *name, const char *const *keys, const char *const *values, int32_t npairs, flx_iter *out_iter);
/** Batches from `arrays`/`narrays` of equal first size, called `names`/`nnames` (data, label ...), in `out_iter`; settings `keys`/`values`/`npairs`: batch_size, shuffle, seed,
 *  last = keep, drop or pad, part, parts. Errors: FLX_ERROR_SHAPE. */
FLX_DRAFT flx_status flx_iter_from_arrays(const flx_ndarray *arrays, int32_t narrays, const char *const *names, int32_t nnames, const char *const *keys,
                                          const char *const *values, int32_t npairs, flx_iter *out_iter);
/** Batches that the host's function `token` gives, in `out_iter`: arrays called `names`/`nnames` (none: data, label). A task (flx_fit_start, flx_evaluate_start, flx_predict_start)
 *  asks for each when it needs it, at FLX_HOST with the text "batch"; docs/fit.md says how to answer. Settings `keys`/`values`/`npairs`: batch_size, label (a name for
 *  messages). flx_iter_next on it is FLX_ERROR_UNSUPPORTED. flx_iter_reset lets the next request begin an epoch. Errors: FLX_ERROR_NAME. */
FLX_DRAFT flx_status flx_iter_from_host(int64_t token, const char *const *names, int32_t nnames, const char *const *keys, const char *const *values,
                                        int32_t npairs, flx_iter *out_iter);
/** Goes on to the next batch of `iter` within `timeout_ms`: `out_event` is FLX_BATCH, FLX_DONE at the end of the epoch, or FLX_PENDING. Errors: FLX_ERROR_FORMAT. */
FLX_DRAFT flx_status flx_iter_next(flx_iter iter, int64_t timeout_ms, int32_t *out_event);
/** The arrays of the batch of `iter`, in `out_arrays`/`capacity`/`out_narrays`. Errors: FLX_ERROR_STATE before the first batch. */
FLX_DRAFT flx_status flx_iter_arrays(flx_iter iter, flx_ndarray *out_arrays, int32_t capacity, int32_t *out_narrays);
/** The name of array `index` of the batches of `iter`, in `out_name`, borrowed until `iter` is freed. Errors: FLX_ERROR_INDEX. */
FLX_DRAFT flx_status flx_iter_name(flx_iter iter, int32_t index, const char **out_name);
/** The rows at the end of the batch of `iter` that are only filling, in `out_pad`. */
FLX_DRAFT flx_status flx_iter_pad(flx_iter iter, int32_t *out_pad);
/** The samples of one epoch of `iter`, in `out_samples`; -1 if unknown. */
FLX_DRAFT flx_status flx_iter_size(flx_iter iter, int64_t *out_samples);
/** Begins the next epoch of `iter`. */
FLX_DRAFT flx_status flx_iter_reset(flx_iter iter);
/** Opens the RecordIO file `path` for `access` (read, write or append), in `out_record`. Errors: FLX_ERROR_FILE. */
FLX_DRAFT flx_status flx_record_open(const char *path, const char *access, flx_record *out_record);
/** The next record of `record`: `out_bytes` of length `out_nbytes`, yours; null at the end. Errors: FLX_ERROR_FORMAT with the offset. */
FLX_DRAFT flx_status flx_record_read(flx_record record, char **out_bytes, int64_t *out_nbytes);
/** Appends `data` of `nbytes` to `record`; `out_offset` is where it begins. Errors: FLX_ERROR_FILE. */
FLX_DRAFT flx_status flx_record_write(flx_record record, const void *data, int64_t nbytes, int64_t *out_offset);
/** Lets the next read of `record` begin at `offset`, one that flx_record_write or flx_record_tell gave. Errors: FLX_ERROR_FILE. */
FLX_DRAFT flx_status flx_record_seek(flx_record record, int64_t offset);
/** Where `record` stands, in `out_offset`, bytes from the beginning. */
FLX_DRAFT flx_status flx_record_tell(flx_record record, int64_t *out_offset);

/* ---- stores ------------------------------------------------------------------------------------------------------------------------------------------- */
/** A store of registry "store" called `name` (local, device, dist_sync, dist_async, dist_stale) with settings `keys`/`values`/`npairs`, in `out_store`. A dist store begins to join the
 *  job that the environment names (docs/distributed.md); flx_store_join says when it is in. Errors: FLX_ERROR_NAME, FLX_ERROR_NETWORK. */
FLX_DRAFT flx_status flx_store_create(const char *name, const char *const *keys, const char *const *values, int32_t npairs, flx_store *out_store);
/** Waits up to `timeout_ms` until `store` has joined its job and its rank is known; `out_ready` says whether it has. A local store is ready at once. Errors: FLX_ERROR_NETWORK. */
FLX_DRAFT flx_status flx_store_join(flx_store store, int64_t timeout_ms, int32_t *out_ready);
/** A text of `store`: `field` is kind, role (worker, server or scheduler), address (where others of its job reach this process; empty if they need not), or view: who
 *  belongs to the job and who waits for whom, for people. `out_text` is yours. Errors: FLX_ERROR_NAME. */
FLX_DRAFT flx_status flx_store_text(flx_store store, const char *field, char **out_text);
/** A number of `store`: `field` is rank, workers, servers, keys, checkpoint (the number of the job's last complete one, 0: none), checkpoint_round, returns (how often
 *  the job went back to one), returned_to (the round of the last return), or a counter that flx_store_stats names, in `out_value`. Errors: FLX_ERROR_NAME. */
FLX_DRAFT flx_status flx_store_number(flx_store store, const char *field, double *out_value);
/** All numbers of `store` (rank, workers, keys; bytes, messages, drops by reason, waits ... of a dist store) as a JSON document, `out_text`, yours. */
FLX_DRAFT flx_status flx_store_stats(flx_store store, char **out_text);
/** Gives the keys `names`/`nnames` of `store` their first values `arrays`/`narrays`, one each. A key that is there already keeps its value. Errors: FLX_ERROR_SHAPE, FLX_ERROR_TYPE. */
FLX_DRAFT flx_status flx_store_init(flx_store store, const char *const *names, int32_t nnames, const flx_ndarray *arrays, int32_t narrays);
/** Pushes `arrays`/`narrays` to the keys `names`/`nnames` of `store`, one each; the arrays of a key named several times are summed in their order. The sum replaces the key's value; with
 *  an optimizer (flx_store_optimizer) it is the gradient of its weight. `samples`: of the batch behind them, by which a mean over workers weighs. Higher `priority` is sent first. Nothing
 *  waits. Errors: FLX_ERROR_STATE for a key never initialized, FLX_ERROR_SHAPE, FLX_ERROR_TYPE. */
FLX_DRAFT flx_status flx_store_push(flx_store store, const char *const *names, int32_t nnames, const flx_ndarray *arrays, int32_t narrays, int64_t samples, int32_t priority);
/** Writes the values of the keys `names`/`nnames` of `store`, after what was pushed before, into `targets`/`ntargets`, one each. Higher `priority` comes first. Nothing waits; what went
 *  wrong is an error of who waits for the targets. Errors: as flx_store_push. */
FLX_DRAFT flx_status flx_store_pull(flx_store store, const char *const *names, int32_t nnames, const flx_ndarray *targets, int32_t ntargets, int32_t priority);
/** Pushes `arrays`/`narrays` to the keys `names`/`nnames` of `store` and pulls into `targets`/`ntargets` what that gave, one of each a key; `samples` and `priority` as in flx_store_push.
 *  A target may be the array pushed. */
FLX_DRAFT flx_status flx_store_push_pull(flx_store store, const char *const *names, int32_t nnames, const flx_ndarray *arrays, int32_t narrays, const flx_ndarray *targets,
                                         int32_t ntargets, int64_t samples, int32_t priority);
/** Lets `store` update its keys by a copy of `optimizer` (rule, settings, schedule; its states begin anew): what is pushed from now on is a gradient. In a job every worker calls it,
 *  that of rank 0 holds, and a barrier after it makes sure that the others' pushes find it there. */
FLX_DRAFT flx_status flx_store_optimizer(flx_store store, flx_optimizer optimizer);
/** Changes setting `key` of the optimizer of `store` to `value`, as flx_optimizer_set does. Errors: FLX_ERROR_STATE without one, FLX_ERROR_NAME. */
FLX_DRAFT flx_status flx_store_set(flx_store store, const char *key, const char *value);
/** Waits up to `timeout_ms` until every worker of the job of `store` has called it; `out_ready` says whether they have: if not, call again. Errors: FLX_ERROR_NETWORK. */
FLX_DRAFT flx_status flx_store_barrier(flx_store store, int64_t timeout_ms, int32_t *out_ready);
/** Lets the servers of `store` write a checkpoint: what they hold of values, optimizer states and rounds, as of what this worker has pushed so far; its later pushes wait until it is written.
 *  Waits up to `timeout_ms` for it; `out_ready` says whether it is: if not, call again (0: it is begun, and the caller goes on). flx_store_number has its number and round, "checkpoint" and
 *  "checkpoint_round", on every worker. FLEXOR_PS_CHECKPOINT says where the files go; FLEXOR_PS_POLICY=rollback lets the job go back to them (docs/distributed.md).
 *  Errors: FLX_ERROR_UNSUPPORTED for a store of one process, FLX_ERROR_FILE where a server cannot write, FLX_ERROR_STATE, FLX_ERROR_NETWORK, FLX_ERROR_ROLLED_BACK. */
FLX_DRAFT flx_status flx_store_checkpoint(flx_store store, int64_t timeout_ms, int32_t *out_ready);
/** After an error of status FLX_ERROR_ROLLED_BACK, which every call of `store` gives once its job went back to a checkpoint: its calls count again, and what is pulled is the checkpoint's.
 *  `out_round` is the checkpoint's round, -1 if the job did not go back since this was called last. Keys that were initialized after the checkpoint are initialized anew by flx_store_init.
 *  Nothing waits. Errors: FLX_ERROR_STATE, FLX_ERROR_NETWORK. */
FLX_DRAFT flx_status flx_store_recover(flx_store store, int64_t *out_round);
/** This worker of `store` pushes no more, and the others go on without it: waits up to `timeout_ms` until the job knows; `out_ready` says whether it does. Afterwards a dist store is of no
 *  use; a local one has forgotten its keys and its optimizer. Errors: FLX_ERROR_NETWORK. */
FLX_DRAFT flx_status flx_store_finish(flx_store store, int64_t timeout_ms, int32_t *out_ready);
/** Does what a server or scheduler does, if `store` is one, for up to `timeout_ms`: `out_event` is FLX_DONE when the job is over, else FLX_PENDING: call again. A worker has nothing to
 *  serve: FLX_DONE. Errors: FLX_ERROR_NETWORK. */
FLX_DRAFT flx_status flx_store_serve(flx_store store, int64_t timeout_ms, int32_t *out_event);
/** Writes the optimizer of `store` with its states to the file `path`, within `timeout_ms`; `out_ready` says whether it was done. Errors: FLX_ERROR_STATE without one, FLX_ERROR_FILE,
 *  FLX_ERROR_UNSUPPORTED for a dist store, whose servers hold the states: flx_store_checkpoint. */
FLX_DRAFT flx_status flx_store_save(flx_store store, const char *path, int64_t timeout_ms, int32_t *out_ready);
/** Goes on with the states in the file `path`, which flx_store_save wrote; `store` must have an optimizer of that kind. Errors: FLX_ERROR_STATE, FLX_ERROR_FILE, FLX_ERROR_FORMAT. */
FLX_DRAFT flx_status flx_store_load(flx_store store, const char *path);
/** Lets the fit `task`, which has not begun yet, train with the workers of `store` (docs/distributed.md): each has a share of the batches; gradients are exchanged, weighted by samples. It
 *  calls flx_store_finish of a dist store at its end. Errors: FLX_ERROR_STATE once it has begun, FLX_ERROR_ARGUMENT if it is no fit. */
FLX_DRAFT flx_status flx_fit_store(flx_task task, flx_store store);

#ifdef __cplusplus
}
#endif
#endif /* FLEXOR_C_API_TRAIN_H_ */

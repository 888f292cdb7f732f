/* SPDX-License-Identifier: Apache-2.0
 *
 * Each handle argument of each function, once: X(kind, function, call), where `h` is the bad handle and all else is good. header_rules.py holds the list
 * against c_api.h, so that a new function fails until it stands here. Optional handles are left out where null is meant to work; the others of theirs
 * (freed, garbage, wrong kind) stand in OPTIONAL_HANDLE_CASES. */
#ifndef FLEXOR_TESTS_C_API_HANDLE_CASES_H_
#define FLEXOR_TESTS_C_API_HANDLE_CASES_H_

#define HANDLE_CASES(X)                                                                                                                  \
  X(NDARRAY, flx_ndarray_write, flx_ndarray_write(h, data, 12, FLX_FLOAT32, FLX_ROW_MAJOR))                                              \
  X(NDARRAY, flx_ndarray_read, flx_ndarray_read(h, o.buffer, 12, FLX_FLOAT32, FLX_ROW_MAJOR, 0, &o.i32))                                 \
  X(NDARRAY, flx_ndarray_item, flx_ndarray_item(h, 0, &o.i32, &o.f64))                                                                   \
  X(NDARRAY, flx_ndarray_describe, flx_ndarray_describe(h, &o.i32, o.dims, 8, &o.n))                                                     \
  X(NDARRAY, flx_ndarray_device, flx_ndarray_device(h, &o.borrowed))                                                                     \
  X(NDARRAY, flx_ndarray_nbytes, flx_ndarray_nbytes(h, &o.i64))                                                                          \
  X(NDARRAY, flx_ndarray_version, flx_ndarray_version(h, &o.i64))                                                                        \
  X(NDARRAY, flx_ndarray_text, flx_ndarray_text(h, 0, &o.i32, &o.text))                                                                  \
  X(NDARRAY, flx_ndarray_wait, flx_ndarray_wait(h, 0, &o.i32))                                                                           \
  X(NDARRAY, flx_ndarray_copy, flx_ndarray_copy(h, NULL, &o.array))                                                                      \
  X(NDARRAY, flx_ndarray_copy_into, flx_ndarray_copy_into(h, good.ndarray))                                                              \
  X(NDARRAY, flx_ndarray_copy_into, flx_ndarray_copy_into(good.ndarray, h))                                                              \
  X(NDARRAY, flx_ndarray_slice, flx_ndarray_slice(h, 0, 1, 0, &o.array))                                                                 \
  X(NDARRAY, flx_ndarray_at, flx_ndarray_at(h, 0, 0, &o.array))                                                                          \
  X(NDARRAY, flx_ndarray_reshape, flx_ndarray_reshape(h, dims, 1, 0, &o.array))                                                          \
  X(NDARRAY, flx_ndarray_alias, flx_ndarray_alias(h, &o.array))                                                                          \
  X(NDARRAY, flx_ndarray_detach, flx_ndarray_detach(h, &o.array))                                                                        \
  X(ENTRY, flx_entry_text, flx_entry_text(h, "doc", &o.borrowed))                                                                        \
  X(ENTRY, flx_entry_trait, flx_entry_trait(h, "inputs", &o.i32))                                                                        \
  X(ENTRY, flx_entry_input_count, flx_entry_input_count(h, &o.i32))                                                                      \
  X(ENTRY, flx_entry_input_text, flx_entry_input_text(h, 0, "doc", &o.borrowed))                                                         \
  X(ENTRY, flx_entry_attr_count, flx_entry_attr_count(h, &o.i32))                                                                        \
  X(ENTRY, flx_entry_attr_text, flx_entry_attr_text(h, 0, "doc", &o.borrowed))                                                           \
  X(NDARRAY, flx_invoke, flx_invoke("broadcast_add", 0, WITH(good.ndarray, h), 2, NULL, NULL, 0, o.arrays, 8, &o.n))                     \
  X(NDARRAY, flx_invoke_into, flx_invoke_into("relu", 0, WITH(h, NULL), 1, NULL, NULL, 0, &good.ndarray, 1))                             \
  X(NDARRAY, flx_invoke_into, flx_invoke_into("relu", 0, &good.ndarray, 1, NULL, NULL, 0, WITH(h, NULL), 1))                             \
  X(CALL, flx_call_run, flx_call_run(h, 0, WITH(good.ndarray, good.ndarray), 2, NULL, 0, o.arrays, 8, &o.n))                             \
  X(NDARRAY, flx_call_run, flx_call_run(good.call, 0, WITH(h, good.ndarray), 2, NULL, 0, o.arrays, 8, &o.n))                             \
  X(CALL, flx_call_run_into, flx_call_run_into(h, 0, WITH(good.ndarray, good.ndarray), 2, NULL, 0, &good.ndarray, 1))                    \
  X(NDARRAY, flx_call_run_into, flx_call_run_into(good.call, 0, WITH(h, good.ndarray), 2, NULL, 0, &good.ndarray, 1))                    \
  X(NDARRAY, flx_call_run_into, flx_call_run_into(good.call, 0, WITH(good.ndarray, good.ndarray), 2, NULL, 0, (flx_ndarray[]){h}, 1))    \
  X(CALL, flx_call_unary, flx_call_unary(h, 0, good.ndarray, &o.array))                                                                  \
  X(NDARRAY, flx_call_unary, flx_call_unary(good.call, 0, h, &o.array))                                                                  \
  X(CALL, flx_call_binary, flx_call_binary(h, 0, good.ndarray, good.ndarray, &o.array))                                                  \
  X(NDARRAY, flx_call_binary, flx_call_binary(good.call, 0, h, good.ndarray, &o.array))                                                  \
  X(NDARRAY, flx_call_binary, flx_call_binary(good.call, 0, good.ndarray, h, &o.array))                                                  \
  X(CALL, flx_call_scalar, flx_call_scalar(h, 0, good.ndarray, 1, &o.array))                                                             \
  X(NDARRAY, flx_call_scalar, flx_call_scalar(good.call, 0, h, 1, &o.array))                                                             \
  X(NDARRAY, flx_autograd_attach, flx_autograd_attach(h, "write", NULL))                                                                 \
  X(NDARRAY, flx_autograd_grad, flx_autograd_grad(h, &o.array))                                                                          \
  X(NDARRAY, flx_autograd_backward, flx_autograd_backward(WITH(h, NULL), 1, NULL, 0, 0))                                                 \
  X(NDARRAY, flx_autograd_gradients, flx_autograd_gradients(WITH(h, NULL), 1, NULL, 0, &good.ndarray, 1, 0, o.arrays, 8, &o.n))          \
  X(NDARRAY, flx_autograd_gradients, flx_autograd_gradients(&good.ndarray, 1, NULL, 0, WITH(h, NULL), 1, 0, o.arrays, 8, &o.n))          \
  X(NDARRAY, flx_autograd_start, flx_autograd_start(WITH(h, NULL), 1, NULL, 0, &good.ndarray, 1, 0, &o.task))                            \
  X(NDARRAY, flx_autograd_start, flx_autograd_start(&good.ndarray, 1, NULL, 0, WITH(h, NULL), 1, 0, &o.task))                            \
  X(NDARRAY, flx_autograd_record, flx_autograd_record(0, WITH(h, NULL), 1, &good.ndarray, 1))                                            \
  X(NDARRAY, flx_autograd_record, flx_autograd_record(0, &good.ndarray, 1, WITH(h, NULL), 1))                                            \
  X(LAYER, flx_layer_add, flx_layer_add(h, good.layer))                                                                                  \
  X(LAYER, flx_layer_add, flx_layer_add(good.layer, h))                                                                                  \
  X(LAYER, flx_layer_child_count, flx_layer_child_count(h, &o.i32))                                                                      \
  X(LAYER, flx_layer_child_at, flx_layer_child_at(h, 0, &o.layer))                                                                       \
  X(LAYER, flx_layer_text, flx_layer_text(h, "kind", &o.text))                                                                           \
  X(LAYER, flx_layer_to_json, flx_layer_to_json(h, &o.text))                                                                             \
  X(LAYER, flx_layer_summary, flx_layer_summary(h, &key, &value, 1, 80, &o.text))                                                        \
  X(LAYER, flx_layer_run, flx_layer_run(h, NULL, 0, &good.ndarray, 1, o.arrays, 8, &o.n))                                                \
  X(NDARRAY, flx_layer_run, flx_layer_run(good.layer, good.params, 0, WITH(h, NULL), 1, o.arrays, 8, &o.n))                              \
  X(LAYER, flx_params_init, flx_params_init(h, &key, &value, 1, NULL, 1, &o.params))                                                     \
  X(PARAMS, flx_params_count, flx_params_count(h, &o.i32))                                                                               \
  X(PARAMS, flx_params_name, flx_params_name(h, 0, &o.borrowed))                                                                         \
  X(PARAMS, flx_params_at, flx_params_at(h, 0, &o.array))                                                                                \
  X(PARAMS, flx_params_get, flx_params_get(h, "0.weight", &o.array))                                                                     \
  X(PARAMS, flx_params_set, flx_params_set(h, "x", good.ndarray))                                                                        \
  X(NDARRAY, flx_params_set, flx_params_set(good.params, "x", h))                                                                        \
  X(PARAMS, flx_params_attach, flx_params_attach(h, "write"))                                                                            \
  X(PARAMS, flx_params_save, flx_params_save(h, scratch_file("never.flx"), NULL, 0, &o.i32))                                             \
  X(LAYER, flx_model_create, flx_model_create(h, NULL, &o.model))                                                                        \
  X(MODEL, flx_model_layer, flx_model_layer(h, &o.layer))                                                                                \
  X(MODEL, flx_model_params, flx_model_params(h, &o.params))                                                                             \
  X(MODEL, flx_model_meta_set, flx_model_meta_set(h, "a", "b"))                                                                          \
  X(MODEL, flx_model_meta_get, flx_model_meta_get(h, "a", &o.text))                                                                      \
  X(MODEL, flx_model_meta_count, flx_model_meta_count(h, &o.i32))                                                                        \
  X(MODEL, flx_model_meta_key, flx_model_meta_key(h, 0, &o.text))                                                                        \
  X(MODEL, flx_model_run, flx_model_run(h, 0, &good.ndarray, 1, o.arrays, 8, &o.n))                                                      \
  X(NDARRAY, flx_model_run, flx_model_run(good.model, 0, WITH(h, NULL), 1, o.arrays, 8, &o.n))                                           \
  X(MODEL, flx_model_save, flx_model_save(h, scratch_file("never.flx"), 0, &o.i32))                                                      \
  X(MODEL, flx_model_to_bytes, flx_model_to_bytes(h, 0, &o.i32, &o.text, &o.i64))                                                        \
  X(OPTIMIZER, flx_optimizer_step, flx_optimizer_step(h, good.params))                                                                   \
  X(PARAMS, flx_optimizer_step, flx_optimizer_step(good.optimizer, h))                                                                   \
  X(OPTIMIZER, flx_optimizer_update, flx_optimizer_update(h, "w", good.ndarray, good.ndarray))                                           \
  X(NDARRAY, flx_optimizer_update, flx_optimizer_update(good.optimizer, "w", h, good.ndarray))                                           \
  X(NDARRAY, flx_optimizer_update, flx_optimizer_update(good.optimizer, "w", good.ndarray, h))                                           \
  X(OPTIMIZER, flx_optimizer_set, flx_optimizer_set(h, "learning_rate", "0.1"))                                                          \
  X(OPTIMIZER, flx_optimizer_get, flx_optimizer_get(h, "learning_rate", &o.f64))                                                         \
  X(OPTIMIZER, flx_optimizer_schedule, flx_optimizer_schedule(h, good.schedule))                                                         \
  X(OPTIMIZER, flx_optimizer_to_bytes, flx_optimizer_to_bytes(h, 0, &o.i32, &o.text, &o.i64))                                            \
  X(SCHEDULE, flx_schedule_value, flx_schedule_value(h, 1, &o.f64))                                                                      \
  X(INITIALIZER, flx_initializer_fill, flx_initializer_fill(h, "w", 1, good.ndarray))                                                    \
  X(NDARRAY, flx_initializer_fill, flx_initializer_fill(good.initializer, "w", 1, h))                                                    \
  X(METRIC, flx_metric_update, flx_metric_update(h, &good.ndarray, 1, &good.ndarray, 1))                                                 \
  X(NDARRAY, flx_metric_update, flx_metric_update(good.metric, WITH(h, NULL), 1, &good.ndarray, 1))                                      \
  X(NDARRAY, flx_metric_update, flx_metric_update(good.metric, &good.ndarray, 1, WITH(h, NULL), 1))                                      \
  X(METRIC, flx_metric_value, flx_metric_value(h, 0, 0, &o.i32, &o.f64))                                                                 \
  X(METRIC, flx_metric_count, flx_metric_count(h, &o.i32))                                                                               \
  X(METRIC, flx_metric_name, flx_metric_name(h, 0, &o.borrowed))                                                                         \
  X(METRIC, flx_metric_reset, flx_metric_reset(h))                                                                                       \
  X(MODEL, flx_fit_start, flx_fit_start(h, good.layer, good.optimizer, good.iter, NULL, NULL, NULL, 0, &o.task))                         \
  X(LAYER, flx_fit_start, flx_fit_start(good.model, h, good.optimizer, good.iter, NULL, NULL, NULL, 0, &o.task))                         \
  X(OPTIMIZER, flx_fit_start, flx_fit_start(good.model, good.layer, h, good.iter, NULL, NULL, NULL, 0, &o.task))                         \
  X(ITER, flx_fit_start, flx_fit_start(good.model, good.layer, good.optimizer, h, NULL, NULL, NULL, 0, &o.task))                         \
  X(MODEL, flx_evaluate_start, flx_evaluate_start(h, good.iter, &accuracy, 1, &o.task))                                                  \
  X(ITER, flx_evaluate_start, flx_evaluate_start(good.model, h, &accuracy, 1, &o.task))                                                  \
  X(MODEL, flx_predict_start, flx_predict_start(h, good.iter, &o.task))                                                                  \
  X(ITER, flx_predict_start, flx_predict_start(good.model, h, &o.task))                                                                  \
  X(TASK, flx_task_next, flx_task_next(h, 0, &o.i32))                                                                                    \
  X(TASK, flx_task_number, flx_task_number(h, "loss", &o.f64))                                                                           \
  X(TASK, flx_task_text, flx_task_text(h, "progress", &o.text))                                                                          \
  X(TASK, flx_task_token, flx_task_token(h, &o.i64))                                                                                     \
  X(TASK, flx_task_arrays, flx_task_arrays(h, o.arrays, 8, &o.n))                                                                        \
  X(TASK, flx_task_reply, flx_task_reply(h, &good.ndarray, 1))                                                                           \
  X(TASK, flx_task_fail, flx_task_fail(h, "no"))                                                                                         \
  X(TASK, flx_task_stop, flx_task_stop(h))                                                                                               \
  X(TASK, flx_task_history, flx_task_history(h, &o.array))                                                                               \
  X(TASK, flx_task_column_count, flx_task_column_count(h, &o.i32))                                                                       \
  X(TASK, flx_task_column_name, flx_task_column_name(h, 0, &o.borrowed))                                                                 \
  X(NDARRAY, flx_iter_from_arrays, flx_iter_from_arrays(WITH(h, NULL), 1, &key, 1, NULL, NULL, 0, &o.iter))                              \
  X(ITER, flx_iter_next, flx_iter_next(h, 0, &o.i32))                                                                                    \
  X(ITER, flx_iter_arrays, flx_iter_arrays(h, o.arrays, 8, &o.n))                                                                        \
  X(ITER, flx_iter_name, flx_iter_name(h, 0, &o.borrowed))                                                                               \
  X(ITER, flx_iter_pad, flx_iter_pad(h, &o.i32))                                                                                         \
  X(ITER, flx_iter_size, flx_iter_size(h, &o.i64))                                                                                       \
  X(ITER, flx_iter_reset, flx_iter_reset(h))                                                                                             \
  X(RECORD, flx_record_read, flx_record_read(h, &o.text, &o.i64))                                                                        \
  X(RECORD, flx_record_write, flx_record_write(h, data, 4, &o.i64))                                                                      \
  X(RECORD, flx_record_seek, flx_record_seek(h, 0))                                                                                      \
  X(RECORD, flx_record_tell, flx_record_tell(h, &o.i64))

#define OPTIONAL_HANDLE_CASES(X)                                                                                                         \
  X(NDARRAY, flx_autograd_attach, flx_autograd_attach(good.ndarray, "write", h))                                                         \
  X(NDARRAY, flx_autograd_backward, flx_autograd_backward(&good.ndarray, 1, WITH(h, NULL), 1, 0))                                        \
  X(NDARRAY, flx_autograd_gradients, flx_autograd_gradients(&good.ndarray, 1, WITH(h, NULL), 1, &good.ndarray, 1, 0, o.arrays, 8, &o.n)) \
  X(NDARRAY, flx_autograd_start, flx_autograd_start(&good.ndarray, 1, WITH(h, NULL), 1, &good.ndarray, 1, 0, &o.task))                   \
  X(PARAMS, flx_layer_run, flx_layer_run(good.layer, h, 0, &good.ndarray, 1, o.arrays, 8, &o.n))                                         \
  X(INITIALIZER, flx_params_init, flx_params_init(good.layer, &key, &value, 1, h, 1, &o.params))                                         \
  X(PARAMS, flx_model_create, flx_model_create(good.layer, h, &o.model))                                                                 \
  X(SCHEDULE, flx_optimizer_schedule, flx_optimizer_schedule(good.optimizer, h))                                                         \
  X(ITER, flx_fit_start, flx_fit_start(good.model, good.layer, good.optimizer, good.iter, h, NULL, NULL, 0, &o.task))                    \
  X(NDARRAY, flx_task_reply, flx_task_reply(good.task, WITH(h, NULL), 1))

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * handle_cases.h for c_api_native.h: `h` is the bad handle, `good` an array, all else is right. */
#ifndef FLEXOR_TESTS_C_API_NATIVE_CASES_H_
#define FLEXOR_TESTS_C_API_NATIVE_CASES_H_

#define NATIVE_HANDLE_CASES(X)                                                                                        \
  X(NATIVE_OP, flx_native_op_text, flx_native_op_text(h, "doc", "text"))                                              \
  X(NATIVE_OP, flx_native_op_input, flx_native_op_input(h, "data", "An array."))                                      \
  X(NATIVE_OP, flx_native_op_output, flx_native_op_output(h, "output", "An array."))                                  \
  X(NATIVE_OP, flx_native_op_attr, flx_native_op_attr(h, "beta", "double", "1", "A number."))                         \
  X(NATIVE_OP, flx_native_op_shape, flx_native_op_shape(h, callback, &user, count_drop))                              \
  X(NATIVE_OP, flx_native_op_kernel, flx_native_op_kernel(h, "cpu", callback, &user, count_drop))                     \
  X(NATIVE_OP, flx_native_op_gradient, flx_native_op_gradient(h, callback, &user, count_drop))                        \
  X(NATIVE_OP, flx_native_op_register, flx_native_op_register(h))                                                     \
  X(CONTEXT, flx_context_attr, flx_context_attr(h, "beta", &o.text))                                                  \
  X(CONTEXT, flx_context_number, flx_context_number(h, "beta", &o.number))                                            \
  X(CONTEXT, flx_context_integers, flx_context_integers(h, "kernel", &o.dims, &o.n))                                  \
  X(CONTEXT, flx_context_count, flx_context_count(h, "inputs", &o.n))                                                 \
  X(CONTEXT, flx_context_input, flx_context_input(h, 0, &o.dtype, &o.dims, &o.n))                                     \
  X(CONTEXT, flx_context_output, flx_context_output(h, 0, &o.dtype, &o.dims, &o.n))                                   \
  X(CONTEXT, flx_context_output_set, flx_context_output_set(h, 0, FLX_FLOAT32, sizes, 1))                             \
  X(CONTEXT, flx_context_input_data, flx_context_input_data(h, 0, &o.in, &o.nbytes))                                  \
  X(CONTEXT, flx_context_output_data, flx_context_output_data(h, 0, &o.out, &o.nbytes))                               \
  X(CONTEXT, flx_context_workspace, flx_context_workspace(h, 64, &o.out))                                             \
  X(CONTEXT, flx_context_stream, flx_context_stream(h, &o.out))                                                       \
  X(CONTEXT, flx_context_parallel, flx_context_parallel(h, 8, 2, loop, NULL))                                         \
  X(CONTEXT, flx_gradient_input, flx_gradient_input(h, 0, &o.value))                                                  \
  X(CONTEXT, flx_gradient_output, flx_gradient_output(h, 0, &o.value))                                                \
  X(CONTEXT, flx_gradient_head, flx_gradient_head(h, 0, &o.value))                                                    \
  X(CONTEXT, flx_gradient_wanted, flx_gradient_wanted(h, 0, &o.n))                                                    \
  X(CONTEXT, flx_gradient_call, flx_gradient_call(h, "relu", &one, 1, NULL, NULL, 0, &o.value, 1, &o.n))              \
  X(CONTEXT, flx_gradient_scalar, flx_gradient_scalar(h, "_mul_scalar", 1, 2, &o.value))                              \
  X(CONTEXT, flx_gradient_describe, flx_gradient_describe(h, 1, &o.dtype, &o.dims, &o.n))                             \
  X(CONTEXT, flx_gradient_set, flx_gradient_set(h, 0, 1))                                                             \
  X(NDARRAY, flx_engine_push, flx_engine_push(callback, &user, count_drop, NULL, (flx_ndarray[]){good, h}, 2, NULL, 0, 0)) \
  X(NDARRAY, flx_engine_push, flx_engine_push(callback, &user, count_drop, NULL, NULL, 0, (flx_ndarray[]){h}, 1, 0))

#endif

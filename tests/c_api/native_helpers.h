// SPDX-License-Identifier: Apache-2.0
// Short words for operators of a test's own.
#pragma once
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "flexor/c_api_native.h"
#include "flexor/flexor.hpp"

namespace native {

inline flx_status Ok(flx_context, void*) { return FLX_OK; }
inline void CountDrop(void* user) { ++*static_cast<std::atomic<int>*>(user); }

struct Input {
  int32_t dtype = -1, ndim = -1;
  const int64_t* dims = nullptr;
  const void* data = nullptr;
  int64_t nbytes = -1;
  int64_t size() const { return nbytes / (dtype == FLX_FLOAT64 || dtype == FLX_INT64 ? 8 : 4); }
  template <class T> const T* as() const { return static_cast<const T*>(data); }
};
inline Input InputOf(flx_context c, int32_t i) {
  Input in;
  flexor::check(flx_context_input(c, i, &in.dtype, &in.dims, &in.ndim));
  flexor::check(flx_context_input_data(c, i, &in.data, &in.nbytes));
  return in;
}
template <class T> T* OutputOf(flx_context c, int32_t i) {
  void* data = nullptr;
  int64_t nbytes = 0;
  flexor::check(flx_context_output_data(c, i, &data, &nbytes));
  return static_cast<T*>(data);
}
inline flx_status SameShape(flx_context c, void*) {
  int32_t dtype = 0, ndim = 0, outputs = 0;
  const int64_t* dims = nullptr;
  if (flx_status s = flx_context_input(c, 0, &dtype, &dims, &ndim)) return s;
  flexor::check(flx_context_count(c, "outputs", &outputs));
  for (int32_t i = 0; i < outputs; ++i)
    if (flx_status s = flx_context_output_set(c, i, dtype, dims, ndim)) return s;
  return FLX_OK;
}
inline flx_status Square(flx_context c, void*) {
  Input x = InputOf(c, 0);
  if (x.dtype == FLX_FLOAT64) for (int64_t i = 0; i < x.size(); ++i) OutputOf<double>(c, 0)[i] = x.as<double>()[i] * x.as<double>()[i];
  else for (int64_t i = 0; i < x.size(); ++i) OutputOf<float>(c, 0)[i] = x.as<float>()[i] * x.as<float>()[i];
  return FLX_OK;
}
inline int64_t CallOn(flx_context c, const char* name, const std::vector<int64_t>& in) {
  int64_t out = 0;
  int32_t n = 0;
  flexor::check(flx_gradient_call(c, name, in.data(), int32_t(in.size()), nullptr, nullptr, 0, &out, 1, &n));
  return out;
}
inline flx_status SquareGradient(flx_context c, void*) {
  int64_t x = 0, dy = 0, twice = 0;
  flexor::check(flx_gradient_input(c, 0, &x));
  flexor::check(flx_gradient_head(c, 0, &dy));
  flexor::check(flx_gradient_scalar(c, "_mul_scalar", x, 2, &twice));
  return flx_gradient_set(c, 0, CallOn(c, "broadcast_mul", {dy, twice}));
}

// Unary operators: one input `data`, outputs o0 ..., which are like it unless another rule is given.
struct Op {
  flx_native_op handle = nullptr;
  explicit Op(const std::string& name, int inputs = 1, int outputs = 1) {
    flexor::check(flx_native_op_create(name.c_str(), &handle));
    for (int i = 0; i < inputs; ++i) flexor::check(flx_native_op_input(handle, i ? ("data" + std::to_string(i)).c_str() : "data", "An array."));
    for (int i = 0; i < outputs; ++i) flexor::check(flx_native_op_output(handle, ("o" + std::to_string(i)).c_str(), "An array."));
  }
  ~Op() { flx_free(handle); }
  Op& attr(const char* name, const char* type, const char* value) { return flexor::check(flx_native_op_attr(handle, name, type, value, "A setting.")), *this; }
  Op& shape(flx_native_fn f, void* user = nullptr, flx_drop_fn drop = nullptr) { return flexor::check(flx_native_op_shape(handle, f, user, drop)), *this; }
  Op& kernel(flx_native_fn f, void* user = nullptr, flx_drop_fn drop = nullptr) { return flexor::check(flx_native_op_kernel(handle, "cpu", f, user, drop)), *this; }
  Op& gradient(flx_native_fn f, void* user = nullptr, flx_drop_fn drop = nullptr) { return flexor::check(flx_native_op_gradient(handle, f, user, drop)), *this; }
  void put() { flexor::check(flx_native_op_register(handle)); }
};

template <class F> std::string MessageOf(F f) {
  try {
    f();
  } catch (const flexor::Error& e) {
    return e.what();
  }
  return "(no error)";
}
inline bool Has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }
#define EXPECT_HAS(text, part) EXPECT_TRUE(native::Has(text, part)) << (text)

// Settings of the engine for as long as it lives.
class EngineMode {
 public:
  explicit EngineMode(const char* mode) { flexor::check(flx_config_set("FLEXOR_ENGINE", mode)); }
  ~EngineMode() { flx_config_set("FLEXOR_ENGINE", "auto"); }
};
// Drops come on engine threads, soon.
template <class F> bool Soon(F f) {
  for (int i = 0; i < 2000 && !f(); ++i) {
    flexor::wait_all();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return f();
}

}  // namespace native

// SPDX-License-Identifier: Apache-2.0
// Small arrays in and out, and errors that are expected.
#pragma once
#include <gtest/gtest.h>

#include <vector>

#include "exec/invoke.h"
#include "kvstore/store.h"

namespace flx::kvstore_tests {

using Values = std::vector<float>;

inline NDArray Of(Values v) { return FromHost(v.data(), int64_t(v.size() * 4), DType::kFloat32, false, {int64_t(v.size())}, DType::kFloat32); }
inline Values Floats(const NDArray& a) {
  Values v(size_t(a->size()));
  ReadArray(*a, v.data(), a->size() * 4, DType::kFloat32, false);
  return v;
}
template <class F> Error ErrorOf(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e;
  }
  ADD_FAILURE() << "no error";
  return Error(Status::kOk, "");
}
inline bool Has(const Error& e, const char* text) { return e.message().find(text) != std::string::npos; }

}  // namespace flx::kvstore_tests

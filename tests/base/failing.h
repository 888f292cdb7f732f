// SPDX-License-Identifier: Apache-2.0
// What a call that must fail says.
#pragma once
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "base/error.h"

namespace flx {

// The error of f. It fails the test if there is none.
inline Error ErrorOf(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e;
  }
  ADD_FAILURE() << "nothing failed";
  return Error(Status::kOk, "");
}
inline std::string MessageOf(const std::function<void()>& f) { return ErrorOf(f).message(); }
inline std::string MessageOf(const std::function<void()>& f, Status want) {
  Error e = ErrorOf(f);
  EXPECT_EQ(int(e.status()), int(want)) << e.message();
  return e.message();
}
// kOk if nothing fails.
inline Status StatusOf(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.status();
  }
  return Status::kOk;
}

}  // namespace flx

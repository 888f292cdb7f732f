// SPDX-License-Identifier: Apache-2.0
// What the tests of train share.
#pragma once
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "base/error.h"

namespace flx {

// The message of the error that f must fail with.
inline std::string Failure(const std::function<void()>& f, Status status) {
  try {
    f();
  } catch (const Error& e) {
    EXPECT_EQ(e.status(), status) << e.message();
    return e.message();
  }
  ADD_FAILURE() << "nothing failed";
  return "";
}
inline bool Has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

}  // namespace flx

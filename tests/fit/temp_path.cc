// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "helpers.h"

namespace flx::fit_tests {
std::string TempPath(const std::string& name) {
  // never destroyed: the handler below runs after static objects are gone
  static const auto& folder = *new std::string([] {
    std::string f = std::filesystem::temp_directory_path() / "flexor_fit_XXXXXX";
    EXPECT_NE(mkdtemp(f.data()), nullptr);
    std::atexit([] { std::filesystem::remove_all(std::filesystem::path(TempPath("x")).parent_path()); });
    return f;
  }());
  return folder + "/" + name;
}

}  // namespace flx::fit_tests

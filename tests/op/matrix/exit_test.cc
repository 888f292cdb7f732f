// SPDX-License-Identifier: Apache-2.0
// A process that ends while another thread is in its very first product, at many moments of it. (oneDNN makes its kernels then, and destroys them at exit.)
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <thread>
#include <vector>

#include "base/thread.h"
#include "op/matrix/gemm.h"

namespace flx {
namespace {

[[noreturn]] void EndAmidAProduct(std::chrono::milliseconds after) {
  StartThread("product", [] {
    constexpr int64_t n = 200;
    std::vector<float> a(size_t(n * n), 1.0f), c(size_t(n * n));
    for (;;) Gemm(DType::kFloat32, false, false, n, n, n, 1, a.data(), n, a.data(), n, 0, c.data(), n);
  }).detach();
  std::this_thread::sleep_for(after);
  std::exit(0);
}

TEST(Exit, AmidTheFirstProduct) {  // this process makes none: each child's is its first
  for (int round = 0; round < 2; ++round) {
    for (int after = 0; after < 40; ++after) {
      pid_t child = fork();
      ASSERT_GE(child, 0);
      if (child == 0) EndAmidAProduct(std::chrono::milliseconds(after));
      int status = -1;
      ASSERT_EQ(waitpid(child, &status, 0), child);
      EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "after " << after << " ms: status " << status;
    }
  }
}

}  // namespace
}  // namespace flx

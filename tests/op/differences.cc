// SPDX-License-Identifier: Apache-2.0
// The one list of cases where Flexor answers differently from MXNet 1.9.1 on purpose, with the reason. A line whose case agrees fails the test.
#include "golden.h"

namespace flx::golden {

const std::vector<Difference>& Differences() {
  static const std::vector<Difference> list = {
      {"nn/BatchNorm", "after gamma", "fix_gamma takes gamma as 1 and leaves its memory alone; MXNet overwrites the user's array."},
  };
  return list;
}

}  // namespace flx::golden

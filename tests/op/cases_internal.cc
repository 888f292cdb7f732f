// SPDX-License-Identifier: Apache-2.0
#include "cases.h"

namespace flx::cases {

// Operators that only gradients and compositions call.
void AddInternalCases(std::vector<Case>* c) {
  c->push_back({"_sum_to", {Uniform({2, 3, 4}, -1, 1)}, {{"shape", "(3, 1)"}}});
  c->push_back({"_sum_to", {Uniform({2, 3}, -1, 1)}, {{"shape", "()"}}});
  c->push_back({"_np_broadcast_to", {Uniform({3, 1}, -1, 1)}, {{"shape", "(2, 3, 4)"}}});
  c->push_back({"_np_reshape_to", {Uniform({2, 3}, -1, 1)}, {{"shape", "(3, 2)"}}});
}

}  // namespace flx::cases

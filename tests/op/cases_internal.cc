// SPDX-License-Identifier: Apache-2.0
#include "cases.h"

namespace flx::cases {

// Operators that only gradients and compositions call.
void AddInternalCases(std::vector<Case>* c) {
  c->push_back({"_sum_to", {Uniform({2, 3, 4}, -1, 1)}, {{"shape", "(3, 1)"}}});
  c->push_back({"_sum_to", {Uniform({2, 3}, -1, 1)}, {{"shape", "()"}}});
  c->push_back({"_np_broadcast_to", {Uniform({3, 1}, -1, 1)}, {{"shape", "(2, 3, 4)"}}});
  c->push_back({"_np_reshape_to", {Uniform({2, 3}, -1, 1)}, {{"shape", "(3, 2)"}}});
  c->push_back({"_slice_from", {Uniform({4, 5}, -1, 1)}, {{"begin", "(1, 4)"}, {"step", "(2, -2)"}, {"shape", "(2, 3)"}}});
  c->push_back({"_slice_into", {Uniform({2, 3}, -1, 1)}, {{"begin", "(1, 4)"}, {"step", "(2, -2)"}, {"shape", "(4, 5)"}}});
  c->push_back({"_diag_into", {Uniform({3, 2}, -1, 1)}, {{"shape", "(2, 3, 4)"}, {"axis2", "2"}}});
  c->push_back({"_take_grad", {Constant(Values({0, 2, 2})), Uniform({2, 3, 2}, -1, 1)}, {{"axis", "1"}, {"shape", "(2, 4, 2)"}}});
  c->push_back({"_take_along", {Uniform({2, 3, 2}, -1, 1), Integers({2, 2, 2}, {0, 2, 1, 1, 5, -1, 0, 2})}, {{"axis", "1"}}});
  c->push_back({"_put_along", {Integers({2, 2, 2}, {0, 2, 1, 1, 1, -1, 1, 2}), Uniform({2, 2, 2}, -1, 1)}, {{"axis", "1"}, {"shape", "(2, 3, 2)"}}});
  c->push_back({"_scatter_add_nd", {Uniform({3, 2}, -1, 1), Integers({1, 3}, {2, 0, 2})}, {{"shape", "(3, 2)"}}});
}

}  // namespace flx::cases

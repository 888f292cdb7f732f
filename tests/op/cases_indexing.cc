// SPDX-License-Identifier: Apache-2.0
#include "cases.h"

namespace flx::cases {

void AddIndexingCases(std::vector<Case>* c) {
  c->push_back({"take", {Uniform({4, 3}, -1, 1), Constant(Values({2, 2}, {0, 3, 2, 0}))}, {}});
  c->push_back({"take", {Uniform({2, 4, 3}, -1, 1), Integers({3}, {-1, 2, 9}, DType::kInt32)}, {{"axis", "1"}}});
  c->push_back(Case{"take", {Uniform({4, 3}, -1, 1), Integers({3}, {-1, 5, 2})}, {{"mode", "wrap"}}}.name("wrap"));
  c->push_back(Case{"take", {Uniform({4, 3}, -1, 1), Integers({0}, {})}, {}}.name("empty"));
  for (const char* axis : {"-1", "0"}) c->push_back({"pick", {Uniform({3, 3}, -1, 1), Constant(Values({3}, {0, 2, 1}))}, {{"axis", axis}}});
  c->push_back({"pick", {Uniform({2, 3, 4}, -1, 1), Constant(Values({2, 1, 4}, {0, 1, 2, 0, 2, 2, 1, 7}))}, {{"axis", "1"}, {"keepdims", "True"}}});
  c->push_back({"one_hot", {Constant(Values({0, 2, 1, 5}))}, {{"depth", "3"}, {"on_value", "2"}, {"off_value", "-1"}}});
  c->push_back({"Embedding", {Constant(Values({2, 3}, {0, 3, 1, 3, 3, 2})), Uniform({4, 2}, -1, 1)}, {{"input_dim", "4"}, {"output_dim", "2"}, {"dtype", "float64"}}});
  c->push_back({"batch_take", {Uniform({3, 2}, -1, 1), Integers({3}, {0, 1, 0}, DType::kInt32)}, {}});
  c->push_back({"gather_nd", {Uniform({3, 2}, -1, 1), Integers({2, 3}, {0, 2, 2, 1, 0, 0})}, {}});
  c->push_back({"scatter_nd", {Uniform({3}, -1, 1), Integers({2, 3}, {0, 2, 1, 1, 0, 0})}, {{"shape", "(3, 2)"}}});
  c->push_back({"_scatter_set_nd", {Uniform({3, 2}, -1, 1), Uniform({2, 2}, -1, 1), Integers({1, 2}, {2, 0})}, {{"shape", "(3, 2)"}}});
  c->push_back({"_contrib_index_copy", {Uniform({3, 2}, -1, 1), Integers({2}, {2, 0}), Uniform({2, 2}, -1, 1)}, {}});
  c->push_back({"_histogram", {Uniform({20}, -1, 1), Constant(Values({-0.5, 0, 0.25, 0.75}))}, {}});
  c->push_back({"_histogram", {Uniform({20}, -1, 1)}, {{"bin_cnt", "4"}, {"range", "(-0.5, 0.5)"}}});
  for (const char* type : {"value", "both", "mask", "indices"}) c->push_back({"topk", {Uniform({3, 4}, -1, 1)}, {{"k", "2"}, {"ret_typ", type}, {"dtype", "float64"}}});
  c->push_back({"sort", {Uniform({3, 4}, -1, 1)}, {}});
  c->push_back({"argsort", {Uniform({3, 4}, -1, 1)}, {{"is_ascend", "False"}}});
}

}  // namespace flx::cases

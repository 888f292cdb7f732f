// SPDX-License-Identifier: Apache-2.0
#include "cases.h"

namespace flx::cases {

void AddMatrixCases(std::vector<Case>* c) {
  c->push_back({"dot", {Uniform({3, 4}, -1, 1), Uniform({4, 2}, -1, 1)}, {}});
  c->push_back({"dot", {Uniform({4, 3}, -1, 1), Uniform({4, 2}, -1, 1)}, {{"transpose_a", "True"}}});
  c->push_back({"dot", {Uniform({3, 4}, -1, 1), Uniform({2, 4}, -1, 1)}, {{"transpose_b", "True"}}});
  c->push_back({"dot", {Uniform({4, 3}, -1, 1), Uniform({2, 4}, -1, 1)}, {{"transpose_a", "True"}, {"transpose_b", "True"}}});
  c->push_back(Case{"dot", {Uniform({5}, -1, 1), Uniform({5}, -1, 1)}, {}}.name("vectors"));
  c->push_back(Case{"dot", {Uniform({2, 3, 4}, -1, 1), Uniform({4, 2, 3}, -1, 1)}, {}}.name("last_with_first"));
  c->push_back(Case{"dot", {Uniform({2, 0}, -1, 1), Uniform({0, 3}, -1, 1)}, {}}.name("inner_empty"));
  for (const char* a : {"False", "True"})
    for (const char* b : {"False", "True"})
      c->push_back({"batch_dot", {Uniform(*a == 'T' ? Shape{2, 4, 3} : Shape{2, 3, 4}, -1, 1), Uniform(*b == 'T' ? Shape{2, 5, 4} : Shape{2, 4, 5}, -1, 1)}, {{"transpose_a", a}, {"transpose_b", b}}});
  // shapes
  for (const char* shape : {"(4, 6)", "(0, -1)", "(-2,)", "(-3, 0)", "(-4, 1, 2, -2)", "(6, 4)", "(0, 0, 2, 2)"}) c->push_back({"Reshape", {Uniform({2, 3, 4}, -1, 1)}, {{"shape", shape}}});
  c->push_back({"Reshape", {Uniform({2, 3, 4}, -1, 1)}, {{"shape", "(-1, 0)"}, {"reverse", "True"}}});
  c->push_back({"Flatten", {Uniform({2, 3, 4}, -1, 1)}, {}});
  c->push_back({"reshape_like", {Uniform({2, 6}, -1, 1), Constant(Uniform({3, 4}, -1, 1))}, {}});
  c->push_back({"expand_dims", {Uniform({2, 3}, -1, 1)}, {{"axis", "1"}}});
  c->push_back({"expand_dims", {Uniform({2, 3}, -1, 1)}, {{"axis", "-1"}}});
  c->push_back({"squeeze", {Uniform({1, 3, 1, 2}, -1, 1)}, {}});
  c->push_back({"squeeze", {Uniform({1, 3, 1, 2}, -1, 1)}, {{"axis", "(2,)"}}});
  c->push_back({"transpose", {Uniform({2, 3, 4}, -1, 1)}, {}});
  c->push_back({"transpose", {Uniform({2, 3, 4}, -1, 1)}, {{"axes", "(1, 2, 0)"}}});
  c->push_back({"SwapAxis", {Uniform({2, 3, 4}, -1, 1)}, {{"dim1", "0"}, {"dim2", "2"}}});
  c->push_back({"slice", {Uniform({4, 5}, -1, 1)}, {{"begin", "(1, None)"}, {"end", "(3, None)"}}});
  c->push_back({"slice", {Uniform({4, 5}, -1, 1)}, {{"begin", "(None, 4)"}, {"end", "(None, 0)"}, {"step", "(2, -2)"}}});
  c->push_back({"slice_axis", {Uniform({4, 5}, -1, 1)}, {{"axis", "1"}, {"begin", "1"}, {"end", "-1"}}});
  c->push_back({"slice_axis", {Uniform({4, 5}, -1, 1)}, {{"axis", "-2"}, {"begin", "2"}, {"end", "None"}}});
  c->push_back({"slice_like", {Uniform({4, 5}, -1, 1), Constant(Uniform({2, 3}, -1, 1))}, {}});
  c->push_back({"SliceChannel", {Uniform({2, 6, 2}, -1, 1)}, {{"num_outputs", "3"}}});
  c->push_back({"SliceChannel", {Uniform({2, 3}, -1, 1)}, {{"num_outputs", "3"}, {"axis", "1"}, {"squeeze_axis", "True"}}});
  c->push_back({"_split_v2", {Uniform({2, 6}, -1, 1)}, {{"indices", "(0, 2, 5)"}, {"axis", "1"}}});
  c->push_back({"Concat", {Uniform({2, 1}, -1, 1), Uniform({2, 3}, -1, 1), Uniform({2, 2}, -1, 1)}, {{"num_args", "3"}}});
  c->push_back({"Concat", {Uniform({1, 3, 2}, -1, 1), Uniform({2, 3, 2}, -1, 1)}, {{"num_args", "2"}, {"dim", "0"}}});
  c->push_back({"_rnn_param_concat", {Uniform({3}, -1, 1), Uniform({2}, -1, 1)}, {{"num_args", "2"}, {"dim", "0"}}});
  c->push_back(Case{"Concat", {Uniform({2, 0}, -1, 1), Uniform({2, 3}, -1, 1)}, {{"num_args", "2"}, {"dim", "-1"}}}.name("empty_part"));
  c->push_back({"stack", {Uniform({2, 3}, -1, 1), Uniform({2, 3}, -1, 1)}, {{"num_args", "2"}, {"axis", "1"}}});
  c->push_back({"stack", {Uniform({2, 3}, -1, 1), Uniform({2, 3}, -1, 1)}, {{"num_args", "2"}, {"axis", "-1"}}});
  c->push_back({"Crop", {Uniform({1, 2, 4, 5}, -1, 1)}, {{"num_args", "1"}, {"h_w", "(2, 3)"}, {"offset", "(1, 2)"}}});
  c->push_back({"Crop", {Uniform({1, 2, 4, 5}, -1, 1), Constant(Uniform({1, 1, 2, 3}, -1, 1))}, {{"num_args", "2"}, {"center_crop", "True"}}});
  c->push_back({"_slice_assign", {Uniform({4, 5}, -1, 1), Uniform({2, 2}, -1, 1)}, {{"begin", "(1, -1)"}, {"end", "(3, None)"}, {"step", "(1, -3)"}}});
  c->push_back({"_slice_assign_scalar", {Uniform({4, 5}, -1, 1)}, {{"begin", "(1, None)"}, {"end", "(3, 2)"}, {"scalar", "0.5"}}});
  c->push_back({"tile", {Uniform({2, 3}, -1, 1)}, {{"reps", "(2, 1, 2)"}}});
  c->push_back({"tile", {Uniform({2, 3}, -1, 1)}, {{"reps", "(3,)"}}});
  c->push_back({"repeat", {Uniform({2, 3}, -1, 1)}, {{"repeats", "2"}}});
  c->push_back({"repeat", {Uniform({2, 3}, -1, 1)}, {{"repeats", "3"}, {"axis", "1"}}});
  c->push_back({"reverse", {Uniform({2, 3}, -1, 1)}, {{"axis", "(1,)"}}});
  for (const char* mode : {"constant", "edge", "reflect"})
    c->push_back({"Pad", {Uniform({1, 2, 3, 4}, -1, 1)}, {{"mode", mode}, {"pad_width", "(0, 0, 0, 0, 1, 2, 2, 1)"}, {"constant_value", "0.5"}}});
  c->push_back(Case{"Pad", {Uniform({1, 2, 2, 3, 3}, -1, 1)}, {{"mode", "reflect"}, {"pad_width", "(0, 0, 0, 0, 1, 1, 2, 0, 0, 2)"}}}.name("five_axes"));
  c->push_back({"broadcast_to", {Uniform({1, 3, 1}, -1, 1)}, {{"shape", "(2, 3, 4)"}}});
  c->push_back({"broadcast_axis", {Uniform({1, 3, 1}, -1, 1)}, {{"axis", "(0, 2)"}, {"size", "(2, 4)"}}});
  c->push_back({"broadcast_like", {Uniform({1, 3}, -1, 1), Constant(Uniform({4, 3}, -1, 1))}, {}});
  c->push_back({"depth_to_space", {Uniform({1, 8, 2, 3}, -1, 1)}, {{"block_size", "2"}}});
  c->push_back({"space_to_depth", {Uniform({1, 2, 4, 6}, -1, 1)}, {{"block_size", "2"}}});
  for (const char* k : {"0", "1", "-1"}) {
    c->push_back({"diag", {Uniform({3, 4}, -1, 1)}, {{"k", k}}});
    c->push_back({"diag", {Uniform({3}, -1, 1)}, {{"k", k}}});
  }
}

}  // namespace flx::cases

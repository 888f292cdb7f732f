// SPDX-License-Identifier: Apache-2.0
#include "cases.h"

namespace flx::cases {

void AddLossCases(std::vector<Case>* c) {
  c->push_back({"SoftmaxOutput", {Uniform({4, 3}, -2, 2), Constant(Values({0, 2, 1, 2}))}, {}});
  c->push_back(Case{"SoftmaxOutput", {Uniform({2, 3, 4}, -2, 2), Constant(Values({2, 4}, {0, 2, 1, 2, 0, 0, 1, 1}))}, {{"multi_output", "True"}, {"normalization", "valid"}}}.name("multi"));
  c->push_back(Case{"SoftmaxOutput", {Uniform({4, 3}, -2, 2), Constant(Values({0, -1, 1, 2}))}, {{"use_ignore", "True"}, {"normalization", "valid"}}}.name("ignore"));
  for (const char* op : {"LinearRegressionOutput", "LogisticRegressionOutput", "MAERegressionOutput"}) c->push_back({op, {Uniform({4, 2}, -2, 2), Constant(Uniform({4, 2}, 0, 1))}, {}});
  c->push_back({"softmax_cross_entropy", {Uniform({4, 3}, -2, 2), Constant(Values({0, 2, 1, 2}))}, {}});
  c->push_back(Case{"softmax_cross_entropy", {Values({2, 3}, {1000, 0, -1000, 5, 5, 5}), Constant(Values({2, 1}))}, {}}.name("extreme").NoGradient().NoFloat32());
}

}  // namespace flx::cases

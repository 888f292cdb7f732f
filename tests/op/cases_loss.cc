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
  auto label = Constant(Values({2, 3}, {1, 2, 0, 2, 2, 1}));
  c->push_back({"CTCLoss", {Uniform({6, 2, 3}, -2, 2), label}, {}});
  c->push_back(Case{"CTCLoss", {Uniform({6, 2, 3}, -2, 2), Constant(Values({2, 3}, {0, 1, -1, 1, 1, -1}))}, {{"blank_label", "last"}}}.name("last"));
  c->push_back(Case{"CTCLoss", {Uniform({6, 2, 3}, -2, 2), label, Integers({2}, {4, 6}, DType::kInt32), Integers({2}, {2, 3})}, {{"use_data_lengths", "True"}, {"use_label_lengths", "True"}}}
                   .name("lengths"));
  c->push_back(Case{"CTCLoss", {Uniform({3, 2, 3}, -2, 2), label}, {}}.name("too_short").NoGradient());  // the second label needs four steps: infinite, no gradient
  c->push_back(Case{"CTCLoss", {Uniform({0, 2, 3}, -2, 2), Constant(Values({2, 0}, {}))}, {}}.name("empty"));
}

}  // namespace flx::cases

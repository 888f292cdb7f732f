// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "cases.h"

namespace flx::cases {

void AddReduceCases(std::vector<Case>* c) {
  for (const char* op : {"sum", "mean", "prod", "max", "min", "nansum", "nanprod"}) {
    c->push_back({op, {Uniform({2, 3, 4}, 0.3, 2)}, {}});
    c->push_back({op, {Uniform({2, 3, 4}, 0.3, 2)}, {{"axis", "1"}}});
    c->push_back({op, {Uniform({2, 3, 4}, 0.3, 2)}, {{"axis", "(0, -1)"}, {"keepdims", "True"}}});
    c->push_back({op, {Uniform({2, 3, 4}, 0.3, 2)}, {{"axis", "(0, 2)"}, {"exclude", "True"}}});
    c->push_back(Case{op, {Uniform({1}, 0.3, 2)}, {}}.name("one_element"));
  }
  for (const char* op : {"sum", "mean"}) c->push_back(Case{op, {Uniform({70, 130}, -1, 1)}, {{"axis", "0"}}}.name("long_columns").NoGradient().Tolerance(5));
  for (const char* op : {"sum", "prod"}) c->push_back(Case{op, {Uniform({2, 0, 3}, 0, 1)}, {{"axis", "1"}}}.name("over_nothing"));
  c->push_back(Case{"sum", {Uniform({0, 3}, 0, 1)}, {{"axis", "1"}}}.name("empty"));
  c->push_back(Case{"max", {Values({2, 2}, {1, NAN, -INFINITY, 3})}, {{"axis", "1"}}}.name("not_finite").NoGradient());
  for (const char* op : {"_np_sum", "_np_mean", "_np_prod", "_np_max", "_np_min"}) {
    c->push_back({op, {Uniform({2, 3, 4}, 0.3, 2)}, {}});
    c->push_back({op, {Uniform({2, 3, 4}, 0.3, 2)}, {{"axis", "(0, 2)"}}});
  }
  for (const char* ord : {"1", "2"}) {
    c->push_back({"norm", {Uniform({2, 3, 4}, -2, 2)}, {{"ord", ord}}});
    c->push_back({"norm", {Uniform({2, 3, 4}, -2, 2)}, {{"ord", ord}, {"axis", "1"}}});
    c->push_back({"norm", {Uniform({2, 3, 4}, -2, 2)}, {{"ord", ord}, {"axis", "(0, 2)"}, {"keepdims", "True"}}});
  }
  for (const char* op : {"argmax", "argmin"}) {
    c->push_back({op, {Uniform({2, 3, 4}, -2, 2)}, {}});
    c->push_back({op, {Uniform({2, 3, 4}, -2, 2)}, {{"axis", "1"}}});
    c->push_back(Case{op, {Values({2, 3}, {1, 1, 0, 0, 2, 2})}, {{"axis", "1"}, {"keepdims", "True"}}}.name("ties").NoGradient());
  }
}

}  // namespace flx::cases

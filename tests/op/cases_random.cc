// SPDX-License-Identifier: Apache-2.0
#include "cases.h"

namespace flx::cases {

void AddRandomCases(std::vector<Case>* c) {
  for (const char* op : {"_random_uniform", "_random_normal"}) {
    c->push_back(Case{op, {}, {{"shape", "(2, 3)"}}}.OnlyRuns());
    c->push_back(Case{op, {}, {{"shape", "(0, 3)"}, {"dtype", "float64"}}}.name("empty").OnlyRuns());
  }
  c->push_back(Case{"_random_randint", {}, {{"low", "-3"}, {"high", "5"}, {"shape", "(2, 3)"}}}.OnlyRuns());
  c->push_back(Case{"_sample_uniform", {Uniform({2}, -1, 0), Uniform({2}, 1, 2)}, {{"shape", "(3,)"}}}.OnlyRuns());
  c->push_back(Case{"_sample_normal", {Uniform({2}, -1, 0), Uniform({2}, 1, 2)}, {{"shape", "(3,)"}}}.OnlyRuns());
  c->push_back({"_shuffle", {Uniform({5, 2}, -1, 1)}, {}});
  c->push_back(Case{"_shuffle", {Uniform({0, 2}, -1, 1)}, {}}.name("empty"));
}

}  // namespace flx::cases

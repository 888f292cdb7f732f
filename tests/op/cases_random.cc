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
  // drawn numbers count as constants: their gradient is zero although they move with the parameters
  for (const char* op : {"_sample_gamma", "_sample_negative_binomial", "_sample_generalized_negative_binomial"})
    c->push_back(Case{op, {Uniform({2}, 1, 2), Uniform({2}, 0.3, 0.9)}, {{"shape", "(3,)"}}}.OnlyRuns());
  for (const char* op : {"_sample_exponential", "_sample_poisson"}) c->push_back(Case{op, {Uniform({2}, 1, 2)}, {{"shape", "(3,)"}}}.OnlyRuns());
  c->push_back({"_sample_multinomial", {Uniform({2, 3}, 0.1, 1)}, {{"shape", "(4,)"}}});
  c->push_back(Case{"_sample_multinomial", {Uniform({2, 3}, 0.1, 1)}, {{"shape", "(4,)"}, {"get_prob", "True"}}}.OnlyRuns());
  c->push_back({"_shuffle", {Uniform({5, 2}, -1, 1)}, {}});
  c->push_back(Case{"_shuffle", {Uniform({0, 2}, -1, 1)}, {}}.name("empty"));
}

}  // namespace flx::cases

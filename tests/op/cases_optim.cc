// SPDX-License-Identifier: Apache-2.0
#include "cases.h"

namespace flx::cases {

namespace {
In State(double low = -1, double high = 1) { return Constant(Uniform({2, 3}, low, high)); }
}  // namespace

void AddOptimCases(std::vector<Case>* c) {
  std::vector<std::pair<std::string, std::string>> attrs = {{"lr", "0.1"}, {"wd", "0.01"}, {"rescale_grad", "0.5"}, {"clip_gradient", "0.3"}}, mom = attrs;
  mom.emplace_back("momentum", "0.9");
  c->push_back({"sgd_update", {State(), State()}, attrs});
  c->push_back(Case{"sgd_update", {Constant(Uniform({0}, 0, 1)), Constant(Uniform({0}, 0, 1))}, {{"lr", "0.1"}}}.name("empty"));
  for (const char* op : {"sgd_mom_update", "nag_mom_update", "signum_update"}) c->push_back({op, {State(), State(), State()}, mom});
  c->push_back({"adam_update", {State(), State(), State(), State(0, 1)}, attrs});
}

}  // namespace flx::cases

// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "cases.h"

namespace flx::cases {

namespace {
In State(double low = -1, double high = 1) { return Constant(Uniform({2, 3}, low, high)); }
In Narrow() { return Integers({2, 3}, {1, -0.5, 2, 0.25, -3, 0}, DType::kFloat16); }
In Master() { return Integers({2, 3}, {1.1, 0.5, 2, 0.25, 3, 0.125}, DType::kFloat32); }
}  // namespace

void AddOptimCases(std::vector<Case>* c) {
  std::vector<std::pair<std::string, std::string>> attrs = {{"lr", "0.1"}, {"wd", "0.01"}, {"rescale_grad", "0.5"}, {"clip_gradient", "0.3"}}, mom = attrs;
  mom.emplace_back("momentum", "0.9");
  c->push_back({"sgd_update", {State(), State()}, attrs});
  c->push_back(Case{"sgd_update", {Constant(Uniform({0}, 0, 1)), Constant(Uniform({0}, 0, 1))}, {{"lr", "0.1"}}}.name("empty"));
  for (const char* op : {"sgd_mom_update", "nag_mom_update", "signum_update"}) c->push_back({op, {State(), State(), State()}, mom});
  c->push_back({"adam_update", {State(), State(), State(), State(0, 1)}, attrs});
  c->push_back({"signsgd_update", {State(), State()}, attrs});
  c->push_back({"rmsprop_update", {State(), State(), State(0, 1)}, attrs});
  c->push_back({"rmspropalex_update", {State(), State(), State(1, 2), State(-0.5, 0.5), State()}, attrs});
  c->push_back({"ftrl_update", {State(), State(), State(), State(0, 1)}, attrs});
  c->push_back({"ftml_update", {State(), State(), State(0.5, 1), State(0, 1), State()}, {{"lr", "0.1"}, {"t", "3"}, {"wd", "0.01"}, {"clip_grad", "0.3"}}});
  c->push_back({"lamb_update_phase1", {State(), State(), State(), State(0, 1)}, {{"t", "2"}, {"wd", "0.01"}}});
  c->push_back(Case{"lamb_update_phase1", {State(), State(), State(), State(0, 1)}, {{"t", "2"}, {"wd", "0.01"}, {"bias_correction", "False"}}}.name("uncorrected"));
  const In norm = Constant(Values({1.5}));
  c->push_back({"lamb_update_phase2", {State(), State(), norm, Constant(Values({0.5}))}, {{"lr", "0.1"}}});
  c->push_back(Case{"lamb_update_phase2", {State(), State(), norm, Constant(Values({0.5}))}, {{"lr", "0.1"}, {"lower_bound", "2"}, {"upper_bound", "3"}}}.name("bounds"));
  const In scale = Integers({1}, {0.5}, DType::kFloat32), overflow = Integers({1}, {INFINITY}, DType::kFloat32);
  c->push_back({"_adamw_update", {State(), State(), State(), State(0, 1), scale}, {{"lr", "0.1"}, {"eta", "0.9"}, {"wd", "0.01"}}});
  c->push_back(Case{"_adamw_update", {State(), State(), State(), State(0, 1), overflow}, {{"lr", "0.1"}, {"eta", "0.9"}}}.name("overflow"));
  c->push_back({"_mp_adamw_update", {Narrow(), Narrow(), Master(), Master(), Master(), scale}, {{"lr", "0.1"}, {"eta", "0.9"}}});
  c->push_back({"multi_lars", {Master(), Master(), Master(), Master()}, {{"eta", "0.1"}, {"eps", "0.001"}}});
  c->push_back({"multi_sum_sq", {State(), Constant(Uniform({5}, -1, 1))}, {{"num_arrays", "2"}}});
  // 16-bit weights with a float32 master copy
  c->push_back({"mp_sgd_update", {Narrow(), Narrow(), Master()}, attrs});
  c->push_back({"mp_sgd_mom_update", {Narrow(), Narrow(), Master(), Master()}, mom});
  c->push_back({"mp_nag_mom_update", {Narrow(), Narrow(), Master(), Master()}, mom});
  c->push_back({"mp_lamb_update_phase1", {Narrow(), Narrow(), Master(), Master(), Master()}, {{"t", "2"}, {"wd", "0.01"}}});
  c->push_back({"mp_lamb_update_phase2", {Narrow(), Master(), Integers({1}, {1.5}, DType::kFloat32), Integers({1}, {0.5}, DType::kFloat32), Master()}, {{"lr", "0.1"}}});
}

}  // namespace flx::cases

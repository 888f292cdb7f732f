// SPDX-License-Identifier: Apache-2.0
// The registry-wide suite: every operator is here by being registered. What it needs beyond inputs of shape (2, 3) stands in cases_<family>.cc.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/text.h"
#include "checks.h"
#include "exec/invoke.h"

namespace flx::cases {
namespace {

using Check = std::string (*)(const Case&);

class OperatorCase : public testing::Test {
 public:
  OperatorCase(const Case* c, Check check) : c_(*c), check_(check) {}
  void TestBody() override {
    std::string text;
    try {
      text = check_(c_);
    } catch (const std::exception& e) {
      text = Text("error: ", e.what(), "\nDoes the operator need a case of its own in tests/op/cases_<family>.cc?\n");
    }
    if (text.empty()) return;
    std::string call = Text(c_.op, "(");
    for (auto& in : c_.inputs) call += Text(in.dtype, " ", in.shape, ", ");
    for (auto& kv : c_.attrs) call += Text(kv.first, "=", kv.second, ", ");
    FAIL() << call << ") " << c_.what << "\n" << text;
  }

 private:
  const Case& c_;
  Check check_;
};
class OperatorText : public testing::Test {
 public:
  OperatorText(std::string text) : text_(std::move(text)) {}
  void TestBody() override { if (!text_.empty()) FAIL() << text_; }

 private:
  std::string text_;
};

bool HasFloat(const Case& c) {
  for (auto& in : c.inputs) if (in.is_float() && in.differentiate) return true;
  return false;
}
// Of 16-bit data, parameters or what the forward kernel kept are float32: cases give all floating inputs one dtype.
bool HasWideInputs(const OpDef& d) {
  for (const char* name : {"BatchNorm", "_batch_norm_grad", "_blocked_batch_norm", "_blocked_batch_norm_grad", "_ctc_loss_grad", "_rnn_grad"}) if (d.name == std::string_view(name)) return true;
  return false;
}
bool HasMatrix(const Case& c) {
  for (auto& in : c.inputs) if (in.shape.ndim() > 1 && in.shape.size() > 1) return true;
  return false;
}

void Register(const std::string& suite, const std::string& name, const Case* c, Check check) {
  testing::RegisterTest(suite.c_str(), name.c_str(), nullptr, nullptr, __FILE__, __LINE__, [=]() -> testing::Test* { return new OperatorCase(c, check); });
}
void Register(const std::string& suite, const std::string& name, std::string text) {
  testing::RegisterTest(suite.c_str(), name.c_str(), nullptr, nullptr, __FILE__, __LINE__, [=]() -> testing::Test* { return new OperatorText(text); });
}

void RegisterAll(const std::vector<Case>& cases) {
  std::map<std::string_view, std::vector<const Case*>> by_op;
  std::set<std::string> unknown;
  for (auto& c : cases) {
    const OpDef* d = FindOpOrNull(c.op);
    if (d) by_op[d->name].push_back(&c);
    else unknown.insert(c.op);
  }
  std::string text;
  for (auto& u : unknown) text += Text("tests/op/cases_*.cc names ", u, ", which is no operator.\n");
  Register("Cases", "name_operators", text);
  for (const OpDef* d : AllOps()) {
    Register("Docs", d->name, CheckDocs(*d));
    if (d->subgraphs || d->trait(kHost)) continue;  // runs inside graphs only: tests/exec, tests/fit
    auto& list = by_op[d->name];
    bool gradient = false, kernel = d->kernel && (d->kernel->fn[0] || d->kernel->loops);
    int k = 0;
    for (const Case* c : list) {
      std::string name = Text(d->name, "/", k++, *c->what ? "_" : "", c->what);
      Register("Runs", name, c, &CheckRuns);
      if (c->only_runs) continue;
      bool draw = d->trait(kRandom) && d->zero_gradient;  // what is drawn is taken as given, though it moves with its parameters
      bool differentiable = d->differentiable() && !draw && !d->trait(kLoss) && HasFloat(*c) && !c->no_gradient;
      gradient |= differentiable;
      if (differentiable) Register("Gradient", name, c, &CheckGradient);
      if (differentiable && !d->trait(kNoSecond) && !c->no_second) Register("Second", name, c, &CheckSecond);
      if (!c->inputs.empty() && !c->no_float32) Register("Float32", name, c, &CheckFloat32);
      if (HasFloat(*c) && !c->no_float32 && !HasWideInputs(*d)) Register("Half", name, c, &CheckHalf);
      if (HasMatrix(*c) && !c->no_strides) Register("Strides", name, c, &CheckStrides);
      if (d->compose_fn && kernel) Register("Composition", name, c, &CheckComposition);
    }
    if ((d->gradient_fn || d->compose_fn) && !d->trait(kLoss) && !d->trait(kInit))
      Register("Covered", d->name, gradient ? "" : Text(d->name, " is differentiable, and no case checks its gradient.\n"));
  }
}

// The checks must see what they are for. Wrong expectations, by tolerance: a gradient check with an operator whose derivative jumps.
TEST(Checks, SeeWrongGradients) {
  Case kink{"abs", {Values({0, 1, -1})}, {}};
  Case smooth{"abs", {Values({0.5, 1, -1})}, {}};
  EXPECT_NE(CheckGradient(Case{"abs", {Values({1e-7, 1})}, {}}), "");  // the step crosses the kink
  EXPECT_EQ(CheckGradient(smooth), "");
  EXPECT_EQ(CheckRuns(kink), "");
}

}  // namespace
}  // namespace flx::cases

int main(int argc, char** argv) {
  static const std::vector<flx::cases::Case> cases = flx::cases::AllCases();
  flx::cases::RegisterAll(cases);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}

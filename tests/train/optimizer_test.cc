// SPDX-License-Identifier: Apache-2.0
// Steps from attached gradients, stale gradients, schedules, multipliers, saved states.
#include <gtest/gtest.h>

#include <cmath>

#include "exec/autograd.h"
#include "train/all.h"

namespace flx {
namespace {

std::vector<double> Read(const NDArray& a) {
  std::vector<double> v(size_t(a->size()));
  ReadArray(*a, v.data(), a->size() * 8, DType::kFloat64, false);
  return v;
}
NDArray FromList(const std::vector<double>& v) { return FromHost(v.data(), int64_t(v.size()) * 8, DType::kFloat64, false, {int64_t(v.size())}, DType::kFloat64); }
// Goes backward from sum(w * w): the gradient is 2 w.
void GoBackward(const NDArray& w) {
  NDArray y = Invoke1("_np_sum", {Invoke1("square", {w}, {}, kRecord)}, {}, kRecord);
  Backward({y}, {}, 0);
}

TEST(Optimizer, StepTakesAttachedGradients) {
  auto params = Make<Params>();
  NDArray w = FromList({1, 2}), fixed = FromList({5});
  params->Set("w", w), params->Set("fixed", fixed);
  auto o = Optimizer::New("SGD", {{"learning_rate", "0.1"}});
  EXPECT_THROW(o->Step(*params), Error);  // no gradient at all
  AttachGrad(w, GradReq::kWrite);
  EXPECT_THROW(o->Step(*params), Error);  // attached, never computed
  GoBackward(w);
  o->Step(*params);
  EXPECT_NEAR(Read(w)[0], 0.8, 1e-7);  // the operator takes its rate as float32
  EXPECT_NEAR(Read(w)[1], 1.6, 1e-7);
  EXPECT_EQ(Read(fixed), std::vector<double>{5});
  try {
    o->Step(*params);
    FAIL() << "the gradient is stale";
  } catch (const Error& e) {
    EXPECT_EQ(e.status(), Status::kState);
    EXPECT_NE(e.message().find("`w`"), std::string::npos);
  }
  o->Set("ignore_stale", "True");
  auto before = Read(w);
  o->Step(*params);
  EXPECT_EQ(Read(w), before);
  GoBackward(w);
  o->Step(*params);
  EXPECT_NE(Read(w), before);
  EXPECT_EQ(o->Get("step"), 2);
}

TEST(Optimizer, ScheduleAndMultipliers) {
  auto o = Optimizer::New("SGD", {{"learning_rate", "0.5"}});
  o->SetSchedule(Schedule::New("Cosine"));
  EXPECT_THROW(o->Get("rate"), Error);  // its length is not known
  o->SetLength(4);
  o->Set("w.lr_mult", "0.5");
  EXPECT_EQ(o->Get("w.lr_mult"), 0.5);
  NDArray w = FromList({1}), g = FromList({1});
  double want = 1;
  for (int t = 1; t <= 5; ++t) {
    o->Update("w", w, g);
    want -= 0.5 * (t >= 4 ? 0 : 0.5 * (1 + std::cos(3.14159265358979323846 * t / 4)) / 2);
    EXPECT_NEAR(Read(w)[0], want, 1e-7) << t;
  }
  o->SetSchedule(nullptr);
  EXPECT_EQ(o->Get("rate"), 0.5);
  EXPECT_THROW(o->Set("learning_rat", "1"), Error);
  EXPECT_THROW(o->Set("learning_rate", "-1"), Error);
  EXPECT_THROW(o->Set("momentum", "0.9"), Error);  // its state would be missing
}

TEST(Optimizer, WrongGradientsAreRefused) {
  auto o = Optimizer::New("Adam");
  NDArray w = FromList({1, 2});
  EXPECT_THROW(o->Update("w", w, FromList({1})), Error);
  EXPECT_THROW(o->Update("w", w, Array::Filled({2}, DType::kFloat32, 1)), Error);
  EXPECT_THROW(o->Update("w", Array::Filled({2}, DType::kInt32, 1), Array::Filled({2}, DType::kInt32, 1)), Error);
  o->Update("w", w, w);
  EXPECT_THROW(o->Update("w", FromList({1, 2, 3}), FromList({1, 2, 3})), Error);  // its state is of another shape
}

TEST(Optimizer, RestoredGoesOnExactly) {
  for (auto& def : Optimizers().all()) {
    SCOPED_TRACE(def.name);
    auto o = Optimizer::New(def.name, {{"wd", "0.01"}});
    o->SetSchedule(Schedule::New("Factor", {{"step", "2"}, {"factor", "0.5"}}));
    o->Set("b.lr_mult", "0.25");
    NDArray a = FromList({1, -2, 3}), b = FromList({0.5});
    auto step = [](Optimizer& opt, const NDArray& x, const NDArray& y, int t) {
      opt.Update("a", x, FromList({0.3 * t, -0.1, 0.7}));
      opt.Update("b", y, FromList({0.2 * t}));
    };
    for (int t = 1; t <= 3; ++t) step(*o, a, b, t);
    auto state = o->Save();
    NDArray a2 = CopyOf(a), b2 = CopyOf(b);
    auto again = Optimizer::Restore(state);
    for (int t = 4; t <= 6; ++t) step(*o, a, b, t), step(*again, a2, b2, t);
    EXPECT_EQ(Read(a), Read(a2));
    EXPECT_EQ(Read(b), Read(b2));
    EXPECT_EQ(again->Get("step"), 6);
    auto broken = state;
    broken.text.erase("count.a");
    if (!state.arrays.empty()) {
      EXPECT_THROW(Optimizer::Restore(broken), Error);
    }
    broken = state, broken.text["step"] = "-3";
    EXPECT_THROW(Optimizer::Restore(broken), Error);
    broken = state, broken.text["optimizer"] = "None";
    EXPECT_THROW(Optimizer::Restore(broken), Error);
  }
}

}  // namespace
}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// Fits by a store of one process: the bits of a fit without one.
#include <gtest/gtest.h>

#include "helpers.h"

namespace flx {
namespace {

using namespace fit_tests;

std::string Fitted(Ref<Store> store, const Settings& more = {}, const char* optimizer = "Adam") {
  Data d = Spirals(100, 1);
  Settings options = {{"epochs", "3"}, {"seed", "5"}};
  options.insert(options.end(), more.begin(), more.end());
  auto model = Make<Model>(Mlp(), nullptr);
  auto o = Optimizer::New(optimizer, {{"learning_rate", "0.02"}});
  o->SetSchedule(Schedule::New("Factor", {{"step", "4"}, {"factor", "0.5"}}));
  auto task = StartFit(model, CrossEntropy(), o, IterOf(d, {{"batch_size", "32"}, {"shuffle", "True"}, {"seed", "3"}}), nullptr, options);
  if (store) task->SetStore(store);
  Drive(*task, 1);
  EXPECT_EQ(o->Get("step"), 12) << "the optimizer counts, wherever the step is made";
  return Bits(*model->params());
}

TEST(FitStore, OneProcessGivesTheSameBits) {
  std::string want = Fitted(nullptr);
  auto store = Store::New("local", {});
  EXPECT_EQ(Fitted(store), want);
  EXPECT_EQ(Fitted(store), want) << "the same store again";
  EXPECT_EQ(Fitted(store, {{"update_on_store", "True"}}), want);
  EXPECT_EQ(Fitted(store, {{"update_on_store", "True"}}, "AdaGrad"), Fitted(nullptr, {}, "AdaGrad"));
  Settings clip = {{"clip_gradient", "0.3"}};
  EXPECT_EQ(Fitted(Store::New("device", {}), clip), Fitted(nullptr, clip));
}

TEST(FitStore, WhatIsRefused) {
  Data d = Spirals(60, 1);
  auto store = Store::New("local", {});
  auto status = [&](const Settings& options, bool begun) {
    auto task = StartFit(Make<Model>(Mlp(), nullptr), CrossEntropy(), Optimizer::New("SGD"), IterOf(d, {{"batch_size", "32"}}), nullptr, options);
    if (begun) task->Next(-1);
    try {
      task->SetStore(store);
    } catch (const Error& e) {
      return e.status();
    }
    return Status::kOk;
  };
  EXPECT_EQ(status({}, false), Status::kOk);
  EXPECT_EQ(status({}, true), Status::kState);
  EXPECT_EQ(status({{"clip_gradient", "1"}, {"update_on_store", "True"}}, false), Status::kArgument);
  auto other = StartPredict(Make<Model>(Mlp(), nullptr), IterOf(d, {}));
  EXPECT_THROW(other->SetStore(store), Error);
}

}  // namespace
}  // namespace flx

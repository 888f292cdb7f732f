// SPDX-License-Identifier: Apache-2.0
// Fits with a store on devices (the emulated ones, or GPUs): what a fit without one gives there, and nearly what the CPU gives.
#include <gtest/gtest.h>

#include "device_fit.h"

namespace flx {
namespace {

using namespace kvstore_tests;

struct DeviceFit : OnDevices {};

struct Fitted { Ref<Params> params; std::vector<double> history; };
// noisy: with dropout and batch normalization, which are those of one device's rows.
Fitted Fit(Ref<Store> store, const std::string& device, const Settings& more = {}, bool noisy = false) {
  Settings options = {{"epochs", "2"}, {"seed", "5"}, {"metrics", "accuracy"}, {"device", device}};
  options.insert(options.end(), more.begin(), more.end());
  auto model = Make<Model>(fit_tests::Mlp(noisy), nullptr);
  auto optimizer = Optimizer::New("Adam", {{"learning_rate", "0.02"}});
  // 92 rows by 13: the last batch has one row, which one device takes alone
  auto task = StartFit(model, fit_tests::CrossEntropy(), optimizer, fit_tests::IterOf(fit_tests::Spirals(92, 1), {{"batch_size", noisy ? "23" : "13"}}),
                       fit_tests::IterOf(fit_tests::Spirals(40, 2), {{"batch_size", "40"}}), options);
  if (store) task->SetStore(store);
  fit_tests::Drive(*task, 1);
  EXPECT_EQ(optimizer->Get("step"), noisy ? 8 : 16) << "the optimizer counts, wherever the step is made";
  Fitted f{model->params(), fit_tests::Read(task->History())};
  const size_t width = task->columns().size();
  for (size_t i = width - 1; i < f.history.size(); i += width) f.history[i] = 0;  // seconds
  return f;
}
void Near(const Fitted& a, const Fitted& b, double tolerance) {
  ASSERT_EQ(a.history.size(), b.history.size());
  for (size_t i = 0; i < a.history.size(); ++i) EXPECT_NEAR(a.history[i], b.history[i], 20 * tolerance) << i;
  NearParams(*a.params, *b.params, tolerance);
}
void Same(const Fitted& a, const Fitted& b) {
  if (GpuModule()) return Near(a, b, 1e-3);  // whose sums may have another order each time
  EXPECT_EQ(a.history, b.history);
  EXPECT_EQ(fit_tests::Bits(*a.params), fit_tests::Bits(*b.params));
}

TEST_F(DeviceFit, AStoreOfOneProcessGivesTheBitsOfAFitWithoutOne) {
  for (const std::string& where : {one, both}) {
    if (where.empty()) continue;
    SCOPED_TRACE(where);
    for (bool noisy : {false, true}) {
      const Fitted alone = Fit(nullptr, where, {}, noisy), host = Fit(nullptr, "cpu", {}, noisy);
      if (!noisy || where == one) Near(alone, host, 1e-3);
      auto store = Store::New("device", {});
      Same(Fit(store, where, {}, noisy), alone);
      Same(Fit(store, where, {{"update_on_store", "True"}}, noisy), alone);  // the same store again
      Same(Fit(Store::New("local", {}), where, {}, noisy), alone);
      Near(Fit(Store::New("local", {}), where, {{"update_on_store", "True"}}, noisy), alone, 1e-3);  // the host's Adam
    }
    const Settings clip = {{"clip_gradient", "0.3"}, {"hybridize", "False"}};
    Same(Fit(Store::New("device", {}), where, clip), Fit(nullptr, where, clip));
  }
}
TEST_F(DeviceFit, CopiesWhereSumsMustHaveAnOrder) {
  if (both.empty()) GTEST_SKIP() << kOneGpu;
  SetOption("FLEXOR_DETERMINISTIC", "1");
  Same(Fit(Store::New("device", {}), both), Fit(nullptr, both));
  SetOption("FLEXOR_DETERMINISTIC", "");
}
TEST_F(DeviceFit, WhatFailsInTheStoreEndsTheFit) {
  if (GpuModule()) GTEST_SKIP() << kEmulatedOnly;
  auto task = StartFit(Make<Model>(fit_tests::Mlp(false), nullptr), fit_tests::CrossEntropy(), Optimizer::New("SGD"), fit_tests::IterOf(fit_tests::Spirals(92, 1), {{"batch_size", "13"}}), nullptr,
                       {{"epochs", "50"}, {"report_every", "1"}, {"device", both}});
  task->SetStore(Store::New("local", {}));
  EXPECT_EQ(task->Next(60000), Event::kBatch);
  FakeFail("copy", 20);
  EXPECT_TRUE(Has(ErrorOf([&] { fit_tests::Drive(*task); }), "a test asked for this failure"));
  task = nullptr;
  ASSERT_TRUE(Engine::Get().WaitAll(60000));
  while (Engine::Get().NextUnseen()) {}
}

}  // namespace
}  // namespace flx

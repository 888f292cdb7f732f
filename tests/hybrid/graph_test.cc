// SPDX-License-Identifier: Apache-2.0
// A plan's runs on a device as graphs: captured where arrays lie as they did before, launched as one, the same numbers as step by step; what cannot be
// captured, or fails to be, runs step by step.
#include <set>

#include "../device/under_test.h"
#include "compare.h"
#include "hybrid/plan_graph.h"
#include "tensor/device_array.h"

namespace flx {
namespace {

std::vector<Val> Network(Builder&, const std::vector<Val>& x) {  // with a product, reductions and what needs scratch memory
  Val v = CallOp("tanh", {CallOp("dot", {x[0], x[1]})});
  Val s = CallOp("softmax", {v});
  return {CallOp("sum", {CallOp("broadcast_mul", {s, v})}, {{"axis", "1"}}), CallOp("sin", {s}), CallOp("norm", {v})};
}
struct PlanGraph : testing::Test {
  static void SetUpTestSuite() { PrepareDevice(); }
  const Device* d = DeviceUnderTest();
  const std::vector<Shape> shapes = {{6, 5}, {5, 7}};
  void SetUp() override {
    if (!d->table->capture_begin) GTEST_SKIP() << "the device records nothing";
  }
  void TearDown() override {
    SetOption("FLEXOR_CUDA_GRAPHS", "");
    EXPECT_TRUE(Engine::Get().WaitAll(60000));
    while (auto p = Engine::Get().NextUnseen()) ADD_FAILURE() << p->error.message();
  }
  Ref<Plan> NewPlan(const TraceFunction& f = Network, bool training = false) const {
    std::vector<TraceInput> in;
    for (auto& s : shapes) in.push_back({s, DType::kFloat32});
    return Make<Plan>(TraceForward(f, in, training, d));
  }
  struct Arrays {
    std::vector<NDArray> host, in, out;
  };
  Arrays NewArrays() const {
    Arrays a;
    for (auto& s : shapes) a.host.push_back(Array::Filled(s, DType::kFloat32, 0)), a.in.push_back(Array::Filled(s, DType::kFloat32, 0, d));
    for (const Shape& s : {Shape{6}, Shape{6, 7}, Shape{1}}) a.out.push_back(Array::New(s, DType::kFloat32, d));
    return a;
  }
  // Fresh numbers in the same memory; the CPU's results are what counts.
  void RunAndCompare(const Ref<Plan>& plan, Arrays* a, int round, const std::string& what) const {
    for (size_t i = 0; i < a->in.size(); ++i) {
      std::vector<float> v(size_t(a->host[i]->shape.size()));
      for (size_t k = 0; k < v.size(); ++k) v[k] = float(int((k * 7 + i * 3 + size_t(round) * 11) % 17) - 8) / 8;
      for (auto& to : {a->host[i], a->in[i]}) WriteArray(to, v.data(), int64_t(v.size() * 4), DType::kFloat32, false);
    }
    const Ref<const Plan> p(plan);
    Array *in[] = {a->in[0].get(), a->in[1].get()}, *out[] = {a->out[0].get(), a->out[1].get(), a->out[2].get()};
    const bool there[] = {true, true, true};
    RunPlan(p, kForward, in, out, Ticket{}, nullptr, false, there);
    auto want = RunImperatively(Network, kPlain, a->host).results;
    ASSERT_EQ(Difference("result", a->out, want, 1e-5), "") << what << ", round " << round;
  }
};

TEST_F(PlanGraph, CapturedWhereArraysLieAsBefore) {
  auto plan = NewPlan();
  EXPECT_EQ(plan->graphs().why(), "");
  Arrays a = NewArrays();
  for (int i = 0; i < 10; ++i) RunAndCompare(plan, &a, i, "one place");
  auto c = plan->graphs().counts();
  EXPECT_EQ(c.issued, 1);
  EXPECT_EQ(c.captured, 1);
  EXPECT_EQ(c.launched, 9);
  Arrays b = NewArrays();
  for (int i = 0; i < 10; ++i) RunAndCompare(plan, i % 2 ? &a : &b, i, "two places");
  c = plan->graphs().counts();
  EXPECT_EQ(c.captured, 2);
  EXPECT_EQ(c.issued, 2);
  EXPECT_NE(plan->Print().find("graphs: 2 captured, launched 18 times; 2 runs step by step"), std::string::npos) << plan->Print();
}
TEST_F(PlanGraph, NewPlacesAreIssuedAndTheGraphsAreFew) {
  auto plan = NewPlan();
  std::vector<Arrays> all;
  for (int i = 0; i < 12; ++i) all.push_back(NewArrays());
  for (int i = 0; i < 12; ++i) RunAndCompare(plan, &all[size_t(i)], i, "new places");
  EXPECT_EQ(plan->graphs().counts().captured, 0);
  for (int i = 0; i < 48; ++i) RunAndCompare(plan, &all[size_t(i) % 12], i, "more places than graphs are kept");
  EXPECT_LE(plan->graphs().counts().captured, 30);
  EXPECT_NE(plan->graphs().why().find("lie elsewhere"), std::string::npos) << plan->graphs().why();
}
TEST_F(PlanGraph, WhatDiffersFromRunToRunIsNotCaptured) {
  auto random = [](Builder& b, const std::vector<Val>& x) {
    auto v = Network(b, x);
    v[1] = CallOp("Dropout", {v[1]});
    return v;
  };
  auto plan = NewPlan(random, true);
  EXPECT_NE(plan->graphs().why().find("`Dropout` takes what differs"), std::string::npos) << plan->graphs().why();
  auto few = NewPlan([](Builder&, const std::vector<Val>& x) { return std::vector<Val>{CallOp("sin", {x[0]}), CallOp("sin", {x[1]})}; });
  EXPECT_EQ(few->graphs().why(), "it has 2 steps");
}
TEST_F(PlanGraph, AnOptionSwitchesItOffAndOthersMakeItAnother) {
  auto plan = NewPlan();
  Arrays a = NewArrays();
  SetOption("FLEXOR_CUDA_GRAPHS", "0");
  for (int i = 0; i < 4; ++i) RunAndCompare(plan, &a, i, "off");
  EXPECT_EQ(plan->graphs().counts().issued, 4);
  SetOption("FLEXOR_CUDA_GRAPHS", "1");
  for (int i = 0; i < 4; ++i) RunAndCompare(plan, &a, i, "on");
  EXPECT_EQ(plan->graphs().counts().captured, 1);
  SetOption("FLEXOR_DETERMINISTIC", "1");
  for (int i = 0; i < 4; ++i) RunAndCompare(plan, &a, i, "another option");
  SetOption("FLEXOR_DETERMINISTIC", "");
  EXPECT_EQ(plan->graphs().counts().captured, 2) << "kernels look at options";
}
TEST_F(PlanGraph, FailuresRunStepByStep) {
  if (GpuModule()) GTEST_SKIP() << kEmulatedOnly;
  for (const char* what : {"capture", "graph", "kernel"}) {
    auto plan = NewPlan();
    Arrays a = NewArrays();
    RunAndCompare(plan, &a, 0, what);
    EXPECT_TRUE(Engine::Get().WaitAll(60000));
    const bool kernel = std::string_view(what) == "kernel";
    for (int i = 1; i < 5; ++i) {
      if (i == 1 && !kernel) FakeFail(what, 1);
      if (i == 1 && kernel) FakeFail(what, 2);
      RunAndCompare(plan, &a, i, what);
    }
    EXPECT_EQ(plan->graphs().counts().launched, 0) << what;
    EXPECT_EQ(plan->graphs().counts().issued, 5) << what;
    EXPECT_NE(plan->graphs().why().find("a test asked for this failure"), std::string::npos) << plan->graphs().why();
  }
}
// A hybridized function and its gradients, whose arrays come and go as a training loop's do.
TEST_F(PlanGraph, ATrainingLoopSettles) {
  auto f = [](Builder& b, const std::vector<Val>& x) {
    auto v = Network(b, x);
    return std::vector<Val>{CallOp("mean", {CallOp("broadcast_mul", {v[1], v[1]})})};
  };
  auto g = Make<CachedGraph>("loop", f, std::vector<bool>{false, true});
  std::vector<NDArray> host, dev;
  for (auto& s : shapes) host.push_back(Array::Filled(s, DType::kFloat32, 0.25)), dev.push_back(Array::Filled(s, DType::kFloat32, 0.25, d));
  for (int i = 0; i < 30; ++i) {
    auto want = g->Step(host, {false, true}), got = g->Step(dev, {false, true});
    ASSERT_EQ(Difference("result", got, want, 1e-5), "") << i;
  }
  const std::string text = g->Text("plan");
  EXPECT_NE(text.find("captured, launched"), std::string::npos) << text;
  EXPECT_EQ(text.find("graphs: 0 captured"), std::string::npos) << text;
}

}  // namespace
}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// A plan's runs on a device as graphs: captured where arrays lie as they did before, launched as one, the same numbers as step by step; what cannot be
// captured, or fails to be, runs step by step.
#include <cstdio>
#include <set>

#include "../device/under_test.h"
#include "compare.h"
#include "hybrid/plan_graph.h"
#include "storage/device_pool.h"
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
    ExpectAllDone();
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
TEST_F(PlanGraph, AFewStepsAreNotWorthIt) {
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
TEST_F(PlanGraph, ARunWithoutMemoryFailsTheCall) {
  auto plan = NewPlan();
  Arrays a = NewArrays();
  RunAndCompare(plan, &a, 0, "before");
  EXPECT_TRUE(Engine::Get().WaitAll(60000));
  DeviceMemoryLimit(d, 1);  // what the plan works in is its own, and goes with it
  DeviceMemoryReleaseUnused(d);
  try {
    RunAndCompare(plan, &a, 1, "without");
    ADD_FAILURE() << "it ran";
  } catch (const Error& e) {
    EXPECT_NE(e.message().find("the limit would be passed"), std::string::npos) << e.message();
  }
  DeviceMemoryLimit(d, 0);
  RunAndCompare(plan, &a, 2, "after");
}
// ---- random numbers: each run draws its own, whichever way it is issued
std::vector<Val> Noisy(Builder& b, const std::vector<Val>& x) {
  auto draw = [&](const char* op, Options more = {}) {
    more.emplace_back("shape", "(6, 7)");
    return CallOp(op, {}, more, &b);
  };
  Val v = CallOp("Dropout", {CallOp("tanh", {CallOp("dot", {x[0], x[1]})})}, {{"p", "0.3"}});
  Val uniform = draw("_random_uniform"), noise = CallOp("broadcast_add", {draw("_random_normal"), CallOp("LeakyReLU", {CallOp("_shuffle", {uniform})}, {{"act_type", "rrelu"}})});
  Val chosen = CallOp("_sample_multinomial", {uniform}, {{"shape", "(7,)"}, {"dtype", "float32"}});
  noise = CallOp("broadcast_add", {noise, CallOp("_sample_normal", {CallOp("slice_axis", {chosen}, {{"axis", "1"}, {"begin", "0"}, {"end", "1"}}), CallOp("sum", {uniform}, {{"axis", "1"}, {"keepdims", "True"}})})});
  Val whole = CallOp("cast", {draw("_random_randint", {{"low", "0"}, {"high", "1000"}})}, {{"dtype", "float32"}});
  Val count = CallOp("broadcast_add", {draw("_random_poisson"), whole});
  Val y = CallOp("broadcast_add", {CallOp("Dropout", {CallOp("broadcast_mul", {v, noise})}), count});
  return {CallOp("sum", {y}, {{"axis", "1"}}), y, CallOp("norm", {y})};
}
TEST_F(PlanGraph, EachRunDrawsItsOwnNumbersWhileOthersAreUnderWay) {
  constexpr int kRuns = 24;
  std::vector<std::vector<NDArray>> got[3];  // without graphs, with them, and where a launch fails after some
  const int ways = GpuModule() ? 2 : 3;
  for (int way = 0; way < ways; ++way) {
    SetOption("FLEXOR_CUDA_GRAPHS", way ? "1" : "0");
    auto plan = NewPlan(Noisy, true);
    ASSERT_EQ(plan->graphs().why(), "");
    Arrays a = NewArrays(), b = NewArrays();
    for (auto& x : a.in) x = Array::Filled(x->shape, DType::kFloat32, 0.5, d);
    b.in = a.in;
    EXPECT_TRUE(Engine::Get().WaitAll(60000));
    for (int i = 0; i < kRuns; ++i) {
      if (i == kRuns / 3) HoldDevice(true);  // from here on nothing has run when the next is issued
      if (i == kRuns / 2 && way == 2) FakeFail("graph", 1);
      Arrays& at = i % 3 ? a : b;
      const Ref<const Plan> p(plan);
      Array *in[] = {at.in[0].get(), at.in[1].get()}, *out[] = {at.out[0].get(), at.out[1].get(), at.out[2].get()};
      const bool there[] = {true, true, true};
      RunPlan(p, kForward, in, out, Ticket{uint64_t(i / 7) * 0x9E3779B97F4A7C15ull, i % 5 ? uint64_t(i) * 9 : ~uint64_t(i)}, nullptr, false, there);
      got[way].emplace_back();
      for (auto& y : at.out) got[way].back().push_back(CopyOf(y));
    }
    HoldDevice(false);
    auto c = plan->graphs().counts();
    EXPECT_EQ(c.captured, way ? 2 : 0);
    EXPECT_EQ(c.launched, way == 0 ? 0 : way == 1 ? kRuns - 2 : kRuns / 2 - 2) << plan->graphs().why();
  }
  std::set<std::string> all;
  for (int i = 0; i < kRuns; ++i) {
    for (int way = 1; way < ways; ++way) ASSERT_EQ(Difference("result", got[way][size_t(i)], got[0][size_t(i)], 0), "") << "run " << i << ", way " << way;
    all.insert(BytesOf(got[1][size_t(i)][1]));
  }
  EXPECT_EQ(all.size(), size_t(kRuns)) << "runs with tickets of their own drew the same numbers";
}
// One recorded run and its backward part, or two and then theirs: each has the masks of its own forward part; with `recompute` they are drawn once more.
TEST_F(PlanGraph, ARecordedRunGoesBackWithItsOwnNumbers) {
  auto f = [](Builder& b, const std::vector<Val>& x) {
    auto v = Noisy(b, x);
    return std::vector<Val>{CallOp("sum", {CallOp("broadcast_mul", {v[1], v[1]})})};
  };
  for (const char* passes : {"none", "", "+recompute"}) for (int runs : {1, 2}) {
    std::vector<std::string> got[2];
    for (int graphs = 0; graphs < 2; ++graphs) {
      SetOption("FLEXOR_CUDA_GRAPHS", graphs ? "1" : "0");
      HybridOptions options;
      options.passes = passes;
      auto g = Make<CachedGraph>("noisy", f, std::vector<bool>{false, true}, options);
      SeedRandom(5);
      std::vector<NDArray> x;
      for (auto& s : shapes) x.push_back(Array::Filled(s, DType::kFloat32, 0.25, d)), AttachGrad(x.back(), GradReq::kWrite);
      for (int i = 0; i < 16; ++i) {
        std::vector<NDArray> y;
        for (int k = 0; k < runs; ++k) y.push_back(g->Run(kTrain | kRecord, x)[0]);
        for (int k = runs; k-- > 0;) {
          Backward({y[size_t(k)]}, {}, kTrain);
          got[graphs].push_back(BytesOf(y[size_t(k)]));
          for (auto& v : x) got[graphs].push_back(BytesOf(GradOf(*v)));
        }
      }
      const std::string text = g->Text("plan");
      const size_t at = text.find("graphs: ");
      int captured = -1, launched = -1;
      ASSERT_TRUE(at != std::string::npos && std::sscanf(text.c_str() + at, "graphs: %d captured, launched %d", &captured, &launched) == 2) << text;
      if (!graphs) EXPECT_EQ(captured, 0);
      else EXPECT_GT(launched, runs == 1 ? captured : 0) << text;
    }
    ASSERT_EQ(got[1].size(), got[0].size());
    for (size_t i = 0; i < got[0].size(); ++i) ASSERT_TRUE(got[1][i] == got[0][i]) << passes << ": array " << i;
  }
}
TEST_F(PlanGraph, ANetworkWithDropoutTrainsToTheSameBits) {
  auto net = [](Builder&, const std::vector<Val>& x) {
    Val h = CallOp("Dropout", {CallOp("relu", {CallOp("dot", {x[0], x[1]})})});
    Val e = CallOp("broadcast_sub", {CallOp("sum", {CallOp("Dropout", {h}, {{"p", "0.2"}})}, {{"axis", "1"}}), x[2]});
    return std::vector<Val>{CallOp("mean", {CallOp("broadcast_mul", {e, e})})};
  };
  std::vector<NDArray> weights[2];
  for (int graphs = 0; graphs < 2; ++graphs) {
    SetOption("FLEXOR_CUDA_GRAPHS", graphs ? "1" : "0");
    auto g = Make<CachedGraph>("net", net, std::vector<bool>{false, true, false});
    SeedRandom(11);
    NDArray x = Array::Filled({6, 5}, DType::kFloat32, 0.5, d), w = Array::Filled({5, 7}, DType::kFloat32, 0.25, d), y = Array::Filled({6}, DType::kFloat32, 1, d);
    for (int i = 0; i < 40; ++i) {
      auto out = g->Step({x, w, y}, {false, true, false});
      w = Invoke1("broadcast_sub", {w, Invoke1("_mul_scalar", {out[1]}, {{"scalar", "0.05"}})});
    }
    weights[graphs] = {w};
    const std::string text = g->Text("plan");
    EXPECT_EQ(text.find("graphs: 0 captured") == std::string::npos, graphs == 1) << text;
  }
  EXPECT_EQ(Difference("weight", weights[1], weights[0], 0), "");
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

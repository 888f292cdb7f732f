// SPDX-License-Identifier: Apache-2.0
#include <thread>

#include "base/config.h"
#include "compare.h"
#include "storage/pool.h"

namespace flx {
namespace {

Val Op1(const char* op, Val x, const Options& o = {}) { return CallOp(op, {x}, o); }
NDArray Uniform(const Shape& s, double low = -1, double high = 1) {
  return Invoke1("_random_uniform", {}, {{"shape", Text(s)}, {"low", Text(low)}, {"high", Text(high)}});
}
NDArray WithGrad(NDArray a) {
  AttachGrad(a, GradReq::kWrite);
  return a;
}
HybridOptions NoPasses() {
  HybridOptions o;
  o.passes = "none";
  return o;
}
// Two products with dropout between and a batch norm behind.
std::vector<Val> Net(Builder&, const std::vector<Val>& x) {
  Val h = Op1("Activation", CallOp("FullyConnected", {x[0], x[1], x[2]}, {{"num_hidden", "8"}}), {{"act_type", "relu"}});
  h = Op1("Dropout", h, {{"p", "0.5"}});
  h = CallOp("BatchNorm", {h, x[3], x[4], x[5], x[6]}, {{"fix_gamma", "False"}});
  return {Op1("log_softmax", h), Op1("Dropout", h, {{"p", "0.3"}})};
}
std::vector<NDArray> NetInputs(int64_t batch) {
  SeedRandom(3);
  return {Uniform({batch, 5}), WithGrad(Uniform({8, 5})), WithGrad(Uniform({8})), WithGrad(Uniform({8})), WithGrad(Uniform({8})), Uniform({8}), Uniform({8}, 0.5, 1)};
}

TEST(CachedGraph, GivesTheSameBitsForwardAndBackward) {
  auto g = Make<CachedGraph>("net", &Net, std::vector<bool>(), NoPasses());
  for (int64_t batch : {4, 7, 4, 1, 7}) {
    for (int mode : {kPlain | 0, kTrain | 0, kRecord | 0, kRecord | kTrain})
      EXPECT_EQ(Difference(RunPlanned(*g, mode, NetInputs(batch)), RunImperatively(&Net, mode, NetInputs(batch))), "") << batch << " mode " << mode;
  }
}
TEST(CachedGraph, KeepsABoundedNumberOfPlans) {
  HybridOptions o;
  o.plans = 2;
  auto g = Make<CachedGraph>("net", &Net, std::vector<bool>(), o);
  for (int64_t batch : {1, 2, 1, 2, 3, 2, 3, 1}) g->Run(kPlain, NetInputs(batch));
  EXPECT_NE(g->Text("signatures").find("traced: 4, kept: 2\n"), std::string::npos) << g->Text("signatures");
}
TEST(CachedGraph, ComputesOnceWhatDependsOnParametersOnly) {
  auto f = [](Builder&, const std::vector<Val>& x) { return std::vector<Val>{x[0] * Op1("exp", Op1("sin", x[1]))}; };
  auto g = Make<CachedGraph>("scaled", f, std::vector<bool>{false, true}, NoPasses());
  NDArray w = Uniform({3});
  for (int64_t batch : {2, 5, 2}) {
    NDArray x = Uniform({batch, 3});
    EXPECT_EQ(Difference("result", g->Run(kPlain, {x, w}), RunImperatively(f, kPlain, {x, w}).results, 0), "");
    EXPECT_NE(g->Text("graph").find("broadcast"), std::string::npos) << g->Text("graph");
    EXPECT_EQ(g->Text("graph").find("exp"), std::string::npos);
  }
  EXPECT_NE(g->Text("memory").find("kept between runs 12 bytes"), std::string::npos) << g->Text("memory");  // one value for both plans
  CopyInto(Uniform({3}), w);  // a new version
  NDArray x = Uniform({2, 3});
  EXPECT_EQ(Difference("result", g->Run(kPlain, {x, w}), RunImperatively(f, kPlain, {x, w}).results, 0), "");
  NDArray other = Uniform({3});  // another array
  EXPECT_EQ(Difference("result", g->Run(kPlain, {x, other}), RunImperatively(f, kPlain, {x, other}).results, 0), "");
}
// What is computed once may fail once, without memory, after the call has returned: it is not kept for ever.
TEST(CachedGraph, ComputesAgainWhatFailed) {
  auto f = [](Builder&, const std::vector<Val>& x) { return std::vector<Val>{x[0] * Op1("exp", Op1("sin", x[1]))}; };
  NDArray w = Uniform({1 << 20}), x = Uniform({1 << 20});
  WaitToRead(*w), WaitToRead(*x);
  auto want = RunImperatively(f, kPlain, {x, w}).results;
  WaitToRead(*want[0]);
  SetOption("FLEXOR_ENGINE", "threaded");
  auto g = Make<CachedGraph>("scaled", f, std::vector<bool>{false, true}, NoPasses());
  HostMemoryReleaseUnused();
  HostMemoryLimit(HostMemoryStats().live + (1 << 20));
  try {
    WaitToRead(*g->Run(kPlain, {x, w})[0]);
    ADD_FAILURE() << "there was memory";
  } catch (const Error& e) {
    EXPECT_EQ(e.status(), Status::kMemory) << e.message();
  }
  HostMemoryLimit(0);
  EXPECT_EQ(Difference("result", g->Run(kPlain, {x, w}), want, 0), "");
  SetOption("FLEXOR_ENGINE", "");
  while (Engine::Get().NextUnseen()) {}
}
TEST(CachedGraph, BackwardTwiceWithRetain) {
  auto g = Make<CachedGraph>("net", &Net, std::vector<bool>(), NoPasses());
  auto in = NetInputs(4);
  auto y = g->Run(kRecord | kTrain, in);
  Backward(y, {}, kRetain);
  std::string first = BytesOf(GradOf(*in[1]));
  Backward(y, {}, kRetain);
  EXPECT_EQ(BytesOf(GradOf(*in[1])), first);
  Backward(y, {}, 0);
  EXPECT_EQ(BytesOf(GradOf(*in[1])), first);
  EXPECT_THROW(Backward(y, {}, 0), Error);
}
TEST(CachedGraph, OneHeadOfTwo) {
  auto g = Make<CachedGraph>("net", &Net, std::vector<bool>(), NoPasses());
  auto a = NetInputs(4), b = NetInputs(4);
  SeedRandom(5);
  auto y = g->Run(kRecord | kTrain, a);
  Backward({y[1]}, {}, 0);
  SeedRandom(5);
  auto want = RunImperatively(&Net, kTrain, b);  // no record: nothing goes backward
  EagerBuilder e(kRecord | kTrain);
  std::vector<Val> x;
  b = NetInputs(4);
  for (auto& v : b) x.push_back(e.Add(v));
  SeedRandom(5);
  auto z = Net(e, x);
  Backward({e.array(z[1])}, {}, 0);
  for (size_t i = 1; i < 5; ++i) EXPECT_EQ(Difference("gradient", {GradOf(*a[i])}, {GradOf(*b[i])}, 1e-6), "") << i;
}
TEST(CachedGraph, GradientsOfGradients) {
  auto f = [](Builder&, const std::vector<Val>& x) { return std::vector<Val>{Op1("sin", x[0]) * x[0]}; };
  auto second = [&](bool planned) {
    NDArray x = WithGrad(Array::NewFrom(std::vector<float>{0.3f, -1.2f, 2.f}.data(), {3}, DType::kFloat32));
    auto g = Make<CachedGraph>("f", f, std::vector<bool>());
    EagerBuilder e(kRecord);
    NDArray y = planned ? g->Run(kRecord, {x})[0] : e.array(f(e, {e.Add(x)})[0]);
    auto dx = Gradients({y}, {}, {x}, kCreateGraph);
    return Gradients({dx[0]}, {}, {x}, 0);
  };
  EXPECT_EQ(Difference("second gradient", second(true), second(false), 1e-6), "");
}
TEST(CachedGraph, SaysWhatWasOverwritten) {
  auto f = [](Builder&, const std::vector<Val>& x) { return std::vector<Val>{Op1("sin", x[0])}; };
  auto g = Make<CachedGraph>("wave", f, std::vector<bool>());
  NDArray x = WithGrad(Uniform({3}));
  auto y = g->Run(kRecord, {x});
  CopyInto(Uniform({3}), x);
  try {
    Backward(y, {}, 0);
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(e.message().find("[wave] input 0 is needed for the gradient but was overwritten by `_copy`"), std::string::npos) << e.message();
  }
}
TEST(CachedGraph, NamesTheNodeThatFails) {
  auto f = [](Builder&, const std::vector<Val>& x) { return std::vector<Val>{CallOp("elemwise_add", {x[0], CallOp("Reshape", {x[0]}, {{"shape", "(-1,)"}})})}; };
  auto g = Make<CachedGraph>("wrong", f, std::vector<bool>());
  EXPECT_THROW(g->Run(kPlain, {Uniform({2, 3})}), Error);
}
TEST(CachedGraph, PoisonGoesThrough) {
  auto f = [](Builder&, const std::vector<Val>& x) { return std::vector<Val>{Op1("sin", x[0])}; };
  auto g = Make<CachedGraph>("wave", f, std::vector<bool>());
  NDArray x = Uniform({3});
  WaitToRead(*x);
  x->storage->var.SetPoison(Ref<const Poison>::Take(new Poison(Error(Status::kIndex, "[source] it failed"))));
  try {
    auto y = g->Run(kPlain, {x});
    WaitToRead(*y[0]);
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(e.message().find("it failed"), std::string::npos);
  }
}
TEST(CachedGraph, FallsBackIfAsked) {
  auto f = [](Builder& b, const std::vector<Val>& x) {
    if (!dynamic_cast<EagerBuilder*>(&b)) Fail(Status::kUnsupported, "peek", "reads a value.");
    return std::vector<Val>{Op1("sin", x[0])};
  };
  EXPECT_THROW(Make<CachedGraph>("peek", f, std::vector<bool>())->Run(kPlain, {Uniform({3})}), Error);
  HybridOptions o;
  o.fallback = true;
  auto g = Make<CachedGraph>("peek", f, std::vector<bool>(), o);
  NDArray x = WithGrad(Uniform({3}));
  for (int i = 0; i < 2; ++i) EXPECT_EQ(Difference("result", g->Run(kRecord, {x}), RunImperatively(f, kPlain, {x}).results, 0), "");
  EXPECT_NE(g->Text("signatures").find("runs imperatively"), std::string::npos);
}
TEST(CachedGraph, TheSameArrayAsStateAndInput) {
  auto f = [](Builder&, const std::vector<Val>& x) {
    Val y = CallOp("BatchNorm", {x[0], x[1], x[1], x[2], x[3]});
    return std::vector<Val>{y, x[4] + x[4]};
  };
  auto g = Make<CachedGraph>("norm", f, std::vector<bool>(), NoPasses());
  NDArray mean = Uniform({3}), x = Uniform({2, 3}), one = Uniform({3}), variance = Uniform({3}, 1, 2);
  auto y = g->Run(kTrain, {x, one, mean, variance, mean});
  EXPECT_EQ(y[1]->shape, Shape({3}));
  EXPECT_THROW(g->Run(kTrain, {x, one, mean, mean, one}), Error);  // both moving statistics in one place
}
TEST(CachedGraph, ManyThreadsAtOnce) {
  auto g = Make<CachedGraph>("net", &Net, std::vector<bool>(), NoPasses());
  auto want = RunImperatively(&Net, kPlain, NetInputs(4)).results;
  auto in = NetInputs(4);
  for (auto& a : in) AttachGrad(a, GradReq::kNull), WaitToRead(*a);
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      std::vector<NDArray> own = in;
      own[1] = WithGrad(CopyOf(in[1]));
      for (int i = 0; i < 50; ++i) {
        auto y = g->Run(i % 2 ? kPlain : kRecord, t % 2 ? in : own);
        if (!Difference("result", y, want, 0).empty()) ++wrong;
        if (y[0]->node) Backward({y[0]}, {}, 0);
      }
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(wrong.load(), 0);
}
TEST(CachedGraph, GivesMemoryBack) {
  auto g = Make<CachedGraph>("net", &Net, std::vector<bool>(), NoPasses());
  auto in = NetInputs(64);
  auto once = [&] {
    auto y = g->Run(kRecord | kTrain, in);
    Backward({y[0]}, {}, 0);
    Engine::Get().WaitAll(-1);
  };
  once();
  int64_t before = HostMemoryStats().live;
  for (int i = 0; i < 20; ++i) once();
  EXPECT_EQ(HostMemoryStats().live, before);
}

}  // namespace
}  // namespace flx

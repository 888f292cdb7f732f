// SPDX-License-Identifier: Apache-2.0
// Hybrid execution as a C++ program has it: layers, graphs, functions.
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "flexor/flexor.hpp"
#include "flexor/nn.hpp"
#include "flexor/op.hpp"

namespace {
using namespace flexor;

std::vector<float> Values(const NDArray& a) { return a.to_vector<float>(); }
NDArray Uniform(const Shape& s) { return op::random_uniform(op::RandomUniformOptions().low(-1).high(1).shape(s)); }

TEST(Hybridize, AFunction) {
  int traced = 0;
  NDArray scale = array({1, 2, 3});
  auto f = hybridize([&](const NDArray& x, const NDArray& y) {
    ++traced;
    return op::sin(x) * scale + y;
  });
  NDArray x = Uniform({2, 3}), y = Uniform({2, 3});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Values(f(x, y)), Values(op::sin(x) * scale + y));
  EXPECT_EQ(traced, 1);
  NDArray wide = Uniform({5, 3});
  EXPECT_EQ(Values(f(wide, wide)), Values(op::sin(wide) * scale + wide));
  EXPECT_EQ(traced, 2);
  EXPECT_NE(f.text("graph").find("sin"), std::string::npos) << f.text("graph");
}
TEST(Hybridize, GradientsGoThroughAndReachWhatWasCaptured) {
  NDArray w = array({0.5, -1, 2}), x = array({1, 2, 3});
  w.attach_grad(), x.attach_grad();
  auto by_hand = [&](const NDArray& v) { return op::sin(v * w) * v; };
  auto f = hybridize(by_hand);
  for (int i = 0; i < 2; ++i) {
    std::vector<float> dw, dx;
    for (bool planned : {false, true}) {
      NDArray y;
      {
        autograd::Record record;
        y = planned ? f(x) : by_hand(x);
      }
      y.backward();
      if (!planned) dw = Values(w.grad()), dx = Values(x.grad());
      EXPECT_EQ(Values(w.grad()), dw);
      EXPECT_EQ(Values(x.grad()), dx);
    }
  }
}
TEST(Hybridize, SeveralResultsAndRandomNumbers) {
  auto by_hand = [](const NDArray& x) {
    return std::vector<NDArray>{op::dropout(x, op::DropoutOptions().p(0.5)), op::dropout(x * 2, op::DropoutOptions().p(0.5)), x};
  };
  auto f = hybridize(by_hand);
  NDArray x = ones({40});
  autograd::TrainMode train;
  for (int i = 0; i < 3; ++i) {
    seed(7 + i);
    auto want = by_hand(x);
    seed(7 + i);
    auto got = f(x);
    ASSERT_EQ(got.size(), 3u);
    for (size_t k = 0; k < 3; ++k) EXPECT_EQ(Values(got[k]), Values(want[k])) << i << " " << k;  // also where this call traces
  }
}
TEST(Hybridize, NamesWhatItCannotHold) {
  auto reads = [](const NDArray& x) { return op::sum(x).item() > 0 ? x + 1 : x - 1; };
  NDArray x = array({1, 2});
  try {
    hybridize(reads)(x);
    FAIL();
  } catch (const UnsupportedError& e) {
    EXPECT_NE(std::string(e.what()).find("[sum] its result is read by the host while a function is traced"), std::string::npos) << e.what();
  }
  auto f = hybridize(reads, {{"fallback", true}});
  EXPECT_EQ(Values(f(x)), (std::vector<float>{2, 3}));
  EXPECT_EQ(Values(f(-x)), (std::vector<float>{-2, -3}));
  EXPECT_TRUE(f.imperative());
  auto writes = [](const NDArray& v) {
    NDArray y = v + 1;
    v.copy_into(y);
    return y;
  };
  EXPECT_THROW(hybridize(writes)(x), UnsupportedError);
  auto backward = [](const NDArray& v) {
    NDArray y = v * 2;
    y.backward();
    return y;
  };
  EXPECT_THROW(hybridize(backward)(x), UnsupportedError);
}
TEST(Hybridize, ViewsCopiesAndDetachedParts) {
  auto by_hand = [](const NDArray& x) { return x[1] * x.slice(0, 2).reshape({2, 3}).detach() + x.copy()[0]; };
  auto f = hybridize(by_hand);
  NDArray x = Uniform({3, 3});
  x.attach_grad();
  std::vector<float> values, grads;
  for (bool planned : {false, true}) {
    NDArray y;
    {
      autograd::Record record;
      y = planned ? f(x) : by_hand(x);
    }
    y.backward();
    if (!planned) values = Values(y), grads = Values(x.grad());
    EXPECT_EQ(Values(y), values);
    EXPECT_EQ(Values(x.grad()), grads);
  }
}
TEST(Hybridize, AFunctionOfLayersInAFunction) {
  Layer net = nn::Sequential().add(nn::Dense(4)).add(nn::Activation("relu"));
  Params p = Params::init(net, {{"data", {2, 3}}}, 1);
  auto inner = hybridize([&](const NDArray& x) { return net.run(p, {x})[0]; });
  auto outer = hybridize([&](const NDArray& x) { return op::exp(inner(x)); });
  NDArray x = Uniform({2, 3});
  EXPECT_EQ(Values(outer(x)), Values(op::exp(net.run(p, {x})[0])));
}

TEST(Hybridize, ALayerTrains) {
  auto train = [](bool planned, const char* passes) {
    Layer net = nn::Sequential().add(nn::Dense(8)).add(nn::BatchNorm()).add(nn::Activation("tanh")).add(nn::Dropout(0.2)).add(nn::Dense(3)), loss = nn::L2Loss();
    if (planned) net.hybridize({{"passes", passes}});
    Params p = Params::init(net, {{"data", {16, 5}}}, 3);
    p.attach_grad();
    Optimizer sgd = optimizer::SGD(0.1);
    seed(5);
    NDArray x = Uniform({16, 5}), y = Uniform({16, 3});
    std::vector<float> losses;
    for (int i = 0; i < 20; ++i) {
      NDArray l;
      {
        autograd::Record record;
        l = loss(net.run(p, {x})[0], y);
      }
      l.backward();
      sgd.step(p);
      losses.push_back(static_cast<float>(op::sum(l).item()));
    }
    return losses;
  };
  auto by_hand = train(false, "");
  EXPECT_EQ(train(true, "none"), by_hand);
  auto planned = train(true, "");
  for (size_t i = 0; i < planned.size(); ++i) EXPECT_NEAR(planned[i], by_hand[i], 1e-4 * by_hand[0]) << i;
  EXPECT_LT(by_hand.back(), by_hand.front());
}
TEST(Hybridize, ALayerTellsOfItsPlans) {
  Layer net = nn::Dense(4);
  EXPECT_THROW(net.plan("graph"), StateError);
  net.hybridize({{"print", true}});
  EXPECT_EQ(net.plan("graph"), "");
  Params p = Params::init(net, {{"data", {2, 3}}}, 1);
  NDArray x = Uniform({2, 3});
  auto want = Values(net.hybridize({{"active", false}}).run(p, {x})[0]);
  net.hybridize({{"print", true}});
  EXPECT_EQ(Values(net.run(p, {x})[0]), want);
  EXPECT_NE(net.plan("plan").find("arena: "), std::string::npos);
  EXPECT_NE(net.plan("print").find("==== after fold"), std::string::npos);
  EXPECT_NE(net.plan("signatures").find("traced: 1, kept: 1\ninference: float32 (2, 3), "), std::string::npos) << net.plan("signatures");
  EXPECT_THROW(net.hybridize({{"passes", "fuze"}}), NameError);
  EXPECT_THROW(net.hybridize({{"plans", 0}}), ArgumentError);
  EXPECT_THROW(net.plan("grahp"), NameError);
}
TEST(Hybridize, AGraphFromManyThreads) {
  Symbol x = variable("x");
  Graph g(compose("sin", {compose("exp", {x})}));
  EXPECT_EQ(g.text("planned"), "1");
  NDArray a = Uniform({64});
  auto want = Values(op::sin(op::exp(a)));
  std::vector<std::thread> threads;
  std::vector<int> wrong(4);
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) wrong[static_cast<size_t>(t)] += Values(g.run({a})[0]) != want;
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(wrong, std::vector<int>(4));
}

TEST(Hybridize, SymbolsAfterAPass) {
  Symbol x = variable("x"), y = compose("sin", {x}), z = compose("sin", {x});
  Symbol s = compose("elemwise_add", {compose("exp", {y}), compose("exp", {z})}, {}, "sum").infer({{"x", {4}}});
  EXPECT_EQ(s.count(Part::internal), 6);
  Symbol merged = s.transform("merge");
  EXPECT_EQ(merged.count(Part::internal), 4);
  EXPECT_EQ(merged.names(Part::argument), (std::vector<std::string>{"x"}));
  NDArray a = Uniform({4});
  EXPECT_EQ(Values(Graph(merged).run({a})[0]), Values(Graph(s).run({a})[0]));
  Symbol fused = merged.transform("fuse");
  EXPECT_EQ(fused.count(Part::internal), 2) << fused.draw("dot");
  EXPECT_EQ(Values(Graph(fused).run({a})[0]), Values(Graph(s).run({a})[0]));
  EXPECT_THROW(s.transform("marge"), NameError);
  EXPECT_THROW(compose("sin", {variable("v")}).transform("merge"), StateError);
  Graph g(s);
  EXPECT_EQ(g.text("svg"), "");
  g.run({a});
  EXPECT_NE(g.text("svg").find("</svg>"), std::string::npos);
  EXPECT_NE(g.text("dot").find("digraph"), std::string::npos);
}

}  // namespace

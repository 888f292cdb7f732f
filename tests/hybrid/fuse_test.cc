// SPDX-License-Identifier: Apache-2.0
#include <random>

#include "compare.h"
#include "op/elementwise/chain.h"

namespace flx {
namespace {

Ir Traced(const TraceFunction& f, std::vector<Shape> shapes, bool training = false, DType t = DType::kFloat32) {
  std::vector<TraceInput> in;
  for (auto& s : shapes) in.push_back({s, t});
  return TraceForward(f, in, training);
}
Val Op1(const char* op, Val x) { return CallOp(op, {x}); }
// The nodes, chains as their text.
std::vector<std::string> Texts(const Ir& ir) {
  std::vector<std::string> all;
  for (auto& n : ir.nodes) all.push_back(n.op->name == std::string_view("_fused") ? static_cast<const ChainAttrs*>(n.attrs.get())->chain.Print() : std::string(n.op->name));
  return all;
}
using Names = std::vector<std::string>;

TEST(Fuse, AChain) {
  Ir ir = Traced([](Builder&, const std::vector<Val>& x) { return std::vector<Val>{Op1("tanh", x[0] * x[1] + 1)}; }, {{2, 3}, {2, 3}});
  EXPECT_EQ(FuseElementwise(&ir), 3);
  EXPECT_EQ(Texts(ir), Names{"tanh(_plus_scalar(broadcast_mul(x0, x1)))"});
  EXPECT_EQ(FuseElementwise(&ir), 0);
}
TEST(Fuse, SharedValuesAreFurtherOutputs) {
  Ir ir = Traced([](Builder&, const std::vector<Val>& x) {
    Val a = Op1("exp", x[0]);
    return std::vector<Val>{Op1("relu", a), a, CallOp("sum", {Op1("tanh", a)})};
  }, {{2, 3}});
  EXPECT_EQ(FuseElementwise(&ir), 3);
  EXPECT_EQ(Texts(ir), (Names{"t0 = exp(x0); t0; relu(t0); tanh(t0)", "sum"}));
}
TEST(Fuse, NoCycles) {  // the sum in the middle reads the first, and the last reads the sum: the last may not join
  Ir ir = Traced([](Builder&, const std::vector<Val>& x) {
    Val a = Op1("exp", x[0]), s = CallOp("sum", {a}, {{"axis", "0"}, {"keepdims", "True"}});
    return std::vector<Val>{Op1("tanh", CallOp("broadcast_add", {Op1("sin", a), s}))};
  }, {{2, 3}});
  EXPECT_EQ(FuseElementwise(&ir), 3);
  EXPECT_EQ(Texts(ir), (Names{"exp", "sum", "tanh(broadcast_add(sin(x0), x1))"}));
}
TEST(Fuse, OtherShapesStandApart) {
  Ir ir = Traced([](Builder&, const std::vector<Val>& x) {
    Val bias = Op1("exp", x[1]);
    return std::vector<Val>{Op1("tanh", CallOp("broadcast_add", {x[0], Op1("abs", bias)}))};
  }, {{4, 3}, {3}});
  EXPECT_EQ(FuseElementwise(&ir), 4);
  EXPECT_EQ(Texts(ir), (Names{"abs(exp(x0))", "tanh(broadcast_add(x0, x1))"}));
}
TEST(Fuse, WhatHasAKernelOfItsOwnButLoopsToo) {
  Ir ir = Traced([](Builder&, const std::vector<Val>& x) {
    Val a = CallOp("Activation", {x[0]}, {{"act_type", "softrelu"}}), b = CallOp("LeakyReLU", {a}, {{"act_type", "gelu"}});
    return std::vector<Val>{CallOp("where", {x[1], b, a})};
  }, {{2, 3}, {2, 3}});
  EXPECT_EQ(FuseElementwise(&ir), 3);
  EXPECT_EQ(Texts(ir), (Names{"t0 = _softrelu(x0); _npi_where(x1, _gelu(t0), t0)"}));
}
TEST(Fuse, NotAcrossAnUpdate) {
  Ir ir = Traced([](Builder&, const std::vector<Val>& x) {
    Val before = Op1("exp", x[3]);   // the running mean, before BatchNorm changes it
    Val y = CallOp("BatchNorm", {x[0], x[1], x[2], x[3], x[4]});
    return std::vector<Val>{Op1("tanh", before), y};
  }, {{2, 3}, {3}, {3}, {3}, {3}}, true);
  EXPECT_EQ(FuseElementwise(&ir), 2);  // upwards
  EXPECT_EQ(Texts(ir)[0], "tanh(exp(x0))");
  Ir both = Traced([](Builder&, const std::vector<Val>& x) {
    Val before = Op1("exp", x[3]);
    Val y = CallOp("BatchNorm", {x[0], x[1], x[2], x[3], x[4]});
    return std::vector<Val>{before * x[3], y};  // the mean before, and after
  }, {{2, 3}, {3}, {3}, {3}, {3}}, true);
  EXPECT_EQ(FuseElementwise(&both), 0);
}
TEST(Fuse, WhatIsFixedStaysApart) {
  std::vector<TraceInput> in = {{{2, 3}, DType::kFloat32}, {{2, 3}, DType::kFloat32}};
  in[1].fixed = true;
  Ir ir = TraceForward([](Builder&, const std::vector<Val>& x) { return std::vector<Val>{Op1("tanh", x[0] * Op1("exp", Op1("abs", x[1])))}; }, in, false);
  EXPECT_EQ(FuseElementwise(&ir), 4);
  EXPECT_EQ(Texts(ir), (Names{"exp(abs(x0))", "tanh(broadcast_mul(x0, x1))"}));
}
TEST(Fuse, Limits) {
  Ir ir = Traced([](Builder&, const std::vector<Val>& x) {
    Val v = x[0];
    for (int i = 0; i < 100; ++i) v = Op1("sin", v);
    Val s = x[0];
    for (auto& each : x) s = s + each;
    return std::vector<Val>{v, s};
  }, std::vector<Shape>(30, Shape{5}));
  FuseElementwise(&ir);
  for (auto& n : ir.nodes) {
    if (n.op->name != std::string_view("_fused")) continue;
    auto& c = static_cast<const ChainAttrs*>(n.attrs.get())->chain;
    EXPECT_LE(c.steps().size(), size_t(kChainSteps));
    EXPECT_LE(c.ninputs(), kChainInputs);
  }
  EXPECT_LE(ir.nodes.size(), 12u);
}

// Random graphs of elementwise operators, sums among them, planned with the pass and without: every bit, also of gradients.
TEST(Fuse, RandomGraphsKeepTheirBits) {
  const char* one[] = {"relu", "sigmoid", "tanh", "square", "negative", "_copy", "softsign"};
  const char* two[] = {"broadcast_add", "broadcast_mul", "broadcast_sub", "broadcast_maximum", "broadcast_minimum"};
  int64_t fused = 0;
  for (unsigned seed = 1; seed <= 150 && !testing::Test::HasFailure(); ++seed) {
    TraceFunction f = [&](Builder&, const std::vector<Val>& x) {
      std::mt19937 g(seed);
      std::vector<Val> v = x, out;
      int n = 2 + int(g() % 40);
      for (int i = 0; i < n; ++i) {
        Val a = v[g() % v.size()], b = v[g() % v.size()];
        unsigned kind = g() % 12;
        if (kind < 4) v.push_back(Op1(one[g() % 7], a));
        else if (kind < 9) v.push_back(CallOp(two[g() % 5], {a, b}));
        else if (kind < 10) v.push_back(a * 0.5 + 0.25);
        else if (kind < 11) v.push_back(CallOp("Activation", {a}, {{"act_type", "sigmoid"}}));
        else v.push_back(CallOp("mean", {a}, {{"axis", "0"}, {"keepdims", "True"}}));
        if (g() % 8 == 0) out.push_back(v.back());
      }
      out.push_back(v.back());
      return out;
    };
    std::mt19937 g(seed + 1000);
    const Shape shapes[] = {{4, 6}, {1, 6}, {4, 1}, {6}};
    auto inputs = [&] {
      std::vector<NDArray> in;
      for (auto& s : shapes) {
        in.push_back(Invoke1("_random_uniform", {}, {{"shape", Text(s)}, {"low", "-1"}}));
        if (seed % 2) AttachGrad(in.back(), GradReq::kWrite);
      }
      return in;
    };
    SeedRandom(seed);
    auto first = inputs();
    SeedRandom(seed);
    auto second = inputs();
    int mode = seed % 2 ? kRecord | kTrain : kPlain;
    Outcome want = RunImperatively(f, mode, first);
    HybridOptions o;
    o.passes = "fuse";
    auto c = Make<CachedGraph>("fuse", f, std::vector<bool>(4, false), o);
    SCOPED_TRACE(Text("seed ", seed));
    EXPECT_EQ(Difference(RunPlanned(*c, mode, second), want), "");
    Ir ir = Traced(f, {shapes[0], shapes[1], shapes[2], shapes[3]});
    fused += FuseElementwise(&ir);
  }
  EXPECT_GT(fused, 1000);
}

}  // namespace
}  // namespace flx

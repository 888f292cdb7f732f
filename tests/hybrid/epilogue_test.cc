// SPDX-License-Identifier: Apache-2.0
#include "compare.h"
#include "op/nn/fully_connected.h"

namespace flx {
namespace {

using Vals = std::vector<Val>;
Val Dense(const Vals& in, int64_t n) { return CallOp("FullyConnected", in, {{"num_hidden", Text(n)}, {"no_bias", in.size() == 2 ? "True" : "False"}}); }
std::vector<std::string> Ops(const Ir& ir) {
  std::vector<std::string> all;
  for (auto& n : ir.nodes) all.push_back(n.op->name);
  return all;
}
using Names = std::vector<std::string>;
Ir Passed(const TraceFunction& f, std::vector<Shape> shapes) {
  std::vector<TraceInput> in;
  for (auto& s : shapes) in.push_back({s, DType::kFloat32});
  Ir ir = TraceForward(f, in, false);
  FuseElementwise(&ir);
  ChainEpilogue(&ir);
  return ir;
}

TEST(Epilogue, AnActivation) {
  Ir ir = Passed([](Builder&, const Vals& x) { return Vals{CallOp("Activation", {Dense(x, 5)}, {{"act_type", "relu"}})}; }, {{3, 4}, {5, 4}, {5}});
  ASSERT_EQ(Ops(ir), Names{"_fully_connected_chain"});
  EXPECT_EQ(static_cast<const FullyConnectedChainAttrs*>(ir.nodes[0].attrs.get())->chain.Print(), "relu(x0)");
}
TEST(Epilogue, AChainThatReadsMore) {
  Ir ir = Passed([](Builder&, const Vals& x) { return Vals{CallOp("broadcast_mul", {x[2], CallOp("tanh", {CallOp("broadcast_add", {x[3], Dense({x[0], x[1]}, 5)})})})}; },
                 {{3, 4}, {5, 4}, {5}, {3, 5}});
  ASSERT_EQ(Ops(ir), Names{"_fully_connected_chain"});
  EXPECT_EQ(ir.nodes[0].in.size(), 4u);
}
TEST(Epilogue, NotWhereTheProductIsReadBesides) {
  auto both = [](Builder&, const Vals& x) {
    Val y = Dense(x, 5);
    return Vals{CallOp("relu", {y}), CallOp("sum", {y})};
  };
  EXPECT_EQ(Passed(both, {{3, 4}, {5, 4}, {5}}).nodes.size(), 3u);
  auto result = [](Builder&, const Vals& x) {
    Val y = Dense(x, 5);
    return Vals{CallOp("relu", {y}), y};
  };
  EXPECT_EQ(Passed(result, {{3, 4}, {5, 4}, {5}}).nodes.size(), 2u);
  auto columns = [](Builder&, const Vals& x) { return Vals{CallOp("broadcast_add", {Dense({x[0], x[1]}, 5), x[2]})}; };  // a number for each row
  EXPECT_EQ(Passed(columns, {{3, 4}, {5, 4}, {3, 1}}).nodes.size(), 2u);
}
// Every way that products are cut: one row, few, one block, many, along k; and training, where gradients read what is between.
TEST(Epilogue, KeepsEveryBit) {
  struct { int64_t m, k, n; } sizes[] = {{1, 784, 128}, {7, 33, 50}, {64, 100, 130}, {700, 300, 260}, {4, 40000, 20}, {1, 600, 3000}, {2, 0, 3}};
  for (auto& s : sizes)
    for (int mode : {int(kPlain), kRecord | kTrain}) {
      TraceFunction f = [&](Builder&, const Vals& x) {
        Val y = CallOp("Activation", {Dense({x[0], x[1], x[2]}, s.n)}, {{"act_type", "sigmoid"}}) * 1.5;
        return Vals{CallOp("tanh", {CallOp("broadcast_add", {Dense({y, x[3]}, s.n), y})})};
      };
      auto inputs = [&] {
        SeedRandom(5);
        std::vector<NDArray> in;
        for (Shape shape : {Shape{s.m, s.k}, Shape{s.n, s.k}, Shape{s.n}, Shape{s.n, s.n}}) {
          in.push_back(Invoke1("_random_uniform", {}, {{"shape", Text(shape)}, {"low", "-0.1"}, {"high", "0.1"}}));
          if (mode) AttachGrad(in.back(), GradReq::kWrite);
        }
        return in;
      };
      Outcome want = RunImperatively(f, mode, inputs());
      HybridOptions o;
      o.passes = "fuse, epilogue";
      auto c = Make<CachedGraph>("dense", f, std::vector<bool>(4, false), o);
      EXPECT_EQ(Difference(RunPlanned(*c, mode, inputs()), want), "") << s.m << " " << s.k << " " << s.n << " mode " << mode;
    }
}

}  // namespace
}  // namespace flx

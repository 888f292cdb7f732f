// SPDX-License-Identifier: Apache-2.0
// Graphs that run node by node, on a device: control flow, arrays from nothing, gradients.
#include <gtest/gtest.h>

#include "device_helpers.h"
#include "exec/autograd.h"
#include "exec/graph.h"
#include "graph/control.h"

namespace flx {
namespace {

NDArray Leaf(const Values& v, const Shape& s, const Device* d) {
  NDArray a = Make(v, s, d, DType::kFloat64);
  AttachGrad(a, GradReq::kWrite);
  return a;
}
Ref<Symbol> Var(const std::string& name) { return Symbol::Variable(name, {}); }
Ref<Symbol> Op(const char* op, const std::string& name, const std::vector<Ref<Symbol>>& in, const Symbol::Texts& texts = {}) { return Symbol::Compose(FindOp(op), name, in, {}, texts); }

struct Result { std::vector<Values> outputs, grads; };
Result RunOn(const Device* d, const Ref<Symbol>& symbol, const std::vector<std::pair<Values, Shape>>& inputs) {
  std::vector<NDArray> in;
  for (auto& i : inputs) in.push_back(Leaf(i.first, i.second, d));
  GraphRun run(Graph::New(symbol), kRecord, in);
  while (!run.Go(1000)) {}
  for (auto& y : run.outputs()) EXPECT_EQ(y->device(), d);
  std::vector<NDArray> heads;
  for (auto& y : run.outputs()) if (IsRecorded(*y)) heads.push_back(y);
  Backward(heads, {}, 0);
  Result r;
  for (auto& y : run.outputs()) r.outputs.push_back(Read(y));
  for (auto& x : in) r.grads.push_back(Read(GradOf(*x)));
  return r;
}
void Compare(const Ref<Symbol>& symbol, const std::vector<std::pair<Values, Shape>>& inputs) {
  PrepareDevice();
  Result host = RunOn(nullptr, symbol, inputs), there = RunOn(DeviceUnderTest(), symbol, inputs);
  auto near = [](const std::vector<Values>& a, const std::vector<Values>& b) {
    ASSERT_EQ(a.size(), b.size());
    for (size_t i = 0; i < a.size(); ++i) {
      ASSERT_EQ(a[i].size(), b[i].size()) << i;
      for (size_t k = 0; k < a[i].size(); ++k) EXPECT_NEAR(a[i][k], b[i][k], 1e-12) << i << ", " << k;
    }
  };
  near(there.outputs, host.outputs);
  near(there.grads, host.grads);
}

TEST(DeviceGraph, ArraysFromNothingLieWithTheInputs) {
  auto h = Op("_zeros", "h0", {}, {{"shape", "(-1, 3)"}, {"dtype", "float64"}}), one = Op("_ones", "one", {}, {{"shape", "(2, 3)"}, {"dtype", "float64"}});
  Compare(Op("elemwise_add", "z", {Op("elemwise_add", "y", {Var("x"), h}), one}), {{{1, 2, 3, 4, 5, 6}, {2, 3}}});
}
TEST(DeviceGraph, LoopsAndConditions) {
  auto next = Op("tanh", "next", {Op("elemwise_add", "plus", {Op("dot", "dot", {Var("x_i"), Var("w")}), Var("s_i")})});
  auto scan = ComposeForeach("scan", *Symbol::Group({Op("_mul_scalar", "twice", {next}, {{"scalar", "2"}}), next}), 1, {"x_i", "s_i"}, {Var("xs"), Var("s0")});
  Compare(scan, {{{.1, .2, .3, .4, .5, .6}, {3, 1, 2}}, {{.7, .8}, {1, 2}}, {{1, 2, -1, .5}, {2, 2}}});
  auto n = Var("n");
  auto body = Symbol::Group({Op("square", "sq", {n}), Op("elemwise_add", "add", {n, Var("k")})});
  auto count = ComposeWhileLoop("count", *Op("_lesser_scalar", "less", {n}, {{"scalar", "5"}}), *body, 1, 6, {"n"}, {Var("n0")});
  Compare(count, {{{1}, {1}}, {{2}, {1}}});  // fewer steps than there may be: the rest is zeros
  Compare(count, {{{9}, {1}}, {{2}, {1}}});  // no step at all
  auto a = Var("a"), b = Var("b");
  auto choose = ComposeCond("choose", *Op("_greater_scalar", "positive", {Op("sum", "total", {a})}, {{"scalar", "0"}}), *Op("elemwise_mul", "times", {a, b}), *Op("elemwise_add", "plus", {a, b}),
                            {"a", "b"}, {Var("u"), Var("v")});
  Compare(choose, {{{1, 2}, {2}}, {{3, 4}, {2}}});
  Compare(choose, {{{-1, -2}, {2}}, {{3, 4}, {2}}});
}

}  // namespace
}  // namespace flx

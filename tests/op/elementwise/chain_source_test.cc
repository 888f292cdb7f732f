// SPDX-License-Identifier: Apache-2.0
// Kernels of chains as source: the real compiler takes them (NVRTC, which needs no GPU), every formula of them, in every dtype and form.
#include "op/elementwise/chain_source.h"

#include <gtest/gtest.h>

#include <set>

#include "nvrtc.h"
#include "random_chain.h"

namespace flx {
namespace {

Chain OneStep(const OpDef& op) {
  ChainStep s;
  s.op = &op, s.attrs = op.schema.defaults();
  for (size_t k = 0; k < op.inputs.size(); ++k) s.in.push_back(int(k));
  return Chain({s}, {0});
}
std::vector<const OpDef*> Steps() {  // one operator for each formula
  std::vector<const OpDef*> all;
  std::set<std::string> seen;
  for (const OpDef* op : AllOps())
    if (CanBeStep(*op) && seen.insert(op->kernel->loops->name).second) all.push_back(op);
  return all;
}
ChainForm Form(DType t, const std::string& places, int axes = 1, bool wide = false) {
  ChainForm f;
  f.dtype = t, f.axes = int8_t(axes), f.wide = wide;
  std::copy(places.begin(), places.end(), f.place);
  return f;
}
bool Serves(const OpDef& op, DType t) {
  const TileLoops& l = *op.kernel->loops;
  return IsFloat(t) ? l.f32 != nullptr : l.i32 != nullptr;
}

TEST(ChainSource, EveryStepHasAFormula) {
  for (auto* op : Steps()) EXPECT_NE(ChainFormula(op->kernel->loops->name), "") << op->name;
  EXPECT_GE(Steps().size(), 80u);
  EXPECT_EQ(ChainFormula("rsub_scalar"), "ScalarFirst<Sub>");
  EXPECT_EQ(ChainFormula("relu"), "Relu");
  EXPECT_EQ(ChainFormula("no such"), "");
}
TEST(ChainSource, Text) {
  Chain c;
  ASSERT_TRUE(Chain::Parse("t0 = _plus_scalar(x0, scalar=2); relu(broadcast_mul(t0, x1)); t0", &c));
  const std::string text = ChainKernelText(c, Form(DType::kFloat16, "cbc-", 2), "f");
  for (const char* part : {"const V t0 = ChainRounded<L, T>(Add()(x0, n0));", "const V t1 = ChainRounded<L, T>(Mul()(t0, x1));", "using T = Half;", "using L = float;", "Run<8>(p, 0, I(p.vectors))",
                           "ChainOffset(p.stride[1], at)", "w0.v[j] = ChainDown<L, T>(t2);"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " in\n" << text;
  EXPECT_EQ(text.find("w1"), std::string::npos) << "an output that is not wanted is not written\n" << text;
  EXPECT_EQ(text.find("2;"), std::string::npos) << "numbers are arguments\n" << text;
  EXPECT_EQ(ChainNumbers(c), 1);
}

struct Compiled : testing::Test {
  Nvrtc nvrtc;
  void SetUp() override { if (!nvrtc.there()) GTEST_SKIP() << "there is no NVRTC here (libnvrtc.so)"; }
  void Try(const std::string& kernels, int count) {
    std::string log;
    const std::string cubin = nvrtc.Compile(ChainPrelude() + kernels, &log);
    ASSERT_FALSE(cubin.empty()) << log.substr(0, 3000) << "\n" << kernels.substr(0, 4000);
    for (int i = 0; i < count; ++i) ASSERT_NE(cubin.find(Text("f", i)), std::string::npos) << i;
  }
};
TEST_F(Compiled, EveryFormulaInTheTypesItServes) {
  for (DType t : {DType::kFloat32, DType::kFloat64, DType::kInt32, DType::kUint64}) {  // a loop's types; others are converted to these
    std::string all;
    int n = 0;
    for (auto* op : Steps()) {
      if (!Serves(*op, t)) continue;
      Chain c = OneStep(*op);
      all += ChainKernelText(c, Form(t, std::string(op->inputs.size(), 'c') + "s"), Text("f", n++));  // no vectors: half the code
    }
    EXPECT_GT(n, 30);
    Try(all, n);
  }
}
TEST_F(Compiled, RandomChainsInEveryDtypeAndForm) {
  std::mt19937 g(3);
  std::string all;
  int n = 0;
  for (DType t : kEveryDType)
    for (int round = 0; round < 2; ++round) {
      Chain c = RandomChain(&g, 1 + int(g() % 4), IsFloat(t));
      std::string places;
      const int axes = 1 + int(g() % 4);
      for (int k = 0; k < c.ninputs(); ++k) places += "crbos"[g() % (round ? 5 : 4)];
      for (size_t o = 0; o < c.outputs().size(); ++o) places += "cr-s"[o == 0 ? g() % 2 : g() % (round ? 4 : 3)];
      all += ChainKernelText(c, Form(t, places, axes, round == 1), Text("f", n++));
    }
  Try(all, n);
}
// The most a chain may have, in as many axes as an array may: its argument still fits.
TEST_F(Compiled, TheLargest) {
  std::vector<ChainStep> steps;
  std::vector<int> outputs;
  const OpDef &add = FindOp("broadcast_add"), &clip = FindOp("clip");
  for (int i = 0; i < kChainSteps; ++i) {
    ChainStep s;
    s.op = i < kChainInputs ? &add : &clip;
    std::vector<KeyValue> options;
    if (s.op == &clip) options = {{"a_min", "-1"}, {"a_max", "1"}};
    s.attrs = s.op->schema.Parse(s.op->name, options.data(), options.size());
    s.in.push_back(i ? ~(i - 1) : 0);
    if (s.op == &add) s.in.push_back(i);
    steps.push_back(s);
    if (i >= kChainSteps - kChainOutputs) outputs.push_back(i);
  }
  Try(ChainKernelText(Chain(steps, outputs), Form(DType::kFloat16, std::string(kChainInputs + kChainOutputs, 's'), 32), "f0"), 1);
}

}  // namespace
}  // namespace flx

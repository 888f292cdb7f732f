// SPDX-License-Identifier: Apache-2.0
// The passes about convolutions: batch_norm, layout, conv_epilogue, alone and together, against imperative runs.
#include <random>

#include "compare.h"
#include "op/nn/blocked.h"

namespace flx {
namespace {

NDArray Uniform(const Shape& s, double low = -1, double high = 1) {
  return Invoke1("_random_uniform", {}, {{"shape", Text(s)}, {"low", Text(low)}, {"high", Text(high)}});
}
int CountOf(const Ir& ir, std::string_view op) {
  int n = 0;
  for (auto& k : ir.nodes) n += op == k.op->name;
  return n;
}
Val Conv(Val x, Val w, const char* kernel, int64_t filters, const char* stride = "()", const char* pad = "()", Val bias = {}) {
  std::vector<Val> in{x, w};
  if (bias) in.push_back(bias);
  return CallOp("Convolution", in, {{"kernel", kernel}, {"num_filter", Text(filters)}, {"stride", stride}, {"pad", pad}, {"no_bias", bias ? "False" : "True"}});
}
Val Relu(Val x) { return CallOp("Activation", {x}, {{"act_type", "relu"}}); }

// A residual net: stem with max pooling, a block with a projection, global pooling, a dense layer. x[0]: data (n, 3, h, w).
constexpr int64_t kWide = 32;
std::vector<Shape> ResidualShapes(int64_t n, int64_t side) {
  std::vector<Shape> s{{n, 3, side, side}, {kWide, 3, 7, 7}};
  auto norm = [&](int64_t c) { for (int i = 0; i < 4; ++i) s.push_back({c}); };
  norm(kWide);
  s.push_back({2 * kWide, kWide, 3, 3}), norm(2 * kWide);
  s.push_back({2 * kWide, 2 * kWide, 3, 3}), norm(2 * kWide);
  s.push_back({2 * kWide, kWide, 1, 1}), norm(2 * kWide);
  s.push_back({10, 2 * kWide}), s.push_back({10});
  return s;
}
std::vector<Val> Residual(Builder&, const std::vector<Val>& x) {
  size_t at = 1;
  auto norm = [&](Val v) {
    Val y = CallOp("BatchNorm", {v, x[at], x[at + 1], x[at + 2], x[at + 3]}, {{"fix_gamma", "False"}, {"eps", "0.00001"}});
    at += 4;
    return y;
  };
  Val y = Conv(x[0], x[at], "(7, 7)", kWide, "(2, 2)", "(3, 3)");
  ++at;
  y = Relu(norm(y));
  y = CallOp("Pooling", {y}, {{"kernel", "(3, 3)"}, {"stride", "(2, 2)"}, {"pad", "(1, 1)"}});
  Val a = Conv(y, x[at], "(3, 3)", 2 * kWide, "(2, 2)", "(1, 1)");
  ++at;
  a = Relu(norm(a));
  a = Conv(a, x[at], "(3, 3)", 2 * kWide, "()", "(1, 1)");
  ++at;
  a = norm(a);
  Val b = Conv(y, x[at], "(1, 1)", 2 * kWide, "(2, 2)");
  ++at;
  b = norm(b);
  y = Relu(a + b);
  y = CallOp("Pooling", {y}, {{"global_pool", "True"}, {"pool_type", "avg"}, {"kernel", "(1, 1)"}});
  return {CallOp("FullyConnected", {y, x[at], x[at + 1]}, {{"num_hidden", "10"}})};
}
bool IsStatistics(size_t input) { return input >= 2 && input < 22 && (input - 2) % 5 != 4 && (input - 2) % 5 >= 2; }
std::vector<NDArray> ResidualInputs(int64_t n, int64_t side, bool learn) {
  SeedRandom(5);
  std::vector<NDArray> in;
  auto shapes = ResidualShapes(n, side);
  for (size_t i = 0; i < shapes.size(); ++i) {
    double fan = shapes[i].ndim() == 4 && i ? double(shapes[i].size() / shapes[i][0]) : 1, most = i ? 1 / std::sqrt(fan) : 1;
    in.push_back(IsStatistics(i) ? Uniform(shapes[i], 0.3, 0.9) : Uniform(shapes[i], -most, most));
    if (learn && i && !IsStatistics(i)) AttachGrad(in.back(), GradReq::kWrite);
  }
  return in;
}
std::vector<bool> Fixed(size_t n) {
  std::vector<bool> f(n, true);
  f[0] = false;
  return f;
}
HybridOptions Only(const char* passes) {
  HybridOptions o;
  o.passes = passes;
  return o;
}
Ir ResidualIr(bool training, int64_t n = 2, int64_t side = 64) {
  std::vector<TraceInput> in;
  for (auto& s : ResidualShapes(n, side)) in.push_back({s, DType::kFloat32, !in.empty() && !training, !in.empty() && training && !IsStatistics(in.size())});
  return training ? TraceGradient(&Residual, in, true) : TraceForward(&Residual, in, false);
}

TEST(ConvolutionPasses, InferenceStaysWithinRounding) {
  for (const char* passes : {"batch_norm", "layout", "layout,conv_epilogue", "batch_norm,layout,conv_epilogue", ""})
    for (int64_t n : {1, 3, 9}) {
      auto g = Make<CachedGraph>("residual", &Residual, Fixed(ResidualShapes(1, 33).size()), Only(passes));
      EXPECT_EQ(Difference(RunPlanned(*g, kPlain, ResidualInputs(n, 33, false)), RunImperatively(&Residual, kPlain, ResidualInputs(n, 33, false)), 1e-4), "") << passes << ", batch " << n;
    }
}
TEST(ConvolutionPasses, TrainingStaysWithinRounding) {
  for (const char* passes : {"batch_norm", "layout", "layout,conv_epilogue", ""})
    for (int64_t n : {1, 8}) {
      auto g = Make<CachedGraph>("residual", &Residual, std::vector<bool>(), Only(passes));
      EXPECT_EQ(Difference(RunPlanned(*g, kRecord | kTrain, ResidualInputs(n, 33, true)), RunImperatively(&Residual, kRecord | kTrain, ResidualInputs(n, 33, true)), 2e-4), "")
          << passes << ", batch " << n;
    }
}
TEST(ConvolutionPasses, BatchNormGoesIntoWeights) {
  Ir ir = ResidualIr(false);
  EXPECT_EQ(FoldBatchNorm(&ir), 4);
  EXPECT_EQ(CountOf(ir, "BatchNorm"), 0);
  EXPECT_EQ(FoldBatchNorm(&ir), 0);
  Ir training = ResidualIr(true);
  EXPECT_EQ(FoldBatchNorm(&training), 0);
  std::vector<TraceInput> in;  // nothing is fixed
  for (auto& s : ResidualShapes(2, 33)) in.push_back({s, DType::kFloat32});
  Ir loose = TraceForward(&Residual, in, false);
  EXPECT_EQ(FoldBatchNorm(&loose), 0);
}
TEST(ConvolutionPasses, ArraysStayBlockedBetweenConvolutions) {
  if (!BestBlock()) GTEST_SKIP() << "this build or CPU has no library for blocked arrays";
  Ir ir = ResidualIr(false);
  EXPECT_GT(BlockLayouts(&ir), 0);
  EXPECT_EQ(CountOf(ir, "_to_blocked") + CountOf(ir, "_from_blocked"), 0) << ir.Print();  // the first convolution reads plain data; the last array is (n, c, 1, 1)
  EXPECT_EQ(CountOf(ir, "_blocked_convolution"), 4);
  EXPECT_EQ(CountOf(ir, "_blocked_batch_norm"), 4);
  EXPECT_EQ(CountOf(ir, "_blocked_pooling"), 2);
  EXPECT_EQ(CountOf(ir, "_pack_conv_weight"), 4);
  EXPECT_EQ(BlockLayouts(&ir), 0);
  Ir training = ResidualIr(true);
  BlockLayouts(&training);
  EXPECT_EQ(CountOf(training, "_to_blocked") + CountOf(training, "_from_blocked"), 0) << training.Print();
  EXPECT_EQ(CountOf(training, "_blocked_convolution_grad_data"), 3);
  EXPECT_EQ(CountOf(training, "_blocked_convolution_grad_weight"), 4);
  EXPECT_EQ(CountOf(training, "_convolution_grad_weight"), 0);
}
TEST(ConvolutionPasses, SumsAndReluGoIntoConvolutions) {
  if (!BestBlock()) GTEST_SKIP() << "this build or CPU has no library for blocked arrays";
  Ir ir = ResidualIr(false);
  FoldBatchNorm(&ir), BlockLayouts(&ir);
  EXPECT_EQ(ConvEpilogue(&ir), 4);  // three relu, one sum
  EXPECT_EQ(CountOf(ir, "Activation"), 0) << ir.Print();
  EXPECT_EQ(CountOf(ir, "_blocked_convolution_add"), 1);
  EXPECT_EQ(ConvEpilogue(&ir), 0);
}
// What the passes do not know stands between what they know.
TEST(ConvolutionPasses, BordersAreCrossedRightly) {
  auto f = [](Builder&, const std::vector<Val>& x) {
    Val a = Conv(x[0], x[1], "(3, 3)", 32, "()", "(1, 1)"), t = CallOp("transpose", {a}, {{"axes", "(0, 1, 3, 2)"}});
    Val b = Conv(t, x[1], "(3, 3)", 32, "()", "(1, 1)", x[2]);
    Val scaled = CallOp("broadcast_mul", {b, x[3]}), more = CallOp("broadcast_add", {scaled, x[4]});
    Val c = Conv(CallOp("Concat", {a, Relu(more)}, {{"dim", "1"}}), x[5], "(1, 1)", 16);
    return std::vector<Val>{c, a, CallOp("sum", {b}, {{"axis", "1"}}), CallOp("Dropout", {b}, {{"p", "0.5"}}), Conv(x[0], x[6], "(3, 3)", 5)};
  };
  auto inputs = [](bool learn) {
    SeedRandom(6);
    std::vector<NDArray> in{Uniform({4, 32, 9, 9}), Uniform({32, 32, 3, 3}, -0.1, 0.1), Uniform({32}), Uniform({1, 32, 1, 1}), Uniform({4, 1, 9, 9}), Uniform({16, 64, 1, 1}, -0.2, 0.2), Uniform({5, 32, 3, 3})};
    if (learn) for (auto& a : in) AttachGrad(a, GradReq::kWrite);
    return in;
  };
  for (int mode : {int(kPlain), int(kTrain), kRecord | kTrain}) {
    auto g = Make<CachedGraph>("borders", f, std::vector<bool>(), Only("layout,conv_epilogue"));
    EXPECT_EQ(Difference(RunPlanned(*g, mode, inputs(mode & kRecord)), RunImperatively(f, mode, inputs(mode & kRecord)), 1e-4), "") << "mode " << mode;
  }
}
TEST(ConvolutionPasses, TheMaximumComesBeforeWhatRises) {
  auto f = [](Builder&, const std::vector<Val>& x) {
    auto pool = [](Val v, const char* pad, const char* type) { return CallOp("Pooling", {v}, {{"kernel", "(2, 2)"}, {"stride", "(2, 2)"}, {"pad", pad}, {"pool_type", type}}); };
    auto act = [](Val v, const char* type) { return CallOp("Activation", {v}, {{"act_type", type}}); };
    Val read_twice = act(x[0], "sigmoid");
    return std::vector<Val>{pool(act(x[0], "tanh"), "()", "max"), pool(CallOp("exp", {x[0]}), "()", "max"),  // these two
                            pool(act(x[0], "relu"), "()", "max"), pool(act(x[0], "tanh"), "()", "avg"), pool(act(x[0], "tanh"), "(1, 1)", "max"),
                            pool(CallOp("cos", {x[0]}), "()", "max"), pool(read_twice, "()", "max"), read_twice};
  };
  auto trace = [&](bool training) { return TraceForward(f, {{{2, 3, 9, 8}, DType::kFloat32}}, training); };
  Ir ir = trace(false), training = trace(true);
  EXPECT_EQ(PoolFirst(&ir), 2) << ir.Print();
  EXPECT_EQ(PoolFirst(&ir), 0);
  EXPECT_EQ(PoolFirst(&training), 0);
  SeedRandom(7);
  NDArray x = Uniform({2, 3, 9, 8}, -3, 3);
  auto g = Make<CachedGraph>("maxima", f, std::vector<bool>(), Only("pool_first"));
  EXPECT_EQ(Difference(RunPlanned(*g, kPlain, {x}), RunImperatively(f, kPlain, {x}), 1e-6), "");
}
TEST(ConvolutionPasses, SmallConvolutionsStayAsTheyAre) {
  auto f = [](Builder&, const std::vector<Val>& x) {
    return std::vector<Val>{Conv(CallOp("Pooling", {Conv(x[0], x[1], "(5, 5)", 20)}, {{"kernel", "(2, 2)"}, {"stride", "(2, 2)"}}), x[2], "(5, 5)", 50)};
  };
  std::vector<TraceInput> in{{{1, 1, 28, 28}, DType::kFloat32}, {{20, 1, 5, 5}, DType::kFloat32}, {{50, 20, 5, 5}, DType::kFloat32}};
  Ir ir = TraceForward(f, in, false);
  EXPECT_EQ(BlockLayouts(&ir), 0);
}

// Random nets of everything that the passes know, and of some things they do not.
TEST(ConvolutionPasses, RandomNets) {
  int blocked = 0;
  for (uint32_t seed = 0; seed < 60; ++seed) {
    auto f = [seed](Builder&, const std::vector<Val>& x) {
      std::mt19937 r{seed};
      auto pick = [&](size_t n) { return size_t(r() % n); };
      std::vector<Val> all{x[0], x[1]};  // (2, 16, 8, 6), (2, 32, 8, 6)
      auto some = [&] { return all[pick(all.size())]; };
      auto like = [&](const Shape& s) {  // another value of this shape
        std::vector<Val> found;
        for (Val v : all) if (ShapeOf(v) == s) found.push_back(v);
        return found[pick(found.size())];
      };
      for (int i = 0; i < 12; ++i) {
        Val v = some();
        const Shape s = ShapeOf(v);
        const bool narrow = s[1] == 16;
        switch (pick(9)) {
          case 0: v = Conv(v, narrow ? x[2] : x[3], "(3, 3)", 32, "()", "(1, 1)"); break;
          case 1: v = Conv(v, narrow ? x[4] : x[5], "(1, 1)", 16, "()", "()", x[6]); break;
          case 2: v = narrow ? CallOp("BatchNorm", {v, x[6], x[7], x[8], x[9]}, {{"fix_gamma", "False"}}) : Relu(v); break;
          case 3: v = v + like(s); break;
          case 4: v = narrow ? CallOp("Concat", {v, like(s)}, {{"dim", "1"}}) : CallOp("tanh", {v}); break;
          case 5: v = CallOp("Pooling", {v}, {{"kernel", "(3, 3)"}, {"pad", "(1, 1)"}, {"pool_type", pick(2) ? "max" : "avg"}}); break;
          case 6: v = narrow ? CallOp("broadcast_mul", {v, ReshapeTo(x[7], {1, 16, 1, 1})}) : Relu(v + like(s)); break;
          case 7: v = CallOp("reverse", {v}, {{"axis", "2"}}); break;
          default: v = Relu(v);
        }
        all.push_back(v * 0.5);
      }
      return std::vector<Val>{all.back(), all[all.size() / 2], CallOp("mean", {all[all.size() - 2]})};
    };
    auto inputs = [&](bool learn) {
      SeedRandom(seed);
      std::vector<NDArray> in{Uniform({2, 16, 8, 6}), Uniform({2, 32, 8, 6}), Uniform({32, 16, 3, 3}, -0.15, 0.15), Uniform({32, 32, 3, 3}, -0.1, 0.1), Uniform({16, 16, 1, 1}, -0.4, 0.4),
                              Uniform({16, 32, 1, 1}, -0.3, 0.3), Uniform({16}), Uniform({16}), Uniform({16}), Uniform({16}, 0.5, 1)};
      for (size_t i = 0; learn && i < 8; ++i) AttachGrad(in[i], GradReq::kWrite);
      return in;
    };
    for (int mode : {int(kPlain), kRecord | kTrain}) {
      auto g = Make<CachedGraph>("random", f, Fixed(10), Only(seed % 2 ? "" : "batch_norm,layout,conv_epilogue"));
      EXPECT_EQ(Difference(RunPlanned(*g, mode, inputs(mode & kRecord)), RunImperatively(f, mode, inputs(mode & kRecord)), 5e-4), "") << "seed " << seed << ", mode " << mode;
      blocked += g->Text("graph").find("_blocked_convolution") != std::string::npos;
    }
  }
  if (BestBlock()) {
    EXPECT_GT(blocked, 60);  // of 120
  }
}

}  // namespace
}  // namespace flx

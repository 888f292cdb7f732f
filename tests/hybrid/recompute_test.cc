// SPDX-License-Identifier: Apache-2.0
#include "compare.h"

namespace flx {
namespace {

Val Op1(const char* op, Val x, const Options& o = {}) { return CallOp(op, {x}, o); }
Val Dense(Val x, Val w, int units) { return CallOp("FullyConnected", {x, w}, {{"num_hidden", Text(units)}, {"no_bias", "True"}}); }
NDArray Uniform(const Shape& s) { return Invoke1("_random_uniform", {}, {{"shape", Text(s)}, {"low", "-1"}, {"high", "1"}}); }

// A training step whose first result is a loss, with the passes `passes`.
struct Stepped { Ir ir; std::map<std::string, int64_t> changes; };
Stepped StepOf(const TraceFunction& f, const std::vector<Shape>& shapes, const char* passes) {
  std::vector<TraceInput> in;
  for (auto& s : shapes) in.push_back({s, DType::kFloat32, false, true});
  Stepped t{TraceStep(f, in, [](const std::vector<Val>& y) { return std::vector<Val>{OnesLike(y[0])}; }, true), {}};
  for (auto& r : RunPasses(&t.ir, PassSet(passes))) t.changes[r.pass->name] = r.changes;
  return t;
}
int64_t ArenaOf(const TraceFunction& f, const std::vector<Shape>& shapes, const char* passes) {
  return Make<Plan>(StepOf(f, shapes, passes).ir)->arena_bytes();
}
std::vector<NDArray> Arrays(const std::vector<Shape>& shapes) {
  SeedRandom(5);
  std::vector<NDArray> all;
  for (auto& s : shapes) all.push_back(Uniform(s)), AttachGrad(all.back(), GradReq::kWrite);
  return all;
}
void ExpectSameBits(const TraceFunction& f, const std::vector<Shape>& shapes) {
  Outcome want = RunImperatively(f, kRecord | kTrain, Arrays(shapes));
  for (const char* passes : {"recompute", "merge, recompute, fuse", "+recompute"}) {
    HybridOptions o;
    o.passes = passes;
    auto g = Make<CachedGraph>("again", f, std::vector<bool>(), o);
    for (int run = 0; run < 2; ++run) EXPECT_EQ(Difference(RunPlanned(*g, kRecord | kTrain, Arrays(shapes)), want), "") << passes;
  }
}

// Layers of a product, tanh and dropout: of the three values that each keeps (tanh's result, the mask, what was dropped) the first is enough.
const std::vector<Shape> kLayers = {{64, 32}, {32, 32}, {32, 32}, {32, 32}, {32, 32}, {32, 32}, {32, 32}};
std::vector<Val> Layers(Builder&, const std::vector<Val>& x) {
  Val h = x[0];
  for (size_t i = 1; i < x.size(); ++i) h = Op1("Dropout", Op1("tanh", Dense(h, x[i], 32)), {{"p", "0.4"}});
  return {Op1("sum", h)};
}
TEST(Recompute, DropsMasksAndWhatTheyDropped) {
  int64_t with = ArenaOf(&Layers, kLayers, "recompute"), without = ArenaOf(&Layers, kLayers, "none");
  EXPECT_LT(with, without / 2 + 3 * 64 * 32 * 4) << "without: " << without;
  auto t = StepOf(&Layers, kLayers, "recompute");
  EXPECT_EQ(t.changes["recompute"], 6);
  int products = 0, dropped = 0;
  for (auto& n : t.ir.nodes) products += n.op == &FindOp("FullyConnected"), dropped += n.op == &FindOp("Dropout");
  EXPECT_EQ(products, 6) << t.ir.Print();
  EXPECT_EQ(dropped, 12);
  ExpectSameBits(&Layers, kLayers);
}
// A row of elementwise operators, each of which reads its result in backward: every eighth is kept, so that eight more live at a time.
std::vector<Val> Row(Builder&, const std::vector<Val>& x) {
  Val h = x[0];
  for (int i = 0; i < 64; ++i) h = Op1(i % 2 ? "sigmoid" : "tanh", h);
  return {Op1("sum", h)};
}
TEST(Recompute, KeepsSomeOfALongRow) {
  constexpr int64_t kValue = 1000 * 4 + 32;  // places are multiples of 64 bytes
  EXPECT_GE(ArenaOf(&Row, {{1000}}, "none"), 64 * kValue);
  EXPECT_LE(ArenaOf(&Row, {{1000}}, "recompute"), 24 * kValue);
  ExpectSameBits(&Row, {{1000}});
}
TEST(Recompute, LetsViewsFollow) {
  auto f = [](Builder&, const std::vector<Val>& x) {
    Val h = Op1("exp", Op1("tanh", Dense(x[0], x[1], 16)));
    h = Dense(Op1("Reshape", h, {{"shape", "(4, 32)"}}), x[2], 8);
    return std::vector<Val>{Op1("sum", h)};
  };
  const std::vector<Shape> shapes = {{8, 8}, {16, 8}, {8, 32}};
  auto t = StepOf(f, shapes, "merge, recompute");
  EXPECT_EQ(t.changes["recompute"], 2) << t.ir.Print();  // exp and its view
  ExpectSameBits(f, shapes);
}
TEST(Recompute, LeavesTheRestAlone) {
  // dear operators; what comes from a state that the run changes; results, which live anyway; a value that only its input could replace
  auto f = [](Builder&, const std::vector<Val>& x) {
    Val h = CallOp("BatchNorm", {Dense(x[0], x[1], 8), x[2], x[3], x[4], x[5]});
    Val s = Op1("exp", x[4]);
    Val r = Op1("tanh", h);
    return std::vector<Val>{Op1("sum", r * s), r};
  };
  const std::vector<Shape> shapes = {{4, 8}, {8, 8}, {8}, {8}, {8}, {8}};
  std::vector<TraceInput> in;
  for (size_t i = 0; i < shapes.size(); ++i) in.push_back({shapes[i], DType::kFloat32, false, i < 4});
  Ir ir = TraceStep(f, in, [](const std::vector<Val>& y) { return std::vector<Val>{OnesLike(y[0]), Val{}}; }, true);
  std::string before = ir.Print();
  EXPECT_EQ(Recompute(&ir), 0) << ir.Print();
  EXPECT_EQ(ir.Print(), before);
  Ir forward = TraceForward(f, in, true);
  EXPECT_EQ(Recompute(&forward), 0);
}
TEST(Recompute, MovesWhatOnlyBackwardReads) {
  auto f = [](Builder&, const std::vector<Val>& x) {
    Op1("cos", x[0]);  // of this, the gradient of sin is made, once equal things are merged
    return std::vector<Val>{Op1("sum", Op1("sin", x[0]) * x[0])};
  };
  for (bool moved : {false, true}) {
    auto t = StepOf(f, {{512}}, moved ? "merge, recompute" : "merge");
    int forward = 0, backward = 0;
    for (auto& n : t.ir.nodes) if (n.op == &FindOp("cos")) ++(n.backward ? backward : forward);
    EXPECT_EQ(forward, moved ? 0 : 1) << t.ir.Print();
    EXPECT_EQ(backward, moved ? 1 : 0) << t.ir.Print();
  }
  ExpectSameBits(f, {{512}});
}

}  // namespace
}  // namespace flx

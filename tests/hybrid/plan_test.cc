// SPDX-License-Identifier: Apache-2.0
#include <random>

#include "compare.h"
#include "hybrid/arena.h"

namespace flx {
namespace {

TEST(Arena, BlocksThatLiveTogetherDoNotMeet) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    std::vector<ArenaBlock> blocks(1 + random() % 60);
    int64_t live[64] = {}, least = 0;
    for (auto& b : blocks) {
      b.bytes = random() % 5 ? int64_t(random() % 5000) : 0;
      b.first = int32_t(random() % 50), b.last = b.first + int32_t(random() % 10);
      for (int i = b.first; i <= b.last; ++i) live[i] += (std::max<int64_t>(b.bytes, 1) + 63) / 64 * 64;
    }
    for (int64_t n : live) least = std::max(least, n);
    int64_t end = PlaceBlocks(&blocks);
    EXPECT_GE(end, least);
    EXPECT_LE(end, 2 * least);  // greedy by size is near to the least in practice
    for (auto& a : blocks) {
      EXPECT_EQ(a.offset % 64, 0);
      EXPECT_LE(a.offset + a.bytes, end);
      for (auto& b : blocks)
        if (&a != &b && a.first <= b.last && b.first <= a.last && a.bytes && b.bytes) {
          EXPECT_TRUE(a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset);
        }
    }
  }
}

Ir Traced(const TraceFunction& f, std::vector<Shape> shapes) {
  std::vector<TraceInput> in;
  for (auto& s : shapes) in.push_back({s, DType::kFloat32});
  return TraceForward(f, in, false);
}
Val Op1(const char* op, Val x) { return CallOp(op, {x}); }

TEST(Plan, AChainLiesInOnePlace) {
  auto f = [](Builder&, const std::vector<Val>& x) {
    Val v = x[0];
    for (int i = 0; i < 10; ++i) v = Op1("sin", v);
    return std::vector<Val>{v};
  };
  auto reuse = Make<Plan>(Traced(f, {{100}})), apart = Make<Plan>(Traced(f, {{100}}), false);
  EXPECT_EQ(reuse->steps(), 10);
  EXPECT_EQ(reuse->arena_bytes(), 448);      // one value: the first lies in it, all others in place, the last is the output
  EXPECT_EQ(apart->arena_bytes(), 9 * 448);
}
TEST(Plan, ViewsTakeNoStepAndNoMemory) {
  auto f = [](Builder&, const std::vector<Val>& x) {
    Val v = CallOp("Reshape", {x[0]}, {{"shape", "(6, 4)"}});
    v = CallOp("transpose", {v});
    return std::vector<Val>{Op1("sin", v)};
  };
  auto p = Make<Plan>(Traced(f, {{2, 3, 4}}));
  EXPECT_EQ(p->steps(), 1);
  EXPECT_EQ(p->arena_bytes(), 0);
}
// Results that are inputs, views of inputs, twice the same, reshaped values: they share memory with nothing.
TEST(Plan, ResultsAreTheCallersOwn) {
  auto f = [](Builder&, const std::vector<Val>& x) {
    Val y = Op1("sin", x[0]);
    return std::vector<Val>{x[0], CallOp("Reshape", {x[0]}, {{"shape", "(6,)"}}), y, y, CallOp("Reshape", {y}, {{"shape", "(3, 2)"}}), CallOp("transpose", {y})};
  };
  auto g = Make<CachedGraph>("results", f, std::vector<bool>());
  NDArray x = Array::Filled({2, 3}, DType::kFloat32, 0.5);
  auto got = g->Run(kPlain, {x});
  auto want = RunImperatively(f, kPlain, {x});
  EXPECT_EQ(Difference("result", got, want.results, 0), "");
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_NE(got[i]->storage, x->storage);
    EXPECT_TRUE(got[i]->contiguous);
    for (size_t k = 0; k < i; ++k) EXPECT_NE(got[i]->storage, got[k]->storage);
  }
}
TEST(Plan, PrintsWhereThingsLie) {
  auto f = [](Builder&, const std::vector<Val>& x) { return std::vector<Val>{Op1("sin", Op1("cos", x[0]))}; };
  EXPECT_EQ(Make<Plan>(Traced(f, {{3}}))->Print(),
            "cos (input 0) -> (arena+0)\nsin (arena+0) -> (output 0)\narena: 64 bytes, without reuse 12\n");
}

}  // namespace
}  // namespace flx

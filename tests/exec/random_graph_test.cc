// SPDX-License-Identifier: Apache-2.0
// Random graphs of up to 200 operators: what is bound gives bit for bit what calls by hand give, forwards and backwards, and inference says what running gives.
#include "../graph/random_graph.h"
#include "exec/graph.h"
#include "graph/infer.h"
#include "graph/json.h"
#include "helpers.h"

namespace flx {
namespace {

// FLEXOR_TEST_SEEDS counts the engine's stress tests (100,000 in tools/test --all); a graph costs twenty times as much.
int Seeds() {
  const char* given = std::getenv("FLEXOR_TEST_SEEDS");
  int64_t n = 0;
  if (given && ParseInt(given, &n) && n > 0) return int(n / 20 + 1);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return 100;
#else
  return 2000;
#endif
}

struct Made {
  std::map<std::string, NDArray> arrays;  // by variable
  std::vector<NDArray> order;             // arguments, then states
};
Made MakeArrays(const RandomGraph& g, uint64_t seed) {
  Made m;
  for (Part p : {Part::kArgument, Part::kAuxiliary})
    for (auto& name : g.symbol->Names(p)) {
      const Shape& s = g.variables.at(name);
      std::vector<float> v(size_t(s.size()));
      uint64_t h = seed * 0x9E3779B97F4A7C15ull + std::hash<std::string>()(name);
      for (auto& x : v) {
        h = h * 6364136223846793005ull + 1442695040888963407ull;
        x = float(int64_t(h >> 40)) / float(1 << 23) - 1;
        if (p == Part::kAuxiliary) x = std::abs(x) + 0.1f;
      }
      NDArray a = FromHost(v.data(), int64_t(v.size() * 4), DType::kFloat32, false, s, DType::kFloat32);
      if (p == Part::kArgument) AttachGrad(a, GradReq::kWrite);
      m.arrays[name] = a;
      m.order.push_back(a);
    }
  return m;
}
// Calls each operator by hand, in the graph's order.
std::vector<NDArray> ByHand(const Symbol& s, const Made& m, int mode) {
  const GraphIndex& g = s.index();
  std::vector<NDArray> values(size_t(g.values()));
  for (int i = 0; i < g.size(); ++i) {
    Node& n = *g.nodes[size_t(i)];
    if (n.variable()) {
      values[size_t(g.first_value[size_t(i)])] = m.arrays.at(n.name);
      continue;
    }
    std::vector<NDArray> in;
    for (int k = 0; k < g.input_count(i); ++k) in.push_back(values[size_t(g.inputs(i)[k])]);
    std::vector<std::pair<std::string, std::string>> texts;
    auto settings = n.settings();
    for (auto& t : settings->texts)
      if (t.first[0] != '_') texts.push_back(t);
    auto y = Invoke(n.op->name, in, texts, mode);
    for (size_t k = 0; k < y.size(); ++k) values[size_t(g.first_value[size_t(i)]) + k] = y[k];
  }
  std::vector<NDArray> out;
  for (int v : g.outputs) out.push_back(values[size_t(v)]);
  return out;
}
std::string Bytes(const NDArray& a) {
  std::string b(size_t(a->bytes()), '\0');
  ReadArray(*a, b.data(), a->bytes(), a->dtype, false);
  return b;
}

TEST(RandomGraphs, BoundIsByHand) {
  int seeds = Seeds();
  for (int seed = 1; seed <= seeds && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    RandomGraph g = MakeRandomGraph(uint64_t(seed), 1 + seed * 7 % 200);
    Made a = MakeArrays(g, uint64_t(seed)), b = MakeArrays(g, uint64_t(seed));
    auto bound = Graph::New(SymbolFromJson(SymbolToJson(*g.symbol)));
    SeedRandom(uint64_t(seed));
    GraphRun run(bound, kRecord | kTrain, a.order);
    ASSERT_TRUE(run.Go(0));
    SeedRandom(uint64_t(seed));
    auto want = ByHand(*g.symbol, b, kRecord | kTrain);
    const auto& got = run.outputs();
    ASSERT_EQ(got.size(), want.size());
    std::map<std::string, Known> given;
    for (auto& v : g.variables) given[v.first] = {v.second, DType::kFloat32};
    auto known = Infer(*g.symbol, given, false);
    std::vector<NDArray> ha, hb;
    for (size_t i = 0; i < got.size(); ++i) {
      EXPECT_EQ(Bytes(got[i]), Bytes(want[i])) << g.symbol->Name(Part::kOutput, int(i));
      size_t v = size_t(g.symbol->index().outputs[i]);
      EXPECT_EQ(known->shapes[v], got[i]->shape);
      EXPECT_EQ(known->dtypes[v], got[i]->dtype);
      EXPECT_EQ(IsRecorded(*got[i]), IsRecorded(*want[i]));
      if (IsRecorded(*got[i])) ha.push_back(got[i]), hb.push_back(want[i]);
    }
    if (ha.empty()) continue;
    Backward(ha, {}, kTrain);
    Backward(hb, {}, kTrain);
    for (auto& x : a.arrays) {
      NDArray ga = GradOf(*x.second), gb = GradOf(*b.arrays[x.first]);
      EXPECT_EQ(bool(ga), bool(gb));
      if (ga) {
        EXPECT_EQ(Bytes(ga), Bytes(gb)) << "gradient of " << x.first;
      }
      EXPECT_EQ(Bytes(x.second), Bytes(b.arrays[x.first])) << x.first;  // states change alike
    }
  }
}

// What inference learns backwards from the outputs' shapes is true: the variables' shapes hidden one by one, never anything else is found.
TEST(RandomGraphs, InferenceIsTrueInBothDirections) {
  int seeds = Seeds(), learnt = 0;
  for (int seed = 1; seed <= seeds && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    RandomGraph g = MakeRandomGraph(uint64_t(seed), 1 + seed * 3 % 60);
    const GraphIndex& index = g.symbol->index();
    std::map<std::string, Known> all;
    for (auto& v : g.variables) all[v.first] = {v.second, DType::kFloat32};
    auto truth = Infer(*g.symbol, all, false);
    uint64_t h = uint64_t(seed);
    Inferred some = NothingKnown(index);
    for (int v = 0; v < index.values(); ++v) {
      h = h * 6364136223846793005ull + 1442695040888963407ull;
      if ((h >> 33) % 3) continue;
      some.shapes[size_t(v)] = truth->shapes[size_t(v)];
      if ((h >> 40) % 2 && some.shapes[size_t(v)].ndim() > 0) some.shapes[size_t(v)][int((h >> 50) % uint64_t(some.shapes[size_t(v)].ndim()))] = -1;
      if ((h >> 45) % 2) some.dtypes[size_t(v)] = truth->dtypes[size_t(v)];
    }
    Inferred before = some;
    InferMore(*g.symbol, &some);
    for (int v = 0; v < index.values(); ++v) {
      const Shape &got = some.shapes[size_t(v)], &want = truth->shapes[size_t(v)];
      std::string where = Text(index.nodes[size_t(index.NodeOfValue(v))]->name, " (", index.nodes[size_t(index.NodeOfValue(v))]->kind(), ")");
      learnt += got != before.shapes[size_t(v)];
      DType t = some.dtypes[size_t(v)];
      EXPECT_TRUE(t == DType::kNone || t == truth->dtypes[size_t(v)]) << where;
      if (!got.rank_known()) continue;
      ASSERT_EQ(got.ndim(), want.ndim()) << where;
      for (int i = 0; i < got.ndim(); ++i) EXPECT_TRUE(got[i] < 0 || got[i] == want[i]) << where << " axis " << i << ": " << Text(got, " for ", want);
    }
  }
  EXPECT_GT(learnt, seeds);  // it does learn
}

}  // namespace
}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// Random graphs of up to 200 operators: planned is imperative, forwards, backwards and in states, with every set of passes.
#include "../graph/random_graph.h"
#include "compare.h"
#include "exec/trace.h"
#include "graph/infer.h"

namespace flx {
namespace {

int Seeds() {
  const char* given = std::getenv("FLEXOR_TEST_SEEDS");  // counts the engine's stress tests; a graph costs twenty times as much
  int64_t n = 0;
  if (given && ParseInt(given, &n) && n > 0) return int(n / 20 + 1);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return 60;
#else
  return 1200;
#endif
}
std::vector<NDArray> MakeArrays(const RandomGraph& g, uint64_t seed) {
  std::vector<NDArray> all;
  for (auto& name : g.symbol->Names(Part::kInput)) {
    const Shape& s = g.variables.at(name);
    auto states = g.symbol->Names(Part::kAuxiliary);
    bool state = std::find(states.begin(), states.end(), name) != states.end();
    std::vector<float> v(size_t(s.size()));
    uint64_t h = seed * 0x9E3779B97F4A7C15ull + std::hash<std::string>()(name);
    for (auto& x : v) {
      h = h * 6364136223846793005ull + 1442695040888963407ull;
      x = float(int64_t(h >> 40)) / float(1 << 23) - 1;
      if (state) x = std::abs(x) + 0.1f;
    }
    NDArray a = FromHost(v.data(), int64_t(v.size() * 4), DType::kFloat32, false, s, DType::kFloat32);
    if (!state && (h >> 20) % 4) AttachGrad(a, GradReq::kWrite);  // some need no gradient
    all.push_back(a);
  }
  return all;
}

TEST(RandomGraphs, PlannedIsImperative) {
  std::vector<std::string> exact;
  for (auto& p : Passes().all()) if (p.exact) exact.push_back(p.name);
  std::vector<std::string> sets = {"none", Join(exact, ","), ""};
  for (auto& e : exact) sets.push_back(e);
  int seeds = Seeds();
  for (int seed = 1; seed <= seeds && !testing::Test::HasFailure(); ++seed) {
    RandomGraph g = MakeRandomGraph(uint64_t(seed), 1 + seed * 7 % 200);
    std::map<std::string, Known> given;
    for (auto& v : g.variables) given[v.first] = {v.second, DType::kFloat32};
    auto known = Infer(*g.symbol, given, false);
    TraceFunction f = [&](Builder& b, const std::vector<Val>& x) { return Replay(*g.symbol, *known, x, &b); };
    int mode = seed % 3 == 0 ? kPlain : seed % 3 == 1 ? kRecord | kTrain : kRecord;
    Outcome want = RunImperatively(f, mode, MakeArrays(g, uint64_t(seed)), uint64_t(seed));
    HybridOptions o;
    o.passes = sets[size_t(seed) % sets.size()];
    o.memory = seed % 11 != 0;
    SCOPED_TRACE(Text("seed ", seed, ", mode ", mode, ", passes `", o.passes, "`"));
    auto c = Make<CachedGraph>("random", f, std::vector<bool>(want.inputs.size(), seed % 2 == 0), o);
    // twice: the second run finds the plan, and a state that was used
    for (int again = 0; again < 2; ++again) {
      Outcome got = RunPlanned(*c, mode, MakeArrays(g, uint64_t(seed)), uint64_t(seed));
      EXPECT_EQ(Difference(got, want, o.passes.empty() ? 1e-4 : 0), "");
    }
  }
}

}  // namespace
}  // namespace flx

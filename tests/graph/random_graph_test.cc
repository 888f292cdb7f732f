// SPDX-License-Identifier: Apache-2.0
// Random graphs, written and read back: the same graph, to the byte and in what is inferred of it.
#include "random_graph.h"

#include <gtest/gtest.h>

#include <set>

#include "graph/infer.h"
#include "graph/json.h"

namespace flx {
namespace {

std::vector<std::string> Values(const Symbol& s, const std::map<std::string, Shape>& variables) {
  std::map<std::string, Known> given;
  for (auto& v : variables)
    for (auto& name : s.Names(Part::kInput))
      if (name == v.first) given[name] = {v.second, DType::kFloat32};
  auto known = Infer(s, given, false);
  std::vector<std::string> all;
  for (size_t i = 0; i < known->shapes.size(); ++i) all.push_back(Text(known->dtypes[i], " ", known->shapes[i]));
  return all;
}

TEST(RandomGraph, WrittenAndReadBack) {
  std::set<std::string> operators;
  size_t nodes = 0, auxiliaries = 0;
  for (uint64_t seed = 0; seed < 120; ++seed) {
    SCOPED_TRACE(seed);
    RandomGraph r = MakeRandomGraph(seed, 1 + int(seed * 5 / 3));
    ASSERT_GE(r.operators, 1);
    std::string text = SymbolToJson(*r.symbol);
    auto back = SymbolFromJson(text, "random");
    ASSERT_EQ(SymbolToJson(*back), text);
    for (Part part : {Part::kArgument, Part::kAuxiliary, Part::kOutput, Part::kInternal, Part::kInput}) EXPECT_EQ(back->Names(part), r.symbol->Names(part));
    ASSERT_EQ(Values(*back, r.variables), Values(*r.symbol, r.variables));
    nodes += size_t(back->index().size()), auxiliaries += size_t(back->Count(Part::kAuxiliary));
    for (Node* n : back->index().nodes) operators.insert(n->kind());
  }
  EXPECT_GE(operators.size(), 55u);  // a generator that stopped making some would test less
  EXPECT_GT(nodes, 12000u);
  EXPECT_GT(auxiliaries, 100u);
}
TEST(RandomGraph, TheSeedIsTheGraph) {
  EXPECT_EQ(SymbolToJson(*MakeRandomGraph(7, 200).symbol), SymbolToJson(*MakeRandomGraph(7, 200).symbol));
  EXPECT_NE(SymbolToJson(*MakeRandomGraph(7, 50).symbol), SymbolToJson(*MakeRandomGraph(8, 50).symbol));
}

}  // namespace
}  // namespace flx

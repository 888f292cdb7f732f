// SPDX-License-Identifier: Apache-2.0
// Pictures: where things stand, by the layout; what is shown and what is not. The texts themselves are read by pictures_test.py.
#include "graph/draw.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "graph/draw_layout.h"
#include "graph/inside.h"
#include "networks.h"

namespace flx {
namespace {

struct Area { int left, top, right, bottom; };
bool Meet(const Area& a, const Area& b) { return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom; }
Area AreaOf(const DrawBox& b) { return {b.x, b.y, b.x + b.width, b.y + b.height}; }
// Whether the inside of the area and the segment from p to q meet: the part of it that lies between top and bottom, seen from above.
bool Crosses(const Area& a, DrawPoint p, DrawPoint q) {
  if (p.y > q.y) std::swap(p, q);
  if (q.y <= a.top || p.y >= a.bottom) return false;
  auto at = [&](int y) { return p.y == q.y ? double(p.x) : p.x + double(q.x - p.x) * (y - p.y) / (q.y - p.y); };
  double x0 = at(std::max(p.y, a.top)), x1 = p.y == q.y ? q.x : at(std::min(q.y, a.bottom));
  return std::min(x0, x1) < a.right && std::max(x0, x1) > a.left;
}

void Check(const DrawLayout& l) {
  ASSERT_EQ(l.boxes.size(), l.graph->nodes.size());
  ASSERT_EQ(l.lines.size(), l.graph->edges.size());
  for (size_t i = 0; i < l.boxes.size(); ++i) {
    const DrawBox& b = l.boxes[i];
    EXPECT_TRUE(b.x >= 0 && b.y >= 0 && b.x + b.width <= l.width && b.y + b.height <= l.height) << i;
    for (size_t k = i + 1; k < l.boxes.size(); ++k) EXPECT_FALSE(Meet(AreaOf(b), AreaOf(l.boxes[k]))) << i << " and " << k;
    for (auto& t : b.lines) {
      EXPECT_TRUE(t.x >= b.x && t.y >= b.y && t.y <= b.y + b.height) << t.text;
      EXPECT_LE(t.x + int(t.text.size()) * 6, b.x + b.width) << t.text;  // ASCII
    }
    for (size_t k = 0; k < b.inside.size(); ++k) {
      const DrawLayout& in = b.inside[k];
      EXPECT_TRUE(in.x >= 0 && in.x + in.width <= b.width && in.y + in.height <= b.height);
      EXPECT_GE(b.y + in.y, b.lines.back().y);
      EXPECT_LE(k ? b.inside[k - 1].x + b.inside[k - 1].width : 0, in.x);
      Check(in);
    }
  }
  for (size_t e = 0; e < l.lines.size(); ++e) {
    const DrawLine& line = l.lines[e];
    const DrawBox &from = l.boxes[size_t(line.from)], &to = l.boxes[size_t(line.to)];
    ASSERT_GE(line.points.size(), 2u);
    DrawPoint first = line.points.front(), last = line.points.back();
    EXPECT_TRUE(first.y == from.y + from.height && first.x > from.x && first.x < from.x + from.width) << "edge " << e << " does not begin at its box";
    EXPECT_TRUE(last.y == to.y && last.x > to.x && last.x < to.x + to.width) << "edge " << e << " does not end at its box";
    for (size_t k = 1; k < line.points.size(); ++k) {
      DrawPoint p = line.points[k - 1], q = line.points[k];
      EXPECT_TRUE(q.y >= p.y && q.x >= 0 && q.x <= l.width);
      for (auto& b : l.boxes) {
        if (Crosses(AreaOf(b), p, q)) FAIL() << "edge " << e << " crosses box " << &b - l.boxes.data();
      }
    }
  }
  std::vector<Area> labels;
  for (auto& t : l.labels) labels.push_back({t.x, t.y - kDrawLabelFont, t.x + int(t.text.size()) * 6, t.y});
  for (size_t i = 0; i < labels.size(); ++i) {
    EXPECT_LE(labels[i].right, l.width);
    EXPECT_LE(labels[i].bottom, l.height);
    for (auto& b : l.boxes) EXPECT_FALSE(Meet(labels[i], AreaOf(b))) << l.labels[i].text;
    for (size_t k = i + 1; k < labels.size(); ++k) EXPECT_FALSE(Meet(labels[i], labels[k])) << l.labels[i].text << " on " << l.labels[k].text;
  }
}
DrawGraph Checked(const Symbol& s) {
  DrawGraph g = ModelOf(s);
  DrawLayout l = LayOut(g);
  Check(l);
  return g;
}
const DrawNode& BoxOf(const DrawGraph& g, const std::string& name) {
  for (auto& n : g.nodes)
    if (n.lines[0] == name) return n;
  ADD_FAILURE() << "no box " << name;
  return g.nodes[0];
}
bool Has(const DrawGraph& g, const std::string& name) {
  return std::any_of(g.nodes.begin(), g.nodes.end(), [&](auto& n) { return n.lines[0] == name; });
}

TEST(Draw, TheCheckSeesFaults) {
  EXPECT_TRUE(Crosses({10, 10, 20, 20}, {0, 0}, {30, 30}));
  EXPECT_TRUE(Crosses({10, 10, 20, 20}, {0, 15}, {30, 15}));
  EXPECT_TRUE(Crosses({10, 10, 20, 20}, {15, 0}, {15, 30}));
  EXPECT_FALSE(Crosses({10, 10, 20, 20}, {0, 20}, {30, 20}));
  EXPECT_FALSE(Crosses({10, 10, 20, 20}, {0, 12}, {9, 30}));
  EXPECT_TRUE(Meet({0, 0, 2, 2}, {1, 1, 3, 3}));
  EXPECT_FALSE(Meet({0, 0, 2, 2}, {2, 0, 3, 3}));
}

TEST(Draw, LeNet) {
  DrawGraph g = Checked(*Inferred1(LeNetSymbol(), {{"data", {{1, 1, 28, 28}}}}));
  EXPECT_EQ(g.nodes.size(), 13u);  // the operators, data and label
  for (const char* hidden : {"conv1_weight", "fc2_bias"}) EXPECT_FALSE(Has(g, hidden)) << hidden;
  EXPECT_EQ(BoxOf(g, "conv1").lines[1], "Convolution 5x5, 20");
  EXPECT_EQ(BoxOf(g, "pool1").lines[1], "Pooling 2x2/2, max");
  EXPECT_EQ(BoxOf(g, "fc1").lines[1], "FullyConnected 500");
  EXPECT_EQ(BoxOf(g, "tanh1").lines[1], "Activation tanh");
  EXPECT_TRUE(BoxOf(g, "data").variable && BoxOf(g, "softmax_label").variable);
  EXPECT_TRUE(BoxOf(g, "softmax").output && !BoxOf(g, "fc2").output);
  ASSERT_EQ(g.edges.size(), 12u);
  EXPECT_EQ(g.edges[0].label, "(1, 1, 28, 28)");
  EXPECT_NE(BoxOf(g, "conv1").fill, BoxOf(g, "tanh1").fill);
  EXPECT_EQ(BoxOf(g, "conv1").fill, BoxOf(g, "fc1").fill);
  // without shapes there are no labels
  for (auto& e : Checked(*LeNetSymbol()).edges) EXPECT_EQ(e.label, "");
}

TEST(Draw, Residual) { Checked(*Inferred1(ResidualSymbol(9), {{"data", {{1, 3, 32, 32}}}})); }

TEST(Draw, UnrolledLstm) {
  DrawGraph g = Checked(*Inferred1(LstmSymbol(12, 8), {{"data", {{2, 12, 5}}}, {"begin_h", {{2, 8}}}, {"begin_c", {{2, 8}}}}));
  EXPECT_FALSE(Has(g, "lstm_i2h_weight"));
  EXPECT_TRUE(Has(g, "begin_c"));
}

TEST(Draw, RandomGraphs) {
  Checked(*RandomSymbol(300, 1));
  for (uint32_t seed = 2; seed < 40; ++seed) Checked(*Inferred1(RandomSymbol(25, seed), [&] {
    std::map<std::string, Known> given;
    for (auto& name : RandomSymbol(25, seed)->Names(Part::kArgument)) given[name] = {{2, 300, 7}};
    return given;
  }()));
}

TEST(Draw, LinesThatAreTooLongGoRound) {
  // Everything is read by the last node: half a million bends.
  std::vector<Ref<Symbol>> all = {Symbol::Variable("data")};
  for (int i = 1; i < 1000; ++i) all.push_back(Node1("relu", Text("n", i), {all.back()}));
  DrawGraph g = ModelOf(*Node1("Concat", "all", all));
  DrawLayout l = LayOut(g);
  EXPECT_LT(l.width, 20000);
  size_t points = 0;
  for (auto& line : l.lines) points += line.points.size();
  EXPECT_LT(points, 100000u);
  Check(l);
}

TEST(Draw, OutputsWithShapesOfTheirOwn) {
  auto x = Symbol::Variable("x");
  auto parts = Node1("_split_v2", "cut", {x}, {{"indices", "(0, 1, 3, 20)"}, {"axis", "1"}});
  std::vector<Ref<Symbol>> all;
  for (size_t k = 0; k < parts->outputs.size(); ++k) all.push_back(Node1("relu", Text("r", k), {Symbol::New({parts->outputs[k]})}));
  DrawGraph g = ModelOf(*Inferred1(Symbol::Group(all), {{"x", {{1000, 30}}}}));
  DrawLayout l = LayOut(g);
  Check(l);
  EXPECT_EQ(l.labels.size(), 1 + all.size());
}

TEST(Draw, ControlFlowIsAFrame) {
  DrawGraph g = Checked(*Inferred1(LoopSymbol(), {{"data", {{5, 2, 3}}}, {"begin", {{2, 3}}}}));
  EXPECT_FALSE(Has(g, "fc_weight"));  // a parameter of the loop's body
  auto& loop = BoxOf(g, "loop");
  ASSERT_EQ(loop.inside.size(), 1u);
  EXPECT_EQ(loop.inside[0].title, "body");
  EXPECT_TRUE(Has(loop.inside[0], "fc") && Has(loop.inside[0], "x"));
  EXPECT_FALSE(Has(loop.inside[0], "fc_weight"));
  EXPECT_EQ(loop.inside[0].edges[0].label, "(2, 3)");
  auto v = Symbol::Variable("v");
  auto cond = ComposeCond("if", *Node1("sum", "s", {v}), *Node1("relu", "yes", {v}), *Node1("sigmoid", "no", {v}), {"v"}, {Symbol::Variable("w")});
  DrawGraph branching = Checked(*cond);
  auto& branches = BoxOf(branching, "if").inside;
  ASSERT_EQ(branches.size(), 3u);
  EXPECT_EQ(branches[1].title, "then");
}

TEST(Draw, NestingIsBounded) {
  auto loop = [](int depth, Ref<Symbol> body) {
    for (int i = 0; i < depth; ++i) body = ComposeForeach(Text("loop", i), *body, 1, {"x"}, {Symbol::Variable("x")});
    return body;
  };
  auto once = Node1("relu", "r", {Symbol::Variable("x")});
  auto deepest = loop(kMostNested, once);
  Checked(*Inferred1(deepest, {{"x", {{1, 1, 1, 1, 1, 1, 1, 1, 2}}}}));
  EXPECT_THROW(loop(1, deepest), Error);
}

TEST(Draw, ALoneVariableIsShownEvenIfItIsAParameter) {
  EXPECT_EQ(Checked(*Symbol::Variable("w", {{"init", "[\"zero\", {}]"}})).nodes.size(), 1u);
}

TEST(Draw, TheSameSymbolGivesTheSameBytes) {
  for (const char* format : {"svg", "dot"}) EXPECT_EQ(DrawSymbol(*ResidualSymbol(6), format), DrawSymbol(*ResidualSymbol(6), format));
}

TEST(Draw, OtherFormatsAreRefused) {
  try {
    DrawSymbol(*LeNetSymbol(), "png");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.status(), Status::kArgument);
    EXPECT_EQ(e.message(), "[draw] `format` must be \"svg\" or \"dot\", given \"png\".");
  }
}

}  // namespace
}  // namespace flx

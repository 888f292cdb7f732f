// SPDX-License-Identifier: Apache-2.0
// The table of a symbol: numbers against those of text books, and what hostile names and narrow screens do to it.
#include "graph/summary.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "base/table.h"
#include "base/utf8.h"
#include "networks.h"
#include "op/cost.h"

namespace flx {
namespace {

const JsonValue& At(const JsonValue& v, std::string_view key) {
  const JsonValue* found = v.Find(key);
  EXPECT_TRUE(found) << key;
  static const JsonValue none;
  return found ? *found : none;
}
const JsonValue& RowOf(const JsonValue& table, std::string_view name) {
  for (auto& r : At(table, "rows").items)
    if (At(r, "name").text == name) return r;
  ADD_FAILURE() << "no row " << name;
  static const JsonValue none;
  return none;
}
JsonValue TableOf(const Symbol& s) { return ParseJson(SymbolTable(s), "test"); }
void ExpectCounts(const JsonValue& of, int64_t parameters, int64_t multiply_adds) {
  EXPECT_EQ(At(of, "parameters").integer, parameters);
  EXPECT_EQ(At(of, "bytes").integer, 4 * parameters);
  EXPECT_EQ(At(of, "multiply_adds").integer, multiply_adds);
}

TEST(SymbolTable, LeNetByHand) {
  auto t = TableOf(*Inferred1(LeNetSymbol(), {{"data", {{1, 1, 28, 28}}}}));
  EXPECT_EQ(At(t, "rows").items.size(), 11u);
  ExpectCounts(RowOf(t, "conv1"), 20 * 25 + 20, 24 * 24 * 20 * 25);
  ExpectCounts(RowOf(t, "conv2"), 50 * 20 * 25 + 50, 8 * 8 * 50 * 20 * 25);
  ExpectCounts(RowOf(t, "fc1"), 800 * 500 + 500, 800 * 500);
  ExpectCounts(RowOf(t, "fc2"), 500 * 10 + 10, 500 * 10);
  for (const char* none : {"tanh1", "pool1", "flatten", "softmax"}) ExpectCounts(RowOf(t, none), 0, 0);
  ExpectCounts(At(t, "totals"), 431080, 2293000);
  auto& conv = RowOf(t, "conv1");
  EXPECT_EQ(At(conv, "op").text, "Convolution");
  ASSERT_EQ(At(conv, "inputs").items.size(), 3u);
  EXPECT_EQ(At(conv, "inputs").items[1].text, "conv1_weight");
  auto& out = At(conv, "outputs").items.at(0);
  EXPECT_EQ(At(out, "name").text, "conv1_output");
  EXPECT_EQ(At(out, "dtype").text, "float32");
  std::vector<int64_t> sizes;
  for (auto& n : At(out, "shape").items) sizes.push_back(n.integer);
  EXPECT_EQ(sizes, (std::vector<int64_t>{1, 20, 24, 24}));
  // eight samples cost eight times as much, and the parameters stay
  ExpectCounts(At(TableOf(*Inferred1(LeNetSymbol(), {{"data", {{8, 1, 28, 28}}}})), "totals"), 431080, 8 * 2293000);
}

TEST(SymbolTable, StatesAreNotTrainedAndSharedWeightsCountOnce) {
  auto t = TableOf(*Inferred1(ResidualSymbol(2), {{"data", {{1, 3, 8, 8}}}}));
  EXPECT_EQ(At(RowOf(t, "stage0_a_bn"), "parameters").integer, 4 * 16);
  int64_t conv = 16 * 16 * 9, total = 3 * 16 * 9 + 4 * conv + 5 * 64 + 16 * 10 + 10;
  EXPECT_EQ(At(At(t, "totals"), "parameters").integer, total);
  EXPECT_EQ(At(At(t, "totals"), "trained").integer, total - 5 * 32);

  auto l = TableOf(*Inferred1(LstmSymbol(4, 8), {{"data", {{2, 4, 5}}}, {"begin_h", {{2, 8}}}, {"begin_c", {{2, 8}}}}));
  ExpectCounts(At(l, "totals"), 32 * 5 + 32 * 8 + 2 * 32, 4 * 2 * 32 * (5 + 8));
  EXPECT_EQ(At(RowOf(l, "t0_h2h"), "parameters").integer, 32 * 8 + 32);
  EXPECT_EQ(At(RowOf(l, "t1_h2h"), "parameters").integer, 0);
}

TEST(SymbolTable, LoopsCountTheirSteps) {
  auto t = TableOf(*Inferred1(LoopSymbol(), {{"data", {{5, 2, 3}}}, {"begin", {{2, 3}}}}));
  auto &loop = RowOf(t, "loop"), &fc = RowOf(t, "fc");
  ExpectCounts(fc, 3 * 3 + 3, 2 * 3 * 3);
  ExpectCounts(loop, 3 * 3 + 3, 5 * 2 * 3 * 3);
  ExpectCounts(At(t, "totals"), 3 * 3 + 3, 5 * 2 * 3 * 3);
  EXPECT_EQ(At(loop, "steps").integer, 5);
  EXPECT_EQ(At(loop, "graph").text, "");
  EXPECT_EQ(At(fc, "graph").text, "loop/body");
}

TEST(SymbolTable, WhatIsNotKnownIsNull) {
  auto t = TableOf(*LeNetSymbol());
  auto& conv = RowOf(t, "conv1");
  for (const char* key : {"parameters", "bytes", "multiply_adds"}) EXPECT_TRUE(At(conv, key).is(JsonValue::kNull)) << key;
  EXPECT_TRUE(At(At(t, "totals"), "parameters").is(JsonValue::kNull));
  EXPECT_TRUE(At(At(conv, "outputs").items.at(0), "shape").is(JsonValue::kNull));
  std::string text = SymbolSummary(*LeNetSymbol(), 80);
  EXPECT_NE(text.find("conv1 (Convolution)"), std::string::npos) << text;
  EXPECT_EQ(text.find("output shape"), std::string::npos) << text;
}

TEST(SymbolTable, HalfPrecisionHalvesTheBytes) {
  auto s = Node1("FullyConnected", "fc", {Symbol::Variable("data")}, {{"num_hidden", "10"}});
  auto t = TableOf(*Inferred1(s, {{"data", {{1, 7}, DType::kFloat16}}}));
  EXPECT_EQ(At(At(t, "totals"), "bytes").integer, 2 * 80);
}

TEST(SymbolTable, OperandsAndLabels) {
  auto var = [](const char* n) { return Symbol::Variable(n); };
  // of a + b the name tells
  auto linear = Node1("broadcast_add", "y", {Node1("dot", "p", {var("x"), var("w")}), var("y_bias")});
  ExpectCounts(At(TableOf(*Inferred1(linear, {{"x", {{2, 3}}}, {"w", {{3, 4}}}, {"y_bias", {{4}}}})), "totals"), 16, 24);
  auto sum = Node1("elemwise_add", "y", {var("a"), var("b")});
  ExpectCounts(At(TableOf(*Inferred1(sum, {{"a", {{2}}}, {"b", {{2}}}})), "totals"), 0, 0);
  // says how it begins
  auto known = Node1("elemwise_add", "y", {var("a"), Symbol::Variable("b", {{"init", "[\"zero\", {}]"}})});
  ExpectCounts(At(TableOf(*Inferred1(known, {{"a", {{2}}}, {"b", {{2}}}})), "totals"), 2, 0);
  // by name wherever it is read; what weighs samples is data
  auto packed = Node1("elemwise_add", "y", {Node1("Reshape", "r", {var("net_l0_weight")}, {{"shape", "(-1,)"}}), Node1("identity", "f", {var("sample_weight")})});
  ExpectCounts(At(TableOf(*Inferred1(packed, {{"net_l0_weight", {{2, 3}}}, {"sample_weight", {{6}}}})), "totals"), 6, 0);
  auto loss = Node1("SoftmaxOutput", "softmax", {var("x")});
  ExpectCounts(At(TableOf(*Inferred1(loss, {{"x", {{2, 3}}}})), "totals"), 0, 0);
}

TEST(SymbolSummary, FitsItsColumns) {
  auto s = Inferred1(LeNetSymbol(), {{"data", {{1, 1, 28, 28}}}});
  for (int columns : {30, 40, 60, 80, 120}) {
    std::string text = SymbolSummary(*s, columns);
    for (auto& line : Split(text, '\n')) EXPECT_LE(CharacterCount(line), columns) << text;
    EXPECT_NE(text.find("431,080"), std::string::npos) << text;
  }
  std::string wide = SymbolSummary(*s, 120);
  EXPECT_NE(wide.find("conv2 (Convolution)      (1, 50, 8, 8)        25,050    100,200      1,600,000  pool1_output, conv2_weight, conv2_bias"), std::string::npos) << wide;
}

TEST(SymbolSummary, HostileNames) {
  std::string name = "a\"b\\\n\x1b[31m\xff\xe4\xbd\xa0<&>", expected = ToUtf8(name);
  auto s = Inferred1(Node1("Flatten", name, {Symbol::Variable("x\r")}), {{"x\r", {{1, 2}}}});
  auto t = TableOf(*s);
  EXPECT_EQ(At(At(t, "rows").items.at(0), "name").text, expected);
  std::string text = SymbolSummary(*s, 200);
  EXPECT_EQ(std::count_if(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 && c != '\n'; }), 0) << text;
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 5) << text;
}

TEST(SymbolSummary, QuickForManyNodes) {
  auto s = RandomSymbol(1000, 1);
  EXPECT_EQ(At(TableOf(*s), "rows").items.size(), 1000u);
}

TEST(Cost, EveryRuleIsOfAFamilyThatIsKnownToCountProductsOrNot) {
  const std::vector<std::string> known = {"linalg", "loss", "matrix", "nn", "rnn", "vision"};
  for (auto* op : AllOps()) EXPECT_TRUE(!op->run_cost || std::count(known.begin(), known.end(), op->family)) << op->name << " of " << op->family;
}
TEST(Cost, CompositionsCountWhatTheyAreMadeOf) {
  const OpDef& op = FindOp("UpSampling");
  KeyValue kv[] = {{"scale", "2"}, {"sample_type", "bilinear"}};
  Shape xs[] = {{1, 3, 5, 5}, {3, 1, 4, 4}};
  DType xt[] = {DType::kFloat32, DType::kFloat32};
  EXPECT_EQ(MultiplyAdds(op, op.schema.Parse(op.name, kv, 2), xs, xt, 2), 3 * 25 * 16);
  EXPECT_EQ(TimesCount(INT64_MAX, 2), INT64_MAX);
  EXPECT_EQ(AddCounts(INT64_MAX, 1), INT64_MAX);
  EXPECT_EQ(CountElements({INT64_MAX, INT64_MAX, 3}), INT64_MAX);
  EXPECT_EQ(CountElements({INT64_MAX, INT64_MAX, 0}), 0);
}

}  // namespace
}  // namespace flx

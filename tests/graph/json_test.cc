// SPDX-License-Identifier: Apache-2.0
// Symbols as JSON: what old files lack, unknown sizes, and files that are wrong.
#include "graph/json.h"

#include <gtest/gtest.h>

#include "../interop/hostile.h"
#include "base/json.h"
#include "graph/infer.h"

namespace flx {
namespace {

// A file of one operator over variables `x0`, `x1` ... `more` stands behind its name; `graph` at the end.
std::string File(const std::string& op, const std::string& more, int inputs, const std::string& graph = "") {
  std::string nodes, in, args;
  for (int i = 0; i < inputs; ++i) {
    nodes += Text("{\"op\": \"null\", \"name\": \"x", i, "\", \"inputs\": []}, ");
    in += Text(i ? ", " : "", "[", i, ", 0]");
    args += Text(i ? ", " : "", i);
  }
  return Text("{\"nodes\": [", nodes, "{\"op\": \"", op, "\", \"name\": \"n\", ", more, "\"inputs\": [", in, "]}], \"arg_nodes\": [", args, "], \"heads\": [[", inputs, ", 0, 0]]", graph, "}");
}
std::string Of(int version) { return Text(", \"attrs\": {\"mxnet_version\": [\"int\", ", version, "]}"); }
std::string TextOf(const Symbol& s, const std::string& node, const std::string& key) {
  for (Node* n : s.index().nodes)
    if (n->name == node) {
      auto settings = n->settings();
      auto it = settings->texts.find(key);
      return it == settings->texts.end() ? "(none)" : it->second;
    }
  return "(no node)";
}

TEST(Json, HiddenKeysOfOldFiles) {
  auto text = File("FullyConnected", "\"attr\": {\"num_hidden\": \"3\", \"lr_mult\": \"0.5\", \"weight_lr_mult\": \"2\", \"bias_wd_mult\": \"0\"}, ", 3, Of(10900));
  auto s = SymbolFromJson(text);
  EXPECT_EQ(TextOf(*s, "n", "__lr_mult__"), "0.5");
  EXPECT_EQ(TextOf(*s, "n", "lr_mult"), "(none)");
  EXPECT_EQ(TextOf(*s, "n", "weight_lr_mult"), "(none)");
  EXPECT_EQ(TextOf(*s, "x1", "__lr_mult__"), "2");
  EXPECT_EQ(TextOf(*s, "x2", "__wd_mult__"), "0");
  EXPECT_EQ(TextOf(*s, "x0", "__lr_mult__"), "(none)");
  // 1.9.1 wrote no such key, so there it is an attribute that the operator does not have; so is one that fits no input.
  auto now = File("FullyConnected", "\"attrs\": {\"num_hidden\": \"3\", \"weight_lr_mult\": \"2\"}, ", 3, Of(10901));
  EXPECT_NE(ErrorOf([&] { SymbolFromJson(now, "f"); }).message().find("`weight_lr_mult`"), std::string::npos);
  auto nobody = File("FullyConnected", "\"attrs\": {\"num_hidden\": \"3\", \"gamma_lr_mult\": \"2\"}, ", 3, Of(10900));
  EXPECT_NE(ErrorOf([&] { SymbolFromJson(nobody, "f"); }).message().find("`gamma_lr_mult`"), std::string::npos);
}
TEST(Json, InputsThatOldFilesLackAreMade) {
  auto text = [](int version) { return File("BatchNorm", "\"param\": {\"fix_gamma\": \"False\"}, ", 3, Of(version)); };
  auto s = SymbolFromJson(text(800));
  EXPECT_EQ(s->Names(Part::kArgument), (std::vector<std::string>{"x0", "x1", "x2"}));
  EXPECT_EQ(s->Names(Part::kAuxiliary), (std::vector<std::string>{"n_moving_mean", "n_moving_var"}));
  EXPECT_EQ(TextOf(*s, "n_moving_mean", "__init__"), "[\"zero\", {}]");
  EXPECT_EQ(TextOf(*s, "n_moving_var", "__init__"), "[\"one\", {}]");
  EXPECT_EQ(TextOf(*s, "n_moving_var", "fix_gamma"), "False");
  EXPECT_NE(ErrorOf([&] { SymbolFromJson(text(900), "f"); }).message().find("expected 5 inputs, given 3"), std::string::npos);
  // Up to 0.9.3 variables did not say how they begin.
  auto prelu = [](int version) { return SymbolFromJson(File("LeakyReLU", "\"attr\": {\"act_type\": \"prelu\"}, ", 2, Of(version))); };
  EXPECT_EQ(TextOf(*prelu(903), "x1", "__init__"), "[\"Constant\", {\"value\": 0.25}]");
  EXPECT_EQ(TextOf(*prelu(903), "x0", "__init__"), "(none)");
  EXPECT_EQ(TextOf(*prelu(904), "x1", "__init__"), "(none)");
}
TEST(Json, AxisOfOldFiles) {
  auto axis = [](const char* op, int version) { return TextOf(*SymbolFromJson(File(op, "\"attr\": {\"axis\": \"-1\"}, ", 1, Of(version))), "n", "axis"); };
  EXPECT_EQ(axis("argmax", 904), "(none)");
  EXPECT_EQ(axis("argmin", 904), "(none)");
  EXPECT_EQ(axis("argmax", 905), "-1");
  EXPECT_EQ(axis("max", 904), "-1");
}
TEST(Json, NewerFilesAreReadAsTheNewestKnown) {
  auto s = SymbolFromJson(File("relu", "", 1, Of(20000)));
  EXPECT_NE(SymbolToJson(*s).find("[\"int\", 10901]"), std::string::npos);
}

std::string Variable(const std::string& shape, const std::string& np = "") {
  return Text("{\"nodes\": [{\"op\": \"null\", \"name\": \"x\", \"attrs\": {\"__shape__\": \"", shape, "\"}, \"inputs\": []}], \"heads\": [[0, 0, 0]], "
              "\"attrs\": {", np, "\"mxnet_version\": [\"int\", 10901]}}");
}
TEST(Json, UnknownSizes) {
  const std::string np = "\"is_np_shape\": [\"int\", 2], ";
  auto read = [](const std::string& text) { return TextOf(*SymbolFromJson(text), "x", "__shape__"); };
  EXPECT_EQ(read(Variable("(0, 3)")), "(-1, 3)");
  EXPECT_EQ(read(Variable("[ 5,3]")), "[ 5,3]");  // nothing to change: as it was
  EXPECT_EQ(read(Variable("()")), "(none)");
  EXPECT_EQ(read(Variable("(0, -1)", np)), "(0, -1)");
  EXPECT_EQ(read(Variable("()", np)), "()");
  EXPECT_EQ(read(Variable("None", np)), "(none)");
  auto write = [](const std::string& shape) { return SymbolToJson(*Symbol::Variable("x", {{"shape", shape}})); };
  EXPECT_NE(write("(-1, 3)").find("\"(0, 3)\""), std::string::npos);
  EXPECT_EQ(write("(-1, 3)").find("is_np_shape"), std::string::npos);
  for (auto* shape : {"(0, -1)", "()", "0"}) {
    std::string text = write(shape);
    EXPECT_NE(text.find(Text("\"", shape, "\"")), std::string::npos) << text;
    EXPECT_NE(text.find("\"is_np_shape\": [\"int\", 1]"), std::string::npos) << text;
    EXPECT_EQ(read(text), shape);
  }
  // Operators that make arrays: unknown until what they are used with tells.
  auto text = Text("{\"nodes\": [{\"op\": \"_zeros\", \"name\": \"z\", \"attrs\": {\"shape\": \"(0, 3)\"}, \"inputs\": []}, {\"op\": \"null\", \"name\": \"x\", \"inputs\": []}, ",
                   "{\"op\": \"elemwise_add\", \"name\": \"n\", \"inputs\": [[0, 0], [1, 0]]}], \"heads\": [[2, 0]]", Of(10901), "}");
  auto s = SymbolFromJson(text);
  EXPECT_EQ(TextOf(*s, "z", "shape"), "(-1, 3)");
  EXPECT_EQ(Infer(*s, {{"x", {Shape{2, 3}, DType::kFloat32}}}, false)->shapes[0], (Shape{2, 3}));
  EXPECT_NE(SymbolToJson(*s).find("\"(0, 3)\""), std::string::npos);
}

TEST(Json, RefusedWithNodeAndPlace) {
  auto error = [](const std::string& text) {
    Error e = ErrorOf([&] { SymbolFromJson(text, "m.json"); });
    EXPECT_EQ(e.status(), Status::kFormat) << e.message();
    EXPECT_EQ(e.file, "m.json");
    EXPECT_GT(e.offset, 0);
    return e;
  };
  std::string unknown = File("Convolutoin", "", 1);
  Error e = error(unknown);
  EXPECT_EQ(e.offset, int64_t(unknown.find("Convolutoin") + 12));
  EXPECT_EQ(e.node, "n");
  EXPECT_EQ(e.op, "Convolutoin");
  EXPECT_NE(e.message().find("`n`"), std::string::npos) << e.message();
  EXPECT_NE(e.message().find("Did you mean `Convolution`?"), std::string::npos) << e.message();
  struct { std::string text; const char* says; } cases[] = {
      {File("_rnn_grad", "", 1), "internal"},
      {File("relu", "\"attrs\": {\"axis\": \"1\"}, ", 1), "`axis`"},
      {File("FullyConnected", "\"attrs\": {\"num_hidden\": \"many\"}, ", 3, Of(10901)), "`many`"},
      {File("FullyConnected", "", 3, Of(10901)), "`num_hidden`"},
      {File("elemwise_add", "", 1, Of(10901)), "expected 2 inputs, given 1"},
      {File("relu", "", 2), "expected 1 input, given 2"},
      {File("Concat", "\"attrs\": {\"num_args\": \"3\"}, ", 2), "`num_args` is 3, given 2 inputs"},
      {File("SliceChannel", "\"attrs\": {\"num_outputs\": \"2000000000\"}, ", 1), "2000000000 outputs"},
      {File("relu", "\"attrs\": {\"x\": 1}, ", 1), "must be a string, given a number"},
      {File("FullyConnected", "\"attrs\": {\"num_hidden\": \"3\\u0000\"}, ", 3), "u0000"},
      {File("FullyConnected", "\"attrs\": {\"num_hidden\": \"3\", \"__a\\u0000__\": \"\"}, ", 3), "u0000"},
      {Text("{\"nodes\": [{\"op\": \"null\", \"name\": \"x\\u0000\", \"inputs\": []}], \"heads\": [[0, 0, 0]]}"), "u0000"},
      {File("relu", "\"attrs\": [], ", 1), "must be an object, given an array"},
      {File("relu", "\"subgraphs\": [{}], ", 1), "has no `nodes`"},
      {File("_cond", "\"attrs\": {\"num_outputs\": \"1\"}, ", 1), "needs 3 graphs of its own, given 0"},
      {File("relu", "\"name\": \"m\", ", 1), "occurs twice"},
      {Variable("(2, x)"), "`(2, x)`"},
      {Variable("(-2,)"), "(-2,)"},
      {Text("[", File("relu", "", 1), "]"), "must be an object"},
      {Text("{\"nodes\": [], \"heads\": [[0, 0, 0]]}"), "there is none"},
      {Text("{\"nodes\": [{\"op\": \"null\", \"name\": \"x\", \"inputs\": []}], \"heads\": []}"), "`heads` is empty"},
      {Text("{\"nodes\": [{\"op\": \"null\", \"name\": \"\", \"inputs\": []}], \"heads\": [[0, 0, 0]]}"), "needs a name"},
      {Text("{\"nodes\": [{\"op\": \"null\", \"name\": \"x\", \"inputs\": [[0, 0, 0]]}], \"heads\": [[0, 0, 0]]}"), "has no inputs"},
      {Text("{\"nodes\": [{\"op\": \"relu\", \"name\": \"x\", \"inputs\": [[0, 0, 0]]}], \"heads\": [[0, 0, 0]]}"), "there is none before it"},
      {Text("{\"nodes\": [{\"op\": \"null\", \"name\": \"x\", \"inputs\": []}], \"heads\": [[0, 1, 0]]}"), "has no output 1"},
      {Text("{\"nodes\": [{\"op\": \"null\", \"name\": \"x\", \"inputs\": []}], \"heads\": [[1, 0, 0]]}"), "[0, 0], given 1"},
      {Text("{\"nodes\": [{\"op\": \"null\", \"name\": \"x\", \"inputs\": []}], \"heads\": [[0]]}"), "given 1 values"},
      {Text("{\"nodes\": [{\"op\": \"_ones\", \"name\": \"x\", \"inputs\": []}], \"arg_nodes\": [0], \"heads\": [[0, 0, 0]]}"), "must name variables"},
      {File("BatchNorm", "", 5).replace(File("BatchNorm", "", 5).find("[[5, 0, 0]]"), 11, "[[5, 3, 0]]"), "has no output 3"},
  };
  for (auto& c : cases) EXPECT_NE(error(c.text).message().find(c.says), std::string::npos) << c.text << "\n" << error(c.text).message();
  // Without a file the text is named.
  Error plain = ErrorOf([&] { SymbolFromJson(unknown); });
  EXPECT_EQ(plain.message().find("[symbol] at byte"), 0u) << plain.message();
}

// A loop in a loop in a loop ...
std::string Nested(int depth) {
  if (depth == 0) return File("relu", "", 1, "");
  return File("_foreach", Text("\"attrs\": {\"num_outputs\": \"1\", \"num_out_data\": \"1\", \"in_data_locs\": \"(0,)\", \"in_state_locs\": \"()\", \"remain_locs\": \"()\"}, "
                               "\"subgraphs\": [", Nested(depth - 1), "], "), 1);
}
TEST(Json, Nesting) {
  auto s = SymbolFromJson(Nested(8), "nested");
  EXPECT_EQ(SymbolToJson(*SymbolFromJson(SymbolToJson(*s))), SymbolToJson(*s));
  EXPECT_EQ(Infer(*s, {{"x0", {Shape{1, 2, 3, 1, 2, 3, 1, 2, 3, 4}, DType::kFloat32}}}, false)->shapes[1].ndim(), 10);
  EXPECT_NE(ErrorOf([] { SymbolFromJson(Nested(9), "nested"); }).message().find("nested deeper than 8"), std::string::npos);
  EXPECT_NE(ErrorOf([] { SymbolFromJson(Nested(200), "nested"); }).message().find("nested deeper than"), std::string::npos);
  Error e = ErrorOf([&] {
    auto in = Symbol::Variable("x0");
    auto more = Symbol::Compose(FindOp("_foreach"), "more", {in}, {}, {{"num_outputs", "1"}, {"num_out_data", "1"}, {"in_data_locs", "(0,)"}, {"in_state_locs", "()"}, {"remain_locs", "()"}}, {s});
    SymbolToJson(*more);
  });
  EXPECT_EQ(e.status(), Status::kUnsupported) << e.message();
  EXPECT_EQ(ErrorOf([] { SymbolToJson(*Symbol::Variable("\xff")); }).status(), Status::kUnsupported);
}

TEST(Json, AuxiliaryStatesCountTheirChanges) {
  auto m = Symbol::Variable("mean"), v = Symbol::Variable("var");
  auto norm = [&](const char* name, const Ref<Symbol>& x) {
    return Symbol::Compose(FindOp("BatchNorm"), name, {x, m, v}, {"data", "moving_mean", "moving_var"}, {});
  };
  auto s = norm("b", norm("a", Symbol::Variable("x")));
  std::string text = SymbolToJson(*s);
  EXPECT_NE(text.find("[3, 0, 1], [4, 0, 1]]"), std::string::npos) << text;
  EXPECT_NE(text.find("[3, 0, 2], [4, 0, 2]]"), std::string::npos) << text;
}

}  // namespace
}  // namespace flx

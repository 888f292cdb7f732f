// SPDX-License-Identifier: Apache-2.0
// Symbol files cut anywhere, and with any number or string replaced: an error with file and byte, or a graph that inference survives.
#include <gtest/gtest.h>

#include <random>

#include "../interop/hostile.h"
#include "graph/infer.h"
#include "graph/json.h"

namespace flx {
namespace {
const std::string kModels = std::string(FLEXOR_TEST_DATA) + "/golden/files/models/";
const char* const kSmall[] = {"mlp_01", "attributes_01", "cond_02", "foreach_02", "while_loop_01", "legacy_json_02"};

// Whatever can be read can be written, read again and inferred; inference may refuse with an error of the user's kind.
void Parse(const std::string& bytes) {
  auto s = SymbolFromJson(bytes, "file");
  auto text = SymbolToJson(*s);
  EXPECT_EQ(SymbolToJson(*SymbolFromJson(text, "again")), text);
  try {
    Infer(*s, {}, true);
  } catch (const Error& e) {
    bool users = e.status() == Status::kShape || e.status() == Status::kType || e.status() == Status::kArgument;
    EXPECT_TRUE(users) << e.message();
  }
}

struct Token { size_t at, size; };
// Where the numbers stand, or the strings with their quotes.
std::vector<Token> Tokens(const std::string& text, bool strings) {
  std::vector<Token> found;
  for (size_t i = 0; i < text.size();) {
    size_t end = i + 1;
    if (text[i] == '"') {
      while (text[end] != '"') end += text[end] == '\\' ? 2 : 1;
      ++end;
      if (strings) found.push_back({i, end - i});
    } else if (text[i] == '-' || (text[i] >= '0' && text[i] <= '9')) {
      while (text[end] >= '0' && text[end] <= '9') ++end;
      if (!strings) found.push_back({i, end - i});
    }
    i = end;
  }
  return found;
}
std::string With(const std::string& text, const Token& t, const std::string& other) { return std::string(text).replace(t.at, t.size, other); }

TEST(HostileJson, EveryCut) {
  for (auto* model : kSmall) hostile::EveryCut(hostile::Slurp(kModels + model + "-symbol.json"), Parse);
}

TEST(HostileJson, EveryNumber) {
  int refused = 0, taken = 0;
  for (auto* model : kSmall) {
    std::string text = hostile::Slurp(kModels + model + "-symbol.json"), same = SymbolToJson(*SymbolFromJson(text));
    for (auto& t : Tokens(text, false))
      for (const char* other : {"-1", "2147483648", "4294967295", "9223372036854775807", "9223372036854775808", "18446744073709551616", "1e308", "1e999", "0.5", "\"1\"", "null", "[]", "{}"}) {
        std::string bad = With(text, t, other);
        bool fine = hostile::Outcome(bad, Parse, Text(model, ": ", other, " at ", t.at)).empty();
        ++(fine ? taken : refused);
        // Taken only where it means nothing to us: row pointers, versions of entries.
        if (fine) { EXPECT_EQ(SymbolToJson(*SymbolFromJson(bad)), same) << model << ": " << other << " at " << t.at; }
      }
  }
  EXPECT_GT(refused, 2000);
  EXPECT_GT(taken, 500);
}

TEST(HostileJson, EveryString) {
  const std::string quote = "\"", longer(20000, 'a');
  for (auto* model : kSmall) {
    std::string text = hostile::Slurp(kModels + model + "-symbol.json");
    for (auto& t : Tokens(text, true))
      for (const std::string& other : {std::string(), longer, std::string("null"), std::string("FullyConnected"), std::string("_foreach"), std::string("0"), std::string("\\u0000"),
                                       std::string("-9223372036854775808"), std::string("9223372036854775807"), std::string("(2147483648, 4294967296, 65536)"), std::string("(0, -1)"),
                                       std::string("()"), std::string("nan"), std::string("1e308")})
        hostile::Outcome(With(text, t, quote + other + quote), Parse, Text(model, ": ", other.substr(0, 30), " at ", t.at));
  }
}

// Files that are right as JSON and wrong as graphs: strings of all these files mixed, small numbers in place of numbers.
TEST(HostileJson, Mixed) {
  std::vector<std::string> texts, strings;
  for (auto* model : kSmall) {
    texts.push_back(hostile::Slurp(kModels + model + "-symbol.json"));
    for (auto& t : Tokens(texts.back(), true)) strings.push_back(texts.back().substr(t.at, t.size));
  }
  for (const OpDef* op : AllOps()) strings.push_back(Text("\"", op->name, "\""));
  std::mt19937_64 random(1);
  auto below = [&](size_t n) { return size_t(random() % n); };
  int taken = 0;
  for (int round = 0; round < 6000; ++round) {
    std::string text = texts[below(texts.size())];
    for (size_t changes = 1 + below(3); changes; --changes) {
      bool word = below(2);
      auto tokens = Tokens(text, word);
      text = With(text, tokens[below(tokens.size())], word ? strings[below(strings.size())] : Text(below(6)));
    }
    taken += hostile::Outcome(text, Parse, text).empty();
  }
  EXPECT_GT(taken, 300);
}

TEST(HostileJson, LongAndDeep) {
  auto message = [](const std::string& text) { return hostile::Outcome(text, Parse, text.substr(0, 40)); };
  EXPECT_NE(message(std::string(100000, '[')).find("nested deeper"), std::string::npos);
  EXPECT_NE(message("{\"nodes\": " + std::string(100000, '[')).find("nested deeper"), std::string::npos);
  // A long chain: no recursion as deep as the graph, neither in reading nor in freeing.
  std::string chain = "{\"nodes\": [{\"op\": \"null\", \"name\": \"x\", \"inputs\": []}";
  const int n = 20000;
  for (int i = 0; i < n; ++i) chain += Text(", {\"op\": \"relu\", \"name\": \"r", i, "\", \"inputs\": [[", i, ", 0]]}");
  chain += Text("], \"heads\": [[", n, ", 0]]}");
  EXPECT_EQ(SymbolFromJson(chain)->index().size(), n + 1);
  // Each node reads the one before twice: 2^60 ways from the end to the front, and still 61 nodes.
  std::string twice = "{\"nodes\": [{\"op\": \"null\", \"name\": \"x\", \"inputs\": []}";
  for (int i = 0; i < 60; ++i) twice += Text(", {\"op\": \"elemwise_add\", \"name\": \"r", i, "\", \"inputs\": [[", i, ", 0], [", i, ", 0]]}");
  EXPECT_EQ(SymbolFromJson(twice + "], \"heads\": [[60, 0]]}")->index().size(), 61);
}

}  // namespace
}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// Every golden model's symbol: what it lists, what follows from the shapes of its inputs, and that it is written as MXNet wrote it.
#include <gtest/gtest.h>

#include <set>

#include "../interop/hostile.h"
#include "../op/golden.h"
#include "base/json.h"
#include "graph/infer.h"
#include "graph/json.h"
#include "graph/texts.h"

namespace flx {
namespace {
const std::string kGolden = std::string(FLEXOR_TEST_DATA) + "/golden/";

std::vector<std::string> NamesOf(const golden::Case& c, const char* word) {
  const std::string& names = c.Find(word)->get("names");
  return names.empty() ? std::vector<std::string>{} : Split(names, ',');
}
Shape ShapeOf(const std::string& text) {
  if (text == "-") return {};
  return ParseShape("golden", text);
}
using Triple = std::tuple<std::string, std::string, std::string>;
std::vector<Triple> TextsOf(const Symbol& s) {
  std::vector<Triple> all;
  for (auto& t : ListTexts(s)) all.emplace_back(t.node, t.key, t.value);
  return all;
}
std::string PathOf(const golden::Case& c, const char* role) {
  for (auto& l : c.lines)
    if (l.word == "file" && l.get("role") == role) return kGolden + l.get("path");
  return {};
}

// All but `node_row_ptr`, which counts outputs nobody sees too; no loader reads it. Here MXNet has more of them, or fewer (masks, norms, work space).
struct OtherCount { const char* op; int64_t more; };
constexpr OtherCount kOtherCounts[] = {{"LRN", 1}, {"L2Normalization", 1}, {"LeakyReLU", -1}, {"Pooling", 1}, {"RNN", -2}};
std::string Rest(std::string text) {
  for (size_t at; (at = text.find("\"node_row_ptr\": [")) != std::string::npos;) text.erase(at, text.find(']', at) + 3 - at);
  return text;
}
void CheckRows(const JsonValue& ours, const JsonValue& theirs) {
  auto &a = ours.Find("node_row_ptr")->items, &b = theirs.Find("node_row_ptr")->items;
  auto& nodes = theirs.Find("nodes")->items;
  ASSERT_EQ(a.size(), nodes.size() + 1);
  ASSERT_EQ(b.size(), a.size());
  for (size_t i = 0; i < nodes.size(); ++i) {
    const std::string& op = nodes[i].Find("op")->text;
    int64_t differ = (b[i + 1].integer - b[i].integer) - (a[i + 1].integer - a[i].integer);
    bool fine = differ == 0;
    for (auto& other : kOtherCounts) fine |= op == other.op && differ == other.more;
    EXPECT_TRUE(fine) << "MXNet's " << op << " has " << differ << " outputs more";
  }
}

void CheckModel(const golden::Case& c) {
  std::string path = PathOf(c, "symbol"), text = hostile::Slurp(path);
  auto symbol = SymbolFromJson(text, path);
  EXPECT_EQ(symbol->Names(Part::kArgument), NamesOf(c, "arguments"));
  EXPECT_EQ(symbol->Names(Part::kAuxiliary), NamesOf(c, "auxiliary"));
  EXPECT_EQ(symbol->Names(Part::kOutput), NamesOf(c, "outputs"));

  std::map<std::string, Known> given;
  std::map<std::string, Shape> want;
  std::set<Triple> texts;
  for (auto& l : c.lines) {
    if (l.word == "in") {
      DType t;
      ASSERT_TRUE(DTypeFromName(l.get("dtype"), &t));
      given[l.get("name")] = {ShapeOf(l.get("shape")), t};
    } else if (l.word == "inferred") {
      want[l.get("name")] = ShapeOf(l.get("shape"));
    } else if (l.word == "node_attr") {
      texts.emplace(l.get("node"), l.get("key"), l.get("value"));
    }
  }
  auto known = Infer(*symbol, given, false);
  const GraphIndex& g = symbol->index();
  for (auto& [name, shape] : want) {
    bool found = false;
    for (int i : g.inputs_order)
      if (g.nodes[size_t(i)]->name == name) {
        EXPECT_EQ(Text(known->shapes[size_t(g.first_value[size_t(i)])]), Text(shape)) << name;
        found = true;
      }
    EXPECT_TRUE(found) << name;
  }
  size_t outs = 0;
  for (auto& l : c.lines)
    if (l.word == "out") {
      int64_t k = -1;
      ASSERT_TRUE(ParseInt(l.get("index"), &k) && k >= 0 && k < int64_t(g.outputs.size()));
      EXPECT_EQ(Text(known->shapes[size_t(g.outputs[size_t(k)])]), Text(ShapeOf(l.get("shape")))) << "output " << k;
      ++outs;
    }
  EXPECT_EQ(outs, g.outputs.size());
  if (!texts.empty()) {
    auto list = TextsOf(*symbol);
    EXPECT_EQ(texts, std::set(list.begin(), list.end()));
    EXPECT_EQ(texts.size(), list.size());
  }

  std::string written = SymbolToJson(*symbol);
  if (text.find("mxnet_version") != std::string::npos) {
    EXPECT_EQ(Rest(written), Rest(text));
    CheckRows(ParseJson(written, "written"), ParseJson(text, "golden"));
  } else { EXPECT_NE(written.find("\"mxnet_version\": [\"int\", 10901]"), std::string::npos);
  }
  auto again = SymbolFromJson(written, "again");
  EXPECT_EQ(SymbolToJson(*again), written);
  EXPECT_EQ(TextsOf(*again), TextsOf(*symbol));
}

TEST(GoldenModels, AsMxnet) {
  golden::Folder folder(kGolden);
  int checked = 0;
  for (auto& c : folder.Read("models")) {
    SCOPED_TRACE(c.id());
    ++checked;
    try {
      CheckModel(c);
    } catch (const Error& e) {
      ADD_FAILURE() << e.message();
    }
  }
  EXPECT_EQ(checked, 26);
}

TEST(GoldenModels, BadFilesAreRefused) {
  golden::Folder folder(kGolden);
  int n = 0;
  for (auto& c : folder.Read("params")) {
    if (c.kind() != "bad_symbol") continue;
    SCOPED_TRACE(c.id());
    ++n;
    std::string path = PathOf(c, "symbol");
    Error e = ErrorOf([&] { SymbolFromJson(hostile::Slurp(path), path); });
    EXPECT_EQ(e.status(), Status::kFormat) << e.message();
    EXPECT_EQ(e.file, path);
    EXPECT_GE(e.offset, 0);
  }
  EXPECT_EQ(n, 5);
}

}  // namespace
}  // namespace flx

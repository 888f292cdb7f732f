// SPDX-License-Identifier: Apache-2.0
// Everything registered says what it is: a sentence for each operator, layer, optimizer, metric ..., input, attribute and option.
#include <gtest/gtest.h>

#include <set>

#include "flexor/flexor.hpp"

using namespace flexor;

namespace {
constexpr const char* kRegistries[] = {"operator", "layer", "optimizer", "schedule", "initializer", "metric", "iter", "pass", "store", "options"};

bool IsSentence(const std::string& s) {
  size_t letters = 0;
  for (char c : s) letters += (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return letters >= 3 && s.size() >= 5 && s[0] != ' ' && std::string(".!?)").find(s.back()) != std::string::npos;
}
struct Entry {
  flx_entry handle = nullptr;
  Entry(const char* registry, int32_t index) { check(flx_registry_at(registry, index, &handle)); }
  ~Entry() { flx_free(handle); }
  std::string text(const char* field) const {
    const char* s = "";
    check(flx_entry_text(handle, field, &s));
    return s;
  }
  std::string input(int32_t i, const char* field) const {
    const char* s = "";
    check(flx_entry_input_text(handle, i, field, &s));
    return s;
  }
  std::string attr(int32_t i, const char* field) const {
    const char* s = "";
    check(flx_entry_attr_text(handle, i, field, &s));
    return s;
  }
  int32_t count(flx_status (*f)(flx_entry, int32_t*)) const {
    int32_t n = 0;
    check(f(handle, &n));
    return n;
  }
};
int32_t CountOf(const char* registry) {
  int32_t n = 0;
  check(flx_registry_count(registry, &n));
  return n;
}
class Registries : public testing::TestWithParam<const char*> {};
}  // namespace

TEST(IsSentence, TellsThemApart) {
  for (const char* good : {"The input.", "exp(x)."}) EXPECT_TRUE(IsSentence(good)) << good;
  for (const char* bad : {"", ".", "x", "      .", "no end", " The input."}) EXPECT_FALSE(IsSentence(bad)) << bad;
}

TEST_P(Registries, EverythingHasASentence) {
  int32_t n = CountOf(GetParam());
  ASSERT_GT(n, 0);
  for (int32_t i = 0; i < n; ++i) {
    Entry e(GetParam(), i);
    std::string name = e.text("name");
    EXPECT_TRUE(IsSentence(e.text("doc"))) << name << ": " << e.text("doc");
    EXPECT_NE(e.text("since"), "") << name;
    EXPECT_NE(e.text("family"), "") << name;
    for (int32_t k = 0; k < e.count(flx_entry_input_count); ++k) {
      EXPECT_NE(e.input(k, "name"), "") << name;
      EXPECT_TRUE(IsSentence(e.input(k, "doc"))) << name << ", input " << e.input(k, "name") << ": " << e.input(k, "doc");
    }
    for (int32_t k = 0; k < e.count(flx_entry_attr_count); ++k) {
      EXPECT_NE(e.attr(k, "name"), "") << name;
      EXPECT_NE(e.attr(k, "type"), "") << name << ", " << e.attr(k, "name");
      EXPECT_TRUE(IsSentence(e.attr(k, "doc"))) << name << ", attribute " << e.attr(k, "name") << ": " << e.attr(k, "doc");
    }
  }
}

TEST_P(Registries, NamesAreInOrderAndFound) {
  std::string before;
  std::set<std::string> names;
  for (int32_t i = 0; i < CountOf(GetParam()); ++i) {
    Entry e(GetParam(), i);
    std::string name = e.text("name");
    EXPECT_LT(before, name);
    before = name;
    EXPECT_TRUE(names.insert(name).second);
    flx_entry found = nullptr;
    ASSERT_EQ(flx_registry_find(GetParam(), name.c_str(), &found), FLX_OK) << flx_last_error();
    const char* text = "";
    check(flx_entry_text(found, "name", &text));
    EXPECT_EQ(text, name);
    flx_free(found);
  }
  flx_entry none = nullptr;
  EXPECT_EQ(flx_registry_find(GetParam(), "surely not there", &none), FLX_ERROR_NAME);
  EXPECT_EQ(flx_registry_at(GetParam(), -1, &none), FLX_ERROR_INDEX);
  EXPECT_EQ(flx_registry_at(GetParam(), CountOf(GetParam()), &none), FLX_ERROR_INDEX);
  EXPECT_EQ(none, nullptr);
}
INSTANTIATE_TEST_SUITE_P(All, Registries, testing::ValuesIn(kRegistries), [](const auto& info) { return std::string(info.param) + "_"; });

TEST(Registry, AliasesFindTheOperator) {
  flx_entry e = nullptr;
  ASSERT_EQ(flx_registry_find("operator", "concat", &e), FLX_OK);
  const char* name = "";
  check(flx_entry_text(e, "name", &name));
  EXPECT_STREQ(name, "Concat");
  int32_t v = 0;
  check(flx_entry_trait(e, "variadic", &v));
  EXPECT_EQ(v, 1);
  check(flx_entry_trait(e, "outputs", &v));
  EXPECT_EQ(v, 1);
  flx_free(e);
  check(flx_registry_find("operator", "SliceChannel", &e));
  check(flx_entry_trait(e, "outputs", &v));
  EXPECT_EQ(v, -1);
  flx_free(e);
  EXPECT_EQ(flx_registry_find("operators", "Concat", &e), FLX_ERROR_NAME);
}

TEST(Options, EachHasASentence) {
  char* raw = nullptr;
  check(flx_config_list(&raw));
  std::string table = detail::take_text(raw);
  std::set<std::string> seen;
  for (size_t at = 0; (at = table.find("FLEXOR_", at)) != std::string::npos;) {
    size_t end = table.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789", at);
    bool line_start = at == 0 || table[at - 1] == '\n';
    std::string name = table.substr(at, end - at);
    if (line_start) {
      std::string line = table.substr(at, table.find('\n', at) - at);
      EXPECT_TRUE(IsSentence(line)) << line;
      seen.insert(name);
      char* value = nullptr;
      EXPECT_EQ(flx_config_get(name.c_str(), &value), FLX_OK) << flx_last_error();
      flx_text_free(value);
    }
    at = end;
  }
  EXPECT_GE(seen.size(), 3u) << table;
}

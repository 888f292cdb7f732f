// SPDX-License-Identifier: Apache-2.0
// Spans, counters, marks, the trace and the table, in one thread.
#include "profiler/profiler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/table.h"
#include "helpers.h"

namespace flx {
namespace {
constexpr ProfileKind kPlanned = ProfileKind::kPlanned, kPass = ProfileKind::kPass, kUser = ProfileKind::kUser;

void Nest(int depth) {
  ProfileScope scope(kPlanned, "nested");
  if (depth > 1) Nest(depth - 1), Nest(depth - 1);
}
const JsonValue& RowOf(const JsonValue& table, const char* rows, std::string_view name) {
  static const JsonValue none;
  for (auto& r : table.Find(rows)->items)
    if (r.Find("name")->text == name) return r;
  ADD_FAILURE() << "no row " << name;
  return none;
}

TEST(Profiler, OffRecordsNothing) {
  StopProfile(), ClearProfile();
  EXPECT_FALSE(ProfileRunning());
  {
    ProfileScope scope(kPass, "no");
    EXPECT_FALSE(scope.active());
  }
  ProfileCounter("no", 1), ProfileMark("no"), ProfileMemory("no", 1, 1);
  EXPECT_TRUE(ReadTrace().events.empty());
  EXPECT_TRUE(ReadTable().Find("spans")->items.empty());
}

TEST(Profiler, SpansNest) {
  Recording recording;
  {
    ProfileScope outer(kPass, "outer");
    Nest(8);
  }
  Trace t = ReadTrace();
  EXPECT_EQ(t.Of("X", "nested").size(), 255u);
  auto outer = t.Of("X", "outer");
  ASSERT_EQ(outer.size(), 1u);
  EXPECT_EQ(outer[0].category, "pass");
  for (auto& e : t.Of("X", "nested")) {
    EXPECT_GT(e.begin, outer[0].begin);
    EXPECT_LT(e.end(), outer[0].end());
  }
}

TEST(Profiler, KindsAreSwitchedAlone) {
  Recording recording(Only(ProfileBit(kPass)));
  {
    ProfileScope a(kPass, "pass"), b(kPlanned, "planned"), c(ProfileKind::kApi, "api");
    EXPECT_TRUE(a.active());
    EXPECT_FALSE(b.active());
  }
  ProfileMemory("memory", 1, 1);
  ProfileMark("user");  // always
  Trace t = ReadTrace();
  EXPECT_EQ(t.events.size(), 2u);
}

TEST(Profiler, FactsAreShown) {
  Recording recording;
  {
    ProfileScope scope(kPlanned, "facts");
    const int64_t dims[] = {2, 3, int64_t(1) << 40}, none[] = {0};
    scope.facts().Array(false, DType::kFloat32, dims, 3);
    scope.facts().Array(true, DType::kInt64, none, 1);
    scope.facts().Array(false, DType::kBool, nullptr, 0);
    scope.facts().Number("bytes", -7);
  }
  auto e = ReadTrace().Of("X", "facts").at(0);
  EXPECT_EQ(e.args.Find("inputs")->items.at(0).text, "float32 (2, 3, 1099511627776)");
  EXPECT_EQ(e.args.Find("inputs")->items.at(1).text, "bool ()");
  EXPECT_EQ(e.args.Find("outputs")->items.at(0).text, "int64 (0,)");
  EXPECT_EQ(e.args.Find("bytes")->integer, -7);
}

TEST(Profiler, FactsBeyondTheRoomAreCut) {
  Recording recording;
  {
    ProfileScope scope(kPlanned, "many");
    std::vector<int64_t> dims(32, int64_t(1) << 62);
    for (int i = 0; i < 1000; ++i) scope.facts().Array(i % 2, DType::kFloat32, dims.data(), i % 33);
  }
  auto e = ReadTrace().Of("X", "many").at(0);
  EXPECT_EQ(e.args.Find("more")->text, "...");
}

TEST(Profiler, NamesAreEscapedAndCut) {
  Recording recording;
  std::string odd = "a \"b\" \\ \n\t\x01 \xc3\xa9 \xff", longest;
  for (int i = 0; i < 100; ++i) longest += "\xc3\xa9";
  { ProfileScope scope(kPass, odd); }
  { ProfileScope scope(kPass, longest); }
  ProfileMark(odd), ProfileCounter("", 1);
  Trace t = ReadTrace();
  EXPECT_EQ(t.Of("X").at(0).name, "a \"b\" \\ \n\t\x01 \xc3\xa9 \xef\xbf\xbd");
  EXPECT_EQ(t.Of("X").at(1).name, longest.substr(0, 120));
  EXPECT_EQ(t.Of("i").size(), 1u);
  EXPECT_EQ(t.Of("C").at(0).name, "");
  ReadTable();
  EXPECT_NE(ProfileText("test", "", 80).find("a \"b\""), std::string::npos);
}

TEST(Profiler, SpansThatDoNotNestStandApart) {
  Recording recording;
  ProfileFacts a, b, c;
  a.Name("a"), b.Name("b"), c.Name("c");
  ProfileSpan one, two, three;
  one.Begin(), two.Begin();
  one.End(kUser, nullptr, &a);  // before the one inside it
  { ProfileScope scope(kPass, "between"); }
  three.Begin();
  two.End(kUser, nullptr, &b);
  three.End(kUser, nullptr, &c);
  { ProfileScope scope(kPass, "after"); }
  Trace t = ReadTrace();
  EXPECT_EQ(t.Of("b", "a").size(), 1u);
  EXPECT_EQ(t.Of("X", "between").size() + t.Of("X", "after").size(), 2u);
  EXPECT_EQ(t.Of("b").size() + t.Of("X").size(), 5u);
  EXPECT_EQ(t.Of("b").size(), t.Of("e").size());
}

TEST(Profiler, CancelledSpansLeaveNothing) {
  Recording recording;
  {
    ProfileScope outer(kPass, "outer");
    ProfileScope scope(kPass, "cancelled");
    scope.Cancel();
  }
  Trace t = ReadTrace();
  EXPECT_EQ(t.Of("X").size(), 1u);
}

TEST(Profiler, CountersAndMarks) {
  Recording recording;
  for (double v : {3.0, 1.0, 2.5}) ProfileCounter("loss", v);
  ProfileCounter("odd", std::numeric_limits<double>::infinity()), ProfileCounter("odd", std::nan(""));
  ProfileMark("epoch");
  ProfileMemory("memory test", 100, 300), ProfileMemory("memory test", 50, 300);
  Trace t = ReadTrace();
  EXPECT_EQ(t.Of("C", "loss").size(), 3u);
  EXPECT_EQ(t.Of("C", "loss").at(1).args.Find("value")->number, 1);
  EXPECT_EQ(t.Of("C", "memory test").at(1).args.Find("live")->integer, 50);
  EXPECT_EQ(t.Of("C", "memory test").at(1).args.Find("peak")->integer, 300);
  EXPECT_EQ(t.Of("i", "epoch").size(), 1u);
  JsonValue table = ReadTable();
  auto& loss = RowOf(table, "counters", "loss");
  EXPECT_EQ(loss.Find("count")->integer, 3);
  EXPECT_EQ(loss.Find("min")->number, 1);
  EXPECT_EQ(loss.Find("max")->number, 3);
  EXPECT_EQ(loss.Find("last")->number, 2.5);
  EXPECT_EQ(RowOf(table, "counters", "memory test").Find("max")->number, 300);
  EXPECT_EQ(table.Find("marks")->integer, 1);
  EXPECT_NE(ProfileText("test", "", 80).find("memory test"), std::string::npos);
}

void Busy(int64_t rounds) {
  volatile int64_t sum = 0;
  for (int64_t i = 0; i < rounds; ++i) sum = sum + i;
}

TEST(Profiler, TableAddsUp) {
  Recording recording;
  for (int i = 0; i < 5; ++i) {
    ProfileScope outer(kPass, "outer");
    Busy(2000);
    for (int j = 0; j < 3; ++j) {
      ProfileScope inner(kPlanned, "inner");
      Busy(1000);
    }
  }
  JsonValue table = ReadTable();
  auto& outer = RowOf(table, "spans", "outer");
  auto& inner = RowOf(table, "spans", "inner");
  EXPECT_EQ(outer.Find("count")->integer, 5);
  EXPECT_EQ(inner.Find("count")->integer, 15);
  EXPECT_EQ(inner.Find("kind")->text, "planned");
  EXPECT_EQ(inner.Find("self_ns")->integer, inner.Find("total_ns")->integer);
  EXPECT_EQ(outer.Find("self_ns")->integer, outer.Find("total_ns")->integer - inner.Find("total_ns")->integer);
  double share = 0;
  for (auto& r : table.Find("spans")->items) {
    share += r.Find("share")->number;
    EXPECT_LE(r.Find("min_ns")->integer, r.Find("max_ns")->integer);
    EXPECT_NEAR(r.Find("mean_ns")->number * r.Find("count")->number, r.Find("total_ns")->number, 1);
  }
  EXPECT_NEAR(share, 1, 1e-12);
  EXPECT_GT(table.Find("seconds")->number, 0);
}

TEST(Profiler, TextIsSortedAndFits) {
  Recording recording;
  for (int i = 0; i < 3; ++i) { ProfileScope scope(kPass, "b-often"); }
  {
    ProfileScope scope(kPass, "a-long");
    Busy(200000);
  }
  std::string by_count = ProfileText("test", "count", 100), by_total = ProfileText("test", "total", 100), by_name = ProfileText("test", "name", 100);
  EXPECT_LT(by_count.find("b-often"), by_count.find("a-long"));
  EXPECT_LT(by_total.find("a-long"), by_total.find("b-often"));
  EXPECT_LT(by_name.find("a-long"), by_name.find("b-often"));
  for (const char* sort : {"self", "mean", "min", "max", "share"}) EXPECT_FALSE(ProfileText("test", sort, 0).empty());
  for (int columns : {30, 50, 80}) {
    std::string text = ProfileText("test", "", columns);
    for (size_t at = 0, end; (end = text.find('\n', at)) != text.npos; at = end + 1)
      EXPECT_LE(CharacterCount(std::string_view(text).substr(at, end - at)), columns) << text;
  }
  try {
    ProfileText("test", "totl", 80);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.status(), Status::kName);
    EXPECT_NE(e.message().find("`total`"), std::string::npos) << e.message();
  }
}

TEST(Profiler, RoomIsBounded) {
  ProfileOptions small;
  small.Set("test", "capacity", "64K");
  Recording recording(small);
  constexpr int kMany = 10000;
  for (int i = 0; i < kMany; ++i) { ProfileScope scope(kPass, "one"); }
  Trace t = ReadTrace();
  EXPECT_GT(t.dropped, 0);
  EXPECT_EQ(int64_t(t.Of("X", "one").size()) + t.dropped, kMany);
  EXPECT_EQ(ReadTable().Find("dropped")->integer, t.dropped);
  EXPECT_NE(ProfileText("test", "", 80).find("found no room"), std::string::npos);
  ClearProfile();
  { ProfileScope scope(kPass, "later"); }
  t = ReadTrace();
  EXPECT_EQ(t.dropped, 0);
  EXPECT_EQ(t.Of("X").size(), 1u);
}

TEST(Profiler, SessionsAreApart) {
  Recording recording;
  { ProfileScope scope(kPass, "first"); }
  ProfileSpan across;
  across.Begin();
  StopProfile();
  { ProfileScope scope(kPass, "stopped"); }
  EXPECT_EQ(ReadTrace().Of("X").size(), 1u);
  ProfileOptions more;
  more.keep = true;
  StartProfile(more);
  { ProfileScope scope(kPass, "second"); }
  EXPECT_EQ(ReadTrace().Of("X").size(), 2u);
  StartProfile({});
  { ProfileScope scope(kPass, "third"); }
  across.End(kPass, "across", nullptr);  // of a session that is forgotten
  Trace t = ReadTrace();
  EXPECT_EQ(t.Of("X").size(), 1u);
  EXPECT_EQ(t.Of("X").at(0).name, "third");
}

TEST(Profiler, OptionsAreChecked) {
  ProfileOptions o;
  o.Set("test", "operators", "False"), o.Set("test", "api", "True"), o.Set("test", "capacity", "1G"), o.Set("test", "keep", "1");
  EXPECT_FALSE(o.kinds & ProfileBit(ProfileKind::kOperator));
  EXPECT_TRUE(o.kinds & ProfileBit(ProfileKind::kApi));
  EXPECT_EQ(o.capacity, int64_t(1) << 30);
  EXPECT_TRUE(o.keep);
  for (const char* wrong : {"", "x", "1", "-1", "63K", "9999999G", "M", "64 KB"}) {
    try {
      o.Set("test", "capacity", wrong);
      ADD_FAILURE() << wrong;
    } catch (const Error& e) {
      EXPECT_EQ(e.status(), Status::kArgument);
    }
  }
  try {
    o.Set("test", "operator", "True");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.status(), Status::kName);
    EXPECT_NE(e.message().find("`operators`"), std::string::npos) << e.message();
  }
}

}  // namespace
}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// The profiler by the C++ API.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <thread>

#include "flexor/flexor.hpp"

using namespace flexor;

namespace {
std::string File(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}
int Count(const std::string& text, const std::string& what) {
  int n = 0;
  for (size_t at = 0; (at = text.find(what, at)) != text.npos; at += what.size()) ++n;
  return n;
}
// Of the row `name` of profiler::table().
int64_t CountOf(const std::string& table, const std::string& name) {
  size_t at = table.find("\"name\":\"" + name + "\""), row = at == table.npos ? at : table.rfind("{\"count\":", at);
  return row == table.npos ? 0 : std::stoll(table.substr(row + 9));
}
std::string Trace() {
  std::string path = testing::TempDir() + "/flexor-trace-" + std::to_string(getpid()) + ".json";
  profiler::save(path);
  std::string text = File(path);
  std::remove(path.c_str());
  return text;
}
struct Stop {
  ~Stop() { profiler::stop(), profiler::clear(); }
};
}  // namespace

TEST(CppProfiler, RecordsWhatRuns) {
  Stop stop;
  EXPECT_FALSE(profiler::running());
  profiler::start();
  EXPECT_TRUE(profiler::running());
  NDArray x = ones({4});
  {
    Span step("step"), moved = std::move(step);
    for (int i = 0; i < 7; ++i) x = x * x;
    Span early("early", "mine");
    early.end();
    early.end();
  }
  profiler::counter("loss", 0.5);
  profiler::mark("epoch \"1\"");
  wait_all();
  profiler::stop();
  EXPECT_FALSE(profiler::running());
  { Span none("none"); }
  x = x * x;
  wait_all();
  std::string table = profiler::table(), trace = Trace(), text = profiler::summary("count", 60);
  EXPECT_EQ(CountOf(table, "elemwise_mul") + CountOf(table, "broadcast_mul"), 7) << table;
  EXPECT_EQ(CountOf(table, "step"), 1);
  EXPECT_EQ(CountOf(table, "none"), 0);
  EXPECT_NE(trace.find("\"cat\":\"mine\",\"name\":\"early\""), std::string::npos);
  EXPECT_NE(trace.find("\"name\":\"epoch \\\"1\\\"\""), std::string::npos);
  EXPECT_NE(text.find("step"), std::string::npos);
  EXPECT_LT(text.find("_mul"), text.find("step"));
  profiler::clear();
  EXPECT_EQ(Count(Trace(), "\"ph\":\"X\""), 0);
}

TEST(CppProfiler, CallsOfTheAbi) {
  Stop stop;
  profiler::start({{"api", true}, {"operators", false}, {"memory", false}});
  NDArray x = ones({4});
  for (int i = 0; i < 3; ++i) EXPECT_THROW(invoke("no_such_operator", {x}), NameError);
  profiler::stop();
  std::string table = profiler::table();
  EXPECT_GE(CountOf(table, "flx_invoke") + CountOf(table, "flx_call_create"), 3) << table;
  EXPECT_EQ(table.find("\"operator\""), table.npos);
}

TEST(CppProfiler, SpansOfManyThreads) {
  Stop stop;
  profiler::start();
  std::vector<Span> spans;
  for (int i = 0; i < 20; ++i) spans.emplace_back("handed over");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&spans, t] {
      for (int i = t; i < 20; i += 4) spans[size_t(i)].end();
      for (int i = 0; i < 50; ++i) Span own("own");
    });
  for (auto& t : threads) t.join();
  std::string trace = Trace();
  EXPECT_EQ(CountOf(profiler::table(), "handed over"), 20);
  EXPECT_EQ(CountOf(profiler::table(), "own"), 200);
  EXPECT_EQ(Count(trace, "\"ph\":\"b\""), 20);
  EXPECT_EQ(Count(trace, "\"ph\":\"e\""), 20);
  EXPECT_EQ(Count(trace, "\"ph\":\"X\""), 200);
}

TEST(CppProfiler, WrongCallsSayWhy) {
  EXPECT_THROW(profiler::start({{"operator", true}}), NameError);
  EXPECT_THROW(profiler::start({{"capacity", 1}}), ArgumentError);
  EXPECT_THROW(profiler::start({{"waits", "maybe"}}), ArgumentError);
  EXPECT_FALSE(profiler::running());
  EXPECT_THROW(profiler::summary("colour"), NameError);
  EXPECT_THROW(profiler::save("/no/such/folder/trace.json"), FileError);
  EXPECT_THROW(Span("\xff"), ArgumentError);
  EXPECT_NO_THROW(profiler::summary("", 1));
}

// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

namespace flx {
namespace {

struct LogTest : testing::Test {
  void TearDown() override {
    LogLevel l;
    std::string s;
    while (NextLog(&l, &s)) {}
    ConfigureLog("sink", "");
    ConfigureLog("level", "");
  }
};

TEST_F(LogTest, TheHostReadsTheBufferInOrder) {
  ConfigureLog("sink", "buffer");
  Log(LogLevel::kInfo, "one ", 1);
  Log(LogLevel::kDebug, "below the level");
  Log(LogLevel::kError, "two %s %n");
  LogLevel level;
  std::string text;
  ASSERT_TRUE(NextLog(&level, &text));
  EXPECT_EQ(text, "one 1");
  EXPECT_EQ(level, LogLevel::kInfo);
  ASSERT_TRUE(NextLog(&level, &text));
  EXPECT_EQ(text, "two %s %n");
  EXPECT_FALSE(NextLog(&level, &text));
}
TEST_F(LogTest, LevelsCanBeSet) {
  ConfigureLog("level", "error");
  EXPECT_FALSE(LogEnabled(LogLevel::kWarning));
  EXPECT_TRUE(LogEnabled(LogLevel::kError));
  ConfigureLog("level", "debug");
  EXPECT_TRUE(LogEnabled(LogLevel::kDebug));
  ConfigureLog("level", "none");
  EXPECT_FALSE(LogEnabled(LogLevel::kError));
  EXPECT_THROW(ConfigureLog("level", "loud"), Error);
  EXPECT_THROW(ConfigureLog("colour", "red"), Error);
}
TEST_F(LogTest, TheBufferKeepsTheLastThousand) {
  ConfigureLog("sink", "buffer");
  for (int i = 0; i < 1500; ++i) Log(LogLevel::kInfo, i);
  LogLevel level;
  std::string text;
  ASSERT_TRUE(NextLog(&level, &text));
  EXPECT_EQ(text, "500");
}
TEST_F(LogTest, FileSinkAppendsWholeLinesFromManyThreads) {
  std::string path = testing::TempDir() + "flexor_log_" + std::to_string(getpid());
  ConfigureLog("sink", path);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) threads.emplace_back([] { for (int i = 0; i < 100; ++i) Log(LogLevel::kWarning, "a line of its own"); });
  for (auto& t : threads) t.join();
  ConfigureLog("sink", "none");
  std::ifstream f(path);
  std::string line;
  int n = 0;
  for (; std::getline(f, line); ++n) EXPECT_EQ(line, "flexor: warning: a line of its own");
  EXPECT_EQ(n, 400);
  unlink(path.c_str());
  EXPECT_THROW(ConfigureLog("sink", "/no/such/folder/log"), Error);
}

}  // namespace
}  // namespace flx

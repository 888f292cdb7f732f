// SPDX-License-Identifier: Apache-2.0
#include "base/config.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>

#include "base/error.h"
#include "base/log.h"
#include "failing.h"

namespace flx {
namespace {

TEST(Config, EveryOptionReadsItsOwnDefault) {
  for (int i = 0; i < int(Opt::kCount); ++i) {
    const OptionInfo& info = Info(Opt(i));
    EXPECT_GT(std::string(info.doc).size(), 10u) << info.name;
    SetOption(info.name, "");
    if (*info.default_value) {
      EXPECT_NO_THROW(SetOption(info.name, info.default_value)) << info.name;
      EXPECT_EQ(GetOption(info.name), info.default_value);
      SetOption(info.name, "");
    }
  }
}
TEST(Config, SetReadReset) {
  uint64_t before = OptionGeneration();
  SetOption("FLEXOR_NUM_THREADS", "3");
  EXPECT_EQ(GetInt(Opt::kNumThreads), 3);
  EXPECT_EQ(GetOption("MXNET_CPU_WORKER_NTHREADS"), "3") << "by its alias";
  EXPECT_GT(OptionGeneration(), before);
  SetOption("MXNET_CPU_WORKER_NTHREADS", "");
  EXPECT_EQ(GetInt(Opt::kNumThreads), 0);
}
TEST(Config, ReadsTheEnvironmentThenTheAlias) {
  setenv("MXNET_ENGINE_TYPE", "ThreadedEnginePerDevice", 1);
  SetOption("FLEXOR_ENGINE", "");
  EXPECT_EQ(GetText(Opt::kEngine), "threaded");
  setenv("FLEXOR_ENGINE", "inline", 1);
  SetOption("FLEXOR_ENGINE", "");
  EXPECT_EQ(GetText(Opt::kEngine), "inline") << "its own name comes first";
  SetOption("FLEXOR_ENGINE", "NaiveEngine");
  EXPECT_EQ(GetText(Opt::kEngine), "naive") << "what is set comes before the environment";
  unsetenv("MXNET_ENGINE_TYPE");
  unsetenv("FLEXOR_ENGINE");
  SetOption("FLEXOR_ENGINE", "");
  EXPECT_EQ(GetText(Opt::kEngine), "auto");
}
TEST(Config, ABadValueInTheEnvironmentIsAWarningAndTheDefaultHolds) {
  ConfigureLog("sink", "buffer");
  setenv("FLEXOR_NUM_THREADS", "many", 1);
  SetOption("FLEXOR_NUM_THREADS", "");
  EXPECT_EQ(GetInt(Opt::kNumThreads), 0);
  LogLevel level;
  std::string text;
  ASSERT_TRUE(NextLog(&level, &text));
  EXPECT_EQ(level, LogLevel::kWarning);
  EXPECT_NE(text.find("FLEXOR_NUM_THREADS=many"), std::string::npos) << text;
  unsetenv("FLEXOR_NUM_THREADS");
  ConfigureLog("sink", "");
}
TEST(Config, Bytes) {
  for (auto& [text, bytes] : std::vector<std::pair<const char*, int64_t>>{
           {"4096", 4096}, {"512M", 512 << 20}, {"1.5G", 3ll << 29}, {"2GiB", 2ll << 30}, {"1kb", 1024}, {"3T", 3ll << 40}}) {
    SetOption("FLEXOR_MEMORY_CACHE_LIMIT", text);
    EXPECT_EQ(GetInt(Opt::kMemoryCacheLimit), bytes) << text;
  }
  for (const char* bad : {"-1", "G", "1X", "1e40", "12 34", "nan"})
    EXPECT_NE(MessageOf([&] { SetOption("FLEXOR_MEMORY_CACHE_LIMIT", bad); }).find("must be bytes"), std::string::npos) << bad;
  SetOption("FLEXOR_MEMORY_CACHE_LIMIT", "");
}
TEST(Config, ErrorsSayWhatIsThere) {
  EXPECT_NE(MessageOf([] { SetOption("FLEXOR_NUM_THREAD", "1"); }).find("Did you mean `FLEXOR_NUM_THREADS`?"), std::string::npos);
  EXPECT_EQ(MessageOf([] { SetOption("FLEXOR_ENGINE", "fast"); }),
            "[config] FLEXOR_ENGINE must be one of auto, threaded, inline, naive, given `fast`.");
  EXPECT_EQ(MessageOf([] { SetOption("FLEXOR_NUM_THREADS", "2.5"); }), "[config] FLEXOR_NUM_THREADS must be an integer, 0 or more, given `2.5`.");
  EXPECT_THROW(GetOption("OMP_NUM_THREADS"), Error) << "OpenMP's setting is not ours";
}
TEST(Config, TheTableNamesEveryOption) {
  std::string table = OptionTable();
  for (int i = 0; i < int(Opt::kCount); ++i) EXPECT_NE(table.find(Info(Opt(i)).name), std::string::npos);
  EXPECT_EQ(table.rfind("name", 0), 0u);
}
Opt g_changed = Opt::kCount;
TEST(Config, HooksHearOfChanges) {
  OnOptionChange([](Opt o) { g_changed = o; });
  SetOption("FLEXOR_SEED", "-7");
  EXPECT_EQ(g_changed, Opt::kSeed);
  EXPECT_EQ(GetInt(Opt::kSeed), -7);
  SetOption("FLEXOR_SEED", "");
}

}  // namespace
}  // namespace flx

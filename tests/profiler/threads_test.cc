// SPDX-License-Identifier: Apache-2.0
// Many threads record while others start, stop, forget, save; threads end; processes fork.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <set>
#include <thread>

#include "base/thread.h"
#include "helpers.h"

namespace flx {
namespace {
constexpr ProfileKind kPass = ProfileKind::kPass, kUser = ProfileKind::kUser;

TEST(ProfilerThreads, EachThreadHasItsLine) {
  Recording recording;
  constexpr int kThreads = 8, kSpans = 500;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i)
    threads.push_back(StartThread("flx-test", [] {
      for (int k = 0; k < kSpans; ++k) {
        ProfileScope outer(kPass, "outer"), inner(kPass, "inner");
      }
    }));
  for (auto& t : threads) t.join();
  Trace t = ReadTrace();
  std::set<int64_t> lines;
  for (auto& e : t.Of("X", "inner")) {
    lines.insert(e.tid);
    EXPECT_EQ(t.threads[e.tid], "flx-test");
  }
  EXPECT_EQ(lines.size(), size_t(kThreads));  // those that have ended, too: none takes another's place
  EXPECT_EQ(t.Of("X").size(), size_t(2 * kThreads * kSpans));
}

TEST(ProfilerThreads, SpansEndElsewhere) {
  Recording recording;
  ProfileSpan span;
  ProfileFacts name;
  name.Name("elsewhere");
  span.Begin();
  std::thread([&] { span.End(kUser, nullptr, &name); }).join();
  { ProfileScope scope(kPass, "here"); }
  Trace t = ReadTrace();
  EXPECT_EQ(t.Of("b", "elsewhere").size(), 1u);
  EXPECT_EQ(t.Of("X", "here").size(), 1u);
}

TEST(ProfilerThreads, MemoryIsUsedAgain) {
  ProfileOptions small;
  small.capacity = 256 << 10;
  Recording recording(small);
  // Many threads, one after the other, in many sessions: their buffers and their room are taken again.
  for (int i = 0; i < 200; ++i) {
    std::thread([] { ProfileScope scope(kPass, "one"); }).join();
    if (i % 10 == 9) {
      EXPECT_EQ(ReadTrace().Of("X", "one").size(), 10u);
      ClearProfile();
    }
  }
}

TEST(ProfilerThreads, StartStopSaveWhileAllRecord) {
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i)
    threads.emplace_back([&done, i] {
      for (int k = 0; !done.load(std::memory_order_relaxed); ++k) {
        ProfileScope outer(kPass, "outer");
        const int64_t dims[] = {k, i};
        if (outer.active()) outer.facts().Array(false, DType::kFloat32, dims, 2);
        ProfileScope inner(kPass, std::string("inner"));
        ProfileCounter("count", k);
        if (k % 64 == 0) std::thread([] { ProfileScope scope(kPass, "short"); }).join();
      }
    });
  threads.emplace_back([&done] {
    while (!done.load()) StopProfile(), std::this_thread::yield();
  });
  ProfileOptions options;
  for (int round = 0; round < 40; ++round) {
    options.capacity = round % 3 ? 128 << 10 : 512 << 10;
    StartProfile(options);
    ReadTrace();
    if (round % 4 == 0) ClearProfile();
    ReadTable();
    ProfileText("test", "", 80);
  }
  done = true;
  for (auto& t : threads) t.join();
  StopProfile(), ClearProfile();
}

TEST(ProfilerThreads, AChildStartsWithNothing) {
  ProfileOptions small;
  small.capacity = 256 << 10;
  Recording recording(small);
  { ProfileScope scope(kPass, "parent"); }
  ProfileScope open(kPass, "open");
  std::atomic<bool> done{false};
  std::thread other([&done] { while (!done) ProfileScope scope(kPass, "other"); });
  for (int i = 0; i < 20; ++i) {
    pid_t child = fork();
    if (child == 0) {
      alarm(20);
      if (ProfileRunning() || !ReadTrace().events.empty()) _exit(1);
      StartProfile({});
      { ProfileScope scope(kPass, "child"); }
      Trace t = ReadTrace();
      if (t.Of("X").size() != 1 || t.Of("X")[0].tid != getpid()) _exit(2);
      _exit(testing::Test::HasFailure() ? 3 : 0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  done = true;
  other.join();
  EXPECT_TRUE(ProfileRunning());
  EXPECT_EQ(ReadTrace().Of("X", "parent").size(), 1u);
}

}  // namespace
}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// Files of the protocol, and the threads that work goes to.
#include "transport/disk.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <atomic>
#include <csignal>

#include "ps/node.h"
#include "tests/temp_folder.h"
#include "transport/inbox.h"
#include "transport/threads.h"

namespace ps {
namespace {
core::WorkDone Do(core::WorkRequest request) { return DoFile({7, std::move(request)}); }

TEST(Disk, WritesAppendsReads) {
  TempFolder temp;
  std::string path = temp / "log";
  core::WorkDone none = Do(core::ReadFile{path});
  EXPECT_TRUE(none.status.ok());
  EXPECT_EQ(none.ticket, 7u);
  EXPECT_TRUE(none.results.empty());  // there is no such file
  ASSERT_TRUE(Do(core::AppendFile{path, Buffer::Own("one ")}).status.ok());
  ASSERT_TRUE(Do(core::AppendFile{path, Buffer::Own("two")}).status.ok());
  ASSERT_EQ(Do(core::ReadFile{path}).results.at(0).text(), "one two");
  ASSERT_TRUE(Do(core::WriteFile{path, {Buffer::Own("a"), Buffer(), Buffer::Own("bc")}}).status.ok());
  EXPECT_EQ(ReadText(path), "abc");
  EXPECT_FALSE(std::filesystem::exists(path + ".new"));
  struct stat about;
  ASSERT_EQ(stat(path.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 077, 0u);
}

TEST(Disk, ErrorsNameTheFile) {
  TempFolder temp;
  for (core::WorkRequest r : {core::WorkRequest(core::AppendFile{temp / "no/log", Buffer::Own("x")}), core::WorkRequest(core::WriteFile{temp / "no/cut", {Buffer::Own("x")}}),
                              core::WorkRequest(core::ReadFile{temp.path()})}) {
    core::WorkDone done = Do(r);
    EXPECT_EQ(done.status.code, Code::kFile);
    EXPECT_NE(done.status.text.find(temp.path()), std::string::npos) << done.status.text;
  }
}

// As a full disk would: the file may not grow. What was there stays whole.
TEST(Disk, AFullDiskKeepsWhatWasThere) {
  TempFolder temp;
  std::string log = temp / "log", cut = temp / "cut";
  ASSERT_TRUE(Do(core::AppendFile{log, Buffer::Own(std::string(3000, 'a'))}).status.ok());
  ASSERT_TRUE(Do(core::WriteFile{cut, {Buffer::Own("old")}}).status.ok());
  struct rlimit before, small;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  auto handler = std::signal(SIGXFSZ, SIG_IGN);
  small = before;
  small.rlim_cur = 4000;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  core::WorkDone append = Do(core::AppendFile{log, Buffer::Own(std::string(3000, 'b'))}), write = Do(core::WriteFile{cut, {Buffer::Own(std::string(9000, 'c'))}});
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(append.status.code, Code::kFile);
  EXPECT_EQ(write.status.code, Code::kFile);
  EXPECT_EQ(ReadText(log), std::string(3000, 'a'));  // its torn end is cut off
  EXPECT_EQ(ReadText(cut), "old");
  EXPECT_FALSE(std::filesystem::exists(cut + ".new"));
}

TEST(Disk, RunsInOrderAndEndsWithItsWork) {
  std::vector<int> seen;
  {
    Disk disk;
    for (int i = 0; i < 200; ++i) disk.run([&seen, i] { seen.push_back(i); });
  }
  ASSERT_EQ(seen.size(), 200u);
  for (int i = 0; i < 200; ++i) EXPECT_EQ(seen[i], i);
}

TEST(Pool, DoesAllOfItAndBlocksSignals) {
  std::atomic<int> done{0}, open{0};
  {
    auto pool = MakePool(3);
    for (int i = 0; i < 500; ++i)
      pool->Run([&] {
        sigset_t set;
        pthread_sigmask(SIG_SETMASK, nullptr, &set);
        open += !sigismember(&set, SIGINT) || !sigismember(&set, SIGTERM);
        ++done;
      });
  }
  EXPECT_EQ(done, 500);
  EXPECT_EQ(open, 0);
}

TEST(Inbox, WakesOncePerBatch) {
  Inbox inbox;
  std::atomic<int> got{0};
  std::thread taker([&] {
    std::vector<Inbox::Item> items;
    while (got < 4000) {
      inbox.take(items);
      for (auto& item : items) std::get<std::function<void()>>(item)();
      items.clear();
    }
  });
  std::vector<std::thread> givers;
  for (int t = 0; t < 4; ++t)
    givers.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) inbox.put(std::function<void()>([&] { ++got; }));
    });
  for (auto& g : givers) g.join();
  taker.join();
  EXPECT_EQ(got, 4000);
  inbox.close_for_good();
  EXPECT_FALSE(inbox.put(std::function<void()>([] {})));
}

}  // namespace
}  // namespace ps

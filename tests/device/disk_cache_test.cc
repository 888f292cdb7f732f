// SPDX-License-Identifier: Apache-2.0
// Binaries kept in a folder: what is damaged is not believed, what is shared is whole, what cannot be used is lost without harm.
#include "device/disk_cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <thread>
#include <vector>

#include "base/text.h"

namespace flx {
namespace {

struct DiskCacheTest : testing::Test {
  std::string folder = "/tmp/flexor-cache-XXXXXX";
  void SetUp() override { ASSERT_TRUE(mkdtemp(folder.data())); }
  void TearDown() override {
    for (auto& f : Files()) unlink(f.c_str());
    rmdir(folder.c_str());
  }
  std::vector<std::string> Files() const {
    std::vector<std::string> all;
    DIR* d = opendir(folder.c_str());
    while (dirent* e = d ? readdir(d) : nullptr)
      if (std::string_view(e->d_name) != "." && std::string_view(e->d_name) != "..") all.push_back(Text(folder, "/", e->d_name));
    if (d) closedir(d);
    return all;
  }
  static std::string ReadFile(const std::string& path) {
    std::ifstream f(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(f), {}};
  }
  static void WriteFile(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }
};
std::string Got(DiskCache* c, const std::string& key) {
  std::string value;
  return c->Get(key, &value) ? value : "nothing";
}

TEST_F(DiskCacheTest, WhatWasPutIsThereForOthers) {
  std::string value("a\0b\n", 4);
  {
    DiskCache c(folder + "/deeper/still", 0);
    EXPECT_EQ(Got(&c, "k"), "nothing");
    c.Put("k", value), c.Put("other", ""), c.Put("", "of the empty key");
    EXPECT_EQ(c.why(), "");
  }
  DiskCache c(folder + "/deeper/still", 0);
  EXPECT_EQ(Got(&c, "k"), value);
  EXPECT_EQ(Got(&c, "other"), "");
  EXPECT_EQ(Got(&c, ""), "of the empty key");
  c.Put("k", "newer");
  EXPECT_EQ(Got(&c, "k"), "newer");
  struct stat s;
  ASSERT_EQ(stat((folder + "/deeper/still").c_str(), &s), 0);
  EXPECT_EQ(s.st_mode & 0777, 0700u);
  EXPECT_EQ(std::system(("rm -r " + folder + "/deeper").c_str()), 0);
}
TEST_F(DiskCacheTest, DamagedFilesAreNotBelieved) {
  DiskCache c(folder, 0);
  c.Put("the key", "the value");
  ASSERT_EQ(Files().size(), 1u);
  const std::string path = Files()[0], whole = ReadFile(path);
  for (size_t i = 0; i < whole.size(); ++i)  // any byte
    for (int bit : {0, 7}) {
      std::string flipped = whole;
      flipped[i] = char(flipped[i] ^ 1 << bit);
      WriteFile(path, flipped);
      EXPECT_EQ(Got(&c, "the key"), "nothing") << "byte " << i;
      EXPECT_TRUE(Files().empty()) << "it is gone, byte " << i;
    }
  for (size_t n = 0; n < whole.size(); ++n) {
    WriteFile(path, whole.substr(0, n));
    EXPECT_EQ(Got(&c, "the key"), "nothing") << n << " bytes";
  }
  WriteFile(path, whole + "x");
  EXPECT_EQ(Got(&c, "the key"), "nothing");
  c.Put("the key", "the value");
  EXPECT_EQ(ReadFile(path), whole) << "made again";
  c.Put("another", "value");
  for (auto& f : Files())
    if (f != path) {
      ASSERT_EQ(rename(f.c_str(), path.c_str()), 0);
    }
  EXPECT_EQ(Got(&c, "the key"), "nothing") << "a file of another key";
}
TEST_F(DiskCacheTest, ItsSizeIsBounded) {
  DiskCache c(folder, 5000);
  WriteFile(folder + "/someone's", std::string(9000, 'x'));
  for (int i = 0; i < 20; ++i) {
    c.Put(Text("key ", i), std::string(900, 'v'));
    const timespec times[2] = {{1000000 + i, 0}, {1000000 + i, 0}};
    for (auto& f : Files())  // clocks are coarse: what was just written gets an age of its own
      if (struct stat s; stat(f.c_str(), &s) == 0 && s.st_mtim.tv_sec > 2000000) utimensat(AT_FDCWD, f.c_str(), times, 0);
    if (i > 3) {
      EXPECT_EQ(Got(&c, "key 1").size(), 900u) << "used again and again, " << i;
    }
    const timespec last[2] = {{1500000 + i, 0}, {1500000 + i, 0}};
    for (auto& f : Files())
      if (struct stat s; stat(f.c_str(), &s) == 0 && s.st_mtim.tv_sec > 2000000) utimensat(AT_FDCWD, f.c_str(), last, 0);
  }
  EXPECT_EQ(Files().size(), 6u) << "five of ours";
  EXPECT_EQ(Got(&c, "key 19").size(), 900u);
  EXPECT_EQ(Got(&c, "key 2"), "nothing");
}
TEST_F(DiskCacheTest, WhatAnEndedProcessLeftIsCleared) {
  const timespec old[2] = {{1000000, 0}, {1000000, 0}};
  WriteFile(folder + "/.new-1-0-old", "x"), WriteFile(folder + "/.new-2-0-fresh", "x");
  utimensat(AT_FDCWD, (folder + "/.new-1-0-old").c_str(), old, 0);
  DiskCache c(folder, 0);
  c.Put("k", "v");
  EXPECT_NE(access((folder + "/.new-1-0-old").c_str(), F_OK), 0);
  EXPECT_EQ(access((folder + "/.new-2-0-fresh").c_str(), F_OK), 0) << "another process may be writing it";
}
TEST_F(DiskCacheTest, FoldersThatCannotBeUsedLoseTheCacheOnly) {
  WriteFile(folder + "/file", "");
  for (const std::string& bad : {folder + "/file", folder + "/file/below", std::string("/proc/none"), std::string()}) {
    DiskCache c(bad, 0);
    c.Put("k", "v");
    EXPECT_EQ(Got(&c, "k"), "nothing") << bad;
    EXPECT_NE(c.why(), "") << bad;
  }
  chmod(folder.c_str(), 0777);
  DiskCache open(folder, 0);
  open.Put("k", "v");
  EXPECT_NE(open.why().find("others may write there"), std::string::npos) << open.why();
  EXPECT_EQ(Files().size(), 1u);
  chmod(folder.c_str(), 0700);
  DiskCache vanished(folder + "/below", 0);
  vanished.Put("k", "v");
  EXPECT_EQ(std::system(("rm -r " + folder + "/below").c_str()), 0);
  vanished.Put("k", "v");
  EXPECT_NE(vanished.why(), "");
  EXPECT_EQ(Got(&vanished, "k"), "nothing");
}
// Many writers and readers of few keys, with room for half of them: whatever is read is whole.
void Hammer(const std::string& folder, int seed, bool* wrong) {
  DiskCache c(folder, 40000);
  for (int i = 0; i < 150; ++i) {
    const int k = (i * 7 + seed * 3) % 8;
    const std::string key = Text("key ", k), value = std::string(size_t(3000 + 1000 * k), char('a' + k));
    if (std::string got = Got(&c, key); got == "nothing") c.Put(key, value);
    else if (got != value) *wrong = true;
  }
  *wrong |= !c.why().empty();
}
TEST_F(DiskCacheTest, ManyThreadsAndProcesses) {
  std::vector<pid_t> children;
  for (int p = 0; p < 3; ++p) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      bool wrong = false;
      Hammer(folder, p, &wrong);
      _exit(wrong);
    }
    children.push_back(child);
  }
  bool wrong[3] = {};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) threads.emplace_back([&, t] { Hammer(folder, 5 + t, &wrong[t]); });
  for (auto& t : threads) t.join();
  for (pid_t child : children) {
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  for (bool w : wrong) EXPECT_FALSE(w);
}

}  // namespace
}  // namespace flx

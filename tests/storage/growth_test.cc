// SPDX-License-Identifier: Apache-2.0
#include "storage/growth.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace flx {
namespace {

TEST(Growth, SaysItOnceForEachStep) {
  Growth g(100);
  EXPECT_FALSE(g.Look(0));
  EXPECT_FALSE(g.Look(100));
  EXPECT_TRUE(g.Look(101));
  EXPECT_FALSE(g.Look(150));
  EXPECT_TRUE(g.Look(202));
}
TEST(Growth, FollowsWhatCollectionsLeave) {
  Growth g(100);
  EXPECT_TRUE(g.Look(1000));
  EXPECT_FALSE(g.Look(800)) << "a collection left so much";
  EXPECT_FALSE(g.Look(1200)) << "half of it more";
  EXPECT_TRUE(g.Look(1201));
  EXPECT_FALSE(g.Look(1800));
  EXPECT_TRUE(g.Look(1802));
  EXPECT_FALSE(g.Look(0));
  EXPECT_TRUE(g.Look(101));
}
TEST(Growth, AHostThatNeverCollectsIsNotPestered) {
  Growth g(int64_t(64) << 20);
  int said = 0;
  for (int64_t now = 0; now < int64_t(1) << 36; now += 1 << 20) said += g.Look(now);  // to 64 GiB
  EXPECT_LT(said, 30);
  EXPECT_GT(said, 10);
}
TEST(Growth, OneThreadHearsIt) {
  for (int round = 0; round < 50; ++round) {
    Growth g(10);
    std::atomic<int> ready{0}, said{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&] {
        for (++ready; ready < 4;) std::this_thread::yield();
        for (int i = 0; i < 100; ++i) said += g.Look(11);
      });
    for (auto& t : threads) t.join();
    EXPECT_EQ(said.load(), 1);
  }
}

}  // namespace
}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
#include "storage/pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "base/config.h"
#include "base/error.h"
#include "storage/size_class.h"

namespace flx {
namespace {

TEST(SizeClass, HoldsWhatWasAskedAndWastesLittle) {
  for (size_t n = 0; n < 100000; ++n) {
    size_t s = ClassSize(ClassOf(n));
    ASSERT_GE(s, n);
    ASSERT_EQ(s % 64, 0u);
    if (n > 256) { ASSERT_LE(double(s), double(n) * 1.25 + 1) << n; }
  }
  for (int c = 0; c < kClasses; ++c) {
    ASSERT_EQ(ClassOf(ClassSize(c)), c);
    if (c) { ASSERT_EQ(ClassOf(ClassSize(c - 1) + 1), c); }
  }
}

struct PoolTest : testing::Test {
  void SetUp() override { HostMemoryReleaseUnused(); base = HostMemoryStats().live; }
  void TearDown() override {
    TestFailAllocation(-1);
    HostMemoryLimit(0);
    HostMemoryCacheLimit(0);
    HostMemoryReleaseUnused();
    EXPECT_EQ(HostMemoryStats().live, base);
    EXPECT_EQ(HostMemoryStats().cached, 0);
  }
  int64_t base = 0;
};

TEST_F(PoolTest, AlignedAndUsableAtEverySize) {
  for (size_t n : {0, 1, 63, 64, 65, 1000, 4096, 100000, 1 << 20, 5 << 20, 70 << 20}) {
    void* p = HostAlloc(n);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % 64, 0u);
    std::memset(p, 0x5a, n < 64 ? 64 : n);
    HostFree(p, n);
  }
  HostFree(nullptr, 100);
}
TEST_F(PoolTest, BlocksAreReused) {
  for (size_t n : {100u, 100000u, 3u << 20, 64u << 20}) {
    void* p = HostAlloc(n);
    HostFree(p, n);
    void* q = HostAlloc(n);
    EXPECT_EQ(p, q) << n << ": the warm one comes back";
    HostFree(q, n);
  }
}
TEST_F(PoolTest, StatisticsAddUp) {
  HostMemoryPeakReset();
  void* p = HostAlloc(10 << 20);
  MemoryStats m = HostMemoryStats();
  EXPECT_EQ(m.live - base, 10 << 20);
  EXPECT_EQ(m.peak, m.live);
  EXPECT_GT(m.total, 0);
  HostFree(p, 10 << 20);
  m = HostMemoryStats();
  EXPECT_EQ(m.live, base);
  EXPECT_EQ(m.cached, 10 << 20);
  EXPECT_EQ(m.peak - base, 10 << 20);
  HostMemoryPeakReset();
  EXPECT_EQ(HostMemoryStats().peak, base);
  std::vector<void*> small;
  for (int i = 0; i < 1000; ++i) small.push_back(HostAlloc(256));
  m = HostMemoryStats();
  EXPECT_EQ(m.live - base, 256000);
  EXPECT_EQ(m.peak, m.live);
  for (void* q : small) HostFree(q, 256);
  EXPECT_EQ(HostMemoryStats().cached, (10 << 20) + 256000);
}
TEST_F(PoolTest, TheLimitHoldsAndTheErrorHelps) {
  HostMemoryLimit(base + (32 << 20));
  void* p = HostAlloc(20 << 20);
  try {
    HostAlloc(20 << 20);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.status(), Status::kMemory);
    for (const char* part : {"20.0 MiB", "(20971520 bytes)", "live", "cached", "the limit is 32.0 MiB", "FLEXOR_MEMORY_LIMIT"})
      EXPECT_NE(e.message().find(part), std::string::npos) << part << " in " << e.message();
  }
  EXPECT_EQ(HostMemoryStats().live - base, 20 << 20) << "the failure took nothing";
  HostFree(p, 20 << 20);
  EXPECT_EQ(HostMemoryStats().cached, 20 << 20);
  p = HostAlloc(28 << 20);  // only fits when the cache gives way
  EXPECT_EQ(HostMemoryStats().cached, 0);
  HostFree(p, 28 << 20);
}
TEST_F(PoolTest, TheLimitReachesMemoryCachedByOtherThreads) {
  std::atomic<int> step{0};
  std::thread other([&] {
    HostFree(HostAlloc(2 << 20), 2 << 20);
    step = 1;
    while (step != 2) std::this_thread::yield();  // asleep, as a worker of the engine is
  });
  while (step != 1) std::this_thread::yield();
  EXPECT_EQ(HostMemoryStats().cached, 2 << 20);
  HostMemoryLimit(base + (3 << 20));
  void* p = HostAlloc(size_t(2.5 * (1 << 20)));
  HostFree(p, size_t(2.5 * (1 << 20)));
  step = 2;
  other.join();
}
// What all threads hold together fits at any time; the rest of the limit is full of blocks of other sizes that they have cached, and give back at once.
TEST_F(PoolTest, NoThreadFailsForWhatOthersHaveCached) {
  constexpr int kThreads = 4, kRounds = 2000;
  constexpr size_t kLargest = 1 << 20;
  HostMemoryReleaseUnused();
  HostMemoryLimit(base + kThreads * int64_t(ClassSize(ClassOf(kLargest))) + (1 << 20));
  std::atomic<int> failed{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      std::mt19937 g{unsigned(t)};
      for (int i = 0; i < kRounds; ++i) {
        const size_t n = kLargest / 8 * (4 + g() % 5);
        try {
          HostFree(HostAlloc(n), n);
        } catch (const Error&) {
          ++failed;
        }
      }
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(failed, 0);
}
TEST_F(PoolTest, TheLimitIsAnOptionToo) {
  SetOption("FLEXOR_MEMORY_LIMIT", "1M");
  EXPECT_EQ(HostMemoryStats().limit, 1 << 20);
  EXPECT_THROW(HostAlloc(2 << 20), Error);
  SetOption("FLEXOR_MEMORY_LIMIT", "");
  HostFree(HostAlloc(2 << 20), 2 << 20);
}
TEST_F(PoolTest, NothingIsKeptBeyondTheCacheLimit) {
  HostMemoryCacheLimit(8 << 20);
  std::vector<void*> blocks;
  for (int i = 0; i < 8; ++i) blocks.push_back(HostAlloc(3 << 20));
  for (void* p : blocks) HostFree(p, 3 << 20);
  EXPECT_LE(HostMemoryStats().cached, 8 << 20);
  EXPECT_GT(HostMemoryStats().cached, 0);
  HostMemoryCacheLimit(1 << 20);
  EXPECT_LE(HostMemoryStats().cached, 1 << 20);
}
TEST_F(PoolTest, FailuresOnRequest) {
  TestFailAllocation(2);
  void* p = HostAlloc(100);
  EXPECT_THROW(HostAlloc(100), Error);
  void* q = HostAlloc(100);
  HostFree(p, 100);
  HostFree(q, 100);
  EXPECT_THROW(HostAlloc(size_t(1) << 50), Error);
  EXPECT_THROW(HostAlloc(~size_t(0)), Error);
}
TEST_F(PoolTest, ThreadsThatEndLeaveTheirCache) {
  for (int i = 0; i < 20; ++i)
    std::thread([] {
      void* p[8];
      for (auto& q : p) q = HostAlloc(1 << 20);
      for (auto& q : p) HostFree(q, 1 << 20);
    }).join();
  EXPECT_LE(HostMemoryStats().cached, 8 << 20) << "each took over what the one before left";
}
TEST_F(PoolTest, ManyThreadsAllocateHereAndFreeThere) {
  constexpr int kThreads = 6, kRounds = 20000;
  std::atomic<void*> slots[64] = {};  // a block's first words say its size
  std::atomic<int> bad{0};
  auto take = [&](void* p) {
    if (!p) return;
    auto* w = static_cast<uint64_t*>(p);
    if (w[0] != ~w[1]) ++bad;
    HostFree(p, size_t(w[0]));
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      std::mt19937 g{unsigned(t)};
      for (int i = 0; i < kRounds; ++i) {
        size_t n = size_t(64) << g() % (i % 50 ? 10 : 17);
        n += g() % n;
        auto* w = static_cast<uint64_t*>(HostAlloc(n));
        w[0] = n, w[1] = ~uint64_t(n);
        take(slots[g() % 64].exchange(w));
        if (i % 5000 == 0 && t == 0) HostMemoryReleaseUnused();
        if (i % 1000 == 0) HostMemoryStats();
      }
    });
  for (auto& t : threads) t.join();
  for (auto& s : slots) take(s.exchange(nullptr));
  EXPECT_EQ(bad, 0);
}

}  // namespace
}  // namespace flx

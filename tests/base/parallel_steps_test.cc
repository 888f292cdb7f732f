// SPDX-License-Identifier: Apache-2.0
#include "base/parallel_steps.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/config.h"
#include "base/error.h"
#include "base/thread_pool.h"

namespace flx {
namespace {

// Each step reads what all parts of the one before wrote; a wrong order changes the result.
std::vector<int64_t> Chained(int64_t steps, int64_t parts) {
  std::vector<int64_t> now(size_t(parts) + 1, 1), before(now.size());
  std::vector<int64_t>* v[] = {&now, &before};
  std::atomic<int64_t> calls{0};
  ParallelSteps(steps, parts, [&](int64_t s, int64_t p) {
    auto &from = *v[s % 2], &to = *v[(s + 1) % 2];
    int64_t sum = p;
    for (int64_t q = 0; q < parts; ++q) sum = (sum * 31 + from[size_t(q)]) % 1000003;
    to[size_t(p)] = sum;
    calls.fetch_add(1);
  });
  EXPECT_EQ(calls, steps * parts);
  return *v[steps % 2];
}

TEST(ParallelSteps, EveryStepSeesTheOneBefore) {
  for (int64_t parts : {1, 2, 3, 16})
    for (int64_t steps : {0, 1, 2, 501}) {
      SetOption("FLEXOR_NUM_THREADS", "1");
      auto alone = Chained(steps, parts);
      for (const char* threads : {"2", "4"}) {
        SetOption("FLEXOR_NUM_THREADS", threads);
        for (int i = 0; i < 20; ++i) ASSERT_EQ(Chained(steps, parts), alone) << threads << " threads, " << parts << " parts";
      }
      SetOption("FLEXOR_NUM_THREADS", "");
    }
  EXPECT_THROW(ParallelSteps(1, kMaxStepParts + 1, [](int64_t, int64_t) {}), Error);
}
// Several callers at once, and one inside a loop, where nobody helps.
TEST(ParallelSteps, FromManyThreads) {
  SetOption("FLEXOR_NUM_THREADS", "3");
  auto want = Chained(200, 4);
  std::vector<std::thread> callers;
  std::atomic<int> right{0};
  for (int i = 0; i < 4; ++i)
    callers.emplace_back([&] {
      for (int k = 0; k < 20; ++k) right += Chained(200, 4) == want;
    });
  for (auto& c : callers) c.join();
  ParallelFor(4, 1, [&](int64_t, int64_t) { right += Chained(200, 4) == want; });
  SetOption("FLEXOR_NUM_THREADS", "");
  EXPECT_EQ(right, 84);
}

}  // namespace
}  // namespace flx

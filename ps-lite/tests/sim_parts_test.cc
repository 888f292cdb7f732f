// SPDX-License-Identifier: Apache-2.0
// The simulator's own parts: values that name their history, weather, scenarios.
#include <gtest/gtest.h>

#include "sim/network.h"
#include "sim/scenario.h"
#include "sim/values.h"

namespace ps::sim {
namespace {

TEST(Values, ASliceOfWhatWasGivenIsFound) {
  Values values;
  const std::string a = values.give({1, 1, 3, 2, 6}), b = values.give({2, 1, 3, 2, 6});
  ASSERT_EQ(a.size(), 48u);
  const uint32_t part = values.find(std::string_view(a).substr(16, 16), 3);
  ASSERT_NE(part, 0u);
  EXPECT_EQ(values.value(part).first, 2u);
  EXPECT_EQ(values.given(values.value(part).given).process, 1u);
  EXPECT_EQ(values.find(std::string_view(a).substr(16, 16), 4), 0u) << "another key";
  EXPECT_EQ(values.find(std::string_view(a).substr(8, 12), 3), 0u) << "half a word";
  std::string mixed = a.substr(0, 8) + b.substr(8, 8);
  EXPECT_EQ(values.find(mixed, 3), 0u) << "words of two arrays";
}

TEST(Values, AnotherOrderIsAnotherSum) {
  Values values;
  const std::string a = values.give({1, 1, 0, 1, 2}), b = values.give({2, 1, 0, 1, 2}), c = values.give({3, 1, 1, 1, 2});
  const uint32_t va = values.find(a, 0), vb = values.find(b, 0), vc = values.find(c, 1);
  const uint32_t ab = values.sum(0, {{0, 0, 1}, {0, 1, 1}}, {va, vb}), ba = values.sum(0, {{0, 0, 1}, {0, 1, 1}}, {vb, va});
  ASSERT_NE(ab, 0u);
  EXPECT_NE(ab, ba);
  EXPECT_NE(ab, values.sum(0, {{0, 0, 2}, {0, 1, 1}}, {va, vb})) << "other weights";
  EXPECT_EQ(ab, values.sum(0, {{0, 0, 1}, {0, 1, 1}}, {va, vb})) << "the same sum has the same name";
  EXPECT_EQ(values.sum(0, {{0, 0, 1}, {0, 1, 1}}, {va, vc}), 0u) << "of two keys";
  EXPECT_EQ(values.find(values.bytes(ab), 0), ab);
  const uint32_t init = values.find(values.give({1, 1, 0, 0, 2}), 0);
  const uint32_t once = values.apply(init, ab);
  ASSERT_NE(once, 0u);
  EXPECT_EQ(values.value(values.apply(once, ba)).depth, 2u);
  EXPECT_NE(values.apply(init, va), 0u) << "a push alone is its own sum";
  EXPECT_EQ(values.apply(once, init), 0u) << "an init is no sum";
}

TEST(Weather, AWayIsCutInOneDirectionAndUntilThen) {
  Weather weather;
  weather.cut(1, 2, 100);
  weather.cut(1, 2, 50);  // a shorter fault does not end a longer one
  EXPECT_FALSE(weather.passes(1, 2, 99));
  EXPECT_TRUE(weather.passes(1, 2, 100));
  EXPECT_TRUE(weather.passes(2, 1, 0));
}

TEST(Scenario, SeedsGiveAllKindsOfJobsAndFaults) {
  bool sync = false, async = false, stale = false, together = false, none = false, late = false, log = false, restart = false;
  std::vector<int> faults(static_cast<size_t>(FaultKind::kLast) + 1);
  for (uint64_t seed = 1; seed <= 2000; ++seed) {
    const Scenario s = MakeScenario(seed);
    sync |= s.mode == Mode::kSync, async |= s.mode == Mode::kAsync, stale |= s.mode == Mode::kStale;
    together |= s.together, none |= s.faults.empty(), late |= s.joiners > 0, log |= !s.log;
    ASSERT_LT(s.replicas, s.servers);
    for (const Fault& f : s.faults) {
      ++faults[static_cast<size_t>(f.kind)];
      restart |= f.kind == FaultKind::kKill && f.variant % 4 == kWithDisk;
      ASSERT_LT(f.a, s.processes());
      ASSERT_LT(f.b, s.processes());
      ASSERT_FALSE(f.a == 0 && f.kind == FaultKind::kKill && f.variant % 4 == kNever);
    }
    EXPECT_EQ(Text(s), Text(MakeScenario(seed)));
  }
  EXPECT_TRUE(sync && async && stale && together && none && late && log && restart);
  for (size_t i = 0; i < faults.size(); ++i) EXPECT_GT(faults[i], 20) << Name(static_cast<FaultKind>(i));
}

}  // namespace
}  // namespace ps::sim

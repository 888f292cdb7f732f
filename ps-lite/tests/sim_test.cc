// SPDX-License-Identifier: Apache-2.0
// The simulator as a whole: one seed is one run, planted mistakes are found, a failing schedule is made shorter.
#include <gtest/gtest.h>

#include "sim/run.h"

namespace ps::sim {
namespace {

TEST(Simulator, TheSameSeedIsTheSameRun) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    const Scenario s = MakeScenario(seed);
    const Report a = Simulate(s, {}), b = Simulate(s, {});
    EXPECT_EQ(a.hash, b.hash) << "seed " << seed;
    EXPECT_EQ(a.steps, b.steps) << "seed " << seed;
    Options tracing;
    tracing.trace = true;
    EXPECT_EQ(a.hash, Simulate(s, tracing).hash) << "looking on changes nothing; seed " << seed;
  }
  EXPECT_NE(Simulate(MakeScenario(1), {}).hash, Simulate(MakeScenario(2), {}).hash);
}

TEST(Simulator, WhatIsNotDisturbedSucceeds) {
  uint64_t undisturbed = 0;
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    const Scenario s = MakeScenario(seed);
    if (!s.faults.empty()) continue;
    ++undisturbed;
    const Report r = Simulate(s, {});
    EXPECT_TRUE(r.ok()) << "seed " << seed << ", invariant " << r.violation.invariant << ": " << r.violation.text;
    EXPECT_TRUE(r.succeeded) << "seed " << seed;
  }
  EXPECT_GT(undisturbed, 20u);
}

class PlantedMistake : public testing::TestWithParam<size_t> {};

TEST_P(PlantedMistake, IsFoundWithinItsSeeds) {
  const MutantEntry& m = Mutants()[GetParam()];
  Options options;
  options.mutant = m.mutant;
  const Totals found = RunSeeds(m.first, m.last, options, 0, 0, 1);
  ASSERT_FALSE(found.failed.empty()) << m.name << " passes for right in seeds " << m.first << " to " << m.last;
  const auto& [seed, violation] = found.failed[0];
  const Report without = Simulate(MakeScenario(seed), {});
  EXPECT_TRUE(without.ok()) << "seed " << seed << " fails without the mistake too: invariant " << without.violation.invariant << ": " << without.violation.text;
  // The shorter schedule breaks the same invariant.
  const Scenario shorter = Shrink(MakeScenario(seed), options, violation.invariant);
  EXPECT_EQ(Simulate(shorter, options).violation.invariant, violation.invariant);
  EXPECT_LE(shorter.faults.size(), MakeScenario(seed).faults.size());
  RecordProperty("seed", static_cast<int>(seed));
  RecordProperty("invariant", static_cast<int>(violation.invariant));
}

INSTANTIATE_TEST_SUITE_P(All, PlantedMistake, testing::Range<size_t>(0, Mutants().size()), [](const testing::TestParamInfo<size_t>& info) {
  std::string name = Mutants()[info.param].name;
  for (char& c : name)
    if (c == '-') c = '_';
  return name;
});

TEST(Mutants, EachPlantedMistakeHasItsSeeds) {
  EXPECT_EQ(Mutants().size(), static_cast<size_t>(Mutant::kEnd) - 1);
  for (const MutantEntry& m : Mutants()) EXPECT_LE(m.first, m.last) << m.name;
}

}  // namespace
}  // namespace ps::sim

// SPDX-License-Identifier: Apache-2.0
// One seed, many seeds, fewer faults.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "sim/checker.h"
#include "sim/scenario.h"
#include "sim/world.h"

namespace ps::sim {

struct Report {
  Violation violation;  // invariant 0: none
  uint64_t hash = 0, steps = 0, result = 0;
  bool succeeded = false;  // every worker got to its end
  std::array<uint64_t, kInvariants + 1> exercised{};
  std::vector<std::string> trace;
  bool ok() const { return violation.invariant == 0; }
};
Scenario ScenarioOf(uint64_t seed, const Options& options);  // with the kinds of faults that are wanted
Report Simulate(const Scenario& scenario, const Options& options);

// A shorter list of faults (and fewer rounds) that still breaks the same invariant.
Scenario Shrink(const Scenario& scenario, const Options& options, uint32_t invariant);

// What a failing seed was: the scenario, the last steps, the invariant, and a shorter schedule.
std::string Explain(const Scenario& scenario, const Options& options, bool shrink);

struct Totals {
  uint64_t seeds = 0, steps = 0, succeeded = 0, undisturbed = 0;
  std::array<uint64_t, kInvariants + 1> exercised{};
  std::array<uint64_t, static_cast<size_t>(FaultKind::kLast) + 1> faults{};
  std::vector<std::pair<uint64_t, Violation>> failed;
  uint64_t different = 0;  // seeds whose second run was another
  void add(const Totals& other);
};
// Seeds first..last, each checked; every `twice`th is run a second time and must be the same to the bit, and every `reorder`th undisturbed synchronous one
// with other delays, and must give the same values. 0: none.
Totals RunSeeds(uint64_t first, uint64_t last, const Options& options, uint64_t twice, uint64_t reorder, size_t stop_after);
std::string Text(const Totals& totals, double seconds);

struct MutantEntry {
  Mutant mutant;
  const char* name;
  uint64_t first, last;  // the seeds within which it is found
};
const std::vector<MutantEntry>& Mutants();

}  // namespace ps::sim

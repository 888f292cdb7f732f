// SPDX-License-Identifier: Apache-2.0
#include "sim/run.h"

#include <algorithm>

namespace ps::sim {

Scenario ScenarioOf(uint64_t seed, const Options& options) {
  Scenario s = MakeScenario(seed);
  s.faults.erase(std::remove_if(s.faults.begin(), s.faults.end(), [&](const Fault& f) { return (options.kinds >> static_cast<uint32_t>(f.kind) & 1) == 0; }), s.faults.end());
  if (!options.cuts) s.cut_every = 0;
  return s;
}

Report Simulate(const Scenario& scenario, const Options& options) {
  Report report;
  World world(scenario, options);
  world.run();
  if (!world.failed()) world.finish();
  report.violation = world.violation();
  report.hash = world.hash(), report.steps = world.steps();
  report.succeeded = world.checker().job_succeeded();
  report.exercised = world.checker().exercised();
  report.result = world.checker().result();
  report.trace.assign(world.trace().begin(), world.trace().end());
  return report;
}

Scenario Shrink(const Scenario& scenario, const Options& options, uint32_t invariant) {
  const auto breaks = [&](const Scenario& s) { return Simulate(s, options).violation.invariant == invariant; };
  Scenario best = scenario;
  for (bool shorter = true; shorter;) {
    shorter = false;
    for (size_t i = 0; i < best.faults.size(); ++i) {
      Scenario tried = best;
      tried.faults.erase(tried.faults.begin() + static_cast<ptrdiff_t>(i));
      if (!breaks(tried)) continue;
      best = tried;
      shorter = true;
      break;
    }
  }
  for (bool shorter = true; shorter;) {  // then a smaller job
    shorter = false;
    const auto with = [&](auto change) {
      Scenario tried = best;
      if (!change(tried) || !breaks(tried)) return;
      best = tried;
      shorter = true;
    };
    with([](Scenario& s) {
      if (s.key_bytes.size() < 2) return false;
      s.key_bytes.pop_back(), s.key_every.pop_back();
      return true;
    });
    with([](Scenario& s) {
      const uint32_t most = *std::max_element(s.batches.begin(), s.batches.end());
      if (most < 2) return false;
      for (uint32_t& b : s.batches) b = std::min(b, most - 1);
      return true;
    });
  }
  return best;
}

std::string Explain(const Scenario& scenario, const Options& options, bool shrink) {
  Options tracing = options;
  tracing.trace = true;
  const Report report = Simulate(scenario, tracing);
  std::string text = Text(scenario);
  for (const std::string& line : report.trace) text += "  " + line + "\n";
  if (report.ok()) return text + "no invariant was broken, " + std::to_string(report.steps) + " steps" + (report.succeeded ? ", all workers finished\n" : "\n");
  text += "invariant " + std::to_string(report.violation.invariant) + " (" + InvariantName(report.violation.invariant) + "): " + report.violation.text + "\n";
  if (!shrink || scenario.faults.empty()) return text;
  const Scenario shorter = Shrink(scenario, options, report.violation.invariant);
  if (shorter.faults.size() == scenario.faults.size()) return text;
  return text + "\nThe same with fewer faults:\n" + Explain(shorter, options, false);
}

void Totals::add(const Totals& other) {
  seeds += other.seeds, steps += other.steps, succeeded += other.succeeded, undisturbed += other.undisturbed, different += other.different;
  for (size_t i = 0; i < exercised.size(); ++i) exercised[i] += other.exercised[i];
  for (size_t i = 0; i < faults.size(); ++i) faults[i] += other.faults[i];
  failed.insert(failed.end(), other.failed.begin(), other.failed.end());
}

Totals RunSeeds(uint64_t first, uint64_t last, const Options& options, uint64_t twice, uint64_t reorder, size_t stop_after) {
  Totals totals;
  uint64_t undisturbed = 0;
  for (uint64_t seed = first; seed <= last && totals.failed.size() < stop_after; ++seed) {
    const Scenario scenario = ScenarioOf(seed, options);
    const Report report = Simulate(scenario, options);
    ++totals.seeds;
    totals.steps += report.steps;
    totals.succeeded += report.succeeded ? 1 : 0;
    for (size_t i = 0; i < report.exercised.size(); ++i) totals.exercised[i] += report.exercised[i];
    for (const Fault& f : scenario.faults) ++totals.faults[static_cast<size_t>(f.kind)];
    if (!report.ok()) {
      totals.failed.emplace_back(seed, report.violation);
      continue;
    }
    if (twice > 0 && seed % twice == 0 && Simulate(scenario, options).hash != report.hash) {
      ++totals.different;
      totals.failed.emplace_back(seed, Violation{0, "two runs of this seed differ"});
    }
    if (!scenario.faults.empty()) continue;
    ++totals.undisturbed;
    if (reorder == 0 || scenario.mode != Mode::kSync || scenario.joiners > 0 || !scenario.named || undisturbed++ % reorder != 0) continue;
    Options other = options;
    other.network_seed = seed + 1;
    const Report again = Simulate(scenario, other);
    ++totals.exercised[11];
    if (again.ok() && again.result == report.result) continue;
    totals.failed.emplace_back(seed, again.ok() ? Violation{11, "other delays give other sums"} : again.violation);
  }
  return totals;
}

std::string Text(const Totals& t, double seconds) {
  std::string text = "what was looked at, how often:\n";
  for (uint32_t i = 1; i <= kInvariants; ++i) {
    std::string count = std::to_string(t.exercised[i]);
    count.insert(0, 12 - std::min<size_t>(12, count.size()), ' ');
    text += count + "  " + std::to_string(i) + ". " + InvariantName(i) + "\n";
  }
  text += "faults:";
  for (size_t i = 0; i < t.faults.size(); ++i) text += std::string(i == 0 ? " " : ", ") + Name(static_cast<FaultKind>(i)) + " " + std::to_string(t.faults[i]);
  text += "\n" + std::to_string(t.seeds) + " schedules, " + std::to_string(t.failed.size()) + " failed; in " + std::to_string(t.succeeded) +
          " every worker got to its end; " + std::to_string(t.undisturbed) + " undisturbed; " + std::to_string(t.steps) + " steps";
  if (seconds > 0) {
    text += ", " + std::to_string(static_cast<uint64_t>(static_cast<double>(t.seeds) / seconds)) + " schedules a second, " +
            std::to_string(static_cast<uint64_t>(seconds * 1e9 / static_cast<double>(std::max<uint64_t>(t.steps, 1)))) + " ns a step";
  }
  return text + "\n";
}

// The seeds are fixed: each mistake shows within its own few. A change of the protocol or of the faults may need others.
const std::vector<MutantEntry>& Mutants() {
  static const std::vector<MutantEntry> kMutants = {
      {Mutant::kAcknowledgeEarly, "acknowledge-early", 1, 100},
      {Mutant::kIgnoreViews, "ignore-views", 1, 200},
      {Mutant::kReopenRound, "reopen-round", 1, 100},
      {Mutant::kPromoteStale, "promote-stale", 1, 200},
      {Mutant::kTrustOldCopy, "trust-old-copy", 101, 250},
      {Mutant::kCountNotKey, "count-not-key", 1, 100},
      {Mutant::kIgnoreIncarnations, "ignore-incarnations", 1, 300},
      {Mutant::kForgetDedup, "forget-dedup", 7601, 7650},
      {Mutant::kBarrierByCount, "barrier-by-count", 1, 100},
      {Mutant::kCutLate, "cut-late", 1, 100},
      {Mutant::kKeepTickets, "keep-tickets", 1, 10},
      {Mutant::kTakeOldCalls, "take-old-calls", 19801, 19850},
      {Mutant::kCountPushes, "count-pushes", 1, 100},
      {Mutant::kKeepBarriers, "keep-barriers", 159230, 159250},
  };
  return kMutants;
}

}  // namespace ps::sim

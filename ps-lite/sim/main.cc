// SPDX-License-Identifier: Apache-2.0
// ps-sim: schedules of faults for the parameter server's protocol, by seed.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#include "sim/run.h"

namespace {

constexpr const char* kUsage =
    "ps-sim: runs the parameter server's protocol in a virtual cluster, with faults by seed, and checks its invariants after every step (docs/ps-protocol.md).\n"
    "\n"
    "  ps-sim --seed N            one schedule, exactly as in any other run; with its last 50 steps and, if it fails, the invariant and a shorter schedule\n"
    "  ps-sim --seeds A..B        many; prints each that fails, and a summary\n"
    "  ps-sim --share I/N         the Ith of N parts of seeds 1..FLEXOR_TEST_SEEDS (5,000, or --of): a test; fails also if an invariant was never looked at\n"
    "  ps-sim --mutants           each planted mistake: the first seed that finds it, and the invariant that it breaks\n"
    "  ps-sim --list-mutants      their names\n"
    "\n"
    "  --mutant NAME   with a planted mistake          --steps N      print the last N steps instead of 50\n"
    "  --jobs N        threads for --seeds (1)         --no-shrink    do not look for a shorter schedule\n"
    "  --faults KINDS  only these, with commas, as a schedule names them: --faults kill,freeze; or none\n"
    "  --no-cuts       without checkpoints\n"
    "  --stop N        end after N failures (10)       --network N    other delays for the same schedule\n"
    "The exit status is 0 if no invariant was broken; for --mutants, if each mistake was found.\n";

using namespace ps::sim;

bool Number(const char* text, uint64_t* value) {
  char* end = nullptr;
  *value = std::strtoull(text, &end, 10);
  return end != text && *end == '\0';
}

int Refuse(const std::string& what) {
  std::fprintf(stderr, "ps-sim: %s\n%s", what.c_str(), kUsage);
  return 2;
}

double Now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

int OneSeed(uint64_t seed, const Options& options, bool shrink) {
  const Scenario scenario = ScenarioOf(seed, options);
  const std::string text = Explain(scenario, options, shrink);
  const Report once = Simulate(scenario, options), again = Simulate(scenario, options);
  std::fputs(text.c_str(), stdout);
  std::printf("%llu steps, hash %016llx, %s\n", static_cast<unsigned long long>(once.steps), static_cast<unsigned long long>(once.hash),
              once.hash == again.hash ? "the same in two runs" : "ANOTHER in a second run");
  return once.ok() && once.hash == again.hash ? 0 : 1;
}

int ManySeeds(uint64_t first, uint64_t last, const Options& options, uint64_t jobs, uint64_t stop, bool demand) {
  const double begin = Now();
  std::vector<Totals> parts(jobs);
  std::vector<std::thread> threads;
  const uint64_t each = (last - first + jobs) / jobs;
  for (uint64_t j = 0; j < jobs; ++j) {
    const uint64_t from = first + j * each, to = std::min(last, from + each - 1);
    if (from <= to) threads.emplace_back([&parts, j, from, to, &options, stop] { parts[j] = RunSeeds(from, to, options, 50, 10, stop); });
  }
  for (std::thread& t : threads) t.join();
  Totals totals;
  for (const Totals& part : parts) totals.add(part);
  for (const auto& [seed, violation] : totals.failed)
    std::printf("seed %llu: invariant %u (%s): %s\n", static_cast<unsigned long long>(seed), violation.invariant, InvariantName(violation.invariant), violation.text.c_str());
  std::fputs(Text(totals, Now() - begin).c_str(), stdout);
  bool good = totals.failed.empty();
  for (uint32_t i = 1; demand && i <= kInvariants; ++i)
    if (totals.exercised[i] == 0) {
      good = false;
      std::printf("invariant %u (%s) was never looked at\n", i, InvariantName(i));
    }
  return good ? 0 : 1;
}

int AllMutants(Options options) {
  bool all = true;
  for (const MutantEntry& m : Mutants()) {
    options.mutant = m.mutant;
    const Totals totals = RunSeeds(m.first, m.last, options, 0, 0, 1);
    if (totals.failed.empty()) {
      all = false;
      std::printf("%-20s NOT found by seeds %llu..%llu\n", m.name, static_cast<unsigned long long>(m.first), static_cast<unsigned long long>(m.last));
    } else {
      const auto& [seed, v] = totals.failed[0];
      std::printf("%-20s found by seed %llu after %llu: invariant %u (%s): %s\n", m.name, static_cast<unsigned long long>(seed), static_cast<unsigned long long>(totals.seeds),
                  v.invariant, InvariantName(v.invariant), v.text.c_str());
    }
    std::fflush(stdout);
  }
  return all ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  uint64_t first = 0, last = 0, jobs = 1, stop = 10, number = 0;
  uint64_t part = 0, parts = 0, of = 5000;
  bool one = false, many = false, mutants = false, shrink = true;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : "";
    const auto take = [&](uint64_t* to) { return Number(value, to) && ++i < argc + 1; };
    if (arg == "--help" || arg == "-h") {
      std::fputs(kUsage, stdout);
      return 0;
    }
    if (arg == "--list-mutants") {
      for (const MutantEntry& m : Mutants()) std::puts(m.name);
      return 0;
    }
    if (arg == "--mutants") mutants = true;
    else if (arg == "--no-shrink") shrink = false;
    else if (arg == "--no-cuts") options.cuts = false;
    else if (arg == "--seed" && take(&first)) one = true;
    else if (arg == "--jobs" && take(&jobs) && jobs > 0) continue;
    else if (arg == "--stop" && take(&stop) && stop > 0) continue;
    else if (arg == "--network" && take(&options.network_seed)) continue;
    else if (arg == "--of" && take(&of) && of > 0) continue;
    else if (arg == "--share" && std::sscanf(value, "%lu/%lu", &part, &parts) == 2 && part >= 1 && part <= parts) ++i;
    else if (arg == "--steps" && take(&number)) options.trace_lines = number;
    else if (arg == "--seeds" && std::strstr(value, "..") != nullptr) {
      const std::string range = value;
      const size_t dots = range.find("..");
      if (!Number(range.substr(0, dots).c_str(), &first) || !Number(range.substr(dots + 2).c_str(), &last) || last < first) return Refuse("--seeds wants A..B, not " + range);
      many = true;
      ++i;
    } else if (arg == "--faults") {
      options.kinds = 0;
      const std::string wanted = std::string(",") + value + ",";
      for (uint32_t k = 0; k <= static_cast<uint32_t>(FaultKind::kLast); ++k)
        if (wanted.find(std::string(",") + Name(static_cast<FaultKind>(k)) + ",") != std::string::npos) options.kinds |= 1u << k;
      if (options.kinds == 0 && std::string(value) != "none") return Refuse(std::string("no fault is named in `") + value + "`");
      ++i;
    } else if (arg == "--mutant") {
      for (const MutantEntry& m : Mutants())
        if (std::strcmp(m.name, value) == 0) options.mutant = m.mutant;
      if (options.mutant == ps::core::Mutant::kNone) return Refuse(std::string("there is no mutant `") + value + "`; --list-mutants names them");
      ++i;
    } else {
      return Refuse("what is `" + arg + "`?");
    }
  }
  if (one) return OneSeed(first, options, shrink);
  if (many) return ManySeeds(first, last, options, jobs, stop, false);
  if (parts > 0) {
    const char* given = std::getenv("FLEXOR_TEST_SEEDS");
    if (given != nullptr && Number(given, &number) && number > of) of = number;
    return ManySeeds(1 + (part - 1) * of / parts, part * of / parts, options, jobs, stop, true);
  }
  if (mutants) return AllMutants(options);
  return Refuse("--seed, --seeds, --share or --mutants is wanted");
}

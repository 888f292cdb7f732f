// SPDX-License-Identifier: Apache-2.0
#include "sim/scenario.h"

#include <algorithm>

namespace ps::sim {
namespace {

constexpr const char* kNames[] = {"kill",      "freeze",    "slow",   "cut session", "partition", "one-way partition", "isolate",
                                  "disk crash", "disk full", "starve", "stranger",    "replay",    "hold"};
static_assert(sizeof(kNames) / sizeof(*kNames) == static_cast<size_t>(FaultKind::kLast) + 1, "a name for each kind of fault");

// How often each kind is drawn. Deaths are what the protocol is for.
struct Weight { FaultKind kind; uint32_t weight; };
constexpr Weight kWeights[] = {{FaultKind::kKill, 30},      {FaultKind::kFreeze, 8},   {FaultKind::kSlow, 5},     {FaultKind::kCutSession, 12},
                               {FaultKind::kPartition, 8},  {FaultKind::kOneWay, 8},   {FaultKind::kIsolate, 6},  {FaultKind::kDiskCrash, 6},
                               {FaultKind::kDiskFull, 2},   {FaultKind::kStarve, 4},   {FaultKind::kStranger, 6}, {FaultKind::kReplay, 6},
                               {FaultKind::kHold, 8}};

FaultKind DrawKind(Rng& rng) {
  uint32_t total = 0;
  for (const Weight& w : kWeights) total += w.weight;
  uint64_t at = rng.below(total);
  for (const Weight& w : kWeights) {
    if (at < w.weight) return w.kind;
    at -= w.weight;
  }
  return FaultKind::kKill;
}

// Long enough to be noticed (three heartbeats), or too short for it, or just about.
Time DrawLength(Rng& rng) {
  switch (rng.below(4)) {
    case 0: return rng.between(1, 900) * kMillisecond;
    case 1: return rng.between(2500, 4500) * kMillisecond;
    case 2: return rng.between(4, 12) * kSecond;
    default: return rng.skewed(100 * kMillisecond, 25 * kSecond);
  }
}

Fault DrawFault(Rng& rng, const Scenario& s, int64_t busy) {
  Fault f;
  f.kind = DrawKind(rng);
  // Training starts when all are there and lasts some dozens of milliseconds when nothing disturbs it: most faults fall there, some before, some later.
  f.at = rng.chance(850) ? rng.skewed(kMillisecond, busy) : rng.between(0, 20 * kSecond);
  f.length = DrawLength(rng);
  f.a = static_cast<uint32_t>(rng.below(s.processes()));
  f.b = static_cast<uint32_t>(rng.below(s.processes() - 1));
  if (f.b >= f.a) ++f.b;
  f.variant = static_cast<uint32_t>(rng.below(1u << 16));
  // The scheduler is one of several; it is the one that a job cannot be without, so it is not killed for good.
  if (f.a == 0 && (f.kind == FaultKind::kKill || f.kind == FaultKind::kDiskCrash) && f.variant % 4 == kNever) f.variant += kWithDisk;
  return f;
}

}  // namespace

const char* Name(FaultKind kind) { return kNames[static_cast<size_t>(kind)]; }

Scenario MakeScenario(uint64_t seed) {
  Scenario s;
  s.seed = seed;
  Rng rng(seed, 1);
  s.workers = static_cast<uint32_t>(rng.between(1, 4));
  s.servers = rng.chance(150) ? 0 : static_cast<uint32_t>(rng.between(1, 3));
  if (s.servers == 0) {
    s.servers = s.workers;
    s.together = true;
  }
  s.replicas = rng.chance(300) ? 0 : static_cast<uint32_t>(std::min<int64_t>(rng.chance(750) ? 1 : 2, s.servers - 1));
  s.elastic = rng.chance(300);
  if (s.elastic && rng.chance(700)) s.joiners = static_cast<uint32_t>(rng.between(1, 2));
  if (!s.together && s.replicas > 0 && rng.chance(400)) s.standby = 1;
  const uint64_t mode = rng.below(10);
  s.mode = mode < 6 ? Mode::kSync : mode < 8 ? Mode::kAsync : Mode::kStale;
  s.stale = static_cast<uint32_t>(rng.between(0, 3));
  const uint64_t policy = rng.below(10);
  s.policy = policy < 3 ? Policy::kFail : policy < 8 ? Policy::kContinue : Policy::kRollback;
  s.mean = rng.chance(300);
  s.key_bytes.resize(static_cast<size_t>(rng.between(1, 4)));
  for (uint32_t& bytes : s.key_bytes) bytes = static_cast<uint32_t>(8 * (rng.chance(600) ? rng.between(1, 4) : rng.between(5, 40)));
  s.rounds = static_cast<uint32_t>(rng.between(2, 8));
  for (uint32_t w = 0; w < s.workers + s.joiners; ++w)
    s.batches.push_back(rng.chance(700) ? s.rounds : static_cast<uint32_t>(rng.between(1, s.rounds)));
  if (rng.chance(400)) s.barrier_every = static_cast<uint32_t>(rng.between(1, 3));
  if (s.policy == Policy::kRollback || rng.chance(300)) s.cut_every = static_cast<uint32_t>(rng.between(1, 4));
  s.shared_cuts = rng.chance(500);
  s.pushpull = rng.chance(600);
  s.optimizer = s.mode != Mode::kSync || rng.chance(700);
  s.start_barrier = s.optimizer || rng.chance(500);
  if (s.mode != Mode::kSync || (s.policy == Policy::kRollback && seed % 4 != 0)) s.barrier_every = 0;  // what else may go wrong at a return is seen better without
  s.patience = rng.chance(500) ? 5 * kSecond : 20 * kSecond;
  s.log = rng.chance(800);
  s.call_limit = rng.chance(300) ? rng.between(20, 60) * kSecond : 150 * kSecond;
  s.named = rng.chance(400);
  s.same_address = rng.chance(500);
  s.net_delay_us = static_cast<uint32_t>(rng.chance(700) ? rng.between(100, 2000) : rng.between(2000, 200000));
  if (rng.chance(300)) s.window_bytes = static_cast<uint64_t>(rng.between(64, 512));
  if (rng.chance(200)) s.memory_bytes = static_cast<uint64_t>(rng.between(2, 16)) * 1024;
  for (uint32_t p = 0; p < s.processes(); ++p) s.drift_ppm.push_back(static_cast<int32_t>(rng.between(-10000, 10000)));
  // How many faults: none in one of eight (what must succeed then is known), else few in most.
  Rng fault_rng(seed, 2);
  const uint64_t many = fault_rng.below(8);
  const int64_t count = many == 0 ? 0 : many < 4 ? 1 : many < 6 ? 2 : fault_rng.between(3, 8);
  const int64_t busy = (50 + 12 * static_cast<int64_t>(s.net_delay_us) * s.rounds / 1000) * kMillisecond + (fault_rng.chance(300) ? 10 * kSecond : 0);
  for (int64_t i = 0; i < count; ++i) {
    s.faults.push_back(DrawFault(fault_rng, s, busy));
    if (fault_rng.chance(250)) {  // two at once, or one upon the other
      Fault second = DrawFault(fault_rng, s, busy);
      second.at = s.faults.back().at + fault_rng.skewed(0, 6 * kSecond);
      s.faults.push_back(second);
    }
    if (fault_rng.chance(250)) {
      Fault second = DrawFault(fault_rng, s, busy);
      second.view = fault_rng.below(4) + 2;
      second.at = fault_rng.skewed(0, 300 * kMillisecond);
      if (fault_rng.chance(600)) second.a = static_cast<uint32_t>(1 + fault_rng.below(s.first_worker() - 1));
      if (second.a == second.b) second.b = 0;
      s.faults.push_back(second);
    }
  }
  if (s.replicas > 0 && many > 0 && fault_rng.chance(80)) {
    // A server is lost and comes back at once, and another is lost when it is mended; a worker says nothing meanwhile, and then goes on from where it was.
    Fault first{FaultKind::kKill, 1, fault_rng.between(1, 60) * kMillisecond, fault_rng.between(1, 600) * kMillisecond, 0, 0, kWithDisk}, second = first, freeze = first;
    first.a = static_cast<uint32_t>(1 + fault_rng.below(s.servers));
    second.a = 1 + (first.a - 1 + static_cast<uint32_t>(1 + fault_rng.below(s.servers - 1))) % s.servers;
    second.view = fault_rng.chance(600) ? 3 : fault_rng.below(3) + 2;
    second.at = fault_rng.skewed(0, 60 * kMillisecond), second.length = DrawLength(fault_rng);
    freeze.kind = FaultKind::kFreeze, freeze.at += kMillisecond, freeze.length = fault_rng.between(800, 2800) * kMillisecond;
    freeze.a = s.first_worker() + static_cast<uint32_t>(fault_rng.below(s.workers));
    s.faults.push_back(first);
    s.faults.push_back(second);
    if (fault_rng.chance(700)) s.faults.push_back(freeze);
    if (s.policy == Policy::kFail) s.policy = Policy::kContinue;
    s.rounds = static_cast<uint32_t>(fault_rng.between(10, 40));  // so long that it is not over by then
    for (uint32_t& b : s.batches) b = fault_rng.chance(800) ? s.rounds : b;
  }
  s.key_every.assign(s.key_bytes.size(), 1);
  Rng key_rng(seed, 3);
  if (s.mode == Mode::kSync && key_rng.chance(250)) {
    for (size_t key = 1; key < s.key_every.size(); ++key) s.key_every[key] = static_cast<uint32_t>(key_rng.between(1, 4));
    s.steps_told = key_rng.chance(500);
    if (s.uneven() && s.joiners == 0 && key_rng.chance(600)) {
      s.elastic = true, s.joiners = 1;
      s.rounds = static_cast<uint32_t>(key_rng.between(8, 30));  // it comes in their midst
      for (uint32_t& b : s.batches) b = key_rng.chance(800) ? s.rounds : b;
      s.batches.push_back(s.rounds);
      s.drift_ppm.push_back(static_cast<int32_t>(key_rng.between(-10000, 10000)));
    }
  }
  std::stable_sort(s.faults.begin(), s.faults.end(), [](const Fault& x, const Fault& y) { return x.view != y.view ? x.view < y.view : x.at < y.at; });
  for (const Fault& f : s.faults)
    if (f.view == 0) s.quiet_at = std::max(s.quiet_at, f.at + f.length);
  return s;
}

bool Scenario::uneven() const {
  return std::any_of(key_every.begin(), key_every.end(), [](uint32_t every) { return every > 1; });
}

std::string Text(const Fault& f) {
  std::string text = std::string(Name(f.kind)) + (f.view > 0 ? " after view " + std::to_string(f.view) + " by " : " at ") + std::to_string(f.at / kMicrosecond) + " us, process " + std::to_string(f.a);
  if (f.kind == FaultKind::kCutSession || f.kind == FaultKind::kPartition || f.kind == FaultKind::kOneWay || f.kind == FaultKind::kHold)
    text += " and " + std::to_string(f.b);
  return text + ", for " + std::to_string(f.length / kMicrosecond) + " us, variant " + std::to_string(f.variant);
}

std::string Text(const Scenario& s) {
  static constexpr const char* kModes[] = {"sync", "async", "stale"};
  static constexpr const char* kPolicies[] = {"fail", "continue", "rollback"};
  std::string text = "seed " + std::to_string(s.seed) + ": " + std::to_string(s.workers) + " workers, " + std::to_string(s.servers) + " servers";
  if (s.together) text += " beside them";
  if (s.joiners > 0) text += ", " + std::to_string(s.joiners) + " joining";
  if (s.standby > 0) text += ", " + std::to_string(s.standby) + " standby";
  text += ", replicas " + std::to_string(s.replicas) + ", " + kModes[static_cast<size_t>(s.mode)];
  if (s.mode == Mode::kStale) text += "(" + std::to_string(s.stale) + ")";
  text += std::string(", policy ") + kPolicies[static_cast<size_t>(s.policy)] + (s.elastic ? ", elastic" : "") + (s.mean ? ", mean" : ", sum") + ", keys";
  for (uint32_t bytes : s.key_bytes) text += " " + std::to_string(bytes);
  if (s.uneven()) {
    text += ", pushed in every";
    for (uint32_t every : s.key_every) text += " " + std::to_string(every);
    text += s.steps_told ? " steps, which are told" : " steps";
  }
  text += ", batches";
  for (uint32_t b : s.batches) text += " " + std::to_string(b);
  if (s.barrier_every > 0) text += ", barrier every " + std::to_string(s.barrier_every);
  if (s.cut_every > 0) text += ", cut every " + std::to_string(s.cut_every) + (s.shared_cuts ? " on a shared disk" : "");
  if (!s.optimizer) text += ", no optimizer";
  if (s.named) text += ", ranks named";
  text += s.pushpull ? ", pushpull" : ", push and pull";
  text += ", delay " + std::to_string(s.net_delay_us) + " us\n";
  for (const Fault& f : s.faults) text += "  fault: " + Text(f) + "\n";
  return text;
}

}  // namespace ps::sim

// SPDX-License-Identifier: Apache-2.0
// What one seed stands for: a job (who, how many, which mode, which calls) and a list of faults. The list is explicit, so that it can be printed, and made shorter.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "ps/types.h"
#include "sim/rng.h"

namespace ps::sim {

constexpr Time kMicrosecond = 1000;

enum class FaultKind : uint8_t {
  kKill,         // process a dies; variant: how it comes back (Revival), and whether peers are told
  kFreeze,       // process a does nothing for `length`, then goes on (SIGSTOP, SIGCONT)
  kSlow,         // every input costs process a some milliseconds
  kCutSession,   // a message between a and b is lost, and the session with it
  kPartition,    // nothing passes between a and b
  kOneWay,       // nothing passes from a to b
  kIsolate,      // nothing passes between a and anybody
  kDiskCrash,    // process a dies at its next disk write: before it, after it, or in the middle
  kDiskFull,     // process a's writes fail
  kStarve,       // process a's transport hands no sent bytes back: its windows stay full
  kStranger,     // process a gets a message that is not from this job, not that sender's to send, or does not parse
  kReplay,       // process a gets a message again that an earlier session carried
  kHold,         // messages from a to b are late by up to `length`, those of other pairs are not
  kLast = kHold
};
const char* Name(FaultKind kind);

enum Revival : uint32_t { kNever = 0, kWithDisk = 1, kWithoutDisk = 2 };

struct Fault {
  FaultKind kind;
  uint64_t view = 0;  // not 0: `at` counts from when the scheduler first has this view or a later one, so that one loss meets the mending of another
  Time at = 0;
  Time length = 0;    // how long it lasts; for a kill: until the process is started again
  uint32_t a = 0, b = 0; // processes, by their place in the scenario
  uint32_t variant = 0;  // what the kind makes of it
};
std::string Text(const Fault& fault);

struct Scenario {
  uint64_t seed = 0;
  uint32_t workers = 2, servers = 1;     // expected at the start; no servers: workers host the keys
  uint32_t joiners = 0;                  // workers that are started late
  uint32_t standby = 0;                  // servers that are started late
  uint32_t replicas = 0;
  bool elastic = false;
  Mode mode = Mode::kSync;
  uint32_t stale = 0;
  Policy policy = Policy::kFail;
  bool mean = false;
  std::vector<uint32_t> key_bytes;       // one for each key
  std::vector<uint32_t> key_every;       // one for each key: it is pushed in every so many steps (the first key in each)
  bool steps_told = false;               // pushes say their step; else keys that are pushed in every step come first
  uint32_t rounds = 4;                   // pushes of each key by each worker, at most
  std::vector<uint32_t> batches;         // by worker: rounds it has batches for, then it finishes
  uint32_t barrier_every = 0;            // 0: none
  uint32_t cut_every = 0;                // rounds between checkpoints, 0: none
  bool shared_cuts = false;              // where every server sees them
  bool pushpull = true;                  // else push, then pull
  bool named = false;                    // every process asks for its rank; else they get ranks as they come
  bool same_address = false;             // a process started again listens where it did before
  bool optimizer = true;                 // an update is applied to the value; else the sum replaces it
  uint32_t net_delay_us = 200;           // the longest usual delay of a message
  uint64_t window_bytes = 0, memory_bytes = 0;
  Time patience = 30 * kSecond;
  Time call_limit = 120 * kSecond;
  bool start_barrier = true;             // after init and settings
  bool log = true;                       // the scheduler keeps one
  bool together = false;                 // no servers: each worker's host has a server beside it, and they die together
  std::vector<int32_t> drift_ppm;        // by process
  std::vector<Fault> faults;
  Time quiet_at = 0;                  // when the last fault is over
  uint32_t processes() const { return 1 + servers + standby + workers + joiners; }  // scheduler, servers, workers: in this order
  uint32_t first_worker() const { return 1 + servers + standby; }
  bool pushed(uint32_t key, uint64_t step) const { return step % key_every[key] == 0; }
  bool uneven() const;                   // not all keys in every step
};

Scenario MakeScenario(uint64_t seed);
std::string Text(const Scenario& scenario);

}  // namespace ps::sim

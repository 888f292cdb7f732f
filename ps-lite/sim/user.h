// SPDX-License-Identifier: Apache-2.0
// A worker's program, as a user would write it: init, perhaps an optimizer, rounds of push and pull, barriers, checkpoints, finish. It is told only what a
// user is told: completions and notices.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/node.h"

namespace ps::sim {
using namespace ps::core;

class World;
struct Process;

enum class Asked : uint8_t { kInit, kPush, kPull, kPushPull, kBarrier, kFinish, kConfigure, kCheckpoint };
struct Question {  // a call under way
  Asked what = Asked::kInit;
  uint32_t key = 0;
  uint64_t step = 0;      // of the key's pushes: the round it is meant for; a barrier: its number
  uint64_t lent = 0;      // the array that was lent for it
  uint32_t given = 0;     // what it says
  bool has_array() const { return what == Asked::kInit || what == Asked::kPush || what == Asked::kPushPull; }
};

class User {
 public:
  User(World& world, uint32_t process) : world_(&world), process_(process) {}
  void start();
  void woken(uint64_t what);
  void completed(const Complete& complete);
  void noticed(const Notice& notice);
  bool finished() const { return finished_; }
  bool took_part() const { return took_part_; }
  uint32_t step() const { return step_; }

 private:
  enum class Part : uint8_t { kWait, kInit, kSettings, kRounds, kFinish, kOver };
  void next();
  void ask(Question question, Request request);
  void begin();
  void round();
  void go_on();
  void end(bool done, Time restart_after);
  World* world_;
  uint32_t process_;
  Part part_ = Part::kWait;
  std::map<CallId, Question> open_;
  uint64_t calls_ = 0;
  uint32_t step_ = 0;         // the next round
  uint32_t cuts_ = 0;
  uint64_t barriers_ = 0;     // the number of the last one entered, or not to be entered
  Round back_to_ = 0;         // where the job went back to at last
  uint32_t first_ = 1;
  Rank rank_ = 0;
  uint64_t lives_ = 0;        // returns to a checkpoint that it was told of
  bool back_ = false, finished_ = false, evicted_ = false, failed_ = false;
  bool took_part_ = false, pull_after_ = false, thinking_ = false;
};

}  // namespace ps::sim

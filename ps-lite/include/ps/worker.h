// SPDX-License-Identifier: Apache-2.0
// A worker's calls. Each returns at once and ends exactly once by calling `done` on the network thread, under no lock: well, or with a Status that names node,
// key and round. There it must not wait, nor compute; it may start other calls. What is pushed is not copied: the Buffer is held until the push is acknowledged.
//   Calls of one key run in the order they are made; those of different keys at once, a larger priority first. A pull that follows a push of this worker sees
//   that push's round (synchronous mode); one before any push gives what init gave.
//   When the job goes back to a checkpoint, calls under way end with kRolledBack, and so does whatever is called before one of this worker's calls has ended so:
//   its values belong to rounds that have been undone. Reply::round is then the round that the job went back to; the next push is the one after it.
#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "ps/node.h"
#include "ps/types.h"

namespace ps {

using Done = std::function<void(const Status&, Reply&)>;

class FLX_PS_API Worker {
 public:
  explicit Worker(Node& node) : node_(node) {}  // the node outlives its calls
  // For those who say themselves how many returns to a checkpoint they have heard of (Progress::returns): once there are more, every call ends with kRolledBack.
  Worker(Node& node, uint64_t returns) : node_(node), returns_(returns) {}
  // The first that arrives counts; the same key with another dtype, size or meta is an error (kMismatch).
  void Init(KeyInfo key, Buffer value, Done done);
  // Ends when it is acknowledged: no loss that the job survives undoes it. Synchronous: its round has the number of the program's step, which is the same with
  // every worker. `step` says it, from Progress::first_round on; 0: a key's next push belongs to the step of this worker's last push, or, if that step has pushed
  // the key already, to the next. Programs that do not say it and push some keys not in every step begin each step with a key that they push in every one.
  void Push(const std::string& key, Buffer value, uint64_t samples, int32_t priority, Done done, uint64_t step = 0);
  void Pull(const std::string& key, int32_t priority, Done done);
  void PushPull(const std::string& key, Buffer value, uint64_t samples, int32_t priority, Done done, uint64_t step = 0);
  void Barrier(Done done);  // the n-th one of each worker is the same
  void Finish(Done done);   // after all calls before it; the others go on without this worker
  // An optimizer or another setting for every server's Reducer::Configure; rank 0's count. Pushes made after it ended see it.
  void Configure(const std::string& name, const std::string& text, Done done);
  // Every shard writes its part; this worker's pushes wait meanwhile. Reply::round is the round of the slices, Node::progress() has the number.
  void Checkpoint(Done done);
  // The same, waiting (Settings::timeout_ms bounds each); not from `done`.
  Status Wait(const std::function<void(Done)>& call, Reply* reply = nullptr);

 private:
  Node& node_;
  uint64_t returns_ = UINT64_MAX;
};

}  // namespace ps

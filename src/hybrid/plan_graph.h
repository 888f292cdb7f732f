// SPDX-License-Identifier: Apache-2.0
// A plan's runs on a device as graphs (a CUDA graph): what its steps issue is recorded once and launched again as one.
//   A graph has the arrays' addresses in it. Pooled memory comes back in the same few places, so a run whose addresses were there before is captured, and
//   launched from then on; one whose addresses are new just issues its steps. A few graphs are kept, the last used.
//   What differs from run to run besides addresses: the numbers that random operators draw, which are a ticket's. A graph with such steps has a block of
//   parameters in the device's memory, of its own. Its kernels take the run's first ticket from there, and each launch is behind one small kernel in the same
//   queue that brings it, so that runs under way never share it. Options that kernels look at are part of what a graph stands for.
//   Scratch memory of captured kernels belongs to the graph. It is taken before the capture, as much as the run before needed: nothing may be allocated,
//   and nobody waited for, while a queue records.
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/stream.h"
#include "tensor/device_work.h"

namespace flx {

class Plan;

class PlanGraphs {
 public:
  explicit PlanGraphs(const Plan& plan);
  ~PlanGraphs();
  // Inside a DeviceWork: calls `issue`, or launches what it issued before with these parts, arena and external arrays. first: of the tickets.
  void Run(int parts, const void* arena, void* const* bases, int n, Ticket first, const std::function<void()>& issue);
  struct Counts { int64_t issued = 0, captured = 0, launched = 0; };
  Counts counts() const;
  std::string why() const;  // nothing is captured (any more); empty: it may be
  std::string Print() const;

 private:
  struct Graph;
  bool over() const;
  using Key = std::vector<uint64_t>;
  std::shared_ptr<Graph> Find(const Key& key);
  bool SeenBefore(const Key& key);
  std::shared_ptr<Graph> Capture(const Key& key, int parts, Ticket first, const std::function<void()>& issue);
  void GiveUp(std::string why);
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<Graph>> graphs_;  // the last used at the end
  std::vector<uint64_t> seen_;                  // hashes of keys, a ring
  size_t next_seen_ = 0;
  std::vector<size_t> scratch_[4];              // by parts: what a run takes
  int random_ = 0;                              // the parts that draw random numbers
  Counts counts_;
  std::string why_;
};

}  // namespace flx

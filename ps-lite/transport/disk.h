// SPDX-License-Identifier: Apache-2.0
// Files for the protocol: a scheduler's log, servers' parts of checkpoints. One thread, in order, started with the first work.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "core/node.h"

namespace ps {

core::WorkDone DoFile(const core::Work& work);  // ReadFile, AppendFile, WriteFile, RemoveFile

class Disk {
 public:
  ~Disk();  // does what is queued first
  void run(std::function<void()> job);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace ps

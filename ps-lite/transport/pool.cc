// SPDX-License-Identifier: Apache-2.0
// A small pool for those who have none of their own.
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <vector>

#include "ps/node.h"
#include "transport/threads.h"

namespace ps {
namespace {
class Pool : public Executor {
 public:
  explicit Pool(int threads) : state_(new State) {
    for (int i = 0; i < threads; ++i) state_->threads.push_back(StartThread("ps-work", [s = state_] { Work(*s); }));
  }
  ~Pool() override {
    if (state_->pid != getpid()) return;  // a forked child: the threads are the parent's
    {
      std::lock_guard<std::mutex> lock(state_->mutex);
      state_->stopping = true;
    }
    state_->changed.notify_all();
    for (std::thread& t : state_->threads) t.join();
    delete state_;
  }
  void Run(std::function<void()> job) override {
    {
      std::lock_guard<std::mutex> lock(state_->mutex);
      state_->jobs.push_back(std::move(job));
    }
    state_->changed.notify_one();
  }

 private:
  struct State {
    const int pid = getpid();
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::function<void()>> jobs;
    bool stopping = false;
    std::vector<std::thread> threads;
  };
  static void Work(State& s) {
    std::unique_lock<std::mutex> lock(s.mutex);
    for (;;) {
      s.changed.wait(lock, [&] { return s.stopping || !s.jobs.empty(); });
      if (s.jobs.empty()) return;
      auto job = std::move(s.jobs.front());
      s.jobs.pop_front();
      lock.unlock();
      job();
      job = nullptr;
      lock.lock();
    }
  }
  State* state_;
};
}  // namespace

Executor::~Executor() = default;
std::shared_ptr<Executor> MakePool(int threads) { return std::make_shared<Pool>(std::clamp(threads, 1, 256)); }

}  // namespace ps

// SPDX-License-Identifier: Apache-2.0
// Copies, I/O and communication have a thread each, started with their first operation, so that none of them ever stands behind a long computation.
#include <condition_variable>
#include <mutex>
#include <system_error>

#include "base/fork.h"
#include "base/log.h"
#include "base/task_heap.h"
#include "base/thread.h"
#include "engine/internals.h"

namespace flx {
namespace {
thread_local bool t_lane = false;

struct LaneThread {
  std::mutex mutex;
  std::condition_variable work;
  TaskHeap tasks;
  std::thread thread;
  bool live = false, stopping = false;
};
struct Lanes { LaneThread lane[3]; };
Lanes*& L() {
  static Lanes* lanes = [] {
    auto lock = [] { for (auto& l : L()->lane) l.mutex.lock(); };
    auto unlock = [] { for (auto& l : L()->lane) l.mutex.unlock(); };
    AddForkHooks(ForkStage::kPool, {lock, unlock, [] { L() = new Lanes; }});
    return new Lanes;  // never destroyed
  }();
  return lanes;
}

void Work(LaneThread* l) {
  t_lane = true;
  std::unique_lock<std::mutex> lock(l->mutex);
  for (;;) {
    if (PoolTask* t = l->tasks.Pop()) {
      lock.unlock();
      t->run(t);
      lock.lock();
    } else if (l->stopping) {
      return;
    } else {
      l->work.wait(lock);
    }
  }
}
}  // namespace

bool InLaneThread() { return t_lane; }

void SubmitToLane(Lane lane, PoolTask* task) {
  static constexpr const char* kNames[] = {"flx-copy", "flx-io", "flx-comm"};
  int i = int(lane) - int(Lane::kCopy);
  LaneThread& l = L()->lane[i];
  {
    std::lock_guard<std::mutex> lock(l.mutex);
    if (!l.live && !l.stopping) {
      try {
        l.thread = StartThread(kNames[i], [q = &l] { Work(q); });
        l.live = true;
      } catch (const std::system_error&) {
        Log(LogLevel::kWarning, "the system gives no thread for ", kNames[i], ": its work is done by the pool");
      }
    }
    if (l.live || l.stopping) {
      l.tasks.Push(task);
      task = nullptr;
    }
  }
  if (task) SubmitTask(task);
  else l.work.notify_one();
}

void StopLanes() {
  for (auto& l : L()->lane) {
    std::thread t;
    {
      std::lock_guard<std::mutex> lock(l.mutex);
      if (!l.live || l.stopping) continue;
      l.stopping = true;
      t = std::move(l.thread);
    }
    l.work.notify_one();
    t.join();
    PoolTask* late = nullptr;  // pushed after the thread's last look
    {
      std::lock_guard<std::mutex> lock(l.mutex);
      l.live = l.stopping = false;
      while (PoolTask* q = l.tasks.Pop()) q->next = late, late = q;
    }
    while (late) {
      PoolTask* q = late;
      late = q->next;
      SubmitTask(q);
    }
  }
}

}  // namespace flx

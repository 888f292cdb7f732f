// SPDX-License-Identifier: Apache-2.0
// One mutex guards the task queue, the list of open loops and the counts of who sleeps. It is held for a few instructions at a time: loops are shared
// out by an atomic counter of their own, and a worker runs what its task released without coming back here (engine.cc).
#include "base/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <vector>

#include "base/config.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/fork.h"
#include "base/host_call.h"
#include "base/log.h"
#include "base/task_heap.h"
#include "base/thread.h"

namespace flx {
namespace {
using Clock = std::chrono::steady_clock;
constexpr int kMaxThreads = 1024;
constexpr auto kSpin = std::chrono::microseconds(15);  // less than a sleep and wake-up cost together

struct Loop {
  LoopBody body;
  void* arg;
  int64_t n, grain, chunks;
  std::atomic<int64_t> taken{0};
  std::atomic<int> helpers{0};     // threads inside, besides the owner; changed under the pool's mutex
  bool open = false;               // in the pool's list
  Loop* next = nullptr;
  int64_t failed = -1;             // lowest chunk that threw, under the pool's mutex
  std::exception_ptr error;
  bool left() const { return taken.load(std::memory_order_relaxed) < chunks; }
};

struct Worker { std::thread thread; bool live = false; };

struct Pool {
  std::mutex mutex;
  std::condition_variable work, guests, closed;  // for workers; for whoever waits and helps; for owners of loops
  TaskHeap tasks;
  Loop* loops = nullptr;
  Worker workers[kMaxThreads];
  int want = 0, live = 0, idle = 0, spinning = 0;
  bool stopping = false;
  std::atomic<int> ready{0};       // tasks and open loops: what a spinning thread looks at
  std::atomic<int> asleep{0};      // guests
};

std::atomic<int> g_threads{0};     // PoolThreads(); 0: not read yet
thread_local bool t_worker = false;
thread_local bool t_in_loop = false;

Pool*& Slot();
Pool& P() { return *Slot(); }
Pool*& Slot() {
  static Pool* pool = [] {
    // The child of a fork has none of the threads and starts with a fresh pool; the old one's condition variables may count dead sleepers.
    AddForkHooks(ForkStage::kPool, {[] { P().mutex.lock(); }, [] { P().mutex.unlock(); }, [] { P().mutex.unlock(); Slot() = new Pool; }});
    OnOptionChange([](Opt o) { if (o == Opt::kNumThreads) g_threads.store(0, std::memory_order_release); });
    return new Pool;  // never destroyed: threads and finalizers may outlive main
  }();
  return pool;
}

inline void Pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#endif
}
// Looks at `done` for a moment before a sleep.
template <class F> bool SpinFor(const F& done) {
  for (auto until = Clock::now() + kSpin; Clock::now() < until;)
    for (int i = 0; i < 32; ++i) {
      if (done()) return true;
      Pause();
    }
  return done();
}

int Cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : int(std::thread::hardware_concurrency());
  return n > 0 ? n : 1;
}

void Unlist(Pool& p, Loop* l) {  // under the mutex
  if (!l->open) return;
  l->open = false;
  p.ready.fetch_sub(1, std::memory_order_relaxed);
  for (Loop** q = &p.loops; *q; q = &(*q)->next)
    if (*q == l) { *q = l->next; return; }
}
Loop* Joinable(Pool& p) {  // under the mutex
  Loop* l = p.loops;
  while (l && !l->left()) l = l->next;
  return l;
}
void RunChunks(Loop* l, bool one) {
  bool outer = t_in_loop;
  t_in_loop = true;
  do {
    int64_t c = l->taken.fetch_add(1, std::memory_order_relaxed);
    if (c >= l->chunks) break;
    try {
      l->body(l->arg, c * l->grain, c + 1 == l->chunks ? l->n : (c + 1) * l->grain);
    } catch (...) {
      std::lock_guard<std::mutex> lock(P().mutex);
      if (l->failed < 0 || c < l->failed) l->failed = c, l->error = std::current_exception();
      // Chunks are taken in order, so all below c are done or under way: the lowest that fails is the same on any number of threads.
      l->taken.store(l->chunks, std::memory_order_relaxed);
    }
  } while (!one);
  t_in_loop = outer;
}
void Join(Pool& p, std::unique_lock<std::mutex>& lock, Loop* l, bool one) {
  l->helpers.fetch_add(1, std::memory_order_relaxed);
  lock.unlock();
  RunChunks(l, one);
  lock.lock();
  if (!l->left()) Unlist(p, l);
  // From here on the loop may vanish: its owner spins on this count.
  if (l->helpers.fetch_sub(1, std::memory_order_acq_rel) == 1) p.closed.notify_all();
}
PoolTask* PopTask(Pool& p) {
  PoolTask* t = p.tasks.Pop();
  if (t) p.ready.fetch_sub(1, std::memory_order_relaxed);
  return t;
}

void Work(Pool* pool, int index) {
  t_worker = true;
  Pool& p = *pool;
  std::unique_lock<std::mutex> lock(p.mutex);
  for (bool worked = false;;) {
    if (Loop* l = Joinable(p)) {
      Join(p, lock, l, false);
      worked = true;
    } else if (PoolTask* t = PopTask(p)) {
      bool more = !p.tasks.empty() && p.idle > 0 && p.spinning == 0;  // who submitted it may have counted on a thread that was still spinning
      lock.unlock();
      if (more) p.work.notify_one();
      t->run(t);
      lock.lock();
      worked = true;
    } else if (p.stopping || index >= p.want) {
      p.workers[index].live = false, --p.live;
      return;
    } else if (worked) {
      ++p.spinning;
      lock.unlock();
      SpinFor([&] { return p.ready.load(std::memory_order_relaxed) > 0; });
      lock.lock();
      --p.spinning;
      worked = false;
    } else {
      ++p.idle;
      p.work.wait(lock);
      --p.idle;
    }
  }
}

// Under the mutex. A system that gives no thread leaves the work to whoever waits for it.
void EnsureThreads(Pool& p, int threads) {
  int want = threads > 2 ? threads - 1 : 1;
  if (p.want == want && p.live == want) return;
  if (p.stopping) return;
  bool fewer = want < p.want;
  p.want = want;
  if (fewer) p.work.notify_all();
  for (int i = 0; i < want; ++i) {
    Worker& w = p.workers[i];
    if (w.live) continue;
    if (w.thread.joinable()) w.thread.join();  // it has left its loop and needs the mutex no more
    try {
      w.thread = StartThread("flx-pool", [pool = &p, i] { Work(pool, i); });
      w.live = true, ++p.live;
    } catch (const std::system_error&) {
      if (p.live == 0) Log(LogLevel::kWarning, "the system gives no thread: operations run when somebody waits for them");
      return;
    }
  }
}

bool Fits(const PoolTask* t, double limit_us) { return t && (limit_us < 0 || double(t->cost_us) <= limit_us); }
// limit_us < 0: whatever it takes.
bool Help(double limit_us) {
  if (t_in_loop) return false;
  Pool& p = P();
  if (p.ready.load(std::memory_order_relaxed) == 0) return false;
  std::unique_lock<std::mutex> lock(p.mutex);
  if (Loop* l = Joinable(p)) {
    Join(p, lock, l, limit_us >= 0);
    return true;
  }
  if (!Fits(p.tasks.top(), limit_us)) return false;
  PoolTask* t = PopTask(p);
  lock.unlock();
  t->run(t);
  return true;
}
// A helper that leaves may have put back what it released: somebody else must be awake for it.
void PassOn() {
  Pool& p = P();
  if (p.ready.load(std::memory_order_relaxed) == 0) return;
  std::lock_guard<std::mutex> lock(p.mutex);
  if (p.tasks.empty()) return;
  if (p.idle > 0 && p.spinning == 0) p.work.notify_one();
  else if (p.idle == 0) p.guests.notify_all();
}
}  // namespace

int PoolThreads() {
  int n = g_threads.load(std::memory_order_acquire);
  if (n > 0) return n;
  P();  // the hook for changes is there before the value is read
  int64_t asked = GetInt(Opt::kNumThreads);
  n = asked <= 0 ? Cores() : asked > kMaxThreads ? kMaxThreads : int(asked);
  g_threads.store(n, std::memory_order_release);
  return n;
}
bool InPoolThread() { return t_worker; }
int LivePoolThreads() {
  std::lock_guard<std::mutex> lock(P().mutex);
  return P().live;
}

void ParallelFor(int64_t n, int64_t grain, LoopBody body, void* arg) {
  if (n <= 0) return;
  if (grain < 1) grain = 1;
  int64_t chunks = (n - 1) / grain + 1;
  int threads = chunks > 1 && !t_in_loop ? PoolThreads() : 1;
  if (threads == 1) {
    for (int64_t c = 0; c < chunks; ++c) body(arg, c * grain, c + 1 == chunks ? n : (c + 1) * grain);
    return;
  }
  Pool& p = P();
  Loop l;
  l.body = body, l.arg = arg, l.n = n, l.grain = grain, l.chunks = chunks;
  {
    std::lock_guard<std::mutex> lock(p.mutex);
    EnsureThreads(p, threads);
    l.open = true, l.next = p.loops, p.loops = &l;
    p.ready.fetch_add(1, std::memory_order_relaxed);
    int64_t wanted = chunks - 1 - p.spinning;
    if (wanted > 0 && p.idle > 0) {
      if (wanted >= p.idle) p.work.notify_all();
      else for (int64_t i = 0; i < wanted; ++i) p.work.notify_one();
    }
    if (wanted > p.idle && p.asleep.load(std::memory_order_relaxed) > 0) p.guests.notify_all();
  }
  RunChunks(&l, false);
  {
    std::lock_guard<std::mutex> lock(p.mutex);
    Unlist(p, &l);
  }
  auto alone = [&] { return l.helpers.load(std::memory_order_acquire) == 0; };
  if (!SpinFor(alone)) {
    std::unique_lock<std::mutex> lock(p.mutex);
    p.closed.wait(lock, alone);
  }
  if (l.error) std::rethrow_exception(l.error);
}

void SubmitTask(PoolTask* task, bool wake) {
  int threads = PoolThreads();
  Pool& p = P();
  bool worker = false, guest = false;
  {
    std::lock_guard<std::mutex> lock(p.mutex);
    EnsureThreads(p, threads);
    p.tasks.Push(task);
    p.ready.fetch_add(1, std::memory_order_relaxed);
    worker = wake && p.idle > 0 && p.spinning == 0;
    guest = wake && p.idle == 0 && p.spinning == 0 && p.asleep.load(std::memory_order_relaxed) > 0;
  }
  if (worker) p.work.notify_one();
  if (guest) p.guests.notify_all();
}
bool HigherTaskWaiting(int32_t priority) {
  Pool& p = P();
  if (p.ready.load(std::memory_order_relaxed) == 0) return false;
  std::lock_guard<std::mutex> lock(p.mutex);
  return !p.tasks.empty() && p.tasks.top()->priority > priority;
}

bool HelpOnce() { return Help(-1); }

bool HelpUntil(bool (*ready)(void*), void* arg, int64_t timeout_ms) {
  if (ready(arg)) return true;
  if (timeout_ms == 0) return false;
  constexpr int64_t kLongest = int64_t(1000) * 3600 * 24 * 365;  // so that the clock's arithmetic cannot overflow
  bool limited = timeout_ms > 0 && timeout_ms < kLongest;
  auto deadline = DeadlineAfter(limited ? timeout_ms : 0);
  auto left_us = [&] { return limited ? std::max(0.0, std::chrono::duration<double, std::micro>(deadline - Clock::now()).count()) : -1.0; };
  bool done = false;
  for (;;) {
    if ((done = ready(arg))) break;
    double left = left_us();
    if (limited && left == 0) break;
    if (Help(left)) continue;
    Pool& p = P();
    if ((done = SpinFor([&] { return ready(arg); }))) break;
    HostAway away;  // ends after the lock, which a fork takes
    std::unique_lock<std::mutex> lock(p.mutex);
    // Counted before the last look, and looked under the mutex: who makes it ready either sees us or was seen.
    p.asleep.fetch_add(1, std::memory_order_acq_rel);
    bool work = !t_in_loop && (Joinable(p) || Fits(p.tasks.top(), left));
    if (!work && !ready(arg)) {
      if (limited) p.guests.wait_until(lock, deadline);
      else p.guests.wait(lock);
    }
    p.asleep.fetch_sub(1, std::memory_order_relaxed);
  }
  PassOn();
  return done;
}
void NotifyWaiters() {
  Pool& p = P();
  // A read-modify-write, not a load: either it comes after the sleeper's own and sees it, or the sleeper's comes after and sees what was made ready.
  if (p.asleep.fetch_add(0, std::memory_order_acq_rel) == 0) return;
  { std::lock_guard<std::mutex> lock(p.mutex); }  // who counted itself is asleep now, or has seen it
  p.guests.notify_all();
}

void StopPool() {
  if (t_worker) Fail(Status::kState, "pool", "a thread of the pool cannot stop it.");
  Pool& p = P();
  {
    std::unique_lock<std::mutex> lock(p.mutex);
    if (p.stopping) return;
    p.stopping = true;
  }
  p.work.notify_all();
  for (Worker& w : p.workers)
    if (w.thread.joinable()) w.thread.join();
  int threads = PoolThreads();
  std::lock_guard<std::mutex> lock(p.mutex);
  p.stopping = false, p.want = 0;
  if (!p.tasks.empty()) EnsureThreads(p, threads);  // somebody submitted meanwhile
}

}  // namespace flx

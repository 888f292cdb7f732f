// SPDX-License-Identifier: Apache-2.0
#include "engine/engine.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>
#include <memory>
#include <mutex>
#include <new>
#include <vector>

#include "base/config.h"
#include "base/fork.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/internals.h"
#include "engine/stream.h"
#include "profiler/profiler.h"

namespace flx {
namespace {
thread_local int t_running = 0;     // operations this thread is inside of
thread_local uint8_t t_epoch = 0;   // and the epoch of the innermost: what it pushes belongs to that one, so that WaitAll waits for it too

struct WaitOp final : Operation {  // stands in a queue until its turn comes; on the waiting thread's stack
  std::atomic<bool> done{false};
  void Execute() override {}
};
bool IsDone(void* w) { return static_cast<WaitOp*>(w)->done.load(std::memory_order_acquire); }

struct Counter { std::atomic<int64_t> n{0}; Counter* next = nullptr; bool unused = false; };
}  // namespace

struct Engine::Impl {
  // Operations pushed and not finished, by epoch. WaitAll starts a new epoch and waits for the old one to run dry, so that pushes of other threads
  // cannot keep it waiting.
  std::atomic<int64_t> pending[2] = {};
  std::atomic<int64_t> epoch{0};
  std::atomic<int> all_waiters{0};
  std::atomic<int64_t> queued{0};
  std::atomic<bool> forking{false};
  std::mutex mutex;                 // failures and counters
  std::deque<Ref<const Poison>> failures;
  Counter* counters = nullptr;      // every thread's; they live for ever
  // Made beforehand: when it is needed there is no memory to make it.
  const Ref<const Poison> out_of_memory = Make<const Poison>(Error(Status::kMemory, "[engine] no memory to say how an operation failed"));
};

__thread std::atomic<int64_t>* Engine::t_inline_ = nullptr;

struct EngineInternals {
  static Engine::Impl& I() { return *Engine::Get().impl_; }

  static void Configure(Engine& e) {
    std::string mode = GetText(Opt::kEngine);
    double us = mode == "auto" ? GetDouble(Opt::kEngineInlineUs) : mode == "threaded" ? -1 : HUGE_VAL;
    e.inline_us_.store(us, std::memory_order_relaxed);
    e.naive_.store(mode == "naive", std::memory_order_relaxed);
  }

  // ---- running
  static void Fail(Operation* op, const Ref<const Poison>& p) {
    for (int i = 0; i < op->nuses; ++i)
      if (op->uses[i].access != Access::kRead) op->uses[i].var->SetPoison(p);
  }
  static Ref<const Poison> Inherited(Operation* op) {
    for (int i = 0; i < op->nuses; ++i)
      if (op->uses[i].access != Access::kWrite && op->uses[i].var->poisoned()) return op->uses[i].var->GetPoison();
    return nullptr;
  }
  static void FailWith(Operation* op, Error e) {
    try { op->Describe(&e); } catch (...) {}  // the error itself matters more
    Ref<const Poison> p;
    try { p = Make<const Poison>(std::move(e)); } catch (...) { p = I().out_of_memory; }
    Fail(op, p);
    Engine::Get().NoteFailure(p);
  }
  static void Succeed(Operation* op) {
    for (int i = 0; i < op->nuses; ++i)
      if (op->uses[i].access == Access::kWrite) op->uses[i].var->SetPoison(nullptr);
  }
  // False: it has only begun, and may be gone already.
  static bool Execute(Operation* op) {
    if (auto p = Inherited(op)) {
      Fail(op, p);
      return true;
    }
    struct Inside {
      uint8_t epoch = t_epoch;
      explicit Inside(uint8_t e) { ++t_running, t_epoch = e; }
      ~Inside() { --t_running, t_epoch = epoch; }
    };
    bool deferred = op->deferred;
    try {
      Inside inside(op->epoch);
      op->Execute();
    } catch (...) {
      FailWith(op, Engine::CurrentError());
      return true;
    }
    if (!deferred) Succeed(op);
    return !deferred;
  }
  static void Finish(Operation* op) {
    Engine::Impl& e = I();
    int epoch = op->epoch;
    if (op->uses != op->inline_uses) delete[] op->uses;
    delete op;  // before it counts as done: its references are gone then
    if (e.pending[epoch].fetch_sub(1, std::memory_order_seq_cst) == 1 && e.all_waiters.load(std::memory_order_seq_cst) > 0) NotifyWaiters();
  }
  // The task function of operations.
  static void Run(PoolTask* task) {
    auto* op = static_cast<Operation*>(task);
    while (op) {
      if (!Execute(op)) return;
      Ready ready = ReleaseUses(op);
      Finish(op);
      op = nullptr;
      if (!ready) break;
      if (InPoolThread()) {
        // What this one released runs next, here: its data is warm and nobody has to be woken. Unless something more urgent waits.
        PoolTask** best = nullptr;
        for (PoolTask** q = &ready; *q; q = &(*q)->next) {
          auto* o = static_cast<Operation*>(*q);
          if (o->kind == Operation::Kind::kQueued && o->lane == Lane::kCompute && (!best || o->priority > (*best)->priority)) best = q;
        }
        if (best && !HigherTaskWaiting((*best)->priority)) {
          op = static_cast<Operation*>(*best);
          *best = op->next;
          op->next = nullptr;
        }
        Dispatch(ready);
      } else {
        // A helper goes back to its wait between any two operations, and looks for more itself.
        DispatchFrom(ready, InLaneThread());
      }
    }
  }
  static void DispatchFrom(Ready list, bool wake) {
    while (list) {
      auto* op = static_cast<Operation*>(list);
      list = op->next;
      op->next = nullptr;
      if (op->kind == Operation::Kind::kQueued) {
        op->run = &Run;
        if (op->lane == Lane::kCompute) SubmitTask(op, wake || list);
        else SubmitToLane(op->lane, op);
        continue;
      }
      auto* w = static_cast<WaitOp*>(op);
      if (op->kind == Operation::Kind::kWait) {
        for (Ready more = ReleaseUses(w); more;) {  // gives its turn on at once
          PoolTask* next = more->next;
          more->next = list, list = more, more = next;
        }
      }
      w->done.store(true, std::memory_order_release);  // its owner may be gone from here on
      NotifyWaiters();
    }
  }

  // ---- pushing
  // Fills op->uses from `given`, each variable once, in the order given; the distinct variables go to `sorted` in address order.
  static void SetUses(Operation* op, const VarUse* given, int n, std::vector<Var*>* sorted) {
    struct Item { Var* var; int at; };
    std::vector<Item> items(size_t(n), Item{});
    op->uses = n <= int(sizeof op->inline_uses / sizeof *op->inline_uses) ? op->inline_uses : new Use[size_t(n)];
    for (int i = 0; i < n; ++i) items[size_t(i)] = {given[i].var, i}, op->uses[i] = {given[i].var, op, nullptr, given[i].access};
    std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) { return a.var != b.var ? a.var < b.var : a.at < b.at; });
    Use* first = nullptr;
    for (auto& it : items) {
      Use& u = op->uses[it.at];
      if (first && first->var == it.var) {
        if (u.access != first->access) first->access = Access::kUpdate;
        u.var = nullptr;
      } else {
        first = &u;
        sorted->push_back(it.var);
      }
    }
    for (int i = 0; i < n; ++i)
      if (op->uses[i].var) op->uses[op->nuses++] = op->uses[i];
  }
  // Into every queue in one step, locks in address order: taken one by one, pushers of overlapping sets could each stand before the other.
  static void Enter(Operation* op, const std::vector<Var*>& sorted) {
    Ready ready = nullptr;
    op->pending.store(op->nuses + 1, std::memory_order_relaxed);
    for (Var* v : sorted) LockVar(v);
    for (int i = 0; i < op->nuses; ++i) Enqueue(&op->uses[i], &ready);
    for (Var* v : sorted) UnlockVar(v);
    if (op->pending.fetch_sub(1, std::memory_order_acq_rel) == 1) op->next = ready, ready = op;
    if (ready) Dispatch(ready);
  }
  static void Count(Operation* op) {
    Engine::Impl& e = I();
    for (;;) {
      op->epoch = t_running ? t_epoch : uint8_t(e.epoch.load(std::memory_order_seq_cst) & 1);
      e.pending[op->epoch].fetch_add(1, std::memory_order_seq_cst);
      if (!e.forking.load(std::memory_order_seq_cst)) break;
      if (e.pending[op->epoch].fetch_sub(1, std::memory_order_seq_cst) == 1) NotifyWaiters();
      std::this_thread::yield();  // a fork is under way in another thread: a moment
    }
    e.queued.fetch_add(1, std::memory_order_relaxed);
  }

  // ---- waiting
  static void CheckMayWait() {
    if (Engine::InEngineThread())
      flx::Fail(Status::kState, "engine", "an operation must not wait for another one: it would hold up the threads that are to run it. Push what comes after.");
  }
  static bool WaitFor(Var* v, Access a, int64_t timeout_ms) {
    CheckMayWait();
    VarUse use{v, a};
    Engine::RefuseMapped("engine", &use, 1);
    uint64_t w = v->word.load(std::memory_order_acquire);
    if (!(w & (Var::kQueued | Var::kStreams)) && Granted(w, a)) return true;
    if (timeout_ms == 0) return PollVar(v, a);
    ProfileScope scope(ProfileKind::kWait, a == Access::kRead ? "wait to read" : "wait to write");
    WaitOp op;
    op.kind = Operation::Kind::kWait;
    op.uses = op.inline_uses, op.nuses = 1;
    op.inline_uses[0] = {v, &op, nullptr, a};
    Enter(&op, {v});
    if (HelpUntil(&IsDone, &op, timeout_ms)) return true;
    Ready ready = nullptr;
    LockVar(v);
    bool out = Unlink(&op.inline_uses[0]);
    if (out) Grant(v, &ready);  // who stood behind it may have their turn
    UnlockVar(v);
    Dispatch(ready);
    if (out) return false;
    while (!IsDone(&op)) std::this_thread::yield();  // granted just now; the granting thread is about to say so
    return true;
  }
  struct Closing { Engine::Impl* e; int64_t epoch; };
  static bool WaitPushed(int64_t timeout_ms) {
    Engine::Impl& e = I();
    int64_t start = NowMs();
    Closing c{&e, e.epoch.load(std::memory_order_seq_cst)};
    struct Waiter { Engine::Impl& e; explicit Waiter(Engine::Impl& i) : e(i) { e.all_waiters.fetch_add(1); } ~Waiter() { e.all_waiters.fetch_sub(1); } } waiter(e);
    // Before the epoch can be closed the one before it has to be empty: there are two counters.
    auto before_empty = [](void* p) {
      auto* q = static_cast<Closing*>(p);
      return q->e->epoch.load(std::memory_order_seq_cst) > q->epoch || q->e->pending[(q->epoch + 1) & 1].load(std::memory_order_seq_cst) == 0;
    };
    if (!HelpUntil(before_empty, &c, timeout_ms)) return false;
    int64_t expected = c.epoch;
    if (e.epoch.compare_exchange_strong(expected, c.epoch + 1, std::memory_order_seq_cst)) NotifyWaiters();
    auto empty = [](void* p) {
      auto* q = static_cast<Closing*>(p);  // an epoch two further on: somebody saw ours empty
      return q->e->epoch.load(std::memory_order_seq_cst) > q->epoch + 1 || q->e->pending[q->epoch & 1].load(std::memory_order_seq_cst) == 0;
    };
    return HelpUntil(empty, &c, MsLeft(timeout_ms, start));
  }

  // ---- fork: the engine comes to rest, so that the child finds no operation half done and no variable held by a thread it does not have
  static void BeforeFork() {
    Engine::Impl& e = I();
    constexpr int64_t kPatienceMs = 60000;
    if (!Engine::InEngineThread())
      for (int64_t start = NowMs();;) {
        if (!WaitPushed(MsLeft(kPatienceMs, start)) || !WaitStreams(MsLeft(kPatienceMs, start))) {
          Log(LogLevel::kWarning, "fork: the engine did not come to rest within a minute; what is under way is lost to the child");
          break;
        }
        e.forking.store(true, std::memory_order_seq_cst);
        if (e.pending[0].load() == 0 && e.pending[1].load() == 0) break;
        e.forking.store(false, std::memory_order_seq_cst);
      }
    e.mutex.lock();
  }
  static void AfterFork() {
    I().mutex.unlock();
    I().forking.store(false, std::memory_order_seq_cst);
  }
  static void AfterForkInChild() {
    t_running = 0;
    Engine::Impl& e = I();
    e.pending[0] = 0, e.pending[1] = 0, e.all_waiters = 0;
    AfterFork();
  }
};

int64_t NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
int64_t MsLeft(int64_t timeout_ms, int64_t start_ms) {
  if (timeout_ms <= 0) return timeout_ms;
  return std::max<int64_t>(0, timeout_ms - (NowMs() - start_ms));
}
void Dispatch(Ready list) { EngineInternals::DispatchFrom(list, true); }
Ready ReleaseUses(Operation* op) {
  Ready ready = nullptr;
  for (int i = 0; i < op->nuses; ++i) {
    Var* v = op->uses[i].var;
    bool read = op->uses[i].access == Access::kRead;
    uint64_t before = read ? v->word.fetch_sub(1, std::memory_order_release) : v->word.fetch_and(~Var::kWriter, std::memory_order_release);
    if (!(before & Var::kQueued) || (read && (before & Var::kReaders) != 1)) continue;
    LockVar(v);
    Grant(v, &ready);
    UnlockVar(v);
  }
  return ready;
}

Engine::Engine() : impl_(new Impl) {}
Engine& Engine::Get() {
  static Engine* engine = [] {
    auto* e = new Engine;  // never destroyed: a collector may still call at exit
    EngineInternals::Configure(*e);
    OnOptionChange([](Opt o) {
      if (o == Opt::kEngine || o == Opt::kEngineInlineUs) EngineInternals::Configure(Engine::Get());
    });
    AddForkHooks(ForkStage::kEngine, {&EngineInternals::BeforeFork, &EngineInternals::AfterFork, &EngineInternals::AfterForkInChild});
    return e;
  }();
  return *engine;
}

void Engine::Push(Operation* op, const VarUse* uses, int n) {
  std::unique_ptr<Operation> owned(op);
  RefuseMapped("engine", uses, n);
  std::vector<Var*> sorted;
  sorted.reserve(size_t(n));
  EngineInternals::SetUses(op, uses, n, &sorted);
  EngineInternals::Count(op);
  owned.release();
  if (!naive() || InEngineThread()) return EngineInternals::Enter(op, sorted);
  WaitOp turn;  // stands in the queues for the operation, which then runs here
  turn.kind = Operation::Kind::kCaller;
  turn.uses = op->uses, turn.nuses = op->nuses;
  for (int i = 0; i < op->nuses; ++i) op->uses[i].op = &turn;
  EngineInternals::Enter(&turn, sorted);
  HelpUntil(&IsDone, &turn, -1);
  if (!EngineInternals::Execute(op)) {
    WaitAll(-1);
    return;
  }
  Ready ready = ReleaseUses(op);
  EngineInternals::Finish(op);
  Dispatch(ready);
}
void Engine::Complete(Operation* op, const Error* error) {
  if (error) EngineInternals::FailWith(op, *error);
  else EngineInternals::Succeed(op);
  Ready ready = ReleaseUses(op);
  EngineInternals::Finish(op);
  Dispatch(ready);
}

// Streams do not keep each other from a variable here: events order them.
static bool TryAcquireForStream(Var* v, Access a) {
  uint64_t w = v->word.load(std::memory_order_relaxed);
  while (!(w & Var::kQueued) && Granted(w, a)) {
    if (w & Var::kLock) {  // somebody looks at it for a moment: no reason to queue, after which a failure would not be the call's
      std::this_thread::yield();
      w = v->word.load(std::memory_order_relaxed);
    } else if (v->word.compare_exchange_weak(w, a == Access::kRead ? w + 1 : w | Var::kWriter, std::memory_order_acquire, std::memory_order_relaxed)) {
      return true;
    }
  }
  return false;
}
void IssueOrPush(StreamOp* op, const VarUse* uses, int n) {
  std::unique_ptr<Operation> owned(op);
  Engine::RefuseMapped("engine", uses, n);
  std::vector<Var*> sorted;
  sorted.reserve(size_t(n));
  EngineInternals::SetUses(op, uses, n, &sorted);
  EngineInternals::Count(op);
  owned.release();
  int got = 0;
  while (got < op->nuses && TryAcquireForStream(op->uses[got].var, op->uses[got].access)) ++got;
  if (got == op->nuses) {
    EngineInternals::Execute(op);  // never deferred
    Ready ready = ReleaseUses(op);
    EngineInternals::Finish(op);
    Dispatch(ready);
  } else {
    while (got-- > 0) Engine::Release(op->uses[got].var, op->uses[got].access);
    EngineInternals::Enter(op, sorted);
  }
  if (Engine::Get().naive() && !Engine::InEngineThread()) Engine::Get().WaitAll(-1);
}

void Engine::GrantNext(Var* v) {
  Ready ready = nullptr;
  LockVar(v);
  Grant(v, &ready);
  UnlockVar(v);
  if (ready) Dispatch(ready);
}
bool Engine::TryAcquireStreams(Var* v, Access a) {
  bool got = false;
  LockVar(v);
  uint64_t w = v->word.load(std::memory_order_acquire);
  if (!(w & Var::kQueued) && Granted(w, a) && StreamsPoll(v, a)) {
    // Inline runs come and go without the lock, so the word may have changed: only the holders are at stake.
    w = v->word.load(std::memory_order_relaxed);
    uint64_t with = 0;
    do {
      if ((w & Var::kQueued) || !Granted(w, a)) { got = false; break; }
      with = a == Access::kRead ? w + 1 : w | Var::kWriter;
      got = true;
    } while (!v->word.compare_exchange_weak(w, with, std::memory_order_acquire, std::memory_order_relaxed));
  }
  UnlockVar(v);
  return got;
}

void Engine::FailIfMapped(const char* who, const VarUse& use) {
  bool write = use.access != Access::kRead;
  if (Granted(use.var->word.load(std::memory_order_acquire), use.access)) return;
  Fail(Status::kState, who, "an array that this ", write ? "writes" : "reads", " is in the host's hands (flx_ndarray_map): it would wait until the mapping ends. End the mapping first ",
       "(flx_free; in Python let go of the memoryview), or work on a copy.");
}
Ref<const Poison> Engine::FirstPoison(const VarUse* uses, int n) {
  for (int i = 0; i < n; ++i)
    if (__builtin_expect(uses[i].access != Access::kWrite && uses[i].var->poisoned(), 0)) return uses[i].var->GetPoison();
  return nullptr;
}
void Engine::PoisonWrites(const VarUse* uses, int n, const Ref<const Poison>& p) {
  for (int i = 0; i < n; ++i)
    if (uses[i].access != Access::kRead) uses[i].var->SetPoison(p);
}
void Engine::ClearWrites(const VarUse* uses, int n) {
  for (int i = 0; i < n; ++i)
    if (uses[i].access == Access::kWrite) uses[i].var->SetPoison(nullptr);
}
Error Engine::CurrentError() noexcept {
  try {
    try {
      throw;
    } catch (const Error& e) {
      return e;
    } catch (const std::bad_alloc&) {
      return Error(Status::kMemory, "out of memory while an operation ran. Let go of arrays, or use a smaller batch.");
    } catch (const std::exception& e) {
      return Error(Status::kInternal, Text("an operation failed: ", e.what()));
    } catch (...) {
      return Error(Status::kInternal, "an operation failed with something that is no exception");
    }
  } catch (...) {
    return Error(Status::kMemory, std::string());  // no memory even for the text
  }
}

bool Engine::WaitToRead(Var* v, int64_t timeout_ms) { return EngineInternals::WaitFor(v, Access::kRead, timeout_ms); }
bool Engine::WaitToWrite(Var* v, int64_t timeout_ms) { return EngineInternals::WaitFor(v, Access::kWrite, timeout_ms); }
bool Engine::WaitAll(int64_t timeout_ms) {
  EngineInternals::CheckMayWait();
  ProfileScope scope(ProfileKind::kWait, "wait for all");
  int64_t start = NowMs();
  return EngineInternals::WaitPushed(timeout_ms) && WaitStreams(MsLeft(timeout_ms, start));
}

void Engine::NoteFailure(const Ref<const Poison>& p) {
  constexpr size_t kKept = 1000;
  std::lock_guard<std::mutex> lock(impl_->mutex);
  auto& f = impl_->failures;
  if (f.size() >= kKept) f.erase(std::remove_if(f.begin(), f.end(), [](auto& q) { return q->seen.load(); }), f.end());
  if (f.size() >= kKept) f.pop_front();
  try { f.push_back(p); } catch (...) {}  // no memory to remember it: who reads the arrays is told
}
Ref<const Poison> Engine::NextUnseen() {
  std::lock_guard<std::mutex> lock(impl_->mutex);
  while (!impl_->failures.empty()) {
    Ref<const Poison> p = std::move(impl_->failures.front());
    impl_->failures.pop_front();
    if (!p->seen.exchange(true)) return p;
  }
  return nullptr;
}

void Engine::MakeCounter() {
  struct Back {
    Counter* counter = nullptr;
    ~Back() {
      Engine::Impl& e = EngineInternals::I();
      std::lock_guard<std::mutex> lock(e.mutex);
      if (counter) counter->unused = true;
      t_inline_ = nullptr;
    }
  };
  static thread_local Back back;
  Engine::Impl& e = EngineInternals::I();
  std::lock_guard<std::mutex> lock(e.mutex);
  Counter* c = e.counters;
  while (c && !c->unused) c = c->next;  // one of a thread that has ended: its count stays in the sum
  if (!c) c = new Counter, c->next = e.counters, e.counters = c;
  c->unused = false;
  back.counter = c;
  t_inline_ = &c->n;
}
int64_t Engine::inline_count() const {
  std::lock_guard<std::mutex> lock(impl_->mutex);
  int64_t n = 0;
  for (Counter* c = impl_->counters; c; c = c->next) n += c->n.load(std::memory_order_relaxed);
  return n;
}
int64_t Engine::queued_count() const { return impl_->queued.load(std::memory_order_relaxed); }
bool Engine::InEngineThread() { return t_running > 0 || Callback::depth() > 0 || InPoolThread() || InLaneThread(); }
int& Engine::Callback::depth() {
  static thread_local int depth = 0;
  return depth;
}
void Engine::Defer(void (*f)(void*), void* user) noexcept {
  struct Later final : Operation {
    void (*f)(void*) = nullptr;
    void* user = nullptr;
    void Execute() override { f(user); }
  };
  Later* op = nullptr;
  try {
    op = new Later;
    op->f = f, op->user = user, op->uses = op->inline_uses;
    EngineInternals::Count(op);
  } catch (...) {
    delete op;
    f(user);
    return;
  }
  EngineInternals::Enter(op, {});
}

bool Engine::Shutdown(int64_t timeout_ms) {
  if (!WaitAll(timeout_ms)) return false;
  StopLanes();
  StopStreams();
  StopPool();
  return true;
}

}  // namespace flx

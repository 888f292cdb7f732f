// SPDX-License-Identifier: Apache-2.0
// The dependency engine. Every piece of mutable state has a Var; an operation says which it reads and writes and runs when its turn in each of
// their queues has come: many readers or one writer, in push order per variable.
//   Rules that cross files:
//   - An operation's result must never be visible before Release/finish; a reader sees all writes pushed before it.
//   - Poison is set by the writer that failed, under its write grant; a whole overwrite (kWrite) clears it, an update (kUpdate) does not.
//   - Versions are counted in push order by the pusher (BumpVersion), not when the work is done.
//   - An operation owns references to what owns its variables. It is deleted after its variables are released, so the last reference may be its.
//   - Whoever holds variables by TryAcquire neither waits nor pushes onto them before Release. A host that holds one (Map) may do what it likes; what
//     its grant is in the way of is refused.
#pragma once
#include <atomic>
#include <cstdint>
#include <string>

#include "base/error.h"
#include "base/ref.h"
#include "base/thread_pool.h"

namespace flx {

// Why an array has no value. Immutable once made; shared by all that depend on the failed operation.
class Poison : public Object {
 public:
  explicit Poison(Error e) : Object(Kind::kNone), error(std::move(e)) {}
  const Error error;
  mutable std::atomic<bool> seen{false};  // some wait has reported it
};

struct Use;
struct Operation;
class StreamUses;  // what stream devices still do with the variable's memory (stream.h)

enum class Access : uint8_t { kRead, kWrite, kUpdate };  // kWrite: overwrites all of it; kUpdate: reads it, or writes a part of it

struct Var {
  // [maps | streams | queued | lock | writer | readers]; idle is zero, and taking it is one compare-and-swap.
  static constexpr uint64_t kReaders = 0x7fffffff, kWriter = 1ull << 31, kLock = 1ull << 32, kQueued = 1ull << 33, kStreams = 1ull << 34,
                            kMap = 1ull << 40, kMaps = ~(kMap - 1);  // kMap is counted: grants that the host holds (Engine::Map)
  std::atomic<uint64_t> word{0};
  std::atomic<uint64_t> version{0};
  std::atomic<const Poison*> poison{nullptr};  // owns one reference
  Use* tail = nullptr;                         // under kLock: the last that waits; its next is the first
  StreamUses* streams = nullptr;               // under kLock, or a write grant; owns one reference. kStreams: its work may not be done

  Var() = default;
  Var(const Var&) = delete;
  Var& operator=(const Var&) = delete;
  bool idle() const { return word.load(std::memory_order_acquire) == 0; }
  void BumpVersion() { version.fetch_add(1, std::memory_order_relaxed); }
  bool mapped() const { return (word.load(std::memory_order_relaxed) & kMaps) != 0; }
  bool poisoned() const { return poison.load(std::memory_order_acquire) != nullptr; }
  Ref<const Poison> GetPoison();               // null: none. Any thread, any time; what it says holds only after a wait or under a grant
  void SetPoison(const Ref<const Poison>& p);  // null clears; only under a write grant (or by the sole owner)
  void Reset();                                // back to a fresh variable; only when nobody else can see it. Before its memory goes, too.
};

struct VarUse { Var* var; Access access; };

struct Use {  // one operation's place in one variable's queue
  Var* var;
  Operation* op;
  Use* next;
  Access access;
};

enum class Lane : uint8_t { kCompute, kCopy, kIo, kComm };  // the last three have a thread of their own

// A queued operation. Made by the pusher with new, owned by the engine from Push on, deleted after it ran (or was skipped for poison).
// Set priority (higher first among those whose turn has come) and cost_us (the estimate) if they are known.
struct Operation : PoolTask {
  virtual ~Operation() = default;
  virtual void Execute() = 0;   // throws Error: everything it writes is poisoned with it
  virtual void Describe(Error* e) const { (void)e; }  // adds op, shapes, origin to an error of Execute before it becomes poison
  Lane lane = Lane::kCompute;
  bool on_stream = false;  // stream.h: work of streams does not keep it from its turn
  // Execute only begins the work, as a message to another machine: the variables stay taken until Engine::Complete. If it throws, nothing has begun.
  // What it handed itself to may complete it before Execute has returned.
  bool deferred = false;
  // engine's own
  enum class Kind : uint8_t { kQueued, kWait, kCaller } kind = Kind::kQueued;
  uint8_t epoch = 0;
  std::atomic<int32_t> pending{0};
  int32_t nuses = 0;
  Use* uses = nullptr;
  Use inline_uses[8];
};

class Engine {
 public:
  static Engine& Get();

  // ---- inline runs: all variables or none, so nothing is held while waiting. One entry per distinct variable.
  // The caller does what Push's operations have done for them: FirstPoison before, PoisonWrites or ClearWrites after, then Release.
  static bool TryAcquire(const VarUse* uses, int n) {
    for (int i = 0; i < n; ++i)
      if (__builtin_expect(!TryAcquire(uses[i].var, uses[i].access), 0)) {
        Release(uses, i);
        return false;
      }
    return true;
  }
  static void Release(const VarUse* uses, int n) {  // and lets run what waited for them
    for (int i = 0; i < n; ++i) Release(uses[i].var, uses[i].access);
  }
  static bool TryAcquire(Var* v, Access a) {
    if (a == Access::kRead) {
      uint64_t w = v->word.load(std::memory_order_relaxed);
      while (!(w & ~(Var::kReaders | Var::kMaps)))
        if (v->word.compare_exchange_weak(w, w + 1, std::memory_order_acquire, std::memory_order_relaxed)) return true;
      return w & Var::kStreams ? TryAcquireStreams(v, a) : false;
    }
    uint64_t w = 0;
    if (v->word.compare_exchange_strong(w, Var::kWriter, std::memory_order_acquire, std::memory_order_relaxed)) return true;
    return w & Var::kStreams ? TryAcquireStreams(v, a) : false;
  }
  static void Release(Var* v, Access a) {
    uint64_t before = a == Access::kRead ? v->word.fetch_sub(1, std::memory_order_release) : v->word.fetch_and(~Var::kWriter, std::memory_order_release);
    if (__builtin_expect((before & Var::kQueued) && (a != Access::kRead || (before & Var::kReaders) == 1), 0)) GrantNext(v);
  }
  // A grant in the host's hands, for as long as it likes: one taken by TryAcquire is marked, and released by Unmap. Nothing may queue behind it, since
  // who waited for that would wait for the host: Push, the waits and RefuseMapped fail with an error that names what to do.
  static void Map(Var* v) { v->word.fetch_add(Var::kMap, std::memory_order_relaxed); }
  static void Unmap(Var* v, Access a) {
    v->word.fetch_sub(Var::kMap, std::memory_order_relaxed);
    Release(v, a);
  }
  // Before anything is noted or pushed: fails if the host holds what `uses` need.
  static void RefuseMapped(const char* who, const VarUse* uses, int n) {
    for (int i = 0; i < n; ++i)
      if (__builtin_expect(uses[i].var->mapped(), 0)) FailIfMapped(who, uses[i]);
  }
  // The poison of the first use that reads (kRead, kUpdate) a poisoned variable, or null. Under the grant.
  static Ref<const Poison> FirstPoison(const VarUse* uses, int n);
  static void PoisonWrites(const VarUse* uses, int n, const Ref<const Poison>& p);  // everything written gets p
  static void ClearWrites(const VarUse* uses, int n);                               // after success: kWrite clears
  // The exception being handled, as an Error: bad_alloc is kMemory, a stranger is kInternal. Only inside a catch block.
  static Error CurrentError() noexcept;

  // Whether an operation of this estimated cost may run in its caller's thread now, by FLEXOR_ENGINE and FLEXOR_ENGINE_INLINE_US.
  bool MayInline(double estimated_us) const { return estimated_us < inline_us_.load(std::memory_order_relaxed); }
  bool naive() const { return naive_.load(std::memory_order_relaxed); }

  // ---- queued runs. Repeated variables are merged: the same one read and written is an update, an update beats a write.
  // Never waits (but in mode naive, where it returns when the operation is done). Takes `op` also when it throws (no memory).
  void Push(Operation* op, const VarUse* uses, int n);
  // The end of a deferred operation, once, from any thread; it never waits. `error` (null: all went well) poisons what it writes.
  static void Complete(Operation* op, const Error* error);

  // ---- waits; the waiting thread helps. <0: no limit, 0: poll. False: time is up. Engine threads must not call them (an error).
  bool WaitToRead(Var* v, int64_t timeout_ms);   // until everything pushed so far that writes v is done. Does not look at poison.
  bool WaitToWrite(Var* v, int64_t timeout_ms);  // until everything pushed so far that uses v is done
  bool WaitAll(int64_t timeout_ms);              // until everything pushed so far, and what that pushes, is done; stream devices too
  // The oldest failure nobody has seen (marks it seen), or null: flx_wait_all reports it.
  Ref<const Poison> NextUnseen();
  void NoteFailure(const Ref<const Poison>& p);  // remembered until seen; an inline run that failed in place calls it too

  int64_t inline_count() const;   // for tests and statistics: operations run inline / queued so far
  int64_t queued_count() const;
  static void CountInline() {
    if (__builtin_expect(!t_inline_, 0)) MakeCounter();
    t_inline_->store(t_inline_->load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  static bool InEngineThread();       // also in a host thread that is running an operation while it helps, and inside Callback
  // While it lives, this thread runs a function of the host that must not wait: it may hold variables of an inline run.
  struct Callback {
    Callback() { ++depth(); }
    ~Callback() { --depth(); }
    Callback(const Callback&) = delete;
    Callback& operator=(const Callback&) = delete;
    static int& depth();
  };
  // Calls f(user) on an engine thread (or in one that helps), soon; WaitAll waits for it. For what must not be done here, such as calling the host back
  // from a free. Without memory for that it is called at once.
  static void Defer(void (*f)(void*), void* user) noexcept;
  bool Shutdown(int64_t timeout_ms);  // finish work, stop threads; later work starts them again

 private:
  Engine();
  static bool TryAcquireStreams(Var* v, Access a);
  static void FailIfMapped(const char* who, const VarUse& use);
  static void GrantNext(Var* v);
  static void MakeCounter();
  // __thread and initial-exec: no wrapper and no call to find it
  static __thread std::atomic<int64_t>* t_inline_ __attribute__((tls_model("initial-exec")));
  std::atomic<double> inline_us_{0};
  std::atomic<bool> naive_{false};
  struct Impl;
  Impl* impl_;
  friend struct EngineInternals;
  friend void IssueOrPush(class StreamOp*, const VarUse*, int);
};

}  // namespace flx

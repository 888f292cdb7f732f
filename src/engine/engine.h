// SPDX-License-Identifier: Apache-2.0
// The dependency engine. Every piece of mutable state has a Var; an operation says which it reads and writes and runs when its turn in each of
// their queues has come: many readers or one writer, in push order per variable.
//   Rules that cross files:
//   - An operation's result must never be visible before Release/finish; a reader sees all writes pushed before it.
//   - Poison is set by the writer that failed, under its write grant; a whole overwrite (kWrite) clears it, an update (kUpdate) does not.
//   - Versions are counted in push order by the pusher (BumpVersion), not when the work is done.
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
struct StreamUses;  // what stream devices still do with the variable's memory (stream.h)

enum class Access : uint8_t { kRead, kWrite, kUpdate };  // kWrite: overwrites all of it; kUpdate: reads it, or writes a part of it

struct Var {
  // [queued | lock | writer | readers]; idle is zero, and taking it is one compare-and-swap.
  static constexpr uint64_t kReaders = 0x7fffffff, kWriter = 1ull << 31, kLock = 1ull << 32, kQueued = 1ull << 33;
  std::atomic<uint64_t> word{0};
  std::atomic<uint64_t> version{0};
  std::atomic<const Poison*> poison{nullptr};  // owns one reference
  Use *head = nullptr, *tail = nullptr;
  StreamUses* streams = nullptr;

  bool idle() const { return word.load(std::memory_order_acquire) == 0; }
  void BumpVersion() { version.fetch_add(1, std::memory_order_relaxed); }
  void SetPoison(const Ref<const Poison>& p);  // null clears; only under a write grant (or by the sole owner)
  void Reset();                                // back to a fresh variable; only when nobody else can see it
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
struct Operation : PoolTask {
  virtual ~Operation() = default;
  virtual void Execute() = 0;   // throws Error: everything it writes is poisoned with it
  virtual void Describe(Error* e) const { (void)e; }  // adds op, shapes, origin to an error of Execute before it becomes poison
  Lane lane = Lane::kCompute;
  // engine's own
  std::atomic<int32_t> pending{0};
  int32_t nuses = 0;
  Use* uses = nullptr;
  Use inline_uses[8];
};

class Engine {
 public:
  static Engine& Get();

  // ---- inline runs: all variables or none, so nothing is held while waiting. One entry per distinct variable.
  static bool TryAcquire(const VarUse* uses, int n);
  static void Release(const VarUse* uses, int n);  // and lets run what waited for them
  // Whether an operation of this estimated cost may run in its caller's thread now, by FLEXOR_ENGINE and FLEXOR_ENGINE_INLINE_US.
  bool MayInline(double estimated_us) const { return estimated_us < inline_us_.load(std::memory_order_relaxed); }
  bool naive() const { return naive_.load(std::memory_order_relaxed); }

  // ---- queued runs. Repeated variables are merged (a write beats a read, an update beats a write).
  void Push(Operation* op, const VarUse* uses, int n);

  // ---- waits; the waiting thread helps. <0: no limit, 0: poll. False: time is up. Engine threads must not call them (an error).
  bool WaitToRead(Var* v, int64_t timeout_ms);   // until everything pushed so far that writes v is done. Does not look at poison.
  bool WaitToWrite(Var* v, int64_t timeout_ms);  // until everything pushed so far that uses v is done
  bool WaitAll(int64_t timeout_ms);              // until everything pushed so far is done
  // The oldest failure nobody has seen (marks it seen), or null: flx_wait_all reports it.
  Ref<const Poison> NextUnseen();
  void NoteFailure(const Ref<const Poison>& p);  // remembered until seen; an inline run that failed in place calls it too

  int64_t inline_count() const;   // for tests and statistics: operations run inline / queued so far
  int64_t queued_count() const;
  void CountInline();
  bool Shutdown(int64_t timeout_ms);  // finish work, stop threads; later work starts them again

 private:
  Engine();
  std::atomic<double> inline_us_{0};
  std::atomic<bool> naive_{false};
  struct Impl;
  Impl* impl_;
  friend struct EngineInternals;
};

}  // namespace flx

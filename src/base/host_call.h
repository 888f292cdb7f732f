// SPDX-License-Identifier: Apache-2.0
// What stands around everything that a thread of the host does inside the library (c_api's Guard):
//   - errno is afterwards what it was;
//   - we compute in the default floating-point mode, whatever the host has set (rounding, flushing of subnormals, traps), and the host has its own
//     back afterwards: the same bits in every host, and on whichever thread an operation runs;
//   - fork() waits until no thread is inside, so that the child finds nothing half done and no lock or variable held by a thread it does not have.
// A thread that sleeps inside marks itself as away (HostAway), or fork would wait for what it waits for.
#pragma once
#include <atomic>
#include <cerrno>
#include <cfenv>
#include <cstdint>

namespace flx {

struct HostMark {                       // of one thread; lives for ever, is used again by another thread
  std::atomic<bool> inside{false};
  HostMark* next = nullptr;
  bool unused = false;
  bool own = false;                     // of the library's threads, all together: always inside, and no fork waits for it
};
extern HostMark g_own_mark;
extern __thread HostMark* t_host_mark __attribute__((tls_model("initial-exec")));  // null: not made yet
extern std::atomic<bool> g_host_forking;
HostMark* MakeHostMark() noexcept;
void WaitForHostFork(HostMark* m) noexcept;  // outside until it is over, then inside again
// Every other thread passes a full fence: what it stored before is seen here, or it sees what was stored here. So those who store often need no fence.
void PassFence() noexcept;

// Rounding to nearest, nothing flushed, no traps. The sticky flags may say what they like.
inline bool DefaultFloatMode() {
#if defined(__x86_64__)
  return (__builtin_ia32_stmxcsr() & 0xffc0) == 0x1f80;
#else
  return fegetround() == FE_TONEAREST;
#endif
}

// The mark must be seen by a fork that this thread does not see. No fence here: a fork makes all threads pass one (membarrier).
inline void EnterHostMark(HostMark* m) noexcept {
  m->inside.store(true, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  if (__builtin_expect(g_host_forking.load(std::memory_order_acquire), 0)) WaitForHostFork(m);
}

class HostCall {  // a native operator may call from inside a call
 public:
  HostCall() noexcept : errno_at_(&errno), errno_(*errno_at_), mark_(t_host_mark) {
    if (__builtin_expect(!mark_, 0)) mark_ = MakeHostMark();
    outer_ = mark_->inside.load(std::memory_order_relaxed);
    if (!outer_) EnterHostMark(mark_);
    if (__builtin_expect(!DefaultFloatMode(), 0)) TakeMode();
  }
  ~HostCall() {
    if (__builtin_expect(mode_taken_, 0)) std::fesetenv(&mode_);
    if (!outer_) mark_->inside.store(false, std::memory_order_release);
    *errno_at_ = errno_;
  }
  HostCall(const HostCall&) = delete;
  HostCall& operator=(const HostCall&) = delete;

 private:
  __attribute__((noinline, cold)) void TakeMode() noexcept {
    std::feholdexcept(&mode_);  // saves it
    std::fesetenv(FE_DFL_ENV);
    mode_taken_ = true;
  }
  int* const errno_at_;
  const int errno_;
  HostMark* mark_;
  bool outer_, mode_taken_ = false;
  std::fenv_t mode_;
};

// While it lives the thread only sleeps, on something another thread will do. It comes back when no fork is under way: so hold no lock then that a
// fork takes (fork.h). Nothing happens on threads that are not inside a call.
class HostAway {
 public:
  HostAway() noexcept : mark_(t_host_mark && !t_host_mark->own && t_host_mark->inside.load(std::memory_order_relaxed) ? t_host_mark : nullptr) {
    if (mark_) mark_->inside.store(false, std::memory_order_release);
  }
  ~HostAway() {
    if (mark_) EnterHostMark(mark_);
  }
  HostAway(const HostAway&) = delete;
  HostAway& operator=(const HostAway&) = delete;

 private:
  HostMark* const mark_;
};

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// Threads' buffers: made, appended to, forgotten, and what a fork leaves of them.
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <new>
#include <thread>

#include "base/fork.h"
#include "base/host_call.h"
#include "profiler/internals.h"

namespace flx {

ProfileSwitch g_profile{{kProfileUndecided}};

namespace {
constexpr uint32_t kFirstChunk = 4 << 10, kChunk = 64 << 10;

ProfileThread g_gone;  // marks threads that are ending
// initial-exec: found without a call; there is only this pointer.
__thread ProfileThread* t_profile __attribute__((tls_model("initial-exec"))) = nullptr;

struct Farewell {
  ~Farewell() {
    ProfileThread* t = t_profile;
    t_profile = &g_gone;
    std::lock_guard<std::mutex> lock(ProfileS().registry);
    if (t && t != &g_gone) t->gone = true;
  }
};

__attribute__((noinline, cold)) ProfileThread* MakeThread() noexcept try {
  static thread_local Farewell farewell;
  (void)&farewell;
  ProfileState& s = ProfileS();
  std::lock_guard<std::mutex> lock(s.registry);
  uint64_t session = s.session.load(std::memory_order_relaxed);
  ProfileThread* t = s.threads;
  while (t && !(t->gone && t->session != session)) t = t->next;  // what it recorded must not become another's
  if (!t) {
    if (!(t = new (std::nothrow) ProfileThread)) return nullptr;
    t->next = s.threads, s.threads = t;
  }
  t->gone = false, t->session = 0, t->last = nullptr, t->depth = 0, t->stamp = 0;
  t->tid = int32_t(::syscall(SYS_gettid));
  if (::pthread_getname_np(::pthread_self(), t->name, sizeof t->name) != 0) t->name[0] = 0;
  return t_profile = t;
} catch (...) {
  return nullptr;
}

// Under the registry's mutex, with no writer: all chunks of t.
void FreeChunks(ProfileThread* t) {
  for (ProfileChunk *c = t->first.exchange(nullptr), *next; c; c = next) {
    next = c->next.load(std::memory_order_relaxed);
    std::free(c);
  }
}
ProfileChunk* NewChunk(ProfileState& s, uint32_t size) noexcept {
  if (s.taken.load(std::memory_order_relaxed) + int64_t(size) > s.capacity.load(std::memory_order_relaxed)) return nullptr;  // full threads share no line
  if (s.taken.fetch_add(size, std::memory_order_relaxed) + int64_t(size) <= s.capacity.load(std::memory_order_relaxed))
    if (void* p = std::malloc(size)) {
      auto* c = new (p) ProfileChunk;
      c->size = size - uint32_t(sizeof(ProfileChunk));
      return c;
    }
  s.taken.fetch_sub(size, std::memory_order_relaxed);
  return nullptr;
}
// What t has is of an older session.
__attribute__((noinline, cold)) void Renew(ProfileThread* t) noexcept {
  std::lock_guard<std::mutex> lock(ProfileS().registry);
  t->session = ProfileS().session.load(std::memory_order_relaxed), t->last = nullptr;
}
// Room for so many bytes at the end of t's buffer, or null.
unsigned char* RoomFor(ProfileThread* t, uint32_t bytes) noexcept {
  ProfileChunk* c = t->last;
  if (__builtin_expect(!c || c->used.load(std::memory_order_relaxed) + bytes > c->size, 0)) {
    ProfileChunk* fresh = NewChunk(ProfileS(), c ? kChunk : kFirstChunk);
    if (!fresh) return nullptr;
    (c ? c->next : t->first).store(fresh, std::memory_order_release);
    t->last = c = fresh;
  }
  return c->bytes() + c->used.load(std::memory_order_relaxed);
}
}  // namespace

ProfileState& ProfileS() {
  static ProfileState* s = [] {
    auto unlock = [] { ProfileS().registry.unlock(); };
    auto child = [] {  // a child is not profiled, and has nothing recorded; the other threads are gone
      ProfileState& p = ProfileS();
      g_profile.kinds.fetch_and(kProfileUndecided, std::memory_order_relaxed);
      p.session.fetch_add(1, std::memory_order_relaxed);
      for (ProfileThread* t = p.threads; t; t = t->next) {
        FreeChunks(t);
        t->last = nullptr, t->dropped = 0, t->writing = false;
        if (t == t_profile) t->tid = int32_t(::getpid());
        else t->gone = true;
      }
      p.taken = 0, p.dropped = 0;
      new (&p.turn) std::mutex;  // held by a thread that there is not, if the fork did not wait for it
      p.registry.unlock();
    };
    AddForkHooks(ForkStage::kLog, {[] { ProfileS().registry.lock(); }, unlock, child});
    return new ProfileState;  // never destroyed: a collector may free arrays at exit
  }();
  return *s;
}

ProfileThread* ThisProfileThread() noexcept {
  ProfileThread* t = t_profile;
  if (__builtin_expect(!t, 0)) t = MakeThread();
  return t == &g_gone ? nullptr : t;
}

void AppendRecord(ProfileRecord record, const ProfileFacts* facts, uint64_t session) noexcept {
  ProfileState& s = ProfileS();
  ProfileThread* t = ThisProfileThread();
  if (!t) {
    if (t_profile != &g_gone) s.dropped.fetch_add(1, std::memory_order_relaxed);  // what a thread does while it ends is nobody's business
    return;
  }
  for (;;) {
    t->writing.store(true, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);  // whoever forgets makes us pass the real one
    uint64_t now = s.session.load(std::memory_order_acquire);
    if (now != session) return t->writing.store(false, std::memory_order_release);
    if (__builtin_expect(t->session == now, 1)) break;
    t->writing.store(false, std::memory_order_release);
    Renew(t);
  }
  record.facts = uint16_t(facts ? facts->size() : 0);
  uint32_t bytes = uint32_t(sizeof record + record.facts + 7) & ~7u;
  record.words = uint16_t(bytes / 8);
  if (unsigned char* to = RoomFor(t, bytes)) {
    std::memcpy(to, &record, sizeof record);
    if (facts) std::memcpy(to + sizeof record, facts->data(), record.facts);
    ProfileChunk* c = t->last;
    c->used.store(c->used.load(std::memory_order_relaxed) + bytes, std::memory_order_release);
  } else {
    t->dropped.fetch_add(1, std::memory_order_relaxed);
  }
  t->writing.store(false, std::memory_order_release);
}

void ForgetRecords() {
  ProfileState& s = ProfileS();
  std::lock_guard<std::mutex> lock(s.registry);
  s.session.fetch_add(1, std::memory_order_seq_cst);
  PassFence();
  for (ProfileThread* t = s.threads; t; t = t->next) {
    while (t->writing.load(std::memory_order_acquire)) std::this_thread::yield();
    FreeChunks(t);
    t->dropped.store(0, std::memory_order_relaxed);
  }
  s.taken.store(0, std::memory_order_relaxed), s.dropped.store(0, std::memory_order_relaxed);
}

std::vector<ProfiledThread> ProfiledThreads() {
  ProfileState& s = ProfileS();
  std::vector<ProfiledThread> all;
  std::lock_guard<std::mutex> lock(s.registry);
  for (ProfileThread* t = s.threads; t; t = t->next)
    if (ProfileChunk* first = t->first.load(std::memory_order_acquire)) all.push_back({t, first, t->tid, t->name});
  return all;
}
int64_t DroppedRecords() {
  ProfileState& s = ProfileS();
  std::lock_guard<std::mutex> lock(s.registry);
  int64_t n = s.dropped.load(std::memory_order_relaxed);
  for (ProfileThread* t = s.threads; t; t = t->next) n += t->dropped.load(std::memory_order_relaxed);
  return n;
}

}  // namespace flx

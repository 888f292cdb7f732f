// SPDX-License-Identifier: Apache-2.0
// A thread keeps free blocks of its own; what is too much goes to central lists in batches, and from there to other threads. Each thread's cache has
// a spin lock that nobody else takes except to count or to empty it, so that memory cached by a sleeping thread is not lost to the others.
//   held  bytes taken from the system         changes only where the system is asked
//   live  bytes in the hands of arrays        gathered per thread for small blocks, at once for large ones
//   cached = held - live
#include "storage/pool.h"

#include <unistd.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "base/config.h"
#include "base/fork.h"
#include "base/text.h"
#include "device/device.h"
#include "profiler/profiler.h"
#include "storage/size_class.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define FLX_POISON(p, n) ASAN_POISON_MEMORY_REGION(p, n)
#define FLX_UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define FLX_POISON(p, n) ((void)(p), (void)(n))
#define FLX_UNPOISON(p, n) ((void)(p), (void)(n))
#endif

namespace flx {

std::string SizeText(int64_t bytes) {
  static constexpr const char* kUnits[] = {" bytes", " KiB", " MiB", " GiB", " TiB"};
  int u = 0;
  double v = double(bytes);
  while (v >= 1024 && u < 4) v /= 1024, ++u;
  return FixedText(v, u ? 1 : 0) + kUnits[u];
}

namespace {
constexpr int64_t kGather = 64 << 10;            // a thread's live bytes are made known in steps of this
constexpr size_t kCountedAtOnce = 32 << 10;      // blocks from this size on are counted exactly
constexpr size_t kThreadBytes = 4 << 20;         // a thread keeps no more than this: what one thread frees another may want

struct Block { Block* next; };
struct Chain { Block* head = nullptr; };

struct ThreadCache {
  std::atomic<bool> locked{false};
  Block* head[kSmallClasses] = {};
  uint16_t count[kSmallClasses] = {};
  size_t bytes = 0;
  int64_t live = 0;                              // change not made known yet
  ThreadCache *next = nullptr, *prev = nullptr;
  void Lock() {
    for (int i = 0; locked.exchange(true, std::memory_order_acquire); ++i)
      if (i > 50) std::this_thread::yield();     // the holder may have lost its core
  }
  void Unlock() { locked.store(false, std::memory_order_release); }
};

struct Central {
  std::mutex release;                            // held by who gives everything back: another that needs room waits for it. Taken before `mutex`
  std::mutex mutex;                              // the lists and the registry of threads; taken before a thread's lock
  Block* head[kClasses] = {};
  ThreadCache *threads = nullptr, *unused = nullptr;
  std::atomic<int64_t> held{0}, live{0}, peak{0}, limit{-1}, cache_limit{-1};  // limits: -1 until read
  std::atomic<int64_t> fail_after{-1};
};
Central& C();

ThreadCache g_gone;                              // marks threads whose cache has been given back
// initial-exec: found without a call; there is only this pointer.
__attribute__((tls_model("initial-exec"))) thread_local ThreadCache* t_cache = nullptr;

// How many blocks of a class a thread keeps: a quarter of a megabyte's worth, at least one, at most 64.
constexpr int Keep(int c) {
  size_t n = (size_t(256) << 10) / ClassSize(c);
  return n < 1 ? 1 : n > 64 ? 64 : int(n);
}

void Guard(void* p, int c) {                     // a cached block may not be touched beyond its link
  FLX_POISON(static_cast<char*>(p) + sizeof(Block), ClassSize(c) - sizeof(Block));
}
void* Hand(void* p, int c, size_t bytes) {       // out to the caller: what it asked for, in whole cache lines
  FLX_UNPOISON(p, ClassSize(c));
  size_t usable = bytes < 64 ? 64 : (bytes + 63) & ~size_t(63);
  if (usable < ClassSize(c)) FLX_POISON(static_cast<char*>(p) + usable, ClassSize(c) - usable);
  return p;
}

void NotePeak(Central& s, int64_t live) {
  int64_t peak = s.peak.load(std::memory_order_relaxed);
  while (live > peak && !s.peak.compare_exchange_weak(peak, live, std::memory_order_relaxed)) {}
}
void AddLive(Central& s, int64_t n) {
  int64_t live = s.live.fetch_add(n, std::memory_order_relaxed) + n;
  if (n > 0) NotePeak(s, live);
  if (Profiling(ProfileKind::kMemory)) ProfileMemory("memory cpu", live, s.peak.load(std::memory_order_relaxed));
}
// Under t's lock.
inline void Count(Central& s, ThreadCache* t, int64_t n) {
  if (size_t(n < 0 ? -n : n) >= kCountedAtOnce || Profiling(ProfileKind::kMemory)) return AddLive(s, n);
  t->live += n;
  if (t->live >= kGather || t->live <= -kGather) AddLive(s, t->live), t->live = 0;
}

// Takes everything out of a thread's cache, under its lock.
void Empty(ThreadCache* t, Block** lists) {
  for (int c = 0; c < kSmallClasses; ++c)
    while (Block* b = t->head[c]) t->head[c] = b->next, b->next = lists[c], lists[c] = b;
  for (auto& n : t->count) n = 0;
  t->bytes = 0;
}
void Gather(Central& s, ThreadCache* t) {
  if (t->live) AddLive(s, t->live), t->live = 0;
}

const flx_device_table& Cpu() { static const flx_device_table& t = *CpuDeviceTable(); return t; }
void SystemFree(Central& s, void* p, int c) {
  FLX_UNPOISON(p, ClassSize(c));
  Cpu().free(0, p, int64_t(ClassSize(c)));
  s.held.fetch_sub(int64_t(ClassSize(c)), std::memory_order_relaxed);
}
bool ReleaseAll(Central& s) {  // false: there was nothing
  std::lock_guard<std::mutex> release(s.release);
  Block* lists[kClasses];
  {
    std::lock_guard<std::mutex> lock(s.mutex);
    for (int c = 0; c < kClasses; ++c) lists[c] = s.head[c], s.head[c] = nullptr;
    for (ThreadCache* t = s.threads; t; t = t->next) {
      t->Lock();
      Empty(t, lists);
      t->Unlock();
    }
  }
  bool some = false;
  for (int c = 0; c < kClasses; ++c)
    while (Block* b = lists[c]) lists[c] = b->next, SystemFree(s, b, c), some = true;
  return some;
}

[[noreturn]] void NoMemory(size_t asked, const char* why) {
  MemoryStats m = HostMemoryStats();
  Fail(Status::kMemory, "memory", "no host memory for ", SizeText(int64_t(asked)), " (", asked, " bytes): ", why, ". ", SizeText(m.live), " are live, ",
       SizeText(m.cached), " cached, the limit is ", m.limit ? SizeText(m.limit) : std::string("none"), ", the machine has ", SizeText(m.total),
       ". Let go of arrays, use a smaller batch", m.limit ? ", or raise FLEXOR_MEMORY_LIMIT." : ".");
}
void* SystemAlloc(Central& s, int c, size_t asked) {
  auto size = int64_t(ClassSize(c));
  auto reserve = [&] {
    int64_t limit = s.limit.load(std::memory_order_relaxed), held = s.held.load(std::memory_order_relaxed);
    do {  // what does not fit is never counted, not even for a moment: it would be in another's way
      if (limit != 0 && held + size > limit) return false;
    } while (!s.held.compare_exchange_weak(held, held + size, std::memory_order_relaxed));
    return true;
  };
  // Others free and take memory meanwhile: what one of them has just put into a cache counts as held, and is room all the same.
  for (int vain = 0; !reserve();)
    if (!ReleaseAll(s) && ++vain == 2) NoMemory(asked, "the limit would be passed");
  void* p = nullptr;
  for (bool again : {true, false}) {
    if (Cpu().alloc(0, size, &p) == FLX_DEVICE_OK) return p;
    if (again) ReleaseAll(s);
  }
  s.held.fetch_sub(size, std::memory_order_relaxed);
  NoMemory(asked, "the system has none");
}

struct Farewell {  // gives a thread's cache back when the thread ends
  ~Farewell() {
    ThreadCache* t = t_cache;
    t_cache = &g_gone;
    if (!t || t == &g_gone) return;
    Central& s = C();
    std::lock_guard<std::mutex> lock(s.mutex);
    t->Lock();
    Empty(t, s.head);
    Gather(s, t);
    t->Unlock();
    (t->prev ? t->prev->next : s.threads) = t->next;
    if (t->next) t->next->prev = t->prev;
    t->next = s.unused, s.unused = t;
  }
};
__attribute__((noinline, cold)) ThreadCache* MakeCache() {
  static thread_local Farewell farewell;
  (void)&farewell;
  Central& s = C();
  std::lock_guard<std::mutex> lock(s.mutex);
  ThreadCache* t = s.unused;
  if (t) s.unused = t->next;
  else if (!(t = new (std::nothrow) ThreadCache)) return nullptr;
  t->prev = nullptr, t->next = s.threads;
  if (s.threads) s.threads->prev = t;
  return t_cache = s.threads = t;
}
// Null: the thread is ending, or there is no memory for a cache; then the central lists serve.
inline ThreadCache* Cache() {
  ThreadCache* t = t_cache;
  if (__builtin_expect(!t, 0)) t = MakeCache();
  return t == &g_gone ? nullptr : t;
}

Central& C() {
  static Central* s = [] {
    auto lock = [] {
      C().release.lock();
      C().mutex.lock();
      for (ThreadCache* t = C().threads; t; t = t->next) t->Lock();
    };
    auto unlock = [] {
      for (ThreadCache* t = C().threads; t; t = t->next) t->Unlock();
      C().mutex.unlock();
      C().release.unlock();
    };
    auto child = [] {  // the other threads are gone: what they kept is everybody's
      Central& c = C();
      for (ThreadCache *t = c.threads, *next; t; t = next) {
        next = t->next;
        t->Unlock();
        if (t == t_cache) continue;
        Empty(t, c.head), Gather(c, t);
        t->next = c.unused, c.unused = t;
      }
      c.threads = t_cache && t_cache != &g_gone ? t_cache : nullptr;
      if (c.threads) c.threads->next = c.threads->prev = nullptr;
      c.mutex.unlock();
      c.release.unlock();
    };
    AddForkHooks(ForkStage::kStorage, {lock, unlock, child});
    AddProfileSampler([] {
      MemoryStats m = HostMemoryStats();
      ProfileMemory("memory cpu", m.live, m.peak);
    });
    OnOptionChange([](Opt o) {
      if (o == Opt::kMemoryLimit) HostMemoryLimit(GetInt(o));
      if (o == Opt::kMemoryCacheLimit) HostMemoryCacheLimit(GetInt(o));
    });
    auto* made = new Central;  // never destroyed: a collector may free arrays at exit
    made->limit = GetInt(Opt::kMemoryLimit), made->cache_limit = GetInt(Opt::kMemoryCacheLimit);
    return made;
  }();
  return *s;
}

__attribute__((noinline, cold)) void CountDownToFailure(Central& s, size_t bytes) {
  if (s.fail_after.fetch_sub(1) != 1) return;
  s.fail_after = -1;
  NoMemory(bytes, "a test asked for this failure");
}

// The thread's own list is empty, or the block is large.
__attribute__((noinline)) void* AllocSlow(Central& s, ThreadCache* t, int c, size_t bytes) {
  Block *b, *rest = nullptr;
  int n = 0;
  {
    std::lock_guard<std::mutex> lock(s.mutex);
    if ((b = s.head[c])) s.head[c] = b->next;
    if (t && c < kSmallClasses)
      for (int want = Keep(c) / 2; n < want && s.head[c]; ++n) {
        Block* q = s.head[c];
        s.head[c] = q->next, q->next = rest, rest = q;
      }
  }
  if (!b) b = static_cast<Block*>(SystemAlloc(s, c, bytes));
  if (!t) AddLive(s, int64_t(ClassSize(c)));
  else {
    t->Lock();
    for (; rest; ++t->count[c], t->bytes += ClassSize(c)) {
      Block* q = rest;
      rest = q->next, q->next = t->head[c], t->head[c] = q;
    }
    Count(s, t, int64_t(ClassSize(c)));
    t->Unlock();
  }
  return Hand(b, c, bytes);
}
}  // namespace

void* HostAlloc(size_t bytes) {
  Central& s = C();
  if (__builtin_expect(s.fail_after.load(std::memory_order_relaxed) >= 0, 0)) CountDownToFailure(s, bytes);
  if (__builtin_expect(bytes > kLargest, 0)) NoMemory(bytes, "no machine has so much");
  int c = ClassOf(bytes);
  ThreadCache* t = Cache();
  if (t && c < kSmallClasses) {
    t->Lock();
    if (Block* b = t->head[c]) {
      t->head[c] = b->next, --t->count[c], t->bytes -= ClassSize(c);
      Count(s, t, int64_t(ClassSize(c)));
      t->Unlock();
      return Hand(b, c, bytes);
    }
    t->Unlock();
  }
  return AllocSlow(s, t, c, bytes);
}

void HostFree(void* p, size_t bytes) noexcept {
  if (!p) return;
  Central& s = C();
  int c = ClassOf(bytes);
  auto size = int64_t(ClassSize(c));
  auto* b = static_cast<Block*>(p);
  ThreadCache* t = Cache();
  int64_t most = s.cache_limit.load(std::memory_order_relaxed);
  bool keep = most == 0 || s.held.load(std::memory_order_relaxed) - s.live.load(std::memory_order_relaxed) + size <= most;
  FLX_UNPOISON(p, sizeof(Block));
  if (!t || c >= kSmallClasses || !keep) {
    if (!keep) SystemFree(s, p, c);
    else {
      std::lock_guard<std::mutex> lock(s.mutex);
      b->next = s.head[c], s.head[c] = b;
      Guard(b, c);
    }
    return AddLive(s, -size);
  }
  Block* surplus = nullptr;
  t->Lock();
  b->next = t->head[c], t->head[c] = b;
  ++t->count[c], t->bytes += size_t(size);
  Guard(b, c);
  Count(s, t, -size);
  if (t->count[c] > Keep(c) || t->bytes > kThreadBytes)
    for (int left = t->count[c] / 2; t->count[c] > left; --t->count[c], t->bytes -= size_t(size)) {
      Block* q = t->head[c];
      t->head[c] = q->next, q->next = surplus, surplus = q;
    }
  t->Unlock();
  if (!surplus) return;
  std::lock_guard<std::mutex> lock(s.mutex);
  while (surplus) {
    Block* q = surplus;
    surplus = q->next, q->next = s.head[c], s.head[c] = q;
  }
}

MemoryStats HostMemoryStats() {
  Central& s = C();
  MemoryStats m;
  std::lock_guard<std::mutex> lock(s.mutex);
  for (ThreadCache* t = s.threads; t; t = t->next) {
    t->Lock();
    Gather(s, t);
    t->Unlock();
  }
  m.live = s.live.load(), m.cached = s.held.load() - m.live, m.peak = s.peak.load(), m.limit = s.limit.load();
  m.total = int64_t(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  return m;
}
int64_t HostMemoryLive() { return C().live.load(std::memory_order_relaxed); }
void HostMemoryLimit(int64_t bytes) { C().limit = bytes < 0 ? 0 : bytes; }
void HostMemoryCacheLimit(int64_t bytes) {
  Central& s = C();
  s.cache_limit = bytes < 0 ? 0 : bytes;
  if (bytes > 0 && HostMemoryStats().cached > bytes) ReleaseAll(s);
}
void HostMemoryPeakReset() {
  int64_t live = HostMemoryStats().live;
  C().peak = live;
}
void HostMemoryReleaseUnused() { ReleaseAll(C()); }
void TestFailAllocation(int64_t after) { C().fail_after = after <= 0 ? -1 : after; }

}  // namespace flx

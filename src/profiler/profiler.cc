// SPDX-License-Identifier: Apache-2.0
// Clocks, spans, counters, and sessions.
#include "profiler/profiler.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>
#endif
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstring>

#include "base/text.h"
#include "profiler/internals.h"

namespace flx {
namespace {
constexpr ProfileKindText kKinds[] = {{"operators", "operator"}, {"planned", "planned"}, {"passes", "pass"}, {"waits", "wait"},
                                      {"copies", "copy"},        {"memory", "memory"},   {"api", "api"},     {"", "user"}};
static_assert(sizeof kKinds / sizeof *kKinds == size_t(ProfileKind::kCount));

// Whether the processor's counter runs evenly and alike on all cores: the system itself tells the time by it. Reading it takes 10 ns, the clock 24.
bool CounterIsClock() noexcept {
#if defined(__x86_64__)
  unsigned a, b, c, d;
  if (!__get_cpuid(0x80000007, &a, &b, &c, &d) || !(d >> 8 & 1)) return false;
  int fd = ::open("/sys/devices/system/clocksource/clocksource0/current_clocksource", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  char text[8] = {};
  ssize_t n = ::read(fd, text, sizeof text - 1);
  ::close(fd);
  return n >= 3 && std::memcmp(text, "tsc", 3) == 0 && (text[3] == '\n' || text[3] == 0);
#else
  return false;
#endif
}
void ReadClocks(uint64_t* ticks, int64_t* ns) {
  // The nearest pair of a few: between the two reads this thread may lose its core.
  uint64_t best = ~0ull;
  for (int i = 0; i < 5; ++i) {
    uint64_t before = ProfileTicks();
    int64_t now = SteadyNs();
    uint64_t after = ProfileTicks();
    if (after - before < best) best = after - before, *ticks = before + (after - before) / 2, *ns = now;
  }
}
void BeginSession(ProfileState& s) {  // under turn
  ForgetRecords();
  bool counter = CounterIsClock();
  s.counter.store(counter, std::memory_order_relaxed);
  s.step.store(counter ? 8 : 1, std::memory_order_relaxed);  // no counter runs faster than eight times a nanosecond
  ReadClocks(&s.zero_ticks, &s.zero_ns);
  s.zero_unix_us = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}
void Record(ProfileRecord::Type type, ProfileKind kind, const char* name, double value, const ProfileFacts* facts) noexcept {
  uint64_t session = ProfileS().session.load(std::memory_order_relaxed);
  ProfileThread* t = ThisProfileThread();
  ProfileRecord r;
  r.type = type, r.kind = kind, r.name = name, r.value = value, r.begin = t ? ProfileStamp(t) : 0;
  AppendRecord(r, facts, session);
}
}  // namespace

const ProfileKindText& ProfileKindInfo(ProfileKind k) { return kKinds[int(k)]; }

int64_t SteadyNs() noexcept { return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count(); }
uint64_t ProfileTicks() noexcept {
#if defined(__x86_64__)
  if (ProfileS().counter.load(std::memory_order_relaxed)) return __rdtsc();
#endif
  return uint64_t(SteadyNs());
}
uint64_t ProfileStamp(ProfileThread* t) noexcept {
  uint64_t now = ProfileTicks(), least = t->stamp + ProfileS().step.load(std::memory_order_relaxed);
  return t->stamp = now < least ? least : now;
}
TickScale::TickScale() : zero_(ProfileS().zero_ticks), rate_(1) {
  ProfileState& s = ProfileS();
  if (!s.counter.load(std::memory_order_relaxed)) return;
  uint64_t ticks = 0;
  int64_t ns = 0;
  do ReadClocks(&ticks, &ns);
  while (ns - s.zero_ns < 2000000);  // over two milliseconds a read's 20 ns are one in 100,000
  rate_ = double(ns - s.zero_ns) / double(ticks - s.zero_ticks);
}

// ---- spans
void ProfileSpan::Begin() noexcept {
  thread_ = ThisProfileThread();
  session_ = ProfileS().session.load(std::memory_order_relaxed);
  if (!thread_) {
    begin_ = ProfileTicks();
    return;
  }
  depth_ = thread_->depth++, tid_ = thread_->tid;
  begin_ = ProfileStamp(thread_);
}
// Whether it ends as the last of those that began in this thread. If not, its place stays taken: no later span can be taken for nested that is not.
bool ProfileSpan::Leave(ProfileThread* here) noexcept {
  if (!here || here != thread_ || here->tid != tid_ || here->depth != depth_ + 1) return false;
  --here->depth;
  return true;
}
void ProfileSpan::End(ProfileKind k, const char* name, const ProfileFacts* facts) noexcept {
  ProfileThread* here = ThisProfileThread();
  ProfileRecord r;
  r.type = Leave(here) ? ProfileRecord::kSpan : ProfileRecord::kApart;
  r.kind = k, r.name = name, r.begin = begin_;
  r.end = here ? ProfileStamp(here) : ProfileTicks();
  if (r.end < r.begin) r.end = r.begin;  // began in another thread, whose stamps ran ahead
  AppendRecord(r, facts, session_);
}
void ProfileSpan::Cancel() noexcept { Leave(ThisProfileThread()); }

void ProfileCounter(std::string_view name, double value) noexcept {
  if (!Profiling(ProfileKind::kUser)) return;
  ProfileFacts f;
  f.Name(name);
  Record(ProfileRecord::kCounter, ProfileKind::kUser, nullptr, value, &f);
}
void ProfileMark(std::string_view name) noexcept {
  if (!Profiling(ProfileKind::kUser)) return;
  ProfileFacts f;
  f.Name(name);
  Record(ProfileRecord::kMark, ProfileKind::kUser, nullptr, 0, &f);
}
void ProfileMemory(const char* name, int64_t live, int64_t peak) noexcept {
  if (!Profiling(ProfileKind::kMemory)) return;
  ProfileFacts f;
  f.Number("peak", peak);
  Record(ProfileRecord::kMemory, ProfileKind::kMemory, name, double(live), &f);
}
void AddProfileSampler(void (*sample)()) {
  for (auto& place : ProfileS().samplers) {
    void (*none)() = nullptr;
    if (place.compare_exchange_strong(none, sample) || none == sample) return;
  }
  Fail(Status::kInternal, "profiler", "too many samplers: make ProfileState::samplers longer.");
}
void CallProfileSamplers() {
  for (auto& place : ProfileS().samplers)
    if (auto* f = place.load()) f();
}

// ---- sessions
void ProfileOptions::Set(std::string_view who, std::string_view key, std::string_view value) {
  auto truth = [&] {
    bool v = false;
    if (!ParseBool(value, &v)) Fail(Status::kArgument, who, "option `", key, "` of `values` must be True or False, given `", value, "`.");
    return v;
  };
  std::vector<std::string> names{"capacity", "keep"};
  for (int k = 0; k < int(ProfileKind::kCount); ++k) {
    if (!*kKinds[k].option) continue;
    if (key == kKinds[k].option) {
      uint32_t bit = ProfileBit(ProfileKind(k));
      kinds = truth() ? kinds | bit : kinds & ~bit;
      return;
    }
    names.emplace_back(kKinds[k].option);
  }
  if (key == "keep") {
    keep = truth();
  } else if (key == "capacity") {
    constexpr int64_t kLeast = 64 << 10, kMost = int64_t(1) << 40;
    int64_t v = 0, scale = 1;
    std::string_view digits = value;
    auto unit = value.empty() ? value.npos : std::string_view("KMG").find(value.back());
    if (unit != value.npos) scale = int64_t(1) << (10 * (unit + 1)), digits.remove_suffix(1);
    if (!ParseInt(digits, &v) || v > kMost / scale || v * scale < kLeast)
      Fail(Status::kArgument, who, "option `capacity` of `values` must be bytes, 64K or more, such as 256M, given `", value, "`.");
    capacity = v * scale;
  } else {
    Fail(Status::kName, who, "there is no option `", key, "` (`keys`).", DidYouMean(std::string(key), names), " There are: ", Join(names, ", "), ".");
  }
}
void StartProfile(const ProfileOptions& options) {
  ProfileState& s = ProfileS();
  {
    std::lock_guard<std::mutex> lock(s.turn);
    g_profile.kinds.store(0, std::memory_order_relaxed);
    s.capacity.store(options.capacity, std::memory_order_relaxed);
    if (!options.keep || s.zero_ns == 0) BeginSession(s);
    s.stopped_ns = 0;
    g_profile.kinds.store((options.kinds & kProfileAll) | ProfileBit(ProfileKind::kUser), std::memory_order_relaxed);
  }
  CallProfileSamplers();
}
void StopProfile() {
  if (ProfileRunning()) CallProfileSamplers();
  ProfileState& s = ProfileS();
  std::lock_guard<std::mutex> lock(s.turn);
  if (ProfileRunning()) s.stopped_ns = SteadyNs();
  g_profile.kinds.fetch_and(kProfileUndecided, std::memory_order_relaxed);
}
void ClearProfile() {
  {
    std::lock_guard<std::mutex> lock(ProfileS().turn);
    BeginSession(ProfileS());
    ProfileS().stopped_ns = 0;
  }
  CallProfileSamplers();
}
bool ProfileRunning() { return (g_profile.kinds.load(std::memory_order_relaxed) & kProfileAll) != 0; }

}  // namespace flx

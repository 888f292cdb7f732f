// SPDX-License-Identifier: Apache-2.0
// What ran when: spans (a scope's time), counters and marks, recorded by each thread into a buffer of its own, without locks. Off, each place that could
// record costs one relaxed load and a branch.
//   Memory is bounded (ProfileOptions::capacity); what finds no room is dropped and counted, the trace and the table say so. No failure of the profiler ever
//   reaches what is profiled: without memory it drops.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/dtype.h"

namespace flx {

// What can be recorded; each but kUser is switched on its own. ProfileKindInfo names them.
enum class ProfileKind : uint8_t {
  kOperator,  // a kernel run by the imperative executor, inline or queued
  kPlanned,   // an operator inside a plan
  kPass,      // a pass over a graph, or the making of a plan
  kWait,      // a wait for the engine
  kCopy,      // between the host and an array
  kMemory,    // counters of bytes
  kApi,       // a call of the C ABI
  kUser,      // scopes, counters and marks of the host's
  kCount
};
struct ProfileKindText { const char *option, *category; };  // "operators", "operator"; kUser has no option
const ProfileKindText& ProfileKindInfo(ProfileKind k);
constexpr uint32_t ProfileBit(ProfileKind k) { return 1u << int(k); }
constexpr uint32_t kProfileAll = ProfileBit(ProfileKind::kCount) - 1;
// Set until somebody (c_api) has looked whether the environment asks for a profile of the whole process.
constexpr uint32_t kProfileUndecided = 1u << 31;

struct alignas(64) ProfileSwitch { std::atomic<uint32_t> kinds; };  // recorded now; on a cache line of its own, for it is read at every call
extern ProfileSwitch g_profile;
inline bool Profiling(ProfileKind k) { return __builtin_expect((g_profile.kinds.load(std::memory_order_relaxed) & ProfileBit(k)) != 0, 0); }

struct ProfileThread;

// Facts of a span, as bytes: shapes and numbers. Memory of its own, none taken; what does not fit is left out, and the trace shows "...".
class ProfileFacts {
 public:
  void Array(bool output, DType t, const int64_t* dims, int ndim) noexcept;
  void Number(const char* key, int64_t value) noexcept;           // key: for ever
  void Name(std::string_view text) noexcept;                      // in place of a name that lives for ever
  void Category(std::string_view text) noexcept;                  // in place of the kind's
  const unsigned char* data() const { return bytes_; }
  int size() const { return size_; }

 private:
  bool Room(int n) noexcept;
  void Text(char tag, std::string_view text) noexcept;
  int size_ = 0;
  bool cut_ = false;
  unsigned char bytes_[232];
};

// One span: from Begin to End. If it ends in another thread, or not in the order in which this thread's spans began, the trace shows it on a line of its own.
class ProfileSpan {
 public:
  void Begin() noexcept;  // makes this thread's buffer, if it has none
  void End(ProfileKind k, const char* name, const ProfileFacts* facts) noexcept;  // name: for ever; null: among the facts
  void Cancel() noexcept;  // as if it had not begun

 private:
  bool Leave(ProfileThread* here) noexcept;
  uint64_t begin_ = 0, session_ = 0;
  ProfileThread* thread_ = nullptr;
  int64_t depth_ = 0;
  int32_t tid_ = 0;
};

// The span of a C++ scope:
//   ProfileScope scope(ProfileKind::kPlanned, op.name);
//   if (scope.active()) scope.facts().Array(...);
class ProfileScope {
 public:
  ProfileScope(ProfileKind k, const char* name) noexcept : kind_(k), active_(Profiling(k)), name_(name) {
    if (__builtin_expect(active_, 0)) span_.Begin();
  }
  // A name that does not live for ever is copied, up to 120 bytes of it.
  ProfileScope(ProfileKind k, const std::string& name) noexcept : ProfileScope(k, static_cast<const char*>(nullptr)) {
    if (__builtin_expect(active_, 0)) facts_.Name(name);
  }
  ~ProfileScope() {
    if (__builtin_expect(active_, 0)) span_.End(kind_, name_, &facts_);
  }
  ProfileScope(const ProfileScope&) = delete;
  ProfileScope& operator=(const ProfileScope&) = delete;
  bool active() const { return active_; }
  ProfileFacts& facts() { return facts_; }
  void Cancel() noexcept {
    if (active_) span_.Cancel(), active_ = false;
  }

 private:
  const ProfileKind kind_;
  bool active_;
  const char* const name_;
  ProfileSpan span_;
  ProfileFacts facts_;
};

// Each looks itself whether its kind is recorded.
void ProfileCounter(std::string_view name, double value) noexcept;                        // a number over time, of the host's
void ProfileMark(std::string_view name) noexcept;                                         // a moment
void ProfileMemory(const char* name, int64_t live, int64_t peak) noexcept;                // bytes of a device, after each change; name: for ever
void AddProfileSampler(void (*sample)());  // called at each start and stop: makes known what is not told at each change. Up to eight, for ever

struct ProfileOptions {
  uint32_t kinds = kProfileAll & ~ProfileBit(ProfileKind::kApi);
  int64_t capacity = 64 << 20;  // bytes, of all threads
  bool keep = false;            // goes on behind what is recorded; else that is forgotten
  void Set(std::string_view who, std::string_view key, std::string_view value);  // operators = False, capacity = 256M ...
};
void StartProfile(const ProfileOptions& options);  // also while it runs
void StopProfile();                                // a span that has begun is still recorded when it ends
void ClearProfile();                               // forgets what is recorded, and gives its memory back; goes on if it runs
bool ProfileRunning();

// What is recorded, at any time, from any thread.
using ProfilePut = std::function<void(std::string_view)>;
void WriteTrace(const ProfilePut& put);                        // chrome trace events, as JSON, in pieces of a few KiB
// sort: name, count, total, self, mean, min, max, share (empty: share), or an error naming `who`.
std::string ProfileText(std::string_view who, std::string_view sort, int columns);
std::string ProfileJson();

}  // namespace flx

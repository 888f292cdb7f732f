// SPDX-License-Identifier: Apache-2.0
// Inside the profiler: buffers, records, and how they are read.
//   A thread's buffer is a list of chunks that it alone appends to; `used` publishes whole records. A session is what stands between two forgettings. A
//   thread that finds another session than its buffer's begins anew, under the registry's mutex. Whoever forgets raises the session, makes all threads pass a
//   fence, waits until none is writing under the old one, and frees the chunks.
//   Order of locks: turn (one reader or forgetter at a time), then storage's, then the registry's.
#pragma once
#include <atomic>
#include <mutex>
#include <vector>

#include "profiler/profiler.h"

namespace flx {

struct ProfileRecord {  // facts stand behind it, filled up to eight bytes
  enum Type : uint8_t { kSpan, kApart /* a span that does not nest */, kCounter, kMemory, kMark };
  uint16_t words = 0;   // of eight bytes, with the facts
  uint16_t facts = 0;   // bytes
  Type type = kSpan;
  ProfileKind kind = ProfileKind::kUser;
  uint64_t begin = 0;   // ticks
  union {
    uint64_t end = 0;   // ticks
    double value;
  };
  const char* name = nullptr;  // for ever; null: among the facts
  const unsigned char* fact_bytes() const { return reinterpret_cast<const unsigned char*>(this + 1); }
};
static_assert(sizeof(ProfileRecord) == 32 && alignof(ProfileRecord) == 8);

struct ProfileChunk {
  std::atomic<ProfileChunk*> next{nullptr};
  std::atomic<uint32_t> used{0};  // bytes
  uint32_t size = 0;              // bytes behind it
  unsigned char* bytes() { return reinterpret_cast<unsigned char*>(this + 1); }
};

struct ProfileThread {  // lives for ever, and is another thread's later
  std::atomic<bool> writing{false};
  std::atomic<ProfileChunk*> first{nullptr};
  std::atomic<int64_t> dropped{0};
  uint64_t session = 0;        // of what is in the chunks; written under the registry's mutex
  ProfileChunk* last = nullptr;
  uint64_t stamp = 0;          // the last one given
  int64_t depth = 0;           // spans that have begun here and not ended here in order
  int32_t tid = 0;
  bool gone = false;           // the thread has ended
  char name[16] = {};
  ProfileThread* next = nullptr;
};

struct ProfileState {
  std::mutex turn;
  std::mutex registry;
  ProfileThread* threads = nullptr;
  std::atomic<uint64_t> session{1};
  std::atomic<int64_t> capacity{0}, taken{0}, dropped{0};  // bytes; records of threads without a buffer
  // ticks: the processor's counter where that is as good as the clock, else nanoseconds
  std::atomic<bool> counter{false};
  std::atomic<uint64_t> step{1};               // ticks from one stamp to the next, at least: a nanosecond
  uint64_t zero_ticks = 0;                     // the session's beginning, by both clocks; under turn
  int64_t zero_ns = 0, zero_unix_us = 0, stopped_ns = 0;
  std::atomic<void (*)()> samplers[8] = {};
};
ProfileState& ProfileS();

uint64_t ProfileTicks() noexcept;
int64_t SteadyNs() noexcept;
uint64_t ProfileStamp(ProfileThread* t) noexcept;       // later than all before it in this thread
ProfileThread* ThisProfileThread() noexcept;            // null: the thread is ending, or no memory
void AppendRecord(ProfileRecord record, const ProfileFacts* facts, uint64_t session) noexcept;  // dropped if the session is another
void ForgetRecords();                                   // under turn
void CallProfileSamplers();

// ---- reading; under turn
class TickScale {  // ticks to nanoseconds since the session's beginning
 public:
  TickScale();
  int64_t Ns(uint64_t ticks) const { return ticks <= zero_ ? 0 : int64_t(double(ticks - zero_) * rate_); }

 private:
  uint64_t zero_;
  double rate_;
};
struct ProfiledThread { const ProfileThread* thread; ProfileChunk* first; int32_t tid; std::string name; };
std::vector<ProfiledThread> ProfiledThreads();          // those that recorded something in this session
int64_t DroppedRecords();
template <class F> void ForEachRecord(const ProfiledThread& t, F&& f) {
  for (ProfileChunk* c = t.first; c; c = c->next.load(std::memory_order_acquire))
    for (uint32_t at = 0, used = c->used.load(std::memory_order_acquire); at < used;) {
      auto* r = reinterpret_cast<const ProfileRecord*>(c->bytes() + at);
      f(*r);
      at += r->words * 8u;
    }
}
// The facts of a record, one after the other.
struct ProfileFact {
  enum What : uint8_t { kInput, kOutput, kNumber, kName, kCategory, kCut } what;
  DType dtype = DType::kNone;
  std::vector<int64_t> dims;
  const char* key = "";
  int64_t number = 0;
  std::string_view text;
};
class FactReader {
 public:
  explicit FactReader(const ProfileRecord& r) : at_(r.fact_bytes()), end_(at_ + r.facts) {}
  bool Next(ProfileFact* f);

 private:
  const unsigned char *at_, *end_;
};
struct RecordTitle { std::string_view name, category; };
RecordTitle TitleOf(const ProfileRecord& r);  // lives as long as the record

}  // namespace flx

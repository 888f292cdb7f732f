// SPDX-License-Identifier: Apache-2.0
// The CPU's table. Its queues do their work at once, in the caller, so its events are always complete; what runs later is the engine's business.
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "base/text.h"
#include "device/device.h"

namespace flx {
namespace {
thread_local char t_error[48];  // static thread-local memory is scarce in a library that is opened late
int32_t Failed(int32_t code, const char* what, int error) {
  std::strncpy(t_error, what, sizeof t_error - 1);
  if (error) {
    std::strncat(t_error, ": ", sizeof t_error - std::strlen(t_error) - 1);
    std::strncat(t_error, std::strerror(error), sizeof t_error - std::strlen(t_error) - 1);
  }
  return code;
}

// From a megabyte on memory comes from mmap: aligned to what huge pages want, and given back to the system when freed. Below it malloc's arenas are
// better: no system call, no page rounding.
constexpr int64_t kMapped = int64_t(1) << 20, kHuge = int64_t(1) << 21;
int64_t RoundUp(int64_t v, int64_t to) { return (v + to - 1) / to * to; }
int64_t PageSize() { static const int64_t size = sysconf(_SC_PAGESIZE); return size; }

int32_t Alloc(int32_t, int64_t bytes, void** out) {
  if (bytes < 0 || bytes > INT64_MAX / 2) return Failed(FLX_DEVICE_ERROR, "the size is negative or absurd", 0);
  if (bytes < kMapped) {
    int e = posix_memalign(out, 64, size_t(bytes < 64 ? 64 : bytes));
    return e ? Failed(FLX_DEVICE_MEMORY, "posix_memalign", e) : FLX_DEVICE_OK;
  }
  int64_t want = RoundUp(bytes, PageSize()), slack = want >= kHuge ? kHuge : 0;
  void* p = mmap(nullptr, size_t(want + slack), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) return Failed(FLX_DEVICE_MEMORY, "mmap", errno);
  if (slack) {  // cut to a huge page's border
    auto begin = reinterpret_cast<uintptr_t>(p), cut = uintptr_t(RoundUp(int64_t(begin), kHuge));
    if (cut > begin) munmap(p, cut - begin);
    if (auto rest = begin + uintptr_t(slack) - cut) munmap(reinterpret_cast<void*>(cut + uintptr_t(want)), rest);
    p = reinterpret_cast<void*>(cut);
    madvise(p, size_t(want), MADV_HUGEPAGE);  // a hint: fewer page faults, and no harm if the system refuses
  }
  *out = p;
  return FLX_DEVICE_OK;
}
int32_t Free(int32_t, void* p, int64_t bytes) {
  if (bytes < kMapped) std::free(p);
  else if (munmap(p, size_t(RoundUp(bytes, PageSize())))) return Failed(FLX_DEVICE_ERROR, "munmap", errno);
  return FLX_DEVICE_OK;
}
int32_t Properties(int32_t, char* text, int64_t capacity) {
  cpu_set_t set;
  CPU_ZERO(&set);
  int cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : int(std::thread::hardware_concurrency());
  std::string s = Text("name CPU\ncores ", cores, "\nmemory ", int64_t(sysconf(_SC_PHYS_PAGES)) * PageSize(), "\n");
  if (int64_t(s.size()) >= capacity) return Failed(FLX_DEVICE_ERROR, "the buffer for the properties is too small", 0);
  std::memcpy(text, s.c_str(), s.size() + 1);
  return FLX_DEVICE_OK;
}
int32_t MemoryInfo(int32_t, int64_t* free_bytes, int64_t* total) {
  *free_bytes = int64_t(sysconf(_SC_AVPHYS_PAGES)) * PageSize();
  *total = int64_t(sysconf(_SC_PHYS_PAGES)) * PageSize();
  return FLX_DEVICE_OK;
}
int32_t Copy(flx_device_queue*, void* to, const void* from, int64_t bytes, int32_t) {
  std::memmove(to, from, size_t(bytes));
  return FLX_DEVICE_OK;
}
int32_t Fill(flx_device_queue*, void* to, const void* pattern, int32_t size, int64_t count) {
  if (size != 1 && size != 2 && size != 4 && size != 8) return Failed(FLX_DEVICE_ERROR, "a pattern has 1, 2, 4 or 8 bytes", 0);
  for (int64_t i = 0; i < count; ++i) std::memcpy(static_cast<char*>(to) + i * size, pattern, size_t(size));
  return FLX_DEVICE_OK;
}
// Queues and events have no state: any address that is not null will do.
char g_token;
int32_t QueueCreate(int32_t, int32_t, flx_device_queue** out) {
  *out = reinterpret_cast<flx_device_queue*>(&g_token);
  return FLX_DEVICE_OK;
}
int32_t QueueDestroy(flx_device_queue*) { return FLX_DEVICE_OK; }
int32_t EventCreate(int32_t, flx_device_event** out) {
  *out = reinterpret_cast<flx_device_event*>(&g_token);
  return FLX_DEVICE_OK;
}
int32_t EventRecord(flx_device_event*, flx_device_queue*) { return FLX_DEVICE_OK; }
int32_t EventDone(flx_device_event*) { return FLX_DEVICE_OK; }
int32_t QueueWait(flx_device_queue*, flx_device_event*) { return FLX_DEVICE_OK; }
}  // namespace

const flx_device_table* CpuDeviceTable() {
  static const flx_device_table table = [] {
    flx_device_table t = {};
    t.size = sizeof t, t.version = FLX_DEVICE_TABLE_VERSION, t.kind = "cpu";
    t.count = [] { return int32_t(1); };
    t.properties = &Properties, t.memory_info = &MemoryInfo;
    t.last_error = []() -> const char* { return t_error; };
    t.alloc = &Alloc, t.free = &Free, t.pinned_alloc = &Alloc, t.pinned_free = &Free;
    t.queue_create = &QueueCreate, t.queue_destroy = &QueueDestroy, t.copy = &Copy, t.fill = &Fill;
    t.event_create = &EventCreate, t.event_record = &EventRecord, t.event_query = &EventDone, t.event_wait = &EventDone;
    t.queue_wait = &QueueWait, t.event_destroy = &EventDone;
    return t;
  }();
  return &table;
}

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
#include "storage/device_pool.h"

#include <algorithm>
#include <mutex>
#include <vector>

#include "base/config.h"
#include "base/fork.h"
#include "base/text.h"
#include "profiler/profiler.h"
#include "storage/size_class.h"

namespace flx {

void (*g_device_rest)(const Device*) = nullptr;

namespace {
struct Pool {
  const Device* device = nullptr;
  std::string label;  // of the profiler's counter
  int fork = 0;
  std::mutex mutex;
  std::vector<DeviceBlock> free[kClasses];
  std::vector<void*> pinned[kClasses];
  int64_t held = 0, live = 0, requested = 0, peak = 0, limit = 0, pinned_cached = 0;
  int64_t going = 0;  // of what is held: another thread is giving it back

  void AddLive(int64_t n, int64_t asked) {  // under the mutex
    live += n, requested += asked;
    peak = std::max(peak, live);
    if (Profiling(ProfileKind::kMemory)) ProfileMemory(label.c_str(), live, peak);
  }
};
constexpr int64_t kPinnedKept = int64_t(256) << 20;

struct Pools { std::mutex mutex; std::vector<Pool*> all; };
Pools& All() { static auto* p = new Pools; return *p; }  // never destroyed: a collector may free arrays at exit
Pool& PoolOf(const Device* d) {
  Pools& pools = All();
  std::lock_guard<std::mutex> lock(pools.mutex);
  for (Pool* p : pools.all) if (p->device == d && p->fork == ForkCount()) return *p;
  auto* p = new Pool;  // a forked child has none of its parent's: that memory is not its own to use
  p->device = d, p->fork = ForkCount(), p->label = "memory " + d->name, p->limit = GetInt(Opt::kDeviceMemoryLimit);
  pools.all.push_back(p);
  return *p;
}
int64_t Total(const Device* d) {
  int64_t free_bytes = 0, total = 0;
  if (d->table->memory_info) d->table->memory_info(d->index, &free_bytes, &total);
  return total;
}
[[noreturn]] void NoMemory(Pool& pool, size_t asked, const std::string& why) {
  MemoryStats m = DeviceMemoryStats(pool.device);
  Fail(Status::kMemory, pool.device->name, "no device memory for ", SizeText(int64_t(asked)), " (", asked, " bytes): ", why, ". ", SizeText(m.live), " are live, ",
       SizeText(m.cached), " cached, the limit is ", m.limit ? SizeText(m.limit) : std::string("none"), ", the device has ", SizeText(m.total),
       ". Let go of arrays, use a smaller batch", m.limit ? ", or raise the limit (FLEXOR_DEVICE_MEMORY_LIMIT)." : ".");
}
}  // namespace

DeviceBlock DeviceAlloc(const Device* device, size_t bytes) {
  Pool& pool = PoolOf(device);
  if (bytes > kLargest) NoMemory(pool, bytes, "no device has so much");
  const int c = ClassOf(bytes);
  const auto size = int64_t(ClassSize(c)), asked = int64_t(bytes);
  auto over = [&] { return pool.limit && pool.held - pool.going + size > pool.limit; };
  bool limited = false;
  {
    std::lock_guard<std::mutex> lock(pool.mutex);
    if (!pool.free[c].empty()) {
      DeviceBlock b = std::move(pool.free[c].back());
      pool.free[c].pop_back();
      pool.AddLive(size, asked);
      return b;
    }
    limited = over();
    if (!limited) pool.held += size, pool.AddLive(size, asked);
  }
  if (limited) {
    DeviceMemoryReleaseUnused(device);
    bool still = false;
    {
      std::lock_guard<std::mutex> lock(pool.mutex);
      still = over();
      if (!still) pool.held += size, pool.AddLive(size, asked);
    }
    if (still) NoMemory(pool, bytes, "the limit would be passed");
  }
  DeviceBlock b;
  int32_t result = device->table->alloc(device->index, size, &b.p);
  if (result == FLX_DEVICE_MEMORY) {  // caches are given back, and what streams use is waited for
    DeviceMemoryReleaseUnused(device);
    result = device->table->alloc(device->index, size, &b.p);
  }
  if (result == FLX_DEVICE_OK) return b;
  Error e = device->CallError(result, "alloc");
  {
    std::lock_guard<std::mutex> lock(pool.mutex);
    pool.held -= size, pool.AddLive(-size, -asked);
  }
  if (result != FLX_DEVICE_MEMORY) throw e;
  NoMemory(pool, bytes, "the device has none");
}
void DeviceFree(const Device* device, void* p, size_t bytes, Ref<Object> uses) noexcept {
  if (!p) return;
  const int c = ClassOf(bytes);
  try {
    Pool& pool = PoolOf(device);
    std::lock_guard<std::mutex> lock(pool.mutex);
    if (pool.held == 0) return;  // a forked child's: the memory stays its parent's
    pool.free[c].push_back({p, uses});
    pool.AddLive(-int64_t(ClassSize(c)), -int64_t(bytes));
  } catch (...) {  // no memory for the list
    if (g_device_rest) g_device_rest(device);
    device->table->free(device->index, p, int64_t(ClassSize(c)));
    Pool& pool = PoolOf(device);  // it is there: the block came from it
    std::lock_guard<std::mutex> lock(pool.mutex);
    pool.held -= int64_t(ClassSize(c)), pool.AddLive(-int64_t(ClassSize(c)), -int64_t(bytes));
  }
}

void* PinnedAlloc(const Device* device, size_t bytes) noexcept {
  if (!device->table->pinned_alloc || bytes > kLargest) return nullptr;
  const int c = ClassOf(bytes);
  Pool& pool = PoolOf(device);
  {
    std::lock_guard<std::mutex> lock(pool.mutex);
    if (!pool.pinned[c].empty()) {
      void* p = pool.pinned[c].back();
      pool.pinned[c].pop_back();
      pool.pinned_cached -= int64_t(ClassSize(c));
      return p;
    }
  }
  void* p = nullptr;
  return device->table->pinned_alloc(device->index, int64_t(ClassSize(c)), &p) == FLX_DEVICE_OK ? p : nullptr;
}
void PinnedFree(const Device* device, void* p, size_t bytes) noexcept {
  const int c = ClassOf(bytes);
  Pool& pool = PoolOf(device);
  {
    std::lock_guard<std::mutex> lock(pool.mutex);
    if (pool.pinned_cached + int64_t(ClassSize(c)) <= kPinnedKept) {
      try {
        pool.pinned[c].push_back(p);
        pool.pinned_cached += int64_t(ClassSize(c));
        return;
      } catch (...) {}
    }
  }
  device->table->pinned_free(device->index, p, int64_t(ClassSize(c)));
}

MemoryStats DeviceMemoryStats(const Device* device) {
  Pool& pool = PoolOf(device);
  MemoryStats m;
  {
    std::lock_guard<std::mutex> lock(pool.mutex);
    m.live = pool.live, m.cached = pool.held - pool.live, m.peak = pool.peak, m.limit = pool.limit, m.requested = pool.requested;
  }
  m.total = Total(device);
  return m;
}
void DeviceMemoryLimit(const Device* device, int64_t bytes) {
  Pool& pool = PoolOf(device);
  std::lock_guard<std::mutex> lock(pool.mutex);
  pool.limit = bytes < 0 ? 0 : bytes;
}
void DeviceMemoryPeakReset(const Device* device) {
  Pool& pool = PoolOf(device);
  std::lock_guard<std::mutex> lock(pool.mutex);
  pool.peak = pool.live;
}
void DeviceMemoryReleaseUnused(const Device* device) {
  Pool& pool = PoolOf(device);
  std::vector<std::pair<DeviceBlock, int>> blocks;
  std::vector<std::pair<void*, int>> pinned;
  int64_t going = 0;
  {
    std::lock_guard<std::mutex> lock(pool.mutex);
    for (int c = 0; c < kClasses; ++c) {
      for (auto& b : pool.free[c]) blocks.emplace_back(std::move(b), c), going += int64_t(ClassSize(c));
      for (void* p : pool.pinned[c]) pinned.emplace_back(p, c);
      pool.free[c].clear(), pool.pinned[c].clear();
    }
    pool.pinned_cached = 0, pool.going += going;
  }
  bool used = std::any_of(blocks.begin(), blocks.end(), [](auto& b) { return bool(b.first.uses); });
  if (used && g_device_rest) g_device_rest(device);
  for (auto& b : blocks) device->table->free(device->index, b.first.p, int64_t(ClassSize(b.second)));
  for (auto& b : pinned) device->table->pinned_free(device->index, b.first, int64_t(ClassSize(b.second)));
  std::lock_guard<std::mutex> lock(pool.mutex);
  pool.held -= going, pool.going -= going;
}

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// Pooled host memory: 64-byte aligned, per-thread size classes for small blocks, kept large blocks (fresh pages cost more than the arithmetic).
#pragma once
#include <cstddef>
#include <cstdint>

namespace flx {

struct MemoryStats { int64_t live = 0, cached = 0, peak = 0, limit = 0, total = 0; };  // bytes; limit 0: none

// At least 64 usable bytes, aligned to 64; zero bytes is legal. Throws Error(kMemory) beyond the limit or when the system has none (after the cache was trimmed).
void* HostAlloc(size_t bytes);
void HostFree(void* p, size_t bytes) noexcept;  // `bytes` as asked for; any thread

MemoryStats HostMemoryStats();
void HostMemoryLimit(int64_t bytes);     // live + cached may not exceed it; 0: none
void HostMemoryPeakReset();
void HostMemoryReleaseUnused();          // gives all cached blocks (of every thread it can reach) back to the system
void TestFailAllocation(int64_t after);  // for tests: the n-th allocation from now fails; -1: never

}  // namespace flx

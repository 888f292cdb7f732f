// SPDX-License-Identifier: Apache-2.0
// Pooled host memory: 64-byte aligned, per-thread size classes up to 4 MiB, kept large blocks (fresh pages cost more than the arithmetic).
// Numbers are in bytes of blocks, which are up to a quarter larger than what was asked for.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace flx {

// live: in use; cached: free blocks kept for the next one; peak: most that was live (exact from 32 KiB blocks on, smaller ones are counted when
// 64 KiB of them have gathered in a thread, or at a look); limit: of live + cached, 0: none; total: the machine's memory; requested: what the live blocks
// were asked for as (of devices: the host's pool does not count it).
struct MemoryStats { int64_t live = 0, cached = 0, peak = 0, limit = 0, total = 0, requested = 0; };
std::string SizeText(int64_t bytes);  // "1.5 MiB"

// At least 64 usable bytes, aligned to 64; zero bytes is legal. Throws Error(kMemory) beyond the limit or when the system has none (after the cache was trimmed).
void* HostAlloc(size_t bytes);
void HostFree(void* p, size_t bytes) noexcept;  // `bytes` as asked for; any thread; null is nothing

MemoryStats HostMemoryStats();
int64_t HostMemoryLive();                  // without looking at every thread: up to 64 KiB a thread are not seen. As cheap as a load
void HostMemoryLimit(int64_t bytes);       // live + cached may not exceed it; 0: none
void HostMemoryCacheLimit(int64_t bytes);  // more than that is not kept; 0: no limit
void HostMemoryPeakReset();
void HostMemoryReleaseUnused();            // gives all cached blocks, of every thread, back to the system
void TestFailAllocation(int64_t after);    // for tests: the n-th allocation from now (1: the next) fails; -1: never

}  // namespace flx

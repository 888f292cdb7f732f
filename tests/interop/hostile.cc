// SPDX-License-Identifier: Apache-2.0
#include "hostile.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>

#include "storage/pool.h"

namespace {
std::atomic<size_t> g_largest{0};
int64_t g_base = 0;
void* Take(size_t n) {
  size_t seen = g_largest.load();
  while (n > seen && !g_largest.compare_exchange_weak(seen, n)) {}
  if (void* p = std::malloc(n ? n : 1)) return p;
  throw std::bad_alloc();
}
}  // namespace

void* operator new(size_t n) { return Take(n); }
void* operator new[](size_t n) { return Take(n); }
void* operator new(size_t n, const std::nothrow_t&) noexcept { return std::malloc(n ? n : 1); }  // so that all are freed alike
void operator delete(void* p, const std::nothrow_t&) noexcept { std::free(p); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, size_t) noexcept { std::free(p); }
void operator delete[](void* p, size_t) noexcept { std::free(p); }

namespace flx::hostile {
int64_t LargestRequest() { return std::max<int64_t>(int64_t(g_largest.load()), HostMemoryStats().peak - g_base); }
void ResetLargest() {
  g_largest = 0;
  HostMemoryPeakReset();
  g_base = HostMemoryStats().peak;
}
}  // namespace flx::hostile

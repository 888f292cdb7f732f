// SPDX-License-Identifier: Apache-2.0
#include "faults.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

#define REAL(f) __libc_##f
extern "C" {
void* REAL(malloc)(size_t);
void* REAL(calloc)(size_t, size_t);
void* REAL(realloc)(void*, size_t);
void* REAL(memalign)(size_t, size_t);
void REAL(free)(void*);
}

namespace {
uintptr_t g_low = 1, g_high = 0;  // the library's code
std::atomic<int64_t> g_countdown{0}, g_seen{0}, g_failed{0}, g_threads{0};
std::atomic<bool> g_armed{false}, g_on{false};
bool g_any_thread = false;
pthread_t g_thread;

int FindLibrary(dl_phdr_info* info, size_t, void*) {
  if (!info->dlpi_name || !std::strstr(info->dlpi_name, "libflexor.so")) return 0;
  for (int i = 0; i < info->dlpi_phnum; ++i)
    if (info->dlpi_phdr[i].p_type == PT_LOAD && (info->dlpi_phdr[i].p_flags & PF_X)) {
      g_low = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
      g_high = g_low + info->dlpi_phdr[i].p_memsz;
    }
  return 1;
}
bool Fails(const void* caller) {
  if (!g_armed.load(std::memory_order_relaxed)) return false;
  auto at = reinterpret_cast<uintptr_t>(caller);
  if (at < g_low || at >= g_high || (!g_any_thread && !pthread_equal(g_thread, pthread_self()))) return false;
  g_seen.fetch_add(1, std::memory_order_relaxed);
  int64_t left = g_countdown.fetch_sub(1, std::memory_order_relaxed);
  bool fails = left == 1 || (left < 1 && g_on.load(std::memory_order_relaxed));
  if (fails) g_failed.fetch_add(1, std::memory_order_relaxed), errno = ENOMEM;
  return fails;
}
#define CALLER __builtin_return_address(0)
}  // namespace

namespace faults {
void Arm(int64_t n, bool from_there_on, bool any_thread) {
  if (g_high == 0) dl_iterate_phdr(FindLibrary, nullptr);
  g_any_thread = any_thread, g_thread = pthread_self();
  g_countdown = n, g_seen = 0, g_failed = 0, g_on = from_there_on;
  g_armed = true;
}
int64_t Disarm() {
  g_armed = false;
  return g_seen;
}
int64_t Failed() { return g_failed; }
void FailThreads(int64_t n) { g_threads = n; }
}  // namespace faults

extern "C" {
void* malloc(size_t n) { return Fails(CALLER) ? nullptr : REAL(malloc)(n); }
void* calloc(size_t n, size_t size) { return Fails(CALLER) ? nullptr : REAL(calloc)(n, size); }
void* realloc(void* p, size_t n) { return Fails(CALLER) ? nullptr : REAL(realloc)(p, n); }
void* memalign(size_t align, size_t n) { return Fails(CALLER) ? nullptr : REAL(memalign)(align, n); }
void* aligned_alloc(size_t align, size_t n) { return Fails(CALLER) ? nullptr : REAL(memalign)(align, n); }
int posix_memalign(void** p, size_t align, size_t n) {
  void* q = Fails(CALLER) ? nullptr : REAL(memalign)(align, n);
  if (q) *p = q;
  return q ? 0 : ENOMEM;
}
void free(void* p) { REAL(free)(p); }
void* mmap(void* at, size_t n, int prot, int flags, int fd, off_t offset) {
  if (Fails(CALLER)) return MAP_FAILED;
  return reinterpret_cast<void*>(syscall(SYS_mmap, at, n, prot, flags, fd, offset));
}
int pthread_create(pthread_t* t, const pthread_attr_t* attr, void* (*f)(void*), void* arg) {
  static auto real = reinterpret_cast<int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*)>(dlsym(RTLD_NEXT, "pthread_create"));
  if (g_threads > 0 && (g_threads == 1 || --g_threads == 0)) return g_threads = 1, EAGAIN;
  return real(t, attr, f, arg);
}
}

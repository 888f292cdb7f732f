// SPDX-License-Identifier: Apache-2.0
// Blocks by OpenBLAS's serial build, linked statically and hidden: no threads of its own, and no thread count that a host could share.
//   That build takes its work space from a table without a working lock: two threads at once can get the same buffer, and wrong products (seen with
//   Debian's 0.3.21). So the link replaces its two functions by ours (-Wl,--wrap, in CMakeLists.txt). Where a final link left the option out, which
//   the first call notices, calls are made one at a time.
#include <cblas.h>
#include <sys/mman.h>

#include <atomic>
#include <mutex>
#include <string_view>

#include "op/matrix/gemm.h"

namespace {
constexpr size_t kWorkBytes = (size_t(128) << 20) + 4096;  // OpenBLAS's BUFFER_SIZE at its largest; pages are taken as they are touched
std::mutex g_mutex;
void* g_free = nullptr;  // a list through the buffers' first words
std::atomic<bool> g_ours{false};
}  // namespace

extern "C" {
void* __wrap_blas_memory_alloc(int) {
  g_ours.store(true, std::memory_order_relaxed);
  {
    std::lock_guard<std::mutex> lock(g_mutex);
    if (void* p = g_free) {
      g_free = *static_cast<void**>(p);
      return p;
    }
  }
  void* p = mmap(nullptr, kWorkBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return p == MAP_FAILED ? nullptr : p;
}
void __wrap_blas_memory_free(void* p) {
  if (!p) return;
  std::lock_guard<std::mutex> lock(g_mutex);
  *static_cast<void**>(p) = g_free;
  g_free = p;
}
}

namespace flx {
namespace {
std::mutex g_one_at_a_time;

CBLAS_TRANSPOSE Flag(bool t) { return t ? CblasTrans : CblasNoTrans; }
void Call(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const float* a, int64_t lda, const float* b, int64_t ldb, float beta, float* c, int64_t ldc) {
  cblas_sgemm(CblasRowMajor, Flag(ta), Flag(tb), blasint(m), blasint(n), blasint(k), alpha, a, blasint(lda), b, blasint(ldb), beta, c, blasint(ldc));
}
void Call(bool ta, bool tb, int64_t m, int64_t n, int64_t k, double alpha, const double* a, int64_t lda, const double* b, int64_t ldb, double beta, double* c, int64_t ldc) {
  cblas_dgemm(CblasRowMajor, Flag(ta), Flag(tb), blasint(m), blasint(n), blasint(k), alpha, a, blasint(lda), b, blasint(ldb), beta, c, blasint(ldc));
}
bool Reentrant() {
  static const bool ours = [] {  // a product large enough to need work space: up to 100 cubed some kernels do without
    std::lock_guard<std::mutex> lock(g_one_at_a_time);
    static float x[128 * 128], y[128 * 128];
    Call(false, false, 128, 128, 128, 1.f, x, 128, x, 128, 0.f, y, 128);
    return g_ours.load(std::memory_order_relaxed);
  }();
  return ours;
}
// OpenBLAS counts in 32 bits; Gemm's blocks are small, but k and the leading sizes may be anything.
template <class T> void Blas(bool ta, bool tb, int64_t m, int64_t n, int64_t k, T alpha, const T* a, int64_t lda, const T* b, int64_t ldb, T beta, T* c, int64_t ldc) {
  constexpr int64_t kMost = int64_t(1) << 30;
  if (lda > INT32_MAX || ldb > INT32_MAX || ldc > INT32_MAX) {  // rows that far apart: one product for each row of C and of B
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) {
        T sum = 0;
        for (int64_t q = 0; q < k; ++q) sum += a[ta ? q * lda + i : i * lda + q] * b[tb ? j * ldb + q : q * ldb + j];
        T& to = c[i * ldc + j];
        to = beta == T(0) ? alpha * sum : alpha * sum + beta * to;
      }
    return;
  }
  for (int64_t i = 0; i < m; i += kMost)
    for (int64_t j = 0; j < n; j += kMost)
      for (int64_t q = 0; q < k; q += kMost) {
        Call(ta, tb, m - i < kMost ? m - i : kMost, n - j < kMost ? n - j : kMost, k - q < kMost ? k - q : kMost, alpha,
             a + (ta ? q * lda + i : i * lda + q), lda, b + (tb ? j * ldb + q : q * ldb + j), ldb, q ? T(1) : beta, c + i * ldc + j, ldc);
      }
}
template <class T> void Safe(bool ta, bool tb, int64_t m, int64_t n, int64_t k, T alpha, const T* a, int64_t lda, const T* b, int64_t ldb, T beta, T* c, int64_t ldc) {
  if (Reentrant()) return Blas(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
  std::lock_guard<std::mutex> lock(g_one_at_a_time);
  Blas(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
}  // namespace

bool GemmBlockLikesSmall() {
  static const bool likes = [] {
    std::string_view core = openblas_get_corename();
    return core == "SkylakeX" || core == "Cooperlake" || core == "SapphireRapids";
  }();
  return likes;
}
void GemmBlock(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const float* a, int64_t lda, const float* b, int64_t ldb, float beta, float* c, int64_t ldc) {
  Safe(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
void GemmBlock(bool ta, bool tb, int64_t m, int64_t n, int64_t k, double alpha, const double* a, int64_t lda, const double* b, int64_t ldb, double beta, double* c, int64_t ldc) {
  Safe(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

}  // namespace flx

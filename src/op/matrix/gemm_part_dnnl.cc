// SPDX-License-Identifier: Apache-2.0
// Blocks by oneDNN's sgemm, single-threaded. Measured on AVX-512 and AVX2: 4 to 16 % faster than OpenBLAS from about 100 x 100 x 100 on, 3 to 12 times
// for a row by a matrix; slower where few columns, or few rows beside a transposed B, leave its panels thin, and where both are transposed.
#include <dnnl.h>

#include <atomic>

#include "op/matrix/dnnl_exit.h"
#include "op/matrix/gemm.h"
#include "op/matrix/dnnl_call.h"

namespace flx {

bool GemmPart(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const float* a, int64_t lda, const float* b, int64_t ldb, float beta, float* c, int64_t ldc) {
  static const bool able = (int(dnnl_get_effective_cpu_isa()) & int(dnnl_cpu_isa_avx2)) == int(dnnl_cpu_isa_avx2);
  double work = double(m) * double(n) * double(k);
  if (!able || work < 1e6 || (ta && tb) || n < 64) return false;
  if (tb && m > 8 && (m < 48 || n < 128)) return false;
  DnnlRunning running;
  if (!running) return false;
  DnnlCall call;
  bool done = dnnl_sgemm(ta ? 'T' : 'N', tb ? 'T' : 'N', m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) == dnnl_success;
  // It makes its kernels at the first call of each kind.
  static std::atomic<uint32_t> seen{0};
  uint32_t kind = 1u << (uint32_t(ta) | uint32_t(tb) << 1 | uint32_t(beta == 0) << 2 | uint32_t(alpha == 1) << 3 | uint32_t(m == 1) << 4);
  if (!(seen.load(std::memory_order_relaxed) & kind)) {
    seen.fetch_or(kind, std::memory_order_relaxed);
    DnnlMadeTables();
  }
  return done;
}

}  // namespace flx

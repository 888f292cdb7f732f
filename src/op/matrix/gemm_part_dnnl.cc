// SPDX-License-Identifier: Apache-2.0
// Blocks by oneDNN's sgemm, single-threaded. Measured on AVX-512 and AVX2: 4 to 16 % faster than OpenBLAS from about 100 x 100 x 100 on, 3 to 12 times
// for a row by a matrix; slower where few columns, or few rows beside a transposed B, leave its panels thin, and where both are transposed.
#include <dnnl.h>

#include "op/matrix/gemm.h"
#include "op/matrix/one_thread.h"

namespace flx {

bool GemmPart(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const float* a, int64_t lda, const float* b, int64_t ldb, float beta, float* c, int64_t ldc) {
  static const bool able = (int(dnnl_get_effective_cpu_isa()) & int(dnnl_cpu_isa_avx2)) == int(dnnl_cpu_isa_avx2);
  double work = double(m) * double(n) * double(k);
  if (!able || work < 1e6 || (ta && tb) || n < 64) return false;
  if (tb && m > 8 && (m < 48 || n < 128)) return false;
  OneThread one;
  return dnnl_sgemm(ta ? 'T' : 'N', tb ? 'T' : 'N', m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) == dnnl_success;
}

}  // namespace flx

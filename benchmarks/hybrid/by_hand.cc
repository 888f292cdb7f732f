// SPDX-License-Identifier: Apache-2.0
// The chain of hybrid_bench as one loop, for this very machine and no other: what a fused chain can reach.
#include <cstdint>

void ChainByHand(const float* x, int64_t n, float* y) {
#pragma omp parallel for
  for (int64_t i = 0; i < n; ++i) {
    float v = (x[i] * 2 + 1) * x[i] - 0.5f;
    y[i] = (v > 0 ? v : 0) * 0.1f;
  }
}

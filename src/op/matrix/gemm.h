// SPDX-License-Identifier: Apache-2.0
// Matrix products for all operators: C = alpha op(A) op(B) + beta C, row-major, op being the identity or the transpose.
//   Work is cut into blocks of C (and of k, for a small C) by shape only and run by ParallelFor, so the result has the same bits on any number of
//   threads; called from inside a parallel loop it runs there, on the same blocks. With beta = 0, C is not read.
//   float32 and float64 go to oneDNN (large blocks of float32), OpenBLAS or our own kernel, as built; float16 and bfloat16 are multiplied and added in float32; integers in 64 bits,
//   wrapping around.
#pragma once
#include <cstdint>

#include "base/dtype.h"

namespace flx {

// What is to be done with a block of C (rows, columns, how many of each) as soon as it is there, by the thread that made it.
struct GemmAfter {
  void (*run)(void* arg, int64_t i, int64_t j, int64_t rows, int64_t columns) = nullptr;
  void* arg = nullptr;
};
// op(A) is m x k, op(B) is k x n, C is m x n; ld* is the distance in elements between the rows of A, B and C as stored.
void Gemm(DType t, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, double alpha, const void* a, int64_t lda, const void* b, int64_t ldb,
          double beta, void* c, int64_t ldc, GemmAfter after = {});

// On a device, while an operation is being issued to one: `batch` products, the arrays step_* elements apart.
void GemmBatch(DType t, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, double alpha, const void* a, int64_t lda, int64_t step_a, const void* b, int64_t ldb,
               int64_t step_b, double beta, void* c, int64_t ldc, int64_t step_c, int64_t batch);

// One block, serially: gemm_openblas.cc or gemm_plain.cc, whichever is built. Safe to call from several threads at once.
void GemmBlock(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, float alpha, const float* a, int64_t lda, const float* b, int64_t ldb, float beta, float* c, int64_t ldc);
void GemmBlock(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, double alpha, const double* a, int64_t lda, const double* b, int64_t ldb, double beta, double* c, int64_t ldc);
bool GemmBlockLikesSmall();  // GemmBlock has kernels of its own for a small C (measured: up to 1024 elements, on AVX-512)
// ... or by another library, where one is built in (gemm_part_dnnl.cc, else gemm_part_none.cc) and the faster one for these sizes; false: not taken.
bool GemmPart(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, float alpha, const float* a, int64_t lda, const float* b, int64_t ldb, float beta, float* c, int64_t ldc);

// A few rows of A by the transpose of B (gemm_rows.cc): columns [j0, j1) of C.
template <class T> struct GemmRowsJob { int64_t m, k; T alpha, beta; const T* a; int64_t lda; const T* b; int64_t ldb; T* c; int64_t ldc; };
void GemmRows(const GemmRowsJob<float>& g, int64_t j0, int64_t j1);
void GemmRows(const GemmRowsJob<double>& g, int64_t j0, int64_t j1);

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// Matrix products: by cuBLASLt where it is found and serves the dtype, else by a plain kernel, which integers always take (exact, modulo 2^64).
#include "cuda/matmul.h"

#include "cuda/elements.h"

namespace flx::cuda {
namespace {

template <class C> FLX_HD C Times(C a, C b) {
  if constexpr (std::is_integral_v<C>) return C(uint64_t(a) * uint64_t(b)); else return a * b;
}
template <class C> FLX_HD C Plus(C a, C b) {
  if constexpr (std::is_integral_v<C>) return C(uint64_t(a) + uint64_t(b)); else return a + b;
}
// Tiles of both factors go through shared memory; a thread makes one element, or, in a block of fewer threads, several.
constexpr int kSide = 16;
template <class C> __global__ void ProductKernel(Product p, int64_t tiles_m, int64_t tiles_n) {
  __shared__ C a[kSide][kSide + 1], b[kSide][kSide + 1], sum[kSide][kSide];
  for (int64_t t = blockIdx.x; t < tiles_m * tiles_n * p.batch; t += gridDim.x) {
    const int64_t batch = t / (tiles_m * tiles_n), i0 = t / tiles_n % tiles_m * kSide, j0 = t % tiles_n * kSide;
    const int64_t at_a = batch * p.step_a, at_b = batch * p.step_b, at_c = batch * p.step_c;
    for (int e = int(threadIdx.x); e < kSide * kSide; e += int(blockDim.x)) sum[e / kSide][e % kSide] = C(0);
    for (int64_t k0 = 0; k0 < p.k; k0 += kSide) {
      Meet();
      for (int e = int(threadIdx.x); e < kSide * kSide; e += int(blockDim.x)) {
        const int u = e / kSide, v = e % kSide;
        // the faster index runs along memory
        const int64_t ai = i0 + (p.trans_a ? v : u), ak = k0 + (p.trans_a ? u : v), bk = k0 + (p.trans_b ? v : u), bj = j0 + (p.trans_b ? u : v);
        a[p.trans_a ? v : u][p.trans_a ? u : v] = ai < p.m && ak < p.k ? Load<C>(p.a, p.dtype, at_a + (p.trans_a ? ak * p.lda + ai : ai * p.lda + ak)) : C(0);
        b[p.trans_b ? v : u][p.trans_b ? u : v] = bk < p.k && bj < p.n ? Load<C>(p.b, p.dtype, at_b + (p.trans_b ? bj * p.ldb + bk : bk * p.ldb + bj)) : C(0);
      }
      Meet();
      for (int e = int(threadIdx.x); e < kSide * kSide; e += int(blockDim.x)) {
        const int u = e / kSide, v = e % kSide;
        C s = sum[u][v];
        for (int k = 0; k < kSide; ++k) s = Plus(s, Times(a[u][k], b[k][v]));
        sum[u][v] = s;
      }
    }
    Meet();
    for (int e = int(threadIdx.x); e < kSide * kSide; e += int(blockDim.x)) {
      const int64_t i = i0 + e / kSide, j = j0 + e % kSide;
      if (i >= p.m || j >= p.n) continue;
      const int64_t at = at_c + i * p.ldc + j;
      C v = Times(C(p.alpha), sum[e / kSide][e % kSide]);
      if (p.beta != 0) v = Plus(v, Times(C(p.beta), Load<C>(p.c, p.dtype, at)));
      Store<C>(p.c, p.dtype, at, v);
    }
    Meet();
  }
}
template <class C> int32_t Run(flx_device_queue* q, const Product& p) {
  const int64_t tm = (p.m + kSide - 1) / kSide, tn = (p.n + kSide - 1) / kSide;
  return LaunchBlocks(q, tm * tn * p.batch, &ProductKernel<C>, p, tm, tn);
}
int32_t Matmul(flx_device_queue* q, const flx_device_call* c) {
  if (c->nin != 2 || c->nout != 1 || c->nints != 12 || c->nnumbers != 2 || c->in[0].dtype != c->out[0].dtype || c->in[1].dtype != c->out[0].dtype) return FLX_DEVICE_NO_KERNEL;
  const int64_t* v = c->ints;
  return RunProduct(q, {c->in[0].data, c->in[1].data, c->out[0].data, c->out[0].dtype, v[0] != 0, v[1] != 0, v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9], v[10], v[11], c->numbers[0], c->numbers[1]}, c);
}
}  // namespace

int32_t RunProduct(flx_device_queue* q, const Product& p, const flx_device_call* c) {
  if (p.m * p.n * p.batch == 0) return FLX_DEVICE_OK;
  const DType t = DType(p.dtype);
#ifdef __CUDACC__
  if (IsFloat(t) && p.k > 0)
    if (int32_t r = CublasProduct(q, p, c); r != FLX_DEVICE_NO_KERNEL) return r;
#else
  (void)c;
#endif
  if (t == DType::kFloat64) return Run<double>(q, p);
  if (IsFloat(t)) return Run<float>(q, p);
  return Run<int64_t>(q, p);
}

void AddMatmulKernels(KernelTable* t) { t->Add(kDeviceMatmul, DeviceSignature(kDeviceMatmul), &Matmul); }
}  // namespace flx::cuda

// SPDX-License-Identifier: Apache-2.0
// Matrix products by cuBLASLt, which is opened at run time. Without it, or where it has no way, the caller's own kernel does them.
#include <cublasLt.h>

#include <cstring>
#include <map>
#include <mutex>
#include <string>

#include "base/dtype.h"
#include "cuda/library.h"
#include "cuda/matmul.h"
#include "cuda/runtime.h"

namespace flx::cuda {
namespace {

struct Library {
  decltype(&cublasLtCreate) create = nullptr;
  decltype(&cublasLtMatmul) matmul = nullptr;
  decltype(&cublasLtMatmulDescCreate) desc_create = nullptr;
  decltype(&cublasLtMatmulDescDestroy) desc_destroy = nullptr;
  decltype(&cublasLtMatmulDescSetAttribute) desc_set = nullptr;
  decltype(&cublasLtMatrixLayoutCreate) layout_create = nullptr;
  decltype(&cublasLtMatrixLayoutDestroy) layout_destroy = nullptr;
  decltype(&cublasLtMatrixLayoutSetAttribute) layout_set = nullptr;
  decltype(&cublasLtMatmulPreferenceCreate) preference_create = nullptr;
  decltype(&cublasLtMatmulPreferenceDestroy) preference_destroy = nullptr;
  decltype(&cublasLtMatmulPreferenceSetAttribute) preference_set = nullptr;
  decltype(&cublasLtMatmulAlgoGetHeuristic) heuristic = nullptr;
  OpenedLibrary so{"cuBLASLt", {"libcublasLt.so." + Number(CUBLAS_VER_MAJOR), "libcublasLt.so"}};

  static const Library& Get() {
    static const Library* lib = new Library;
    return *lib;
  }

 private:
  Library() {
    so.Find(&create, "cublasLtCreate"), so.Find(&matmul, "cublasLtMatmul");
    so.Find(&desc_create, "cublasLtMatmulDescCreate"), so.Find(&desc_destroy, "cublasLtMatmulDescDestroy"), so.Find(&desc_set, "cublasLtMatmulDescSetAttribute");
    so.Find(&layout_create, "cublasLtMatrixLayoutCreate"), so.Find(&layout_destroy, "cublasLtMatrixLayoutDestroy"), so.Find(&layout_set, "cublasLtMatrixLayoutSetAttribute");
    so.Find(&preference_create, "cublasLtMatmulPreferenceCreate"), so.Find(&preference_destroy, "cublasLtMatmulPreferenceDestroy");
    so.Find(&preference_set, "cublasLtMatmulPreferenceSetAttribute"), so.Find(&heuristic, "cublasLtMatmulAlgoGetHeuristic");
  }
};

// A product's descriptors; what could not be made stays null.
struct Plan {
  const Library& lib;
  cublasLtMatmulDesc_t desc = nullptr;
  cublasLtMatrixLayout_t a = nullptr, b = nullptr, c = nullptr;
  explicit Plan(const Library& l) : lib(l) {}
  Plan(const Plan&) = delete;
  ~Plan() {
    if (desc) lib.desc_destroy(desc);
    for (auto layout : {a, b, c}) if (layout) lib.layout_destroy(layout);
  }
  bool Layout(cublasLtMatrixLayout_t* to, cudaDataType_t t, int64_t rows, int64_t columns, int64_t ld, int64_t batch, int64_t step) {
    if (lib.layout_create(to, t, uint64_t(rows), uint64_t(columns), ld) != CUBLAS_STATUS_SUCCESS) return false;
    if (batch == 1) return true;
    const auto count = int32_t(batch);
    return lib.layout_set(*to, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof count) == CUBLAS_STATUS_SUCCESS &&
           lib.layout_set(*to, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &step, sizeof step) == CUBLAS_STATUS_SUCCESS;
  }
};
constexpr uint64_t kWorkspace = uint64_t(32) << 20;

// The handle of a device, and the ways that were chosen on it: choosing costs more than a small product.
struct PerDevice {
  std::mutex mutex;
  cublasLtHandle_t handle = nullptr;
  bool tried = false;
  std::map<std::string, cublasLtMatmulHeuristicResult_t> chosen;
};
bool Aligned(const void* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; }
}  // namespace

int32_t CublasProduct(flx_device_queue* q, const Product& p, const flx_device_call* call) try {
  const Library& lib = Library::Get();
  // Its leading dimensions must not be below the rows' lengths; a batch is counted in 32 bits.
  if (!lib.so.whole() || p.batch > INT32_MAX || p.lda < (p.trans_a ? p.m : p.k) || p.ldb < (p.trans_b ? p.k : p.n) || p.ldc < p.n) return FLX_DEVICE_NO_KERNEL;
  OnDevice on(q->device);
  if (on.result() != cudaSuccess) return Result(on.result(), "cudaSetDevice");
  const auto t = DType(p.dtype);
  const bool wide = t == DType::kFloat64;
  const cudaDataType_t type = wide ? CUDA_R_64F : t == DType::kFloat32 ? CUDA_R_32F : t == DType::kFloat16 ? CUDA_R_16F : CUDA_R_16BF;
  const bool tf32 = t == DType::kFloat32 && FLX_CALL_HAS(call, FLX_CALL_TF32_PRODUCTS);
  const cublasComputeType_t compute = wide ? CUBLAS_COMPUTE_64F : tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
  Plan plan(lib);
  // Row-major c = a b is column-major c' = b' a': the operands are exchanged and nothing else.
  const cublasOperation_t first = p.trans_b ? CUBLAS_OP_T : CUBLAS_OP_N, second = p.trans_a ? CUBLAS_OP_T : CUBLAS_OP_N;
  bool made = lib.desc_create(&plan.desc, compute, wide ? CUDA_R_64F : CUDA_R_32F) == CUBLAS_STATUS_SUCCESS &&
              lib.desc_set(plan.desc, CUBLASLT_MATMUL_DESC_TRANSA, &first, sizeof first) == CUBLAS_STATUS_SUCCESS &&
              lib.desc_set(plan.desc, CUBLASLT_MATMUL_DESC_TRANSB, &second, sizeof second) == CUBLAS_STATUS_SUCCESS &&
              plan.Layout(&plan.a, type, p.trans_b ? p.k : p.n, p.trans_b ? p.n : p.k, p.ldb, p.batch, p.step_b) &&
              plan.Layout(&plan.b, type, p.trans_a ? p.m : p.k, p.trans_a ? p.k : p.m, p.lda, p.batch, p.step_a) &&
              plan.Layout(&plan.c, type, p.n, p.m, p.ldc, p.batch, p.step_c);
  if (!made) return FLX_DEVICE_NO_KERNEL;

  PerDevice& device = OfDevice<PerDevice>(q->device);
  cublasLtMatmulHeuristicResult_t way;
  {
    std::lock_guard<std::mutex> lock(device.mutex);
    if (!device.tried) {
      device.tried = true;
      if (lib.create(&device.handle) != CUBLAS_STATUS_SUCCESS) device.handle = nullptr;
    }
    if (!device.handle) return FLX_DEVICE_NO_KERNEL;
    const int64_t fields[] = {p.dtype, int64_t(compute), p.trans_a, p.trans_b, p.m, p.n, p.k, p.lda, p.ldb, p.ldc, p.batch, p.step_a, p.step_b, p.step_c, Aligned(p.a) && Aligned(p.b) && Aligned(p.c)};
    const std::string key(reinterpret_cast<const char*>(fields), sizeof fields);
    auto it = device.chosen.find(key);
    if (it == device.chosen.end()) {
      cublasLtMatmulPreference_t preference = nullptr;
      if (lib.preference_create(&preference) != CUBLAS_STATUS_SUCCESS) return FLX_DEVICE_NO_KERNEL;
      const uint32_t alignment = fields[14] ? 16 : uint32_t(DTypeSize(t));
      lib.preference_set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &kWorkspace, sizeof kWorkspace);
      for (auto what : {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
                        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
        lib.preference_set(preference, what, &alignment, sizeof alignment);
      cublasLtMatmulHeuristicResult_t best = {};
      int found = 0;
      const cublasStatus_t s = lib.heuristic(device.handle, plan.desc, plan.a, plan.b, plan.c, plan.c, preference, 1, &best, &found);
      lib.preference_destroy(preference);
      if (s != CUBLAS_STATUS_SUCCESS || !found) best.state = CUBLAS_STATUS_NOT_SUPPORTED;
      it = device.chosen.emplace(key, best).first;
    }
    way = it->second;
  }
  if (way.state != CUBLAS_STATUS_SUCCESS) return FLX_DEVICE_NO_KERNEL;
  void* workspace = nullptr;
  if (way.workspaceSize > 0)
    if (int32_t r = call->scratch(call->context, int64_t(way.workspaceSize), &workspace)) return r;
  const float alpha32 = float(p.alpha), beta32 = float(p.beta);
  const void *alpha = wide ? static_cast<const void*>(&p.alpha) : &alpha32, *beta = wide ? static_cast<const void*>(&p.beta) : &beta32;
  const cublasStatus_t s = lib.matmul(device.handle, plan.desc, alpha, p.b, plan.a, p.a, plan.b, beta, p.c, plan.c, p.c, plan.c, &way.algo, workspace, way.workspaceSize, q->stream);
  if (s == CUBLAS_STATUS_SUCCESS) return FLX_DEVICE_OK;
  const std::string text = "cublasLtMatmul: status " + Number(int(s));
  return Failed(s == CUBLAS_STATUS_EXECUTION_FAILED || s == CUBLAS_STATUS_INTERNAL_ERROR ? FLX_DEVICE_LOST : FLX_DEVICE_ERROR, text.c_str());
} catch (...) {  // no memory for a name
  return Failed(FLX_DEVICE_ERROR, "no host memory for a matrix product");
}

}  // namespace flx::cuda

// SPDX-License-Identifier: Apache-2.0
// Convolutions by cuDNN, which is opened at run time. A convolution's descriptors and the algorithm chosen for it are kept by its shape: choosing costs more
// than a small convolution. Whatever it does not serve goes back to the caller's own kernel.
#include "cuda/cudnn.h"

#include <cudnn.h>
#include <dlfcn.h>

#include <cstring>
#include <map>
#include <mutex>
#include <string>

#include "base/dtype.h"
#include "cuda/runtime.h"

namespace flx::cuda {
namespace {

#ifndef FLEXOR_CUDNN_LIBRARY  // of the tests' emulated device: a library that computes by plain loops
constexpr char kLibrary[] = {'l', 'i', 'b', 'c', 'u', 'd', 'n', 'n', '.', 's', 'o', '.', '0' + CUDNN_MAJOR, 0};
#else
constexpr char kLibrary[] = FLEXOR_CUDNN_LIBRARY;
#endif
#define FLX_CUDNN_FUNCTIONS(X) \
  X(cudnnCreate) X(cudnnSetStream) X(cudnnGetErrorString) X(cudnnCreateTensorDescriptor) X(cudnnDestroyTensorDescriptor) X(cudnnSetTensorNdDescriptor) \
  X(cudnnCreateFilterDescriptor) X(cudnnDestroyFilterDescriptor) X(cudnnSetFilterNdDescriptor) X(cudnnCreateConvolutionDescriptor) \
  X(cudnnDestroyConvolutionDescriptor) X(cudnnSetConvolutionNdDescriptor) X(cudnnSetConvolutionGroupCount) X(cudnnSetConvolutionMathType) \
  X(cudnnGetConvolutionForwardAlgorithm_v7) X(cudnnFindConvolutionForwardAlgorithmEx) X(cudnnGetConvolutionForwardWorkspaceSize) X(cudnnConvolutionForward) \
  X(cudnnGetConvolutionBackwardDataAlgorithm_v7) X(cudnnFindConvolutionBackwardDataAlgorithmEx) X(cudnnGetConvolutionBackwardDataWorkspaceSize) \
  X(cudnnConvolutionBackwardData) X(cudnnGetConvolutionBackwardFilterAlgorithm_v7) X(cudnnFindConvolutionBackwardFilterAlgorithmEx) \
  X(cudnnGetConvolutionBackwardFilterWorkspaceSize) X(cudnnConvolutionBackwardFilter)
struct Library {
#define X(name) decltype(&::name) name = nullptr;
  FLX_CUDNN_FUNCTIONS(X)
#undef X
  bool whole = false;

  static const Library& Get() {
    static const Library* lib = [] {
      auto* l = new Library;
      void* so = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
      if (!so) return l;
      l->whole = true;
#define X(name) l->name = reinterpret_cast<decltype(l->name)>(dlsym(so, #name)), l->whole &= l->name != nullptr;
      FLX_CUDNN_FUNCTIONS(X)
#undef X
      return l;
    }();
    return *lib;
  }
};
bool Ok(cudnnStatus_t s) { return s == CUDNN_STATUS_SUCCESS; }

struct Plan {
  const Library& lib;
  cudnnTensorDescriptor_t x = nullptr, y = nullptr;
  cudnnFilterDescriptor_t w = nullptr;
  cudnnConvolutionDescriptor_t conv = nullptr;
  bool usable = false;  // there is an algorithm
  int algorithm = 0;
  size_t workspace = 0;
  explicit Plan(const Library& l) : lib(l) {}
  Plan(const Plan&) = delete;
  ~Plan() {
    if (x) lib.cudnnDestroyTensorDescriptor(x);
    if (y) lib.cudnnDestroyTensorDescriptor(y);
    if (w) lib.cudnnDestroyFilterDescriptor(w);
    if (conv) lib.cudnnDestroyConvolutionDescriptor(conv);
  }
};
struct PerDevice {
  std::mutex mutex;  // held through a call: a handle serves one thread at a time
  cudnnHandle_t handle = nullptr;
  bool tried = false;
  std::map<std::string, Plan> plans;
};
constexpr size_t kMostPlans = 4096, kMostWorkspace = size_t(1) << 30;
PerDevice& Of(int32_t device) {
  static std::mutex& mutex = *new std::mutex;
  static auto& all = *new std::map<int32_t, PerDevice*>;
  std::lock_guard<std::mutex> lock(mutex);
  PerDevice*& d = all[device];
  if (!d) d = new PerDevice;
  return *d;
}

// ---- descriptors ------------------------------------------------------------------------------------------------------------------------
cudnnDataType_t TypeOf(DType t) {
  return t == DType::kFloat64 ? CUDNN_DATA_DOUBLE : t == DType::kFloat16 ? CUDNN_DATA_HALF : t == DType::kBfloat16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
}
constexpr int kMostAxes = 5;
// (batch, channels, places...) whatever the order in memory, which the strides tell.
bool Describe(const Library& lib, cudnnTensorDescriptor_t* to, cudnnDataType_t t, const ConvolutionInts& g, int64_t channels, const int64_t* places, int axes) {
  int dim[kMostAxes] = {int(g.n), int(channels)}, stride[kMostAxes];
  for (int i = 0; i < axes; ++i) dim[2 + i] = int(places[3 - axes + i]);
  int64_t step = g.last ? channels : 1, all = channels;
  for (int i = axes + 1; i >= 2; --i) stride[i] = int(step), step *= dim[i], all *= dim[i];
  stride[1] = g.last ? 1 : int(step), stride[0] = int(all);
  return Ok(lib.cudnnCreateTensorDescriptor(to)) && Ok(lib.cudnnSetTensorNdDescriptor(*to, t, axes + 2, dim, stride));
}
bool Describe(Plan* p, const ConvolutionInts& g, DType dtype, cudnnMathType_t math) {
  const Library& lib = p->lib;
  const cudnnDataType_t t = TypeOf(dtype);
  const int axes = g.nd == 3 ? 3 : 2, skip = 3 - axes;
  int filter[kMostAxes] = {int(g.o), int(g.c / g.g)}, pad[3], stride[3], dilate[3];
  for (int i = 0; i < axes; ++i) {
    filter[2 + i] = int(g.k[skip + i]);
    pad[i] = int(g.p[skip + i]), stride[i] = int(g.s[skip + i]), dilate[i] = int(g.d[skip + i]);
  }
  return Describe(lib, &p->x, t, g, g.c, g.in, axes) && Describe(lib, &p->y, t, g, g.o, g.out, axes) && Ok(lib.cudnnCreateFilterDescriptor(&p->w)) &&
         Ok(lib.cudnnSetFilterNdDescriptor(p->w, t, g.last ? CUDNN_TENSOR_NHWC : CUDNN_TENSOR_NCHW, axes + 2, filter)) && Ok(lib.cudnnCreateConvolutionDescriptor(&p->conv)) &&
         Ok(lib.cudnnSetConvolutionNdDescriptor(p->conv, axes, pad, stride, dilate, CUDNN_CROSS_CORRELATION, t == CUDNN_DATA_DOUBLE ? CUDNN_DATA_DOUBLE : CUDNN_DATA_FLOAT)) &&
         Ok(lib.cudnnSetConvolutionGroupCount(p->conv, int(g.g))) && Ok(lib.cudnnSetConvolutionMathType(p->conv, math));
}

// ---- the three passes, which differ in names and in the order of what they take ------------------------------------------------------------
struct Use {
  const Library& lib;
  cudnnHandle_t handle;
  const Plan& p;
  const ConvArrays& a;
};
template <ConvPass> struct Pass;
template <> struct Pass<ConvPass::kForward> {
  using Perf = cudnnConvolutionFwdAlgoPerf_t;
  static cudnnStatus_t Ask(const Use& u, int most, int* n, Perf* out) { return u.lib.cudnnGetConvolutionForwardAlgorithm_v7(u.handle, u.p.x, u.p.w, u.p.conv, u.p.y, most, n, out); }
  static cudnnStatus_t Measure(const Use& u, int most, int* n, Perf* out, void* space, size_t bytes) {
    return u.lib.cudnnFindConvolutionForwardAlgorithmEx(u.handle, u.p.x, u.a.x, u.p.w, u.a.w, u.p.conv, u.p.y, u.a.y, most, n, out, space, bytes);
  }
  static cudnnStatus_t Space(const Use& u, decltype(Perf::algo) algo, size_t* bytes) {
    return u.lib.cudnnGetConvolutionForwardWorkspaceSize(u.handle, u.p.x, u.p.w, u.p.conv, u.p.y, algo, bytes);
  }
  static cudnnStatus_t Run(const Use& u, const void* one, const void* zero, void* space) {
    return u.lib.cudnnConvolutionForward(u.handle, one, u.p.x, u.a.x, u.p.w, u.a.w, u.p.conv, decltype(Perf::algo)(u.p.algorithm), space, u.p.workspace, zero, u.p.y, u.a.y);
  }
};
template <> struct Pass<ConvPass::kGradData> {
  using Perf = cudnnConvolutionBwdDataAlgoPerf_t;
  static cudnnStatus_t Ask(const Use& u, int most, int* n, Perf* out) { return u.lib.cudnnGetConvolutionBackwardDataAlgorithm_v7(u.handle, u.p.w, u.p.y, u.p.conv, u.p.x, most, n, out); }
  static cudnnStatus_t Measure(const Use& u, int most, int* n, Perf* out, void* space, size_t bytes) {
    return u.lib.cudnnFindConvolutionBackwardDataAlgorithmEx(u.handle, u.p.w, u.a.w, u.p.y, u.a.y, u.p.conv, u.p.x, u.a.x, most, n, out, space, bytes);
  }
  static cudnnStatus_t Space(const Use& u, decltype(Perf::algo) algo, size_t* bytes) {
    return u.lib.cudnnGetConvolutionBackwardDataWorkspaceSize(u.handle, u.p.w, u.p.y, u.p.conv, u.p.x, algo, bytes);
  }
  static cudnnStatus_t Run(const Use& u, const void* one, const void* zero, void* space) {
    return u.lib.cudnnConvolutionBackwardData(u.handle, one, u.p.w, u.a.w, u.p.y, u.a.y, u.p.conv, decltype(Perf::algo)(u.p.algorithm), space, u.p.workspace, zero, u.p.x, u.a.x);
  }
};
template <> struct Pass<ConvPass::kGradWeight> {
  using Perf = cudnnConvolutionBwdFilterAlgoPerf_t;
  static cudnnStatus_t Ask(const Use& u, int most, int* n, Perf* out) { return u.lib.cudnnGetConvolutionBackwardFilterAlgorithm_v7(u.handle, u.p.x, u.p.y, u.p.conv, u.p.w, most, n, out); }
  static cudnnStatus_t Measure(const Use& u, int most, int* n, Perf* out, void* space, size_t bytes) {
    return u.lib.cudnnFindConvolutionBackwardFilterAlgorithmEx(u.handle, u.p.x, u.a.x, u.p.y, u.a.y, u.p.conv, u.p.w, u.a.w, most, n, out, space, bytes);
  }
  static cudnnStatus_t Space(const Use& u, decltype(Perf::algo) algo, size_t* bytes) {
    return u.lib.cudnnGetConvolutionBackwardFilterWorkspaceSize(u.handle, u.p.x, u.p.y, u.p.conv, u.p.w, algo, bytes);
  }
  static cudnnStatus_t Run(const Use& u, const void* one, const void* zero, void* space) {
    return u.lib.cudnnConvolutionBackwardFilter(u.handle, one, u.p.x, u.a.x, u.p.y, u.a.y, u.p.conv, decltype(Perf::algo)(u.p.algorithm), space, u.p.workspace, zero, u.p.w, u.a.w);
  }
};

struct Wish { bool measured, deterministic, fma; };  // fma: float32 is not to be rounded to TF32 on the way
// The fastest algorithm, as cuDNN guesses or measures it, that is allowed and whose workspace is not too large.
template <ConvPass kPass> void Choose(const Use& u, Plan* p, const Wish& wish, const flx_device_call* call) {
  using Perf = typename Pass<kPass>::Perf;
  constexpr int kMost = 16;
  Perf found[kMost] = {};
  int n = 0;
  void* space = nullptr;
  constexpr size_t kRoom = size_t(256) << 20;  // to measure in
  bool known = false;
  if (wish.measured && call->scratch(call->context, int64_t(kRoom), &space) == FLX_DEVICE_OK) known = Ok(Pass<kPass>::Measure(u, kMost, &n, found, space, kRoom));
  if (!known && !Ok(Pass<kPass>::Ask(u, kMost, &n, found))) return;
  for (int i = 0; i < n; ++i) {
    if (!Ok(found[i].status) || (wish.deterministic && found[i].determinism != CUDNN_DETERMINISTIC)) continue;
    const cudnnMathType_t math = wish.fma ? CUDNN_FMA_MATH : found[i].mathType;
    size_t bytes = 0;
    if (!Ok(u.lib.cudnnSetConvolutionMathType(p->conv, math)) || !Ok(Pass<kPass>::Space(u, found[i].algo, &bytes)) || bytes > kMostWorkspace) continue;
    p->usable = true, p->algorithm = int(found[i].algo), p->workspace = bytes;
    return;
  }
}
template <ConvPass kPass> int32_t Run(flx_device_queue* q, const ConvolutionInts& g, const ConvArrays& a, const flx_device_call* call) {
  const Library& lib = Library::Get();
  const DType t = DType(a.dtype);
  if (!lib.whole) return FLX_DEVICE_NO_KERNEL;
  // Its sizes have 31 bits, and its vector loads want aligned arrays.
  const int64_t nx = g.n * g.c * g.in[0] * g.in[1] * g.in[2], ny = g.n * g.o * g.out[0] * g.out[1] * g.out[2], nw = g.o * (g.c / g.g) * g.k[0] * g.k[1] * g.k[2];
  for (int64_t n : {nx, ny, nw, g.p[0], g.p[1], g.p[2], g.s[0], g.s[1], g.s[2], g.d[0], g.d[1], g.d[2]}) if (n > INT32_MAX) return FLX_DEVICE_NO_KERNEL;
  for (const void* p : {a.x, a.w, a.y}) if (reinterpret_cast<uintptr_t>(p) % 16 != 0) return FLX_DEVICE_NO_KERNEL;
  OnDevice on(DeviceOf(q));
  if (on.result() != cudaSuccess) return Result(on.result(), "cudaSetDevice");
  PerDevice& device = Of(DeviceOf(q));
  std::lock_guard<std::mutex> lock(device.mutex);
  if (!device.tried) {
    device.tried = true;
    if (!Ok(lib.cudnnCreate(&device.handle))) device.handle = nullptr;
  }
  if (!device.handle || !Ok(lib.cudnnSetStream(device.handle, StreamOf(q)))) return FLX_DEVICE_NO_KERNEL;

  const bool half = t == DType::kFloat16 || t == DType::kBfloat16;
  Wish wish = {FLX_CALL_HAS(call, FLX_CALL_AUTOTUNE), FLX_CALL_HAS(call, FLX_CALL_DETERMINISTIC), t == DType::kFloat32 && !FLX_CALL_HAS(call, FLX_CALL_TF32_CONVOLUTIONS)};
  const auto key_of = [&] {
    const char kind[] = {char(kPass), char(t), char(wish.measured), char(wish.deterministic), char(wish.fma)};
    return std::string(reinterpret_cast<const char*>(&g), sizeof g).append(kind, sizeof kind);
  };
  std::string key = key_of();
  auto it = device.plans.find(key);
  if (it == device.plans.end() && wish.measured && Capturing(q)) {  // measuring waits for the device, which work that is being captured cannot
    wish.measured = false, key = key_of();
    it = device.plans.find(key);
  }
  if (it == device.plans.end()) {
    if (device.plans.size() >= kMostPlans) device.plans.clear();
    it = device.plans.try_emplace(key, lib).first;
    Plan& p = it->second;
    if (Describe(&p, g, t, half ? CUDNN_TENSOR_OP_MATH : wish.fma ? CUDNN_FMA_MATH : CUDNN_DEFAULT_MATH)) Choose<kPass>({lib, device.handle, p, a}, &p, wish, call);
  }
  Plan& p = it->second;
  if (!p.usable) return FLX_DEVICE_NO_KERNEL;
  void* space = nullptr;
  if (p.workspace > 0 && call->scratch(call->context, int64_t(p.workspace), &space) != FLX_DEVICE_OK) return FLX_DEVICE_NO_KERNEL;  // ours needs less
  const float one32 = 1, zero32 = 0;
  const double one64 = 1, zero64 = 0;
  const bool wide = t == DType::kFloat64;
  const cudnnStatus_t s = Pass<kPass>::Run({lib, device.handle, p, a}, wide ? static_cast<const void*>(&one64) : &one32, wide ? static_cast<const void*>(&zero64) : &zero32, space);
  if (Ok(s)) return FLX_DEVICE_OK;
  if (s >= CUDNN_STATUS_BAD_PARAM && s < CUDNN_STATUS_INTERNAL_ERROR) {  // refused before anything was issued
    p.usable = false;
    return FLX_DEVICE_NO_KERNEL;
  }
  const std::string text = std::string("cuDNN: ") + lib.cudnnGetErrorString(s);
  return Failed(s >= CUDNN_STATUS_EXECUTION_FAILED ? FLX_DEVICE_LOST : FLX_DEVICE_ERROR, text.c_str());
}
}  // namespace

int32_t CudnnConvolution(flx_device_queue* q, ConvPass pass, const ConvolutionInts& g, const ConvArrays& arrays, const flx_device_call* call) try {
  switch (pass) {
    case ConvPass::kForward: return Run<ConvPass::kForward>(q, g, arrays, call);
    case ConvPass::kGradData: return Run<ConvPass::kGradData>(q, g, arrays, call);
    default: return Run<ConvPass::kGradWeight>(q, g, arrays, call);
  }
} catch (...) {  // no memory for a name
  return Failed(FLX_DEVICE_ERROR, "no host memory for a convolution");
}

}  // namespace flx::cuda

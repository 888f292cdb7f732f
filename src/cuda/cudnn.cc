// SPDX-License-Identifier: Apache-2.0
// Convolutions by cuDNN. A convolution's descriptors and the algorithm chosen for it are kept by its shape: choosing costs more than a small convolution.
// Whatever it does not serve goes back to the caller's own kernel.
#include "cuda/cudnn.h"

#include <map>
#include <string>

#include "cuda/cudnn_library.h"

namespace flx::cuda {
namespace {

struct Plan {
  const CudnnLibrary& lib;
  CudnnTensor x{lib}, y{lib};
  cudnnFilterDescriptor_t w = nullptr;
  cudnnConvolutionDescriptor_t conv = nullptr;
  bool usable = false;  // there is an algorithm
  int algorithm = 0;
  size_t workspace = 0;
  explicit Plan(const CudnnLibrary& l) : lib(l) {}
  Plan(const Plan&) = delete;
  ~Plan() {
    if (w) lib.cudnnDestroyFilterDescriptor(w);
    if (conv) lib.cudnnDestroyConvolutionDescriptor(conv);
  }
};
using Plans = std::map<std::string, Plan>;  // of a device; under its CudnnUse
constexpr size_t kMostPlans = 4096, kMostWorkspace = size_t(1) << 30;

// ---- descriptors ------------------------------------------------------------------------------------------------------------------------
constexpr int kMostAxes = 5;
bool Describe(CudnnTensor* to, cudnnDataType_t t, const ConvolutionInts& g, int64_t channels, const int64_t* places, int axes) {
  int dim[kMostAxes] = {int(g.n), int(channels)}, stride[kMostAxes];
  for (int i = 0; i < axes; ++i) dim[2 + i] = int(places[3 - axes + i]);
  int64_t step = g.last ? channels : 1, all = channels;
  for (int i = axes + 1; i >= 2; --i) stride[i] = int(step), step *= dim[i], all *= dim[i];
  stride[1] = g.last ? 1 : int(step), stride[0] = int(all);
  return to->Set(t, axes + 2, dim, stride);
}
bool Describe(Plan* p, const ConvolutionInts& g, DType dtype, cudnnMathType_t math) {
  const CudnnLibrary& lib = p->lib;
  const cudnnDataType_t t = CudnnType(dtype);
  const int axes = g.nd == 3 ? 3 : 2, skip = 3 - axes;
  int filter[kMostAxes] = {int(g.o), int(g.c / g.g)}, pad[3], stride[3], dilate[3];
  for (int i = 0; i < axes; ++i) {
    filter[2 + i] = int(g.k[skip + i]);
    pad[i] = int(g.p[skip + i]), stride[i] = int(g.s[skip + i]), dilate[i] = int(g.d[skip + i]);
  }
  return Describe(&p->x, t, g, g.c, g.in, axes) && Describe(&p->y, t, g, g.o, g.out, axes) && Ok(lib.cudnnCreateFilterDescriptor(&p->w)) &&
         Ok(lib.cudnnSetFilterNdDescriptor(p->w, t, g.last ? CUDNN_TENSOR_NHWC : CUDNN_TENSOR_NCHW, axes + 2, filter)) && Ok(lib.cudnnCreateConvolutionDescriptor(&p->conv)) &&
         Ok(lib.cudnnSetConvolutionNdDescriptor(p->conv, axes, pad, stride, dilate, CUDNN_CROSS_CORRELATION, t == CUDNN_DATA_DOUBLE ? CUDNN_DATA_DOUBLE : CUDNN_DATA_FLOAT)) &&
         Ok(lib.cudnnSetConvolutionGroupCount(p->conv, int(g.g))) && Ok(lib.cudnnSetConvolutionMathType(p->conv, math));
}

// ---- the three passes, which differ in names and in the order of what they take ------------------------------------------------------------
struct Use {
  const CudnnLibrary& lib;
  cudnnHandle_t handle;
  const Plan& p;
  const ConvArrays& a;
};
template <ConvPass> struct Pass;
template <> struct Pass<ConvPass::kForward> {
  using Perf = cudnnConvolutionFwdAlgoPerf_t;
  static cudnnStatus_t Ask(const Use& u, int most, int* n, Perf* out) { return u.lib.cudnnGetConvolutionForwardAlgorithm_v7(u.handle, u.p.x.get(), u.p.w, u.p.conv, u.p.y.get(), most, n, out); }
  static cudnnStatus_t Measure(const Use& u, int most, int* n, Perf* out, void* space, size_t bytes) {
    return u.lib.cudnnFindConvolutionForwardAlgorithmEx(u.handle, u.p.x.get(), u.a.x, u.p.w, u.a.w, u.p.conv, u.p.y.get(), u.a.y, most, n, out, space, bytes);
  }
  static cudnnStatus_t Space(const Use& u, decltype(Perf::algo) algo, size_t* bytes) {
    return u.lib.cudnnGetConvolutionForwardWorkspaceSize(u.handle, u.p.x.get(), u.p.w, u.p.conv, u.p.y.get(), algo, bytes);
  }
  static cudnnStatus_t Run(const Use& u, const void* one, const void* zero, void* space) {
    return u.lib.cudnnConvolutionForward(u.handle, one, u.p.x.get(), u.a.x, u.p.w, u.a.w, u.p.conv, decltype(Perf::algo)(u.p.algorithm), space, u.p.workspace, zero, u.p.y.get(), u.a.y);
  }
};
template <> struct Pass<ConvPass::kGradData> {
  using Perf = cudnnConvolutionBwdDataAlgoPerf_t;
  static cudnnStatus_t Ask(const Use& u, int most, int* n, Perf* out) { return u.lib.cudnnGetConvolutionBackwardDataAlgorithm_v7(u.handle, u.p.w, u.p.y.get(), u.p.conv, u.p.x.get(), most, n, out); }
  static cudnnStatus_t Measure(const Use& u, int most, int* n, Perf* out, void* space, size_t bytes) {
    return u.lib.cudnnFindConvolutionBackwardDataAlgorithmEx(u.handle, u.p.w, u.a.w, u.p.y.get(), u.a.y, u.p.conv, u.p.x.get(), u.a.x, most, n, out, space, bytes);
  }
  static cudnnStatus_t Space(const Use& u, decltype(Perf::algo) algo, size_t* bytes) {
    return u.lib.cudnnGetConvolutionBackwardDataWorkspaceSize(u.handle, u.p.w, u.p.y.get(), u.p.conv, u.p.x.get(), algo, bytes);
  }
  static cudnnStatus_t Run(const Use& u, const void* one, const void* zero, void* space) {
    return u.lib.cudnnConvolutionBackwardData(u.handle, one, u.p.w, u.a.w, u.p.y.get(), u.a.y, u.p.conv, decltype(Perf::algo)(u.p.algorithm), space, u.p.workspace, zero, u.p.x.get(), u.a.x);
  }
};
template <> struct Pass<ConvPass::kGradWeight> {
  using Perf = cudnnConvolutionBwdFilterAlgoPerf_t;
  static cudnnStatus_t Ask(const Use& u, int most, int* n, Perf* out) { return u.lib.cudnnGetConvolutionBackwardFilterAlgorithm_v7(u.handle, u.p.x.get(), u.p.y.get(), u.p.conv, u.p.w, most, n, out); }
  static cudnnStatus_t Measure(const Use& u, int most, int* n, Perf* out, void* space, size_t bytes) {
    return u.lib.cudnnFindConvolutionBackwardFilterAlgorithmEx(u.handle, u.p.x.get(), u.a.x, u.p.y.get(), u.a.y, u.p.conv, u.p.w, u.a.w, most, n, out, space, bytes);
  }
  static cudnnStatus_t Space(const Use& u, decltype(Perf::algo) algo, size_t* bytes) {
    return u.lib.cudnnGetConvolutionBackwardFilterWorkspaceSize(u.handle, u.p.x.get(), u.p.y.get(), u.p.conv, u.p.w, algo, bytes);
  }
  static cudnnStatus_t Run(const Use& u, const void* one, const void* zero, void* space) {
    return u.lib.cudnnConvolutionBackwardFilter(u.handle, one, u.p.x.get(), u.a.x, u.p.y.get(), u.a.y, u.p.conv, decltype(Perf::algo)(u.p.algorithm), space, u.p.workspace, zero, u.p.w, u.a.w);
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
  const DType t = DType(a.dtype);
  // Its sizes have 31 bits.
  const int64_t nx = g.n * g.c * g.in[0] * g.in[1] * g.in[2], ny = g.n * g.o * g.out[0] * g.out[1] * g.out[2], nw = g.o * (g.c / g.g) * g.k[0] * g.k[1] * g.k[2];
  for (int64_t n : {nx, ny, nw, g.p[0], g.p[1], g.p[2], g.s[0], g.s[1], g.s[2], g.d[0], g.d[1], g.d[2]}) if (n > INT32_MAX) return FLX_DEVICE_NO_KERNEL;
  for (const void* p : {a.x, a.w, a.y}) if (!CudnnAligned(p)) return FLX_DEVICE_NO_KERNEL;
  CudnnUse use(q, call);
  if (!use) return FLX_DEVICE_NO_KERNEL;
  const CudnnLibrary& lib = use.lib;
  Plans& plans = OfDevice<Plans>(DeviceOf(q));

  const bool half = t == DType::kFloat16 || t == DType::kBfloat16;
  Wish wish = {FLX_CALL_HAS(call, FLX_CALL_AUTOTUNE), FLX_CALL_HAS(call, FLX_CALL_DETERMINISTIC), t == DType::kFloat32 && !FLX_CALL_HAS(call, FLX_CALL_TF32_CONVOLUTIONS)};
  const auto key_of = [&] {
    const char kind[] = {char(kPass), char(t), char(wish.measured), char(wish.deterministic), char(wish.fma)};
    return std::string(reinterpret_cast<const char*>(&g), sizeof g).append(kind, sizeof kind);
  };
  std::string key = key_of();
  auto it = plans.find(key);
  if (it == plans.end() && wish.measured && Capturing(q)) {  // measuring waits for the device, which work that is being captured cannot
    wish.measured = false, key = key_of();
    it = plans.find(key);
  }
  if (it == plans.end()) {
    if (plans.size() >= kMostPlans) plans.clear();
    it = plans.try_emplace(key, lib).first;
    Plan& p = it->second;
    if (Describe(&p, g, t, half ? CUDNN_TENSOR_OP_MATH : wish.fma ? CUDNN_FMA_MATH : CUDNN_DEFAULT_MATH)) Choose<kPass>({lib, use.handle, p, a}, &p, wish, call);
  }
  Plan& p = it->second;
  if (!p.usable) return FLX_DEVICE_NO_KERNEL;
  void* space = nullptr;
  if (p.workspace > 0 && call->scratch(call->context, int64_t(p.workspace), &space) != FLX_DEVICE_OK) return FLX_DEVICE_NO_KERNEL;  // ours needs less
  const CudnnFactors factor(t);
  const int32_t r = use.Result(Pass<kPass>::Run({lib, use.handle, p, a}, factor.one(), factor.zero(), space));
  if (r == FLX_DEVICE_NO_KERNEL) p.usable = false;
  return r;
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

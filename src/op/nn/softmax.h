// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "op/op.h"

namespace flx {

struct SoftmaxAttrs {
  int axis = -1;
  std::optional<double> temperature;
  DType dtype = DType::kNone;
  std::optional<bool> use_length = false;
  double Scale(bool negative) const { return (negative ? -1.0 : 1.0) / temperature.value_or(1.0); }
  bool HasLength() const { return use_length.value_or(false); }
};
struct SoftmaxKernel {
  using Signature = void(KernelContext&, const SoftmaxAttrs&, const TensorView& x, const TensorView& length, TensorView& y);
  static constexpr const char* kName = "softmax";
};
struct SoftminKernel { using Signature = SoftmaxKernel::Signature; static constexpr const char* kName = "softmin"; };
struct LogSoftmaxKernel { using Signature = SoftmaxKernel::Signature; static constexpr const char* kName = "log_softmax"; };

struct SoftmaxGradAttrs { int axis = -1; double scale = 1; };  // scale: 1 / temperature, negative for softmin
struct SoftmaxGradKernel {
  using Signature = void(KernelContext&, const SoftmaxGradAttrs&, const TensorView& y, const TensorView& dy, TensorView& dx);
  static constexpr const char* kName = "_softmax_grad";
};
struct LogSoftmaxGradKernel { using Signature = SoftmaxGradKernel::Signature; static constexpr const char* kName = "_log_softmax_grad"; };

enum class SoftmaxMode { kInstance, kChannel };
template <> struct EnumNames<SoftmaxMode> { static constexpr const char* names[] = {"instance", "channel"}; };
struct SoftmaxActivationAttrs { SoftmaxMode mode = SoftmaxMode::kInstance; };
struct SoftmaxActivationKernel {
  using Signature = void(KernelContext&, const SoftmaxActivationAttrs&, const TensorView& x, TensorView& y);
  static constexpr const char* kName = "SoftmaxActivation";
};

OpDef SoftmaxOp();
OpDef SoftminOp();
OpDef LogSoftmaxOp();
OpDef SoftmaxGradOp();
OpDef LogSoftmaxGradOp();
OpDef SoftmaxActivationOp();

class DeviceWork;
void SoftmaxOnDevice(DeviceWork* w, const TensorView& x, const TensorView& length, int64_t outer, int64_t n, int64_t inner, double scale, bool log, const TensorView& y);  // length may be null
// For kernels that hold a softmax: x seen as (outer, n, inner), normalised over n. y may be x.
template <class T> void SoftmaxLoop(const T* x, int64_t outer, int64_t n, int64_t inner, T scale, bool log, T* y);
void SoftmaxCpu(KernelContext& ctx, const SoftmaxAttrs& a, const TensorView& x, const TensorView& length, TensorView& y);
void SoftminCpu(KernelContext& ctx, const SoftmaxAttrs& a, const TensorView& x, const TensorView& length, TensorView& y);
void LogSoftmaxCpu(KernelContext& ctx, const SoftmaxAttrs& a, const TensorView& x, const TensorView& length, TensorView& y);
void SoftmaxGradCpu(KernelContext& ctx, const SoftmaxGradAttrs& a, const TensorView& y, const TensorView& dy, TensorView& dx);
void LogSoftmaxGradCpu(KernelContext& ctx, const SoftmaxGradAttrs& a, const TensorView& y, const TensorView& dy, TensorView& dx);
void SoftmaxActivationCpu(KernelContext& ctx, const SoftmaxActivationAttrs& a, const TensorView& x, TensorView& y);

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "op/nn/convolution.h"
#include "op/op.h"

namespace flx {

enum class PoolType { kMax, kAvg, kSum, kLp };
template <> struct EnumNames<PoolType> { static constexpr const char* names[] = {"max", "avg", "sum", "lp"}; };
enum class PoolConvention { kFull, kValid, kSame };
template <> struct EnumNames<PoolConvention> { static constexpr const char* names[] = {"full", "valid", "same"}; };

struct PoolWindow {
  Ints kernel, stride, pad;
  PoolType pool_type = PoolType::kMax;
  bool global_pool = false;
  PoolConvention pooling_convention = PoolConvention::kValid;
  std::optional<int> p_value;
  std::optional<bool> count_include_pad;
  std::optional<ConvLayout> layout;
  bool ChannelsLast() const { return layout && *layout >= ConvLayout::kNWC; }
};
struct PoolingAttrs : PoolWindow { bool cudnn_off = false; };
struct PoolGradAttrs : PoolWindow { Ints shape; };  // of data

// Planes are pooled one by one: of one channel, or of all channels side by side where they come last.
struct PoolGeometry {
  int64_t planes, lanes;                        // lanes: channels that lie side by side
  int64_t in[3], out[3], k[3], s[3], p[3];
  int64_t InSize() const { return in[0] * in[1] * in[2] * lanes; }
  int64_t OutSize() const { return out[0] * out[1] * out[2] * lanes; }
};
PoolGeometry PoolGeometryOf(const PoolWindow& a, const Shape& x, const Shape& y);

struct PoolingKernel {
  using Signature = void(KernelContext&, const PoolingAttrs&, const TensorView& x, TensorView& y);
  static constexpr const char* kName = "Pooling";
};
struct PoolingGradKernel {
  using Signature = void(KernelContext&, const PoolGradAttrs&, const TensorView& dy, const TensorView& x, TensorView& dx);
  static constexpr const char* kName = "_pooling_grad";
};
struct PoolingTakeKernel {
  using Signature = void(KernelContext&, const PoolingAttrs&, const TensorView& v, const TensorView& x, TensorView& y);
  static constexpr const char* kName = "_pooling_take";
};
OpDef PoolingOp();
OpDef PoolingGradOp();
OpDef PoolingTakeOp();
void PoolingCpu(KernelContext& ctx, const PoolingAttrs& a, const TensorView& x, TensorView& y);
void PoolingGradCpu(KernelContext& ctx, const PoolGradAttrs& a, const TensorView& dy, const TensorView& x, TensorView& dx);
void PoolingTakeCpu(KernelContext& ctx, const PoolingAttrs& a, const TensorView& v, const TensorView& x, TensorView& y);
// windows_device.cc
void PoolingOnDevice(KernelContext& ctx, const PoolingAttrs& a, const TensorView& x, TensorView& y);
void PoolingGradOnDevice(KernelContext& ctx, const PoolGradAttrs& a, const TensorView& dy, const TensorView& x, TensorView& dx);
void PoolingTakeOnDevice(KernelContext& ctx, const PoolingAttrs& a, const TensorView& v, const TensorView& x, TensorView& y);

}  // namespace flx

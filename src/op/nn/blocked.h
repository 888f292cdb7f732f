// SPDX-License-Identifier: Apache-2.0
// Operators on blocked arrays, which a plan's convolutions hand to each other: (n, channels / b, height, width, b), an ordinary array in which b channels
// lie side by side, so that elementwise operators take it as it is. Packed weights are arrays too, in the order that convolutions read them:
//   forward    (o / b, c / b, kernel..., b of c, b of o), or of a plain array with few channels (o / b, kernel..., c, b of o)
//   backward   (o / b, c / b, kernel..., b of o, b of c); of windows of one element, with b = 16, the first two are swapped
// Any b is computed; fast is what BestBlock() gives. A pass puts these operators into graphs; nobody else calls them.
#pragma once
#include "op/nn/batch_norm.h"
#include "op/nn/convolution.h"
#include "op/nn/pooling.h"

namespace flx {

struct ToBlockedAttrs { int64_t block = 16; };
enum class PackFor { kForward, kPlainData, kGradData };
template <> struct EnumNames<PackFor> { static constexpr const char* names[] = {"forward", "plain_data", "grad_data"}; };
struct PackAttrs { int64_t block = 16; PackFor use = PackFor::kForward; };
struct BlockedConvAttrs : ConvWindow { bool no_bias = false, relu = false; };
struct BlockedConvGradAttrs : ConvWindow { Ints shape; };  // of the result; the gradient of a weight is plain, (o, c, kernel...)

int64_t BestBlock();                                                // of this CPU: 16, 8, or 0 where there are no kernels for blocked arrays
bool TurnedForGradData(const Shape& weight, int64_t block);         // plain weight: whether (c / b, o / b) come first
Shape PlainOf(const Shape& blocked);                                // (n, c, h, w)
Shape BlockedOf(const Shape& plain, int64_t block);
Shape PackedOf(const Shape& weight, int64_t block, PackFor use);
// Whether a library's kernel takes the convolution x -> y (plain shapes; x_blocked: x is to be blocked, else it is read as it is).
enum class BlockedPass { kForward, kGradData, kGradWeight };
bool BlockedIsFast(BlockedPass pass, const ConvGeometry& g, int64_t block, bool x_blocked);

struct ToBlockedKernel {
  using Signature = void(KernelContext&, const ToBlockedAttrs&, const TensorView& x, TensorView& y);
  static constexpr const char* kName = "_to_blocked";
};
struct FromBlockedKernel {
  using Signature = void(KernelContext&, const NoAttrs&, const TensorView& x, TensorView& y);
  static constexpr const char* kName = "_from_blocked";
};
struct PackWeightKernel {
  using Signature = void(KernelContext&, const PackAttrs&, const TensorView& w, TensorView& y);
  static constexpr const char* kName = "_pack_conv_weight";
};
struct BlockedConvKernel {
  using Signature = void(KernelContext&, const BlockedConvAttrs&, const TensorView& x, const TensorView& w, const TensorView& bias, TensorView& y);
  static constexpr const char* kName = "_blocked_convolution";
};
struct BlockedConvAddKernel {
  using Signature = void(KernelContext&, const BlockedConvAttrs&, const TensorView& addend, const TensorView& x, const TensorView& w, const TensorView& bias, TensorView& y);
  static constexpr const char* kName = "_blocked_convolution_add";
};
struct BlockedConvGradDataKernel {
  using Signature = void(KernelContext&, const BlockedConvGradAttrs&, const TensorView& w, const TensorView& dy, TensorView& dx);
  static constexpr const char* kName = "_blocked_convolution_grad_data";
};
struct BlockedConvGradWeightKernel {
  using Signature = void(KernelContext&, const BlockedConvGradAttrs&, const TensorView& x, const TensorView& dy, TensorView& dw);
  static constexpr const char* kName = "_blocked_convolution_grad_weight";
};
struct BlockedPoolingKernel {
  using Signature = void(KernelContext&, const PoolingAttrs&, const TensorView& x, TensorView& y);
  static constexpr const char* kName = "_blocked_pooling";
};
struct BlockedPoolingGradKernel {
  using Signature = void(KernelContext&, const PoolGradAttrs&, const TensorView& dy, const TensorView& x, TensorView& dx);
  static constexpr const char* kName = "_blocked_pooling_grad";
};
struct BlockedBatchNormKernel : BatchNormKernel { static constexpr const char* kName = "_blocked_batch_norm"; };
struct BlockedBatchNormGradKernel : BatchNormGradKernel { static constexpr const char* kName = "_blocked_batch_norm_grad"; };

OpDef ToBlockedOp();
OpDef FromBlockedOp();
OpDef PackWeightOp();
OpDef BlockedConvOp();
OpDef BlockedConvAddOp();
OpDef BlockedConvGradDataOp();
OpDef BlockedConvGradWeightOp();
OpDef BlockedPoolingOp();
OpDef BlockedPoolingGradOp();
OpDef BlockedBatchNormOp();
OpDef BlockedBatchNormGradOp();
void AddBlockedCpuKernels(KernelList* list);
void BlockedBatchNormCpu(KernelContext& ctx, const BatchNormAttrs& a, const TensorView& x, const TensorView& gamma, const TensorView& beta, const TensorView& moving_mean,
                         const TensorView& moving_var, TensorView& y, TensorView& mean, TensorView& inv, TensorView& new_mean, TensorView& new_var);
void BlockedBatchNormGradCpu(KernelContext& ctx, const BatchNormGradAttrs& a, const TensorView& x, const TensorView& gamma, const TensorView& mean, const TensorView& inv,
                             const TensorView& dy, TensorView& dx, TensorView& dgamma, TensorView& dbeta);

// A library's, in float32, in blocked formats (blocked_dnnl.cc, else convolution_plain.cc); false: not taken.
struct BlockedConvCall {
  ConvGeometry g;
  int64_t block = 16;
  bool x_blocked = true, relu = false;
  const float *x = nullptr, *w = nullptr, *bias = nullptr, *addend = nullptr;  // addend may be y
  float* y = nullptr;
};
bool LibraryBlockedConvolution(const BlockedConvCall& c);
bool LibraryBlockedGradData(const ConvGeometry& g, int64_t block, const float* w, const float* dy, float* dx);
bool LibraryBlockedGradWeight(KernelContext& ctx, const ConvGeometry& g, int64_t block, bool x_blocked, const float* x, const float* dy, float* dw);
bool LibraryHasBlocked(int64_t block);
// `count` output channels of a packed weight (forward or plain_data) back in the plain order.
void UnpackRows(const float* packed, const Shape& weight, int64_t block, PackFor use, int64_t count, float* plain);

}  // namespace flx

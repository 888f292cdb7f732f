// SPDX-License-Identifier: Apache-2.0
// Convolution, Deconvolution and their gradients. With C(x, w) the convolution, D(w, dy) its gradient for x and W(x, dy) that for w, all three are
// bilinear and are each other's gradients, so every order of derivative exists; Deconvolution is D with a bias.
#pragma once
#include "op/op.h"

namespace flx {

enum class ConvLayout { kNCW, kNCHW, kNCDHW, kNWC, kNHWC, kNDHWC };
template <> struct EnumNames<ConvLayout> { static constexpr const char* names[] = {"NCW", "NCHW", "NCDHW", "NWC", "NHWC", "NDHWC"}; };
enum class CudnnTune { kOff, kLimitedWorkspace, kFastest };
template <> struct EnumNames<CudnnTune> { static constexpr const char* names[] = {"off", "limited_workspace", "fastest"}; };

struct ConvWindow {  // what Convolution, Deconvolution and their gradients share
  Ints kernel, stride, dilate, pad;
  int64_t num_filter = 0, num_group = 1;
  std::optional<ConvLayout> layout;
  bool ChannelsLast() const { return layout && *layout >= ConvLayout::kNWC; }
};
struct ConvolutionAttrs : ConvWindow {
  int64_t workspace = 1024;
  bool no_bias = false, cudnn_off = false;
  std::optional<CudnnTune> cudnn_tune;
};
struct DeconvolutionAttrs : ConvWindow {
  Ints adj, target_shape;
  int64_t workspace = 512;
  bool no_bias = true, cudnn_off = false;
  std::optional<CudnnTune> cudnn_tune;
};
struct ConvGradAttrs : ConvWindow { Ints shape; };  // of the result

// All numbers of a convolution x -> y, with three spatial axes (the first are 1 where there are fewer).
struct ConvGeometry {
  int nd = 2;
  bool last = false;                        // channels last
  int64_t n = 0, c = 0, o = 0, g = 1;       // batch, channels in, channels out, groups
  int64_t in[3], out[3], k[3], s[3], d[3], p[3];
  int64_t InSize() const { return in[0] * in[1] * in[2]; }
  int64_t OutSize() const { return out[0] * out[1] * out[2]; }
  int64_t KernelSize() const { return k[0] * k[1] * k[2]; }
  int64_t WeightSize() const { return o * (c / g) * KernelSize(); }
  double Flops() const { return 2.0 * double(n) * double(o) * double(OutSize()) * double(c / g) * double(KernelSize()); }
};
// An operator with a window, its first attributes defined. kernel: what that one says.
template <class A> Op<A> WindowOp(const char* name, const char* kernel) {
  Op<A> op(name);
  op.family("nn")
      .attr(&A::kernel, "kernel", kernel)
      .required()
      .attr(&A::stride, "stride", "Step of the window along each axis; () is 1.")
      .attr(&A::dilate, "dilate", "Distance between the window's elements; () is 1.")
      .attr(&A::pad, "pad", "Zeros added at both ends of each axis; () is none.")
      .attr(&A::num_filter, "num_filter", "Channels of the result.")
      .required()
      .range(1, 1e15);
  return op;
}
ConvGeometry GeometryOf(const ConvWindow& a, const Shape& x, const Shape& y);

struct ConvolutionKernel {
  using Signature = void(KernelContext&, const ConvolutionAttrs&, const TensorView& x, const TensorView& w, const TensorView& bias, TensorView& y);
  static constexpr const char* kName = "Convolution";
};
struct ConvolutionGradDataKernel {
  using Signature = void(KernelContext&, const ConvGradAttrs&, const TensorView& w, const TensorView& dy, TensorView& dx);
  static constexpr const char* kName = "_convolution_grad_data";
};
struct ConvolutionGradWeightKernel {
  using Signature = void(KernelContext&, const ConvGradAttrs&, const TensorView& x, const TensorView& dy, TensorView& dw);
  static constexpr const char* kName = "_convolution_grad_weight";
};

OpDef ConvolutionOp();
OpDef ConvolutionGradDataOp();
OpDef ConvolutionGradWeightOp();
OpDef DeconvolutionOp();

void ConvolutionCpu(KernelContext& ctx, const ConvolutionAttrs& a, const TensorView& x, const TensorView& w, const TensorView& bias, TensorView& y);
void ConvolutionGradDataCpu(KernelContext& ctx, const ConvGradAttrs& a, const TensorView& w, const TensorView& dy, TensorView& dx);
void ConvolutionGradWeightCpu(KernelContext& ctx, const ConvGradAttrs& a, const TensorView& x, const TensorView& dy, TensorView& dw);

// windows_device.cc
void ConvolutionOnDevice(KernelContext& ctx, const ConvolutionAttrs& a, const TensorView& x, const TensorView& w, const TensorView& bias, TensorView& y);
void ConvolutionGradDataOnDevice(KernelContext& ctx, const ConvGradAttrs& a, const TensorView& w, const TensorView& dy, TensorView& dx);
void ConvolutionGradWeightOnDevice(KernelContext& ctx, const ConvGradAttrs& a, const TensorView& x, const TensorView& dy, TensorView& dw);

// Our own kernels, for any dtype that Gemm takes (convolution_cpu.cc); bias may be null.
void OwnConvolution(KernelContext& ctx, const ConvGeometry& g, DType t, const void* x, const void* w, const void* bias, void* y);
void OwnConvolutionGradData(KernelContext& ctx, const ConvGeometry& g, DType t, const void* w, const void* dy, void* dx);
void OwnConvolutionGradWeight(KernelContext& ctx, const ConvGeometry& g, DType t, const void* x, const void* dy, void* dw);
// A library's, in float32, where one is built in (convolution_dnnl.cc, else convolution_plain.cc); false: not taken.
bool LibraryConvolution(KernelContext& ctx, const ConvGeometry& g, const float* x, const float* w, const float* bias, float* y);
bool LibraryConvolutionGradData(KernelContext& ctx, const ConvGeometry& g, const float* w, const float* dy, float* dx);
bool LibraryConvolutionGradWeight(KernelContext& ctx, const ConvGeometry& g, const float* x, const float* dy, float* dw);

}  // namespace flx

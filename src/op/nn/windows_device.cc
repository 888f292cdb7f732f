// SPDX-License-Identifier: Apache-2.0
// Convolution and pooling on devices: the module's kernels get the geometry as numbers.
#include <algorithm>
#include <iterator>

#include "device/kernels.h"
#include "op/nn/convolution.h"
#include "op/nn/pooling.h"
#include "tensor/device_work.h"

namespace flx {
namespace {

template <class I> void CallWithInts(const char* kernel, const TensorView* in, int nin, const TensorView& out, const I& ints) {
  static_assert(sizeof(I) % sizeof(int64_t) == 0);
  DeviceWork::Current()->Call(kernel, DeviceSignature(kernel), {in, nin, &out, 1, reinterpret_cast<const int64_t*>(&ints), int(sizeof ints / sizeof(int64_t))});
}
template <class G, class I> void CopyWindow(const G& g, I* r) {
  std::copy(std::begin(g.in), std::end(g.in), r->in), std::copy(std::begin(g.out), std::end(g.out), r->out), std::copy(std::begin(g.k), std::end(g.k), r->k);
  std::copy(std::begin(g.s), std::end(g.s), r->s), std::copy(std::begin(g.p), std::end(g.p), r->p);
}
ConvolutionInts IntsOf(const ConvWindow& a, const Shape& x, const Shape& y) {
  const ConvGeometry g = GeometryOf(a, x, y);
  ConvolutionInts r = {};
  r.nd = g.nd, r.last = g.last, r.n = g.n, r.c = g.c, r.o = g.o, r.g = g.g;
  CopyWindow(g, &r);
  std::copy(std::begin(g.d), std::end(g.d), r.d);
  return r;
}
PoolInts IntsOf(const PoolWindow& a, const Shape& x, const Shape& y) {
  const PoolGeometry g = PoolGeometryOf(a, x, y);
  PoolInts r = {};
  r.planes = g.planes, r.lanes = g.lanes;
  CopyWindow(g, &r);
  r.type = int64_t(a.pool_type), r.power = a.p_value.value_or(1), r.with_pad = a.count_include_pad.value_or(true);
  return r;
}

}  // namespace

void ConvolutionOnDevice(KernelContext&, const ConvolutionAttrs& a, const TensorView& x, const TensorView& w, const TensorView& bias, TensorView& y) {
  const TensorView in[] = {x, w, bias};
  CallWithInts(kDeviceConvolution, in, 3, y, IntsOf(a, x.shape, y.shape));
}
void ConvolutionGradDataOnDevice(KernelContext&, const ConvGradAttrs& a, const TensorView& w, const TensorView& dy, TensorView& dx) {
  const TensorView in[] = {w, dy};
  CallWithInts(kDeviceConvolutionGradData, in, 2, dx, IntsOf(a, dx.shape, dy.shape));
}
void ConvolutionGradWeightOnDevice(KernelContext&, const ConvGradAttrs& a, const TensorView& x, const TensorView& dy, TensorView& dw) {
  const TensorView in[] = {x, dy};
  CallWithInts(kDeviceConvolutionGradWeight, in, 2, dw, IntsOf(a, x.shape, dy.shape));
}
void PoolingOnDevice(KernelContext&, const PoolingAttrs& a, const TensorView& x, TensorView& y) { CallWithInts(kDevicePool, &x, 1, y, IntsOf(a, x.shape, y.shape)); }
void PoolingGradOnDevice(KernelContext&, const PoolGradAttrs& a, const TensorView& dy, const TensorView& x, TensorView& dx) {
  const TensorView in[] = {dy, x};
  CallWithInts(kDevicePoolGrad, in, x ? 2 : 1, dx, IntsOf(a, dx.shape, dy.shape));
}
void PoolingTakeOnDevice(KernelContext&, const PoolingAttrs& a, const TensorView& v, const TensorView& x, TensorView& y) {
  const TensorView in[] = {x, v};
  CallWithInts(kDevicePool, in, 2, y, IntsOf(a, x.shape, y.shape));
}

}  // namespace flx

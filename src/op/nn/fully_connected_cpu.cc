// SPDX-License-Identifier: Apache-2.0
#include "op/nn/fully_connected.h"

#include <cstring>

#include "base/thread_pool.h"
#include "op/matrix/gemm.h"
#include "op/nn/wide.h"
#include "tensor/device_work.h"

namespace flx {

static void MultiplyOnDevice(const FullyConnectedAttrs& a, const TensorView& x, const TensorView& w, const TensorView& bias, const TensorView& y) {
  const int64_t n = a.num_hidden, k = w.dim(1), m = y.size() / n;
  if (bias) {
    TensorView rows = MakeView(bias.base, bias.dtype, Shape{m, n}, bias.offset);
    rows.strides[0] = 0, rows.contiguous = m == 1;
    CopyStrided(rows, MakeView(y.base, y.dtype, Shape{m, n}, y.offset));
  }
  Gemm(x.dtype, false, true, m, n, k, 1, x.raw(), k, w.raw(), k, bias ? 1 : 0, y.raw(), n);
}
static void Multiply(KernelContext& ctx, const FullyConnectedAttrs& a, const TensorView& x0, const TensorView& w0, const TensorView& bias0, TensorView& y0, GemmAfter after) {
  if (DeviceWork::Current()) return MultiplyOnDevice(a, x0, w0, bias0, y0);
  TensorView x = Widen(ctx, x0), w = Widen(ctx, w0), bias = Widen(ctx, bias0);
  WideOut y(ctx, y0);
  int64_t n = a.num_hidden, k = w.dim(1), m = y0.size() / n;
  if (bias) {  // the product is added to rows of the bias
    size_t row = size_t(n * DTypeSize(bias.dtype));
    ParallelFor(m, GrainOf(m, n), [&](int64_t i, int64_t e) { for (; i < e; ++i) std::memcpy(y.view.data<char>() + size_t(i) * row, bias.raw(), row); });
  }
  Gemm(x.dtype, false, true, m, n, k, 1, x.raw(), k, w.raw(), k, bias ? 1 : 0, y.view.raw(), n, after);
  y.Store();
}
void FullyConnectedCpu(KernelContext& ctx, const FullyConnectedAttrs& a, const TensorView& x, const TensorView& w, const TensorView& bias, TensorView& y) {
  Multiply(ctx, a, x, w, bias, y, {});
}

namespace {
// The chain over a block of the product, in place.
struct Behind {
  const Chain* chain;
  int64_t m, n;
  const TensorView* others;  // each as a matrix
  int count;
  OutViews y;
  TensorView product;
  static TensorView Part(const TensorView& v, int64_t i, int64_t j, int64_t rows, int64_t columns) {
    TensorView p = v;
    if (v.dim(0) > 1) p.offset += i * v.strides[0] * DTypeSize(v.dtype), p.shape[0] = rows;
    if (v.dim(1) > 1) p.offset += j * v.strides[1] * DTypeSize(v.dtype), p.shape[1] = columns;
    p.contiguous = (p.dim(0) == 1 || p.strides[0] == p.dim(1)) && (p.dim(1) == 1 || p.strides[1] == 1);
    return p;
  }
  void Run(int64_t i, int64_t j, int64_t rows, int64_t columns) const {
    SmallVector<TensorView, 3> in, out;
    in.emplace_back(Part(product, i, j, rows, columns));
    for (int k = 0; k < count; ++k) in.emplace_back(Part(others[k], i, j, rows, columns));
    for (int o = 0; o < y.size(); ++o) {
      if (y[o].base == product.base && y[o].offset == product.offset) out.emplace_back(in[0]);
      else if (y[o]) out.emplace_back(Part(MakeView(y[o].base, y[o].dtype, Shape{m, n}, y[o].offset), i, j, rows, columns));
      else out.emplace_back();
    }
    RunChain("_fully_connected_chain", *chain, Views{in.data(), in.size()}, OutViews{out.data(), out.size()});
  }
};
}  // namespace

void FullyConnectedChainCpu(KernelContext& ctx, const FullyConnectedChainAttrs& a, Views in, OutViews y) {
  const int first = a.no_bias ? 2 : 3;
  const int64_t n = a.num_hidden, k = in[1].dim(1), m = k > 0 ? in[0].size() / k : in[0].shape.Product(0, a.flatten ? 1 : in[0].ndim() - 1);
  SmallVector<TensorView, 2> others;
  for (int i = first; i < in.size(); ++i) {
    const int64_t size = in[i].size();
    others.emplace_back(MakeView(in[i].base, in[i].dtype, size == m * n ? Shape{m, n} : size == n ? Shape{1, n} : Shape{1, 1}, in[i].offset));
  }
  const bool aside = !y[0];  // else the product lies where the first result will
  TensorView product = MakeView(aside ? ctx.Scratch(m * n * DTypeSize(in[0].dtype)) : y[0].base, in[0].dtype, Shape{m, n}, aside ? 0 : y[0].offset);
  Behind behind{&a.chain, m, n, others.data(), in.size() - first, y, product};
  const bool plain = WideType(in[0].dtype) == in[0].dtype;
  const GemmAfter after{[](void* arg, int64_t i, int64_t j, int64_t rows, int64_t columns) { static_cast<const Behind*>(arg)->Run(i, j, rows, columns); }, &behind};
  Multiply(ctx, a, in[0], in[1], a.no_bias ? TensorView() : in[2], product, plain ? after : GemmAfter());
  if (!plain) behind.Run(0, 0, m, n);
}

}  // namespace flx

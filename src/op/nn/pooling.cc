// SPDX-License-Identifier: Apache-2.0
#include "op/nn/pooling.h"

#include "op/nn/blocked.h"
#include "op/nn/wide.h"

namespace flx {
namespace {

int64_t At(const Ints& v, int i, int64_t otherwise) { return size_t(i) < v.size() ? v[size_t(i)] : otherwise; }
bool NeedsData(const PoolGradAttrs& a) { return a.pool_type == PoolType::kMax; }

template <class A> Op<A> PoolLike(const char* name) {
  Op<A> op(name);
  op.family("nn")
      .attr(&A::kernel, "kernel", "Sizes of the window: (width,), (height, width) or (depth, height, width). Not needed with global_pool.")
      .attr(&A::pool_type, "pool_type", "What is made of a window: its maximum, average, sum, or (sum of x^p)^(1/p).")
      .attr(&A::global_pool, "global_pool", "The window is the whole plane; kernel, stride and pad are not used.")
      .attr(&A::pooling_convention, "pooling_convention",
            "How many windows there are: `valid` rounds down, `full` rounds up, so that no element is left out, `same` gives ceil(in / stride) (max over one axis only).")
      .attr(&A::stride, "stride", "Step of the window along each axis; () is 1.")
      .attr(&A::pad, "pad", "Elements added at both ends of each axis: 0, or nothing for max. () is none.")
      .attr(&A::p_value, "p_value", "p of lp pooling: 1, 2 or 3.")
      .range(1, 3)
      .attr(&A::count_include_pad, "count_include_pad", "Whether an average counts padding; None is True.")
      .attr(&A::layout, "layout", "Order of the axes; None is NCW, NCHW or NCDHW.");
  return op;
}
void InferWindows(Infer& c, const PoolWindow& a, const Shape& x, Shape* y) {
  int nd = x.ndim() - 2;
  c.Expect(nd >= 1 && nd <= 3, "input `data` must have 3, 4 or 5 axes: batch, channel and the axes that are pooled, given ", x, ".");
  if (a.layout) {
    static constexpr int kAxes[] = {1, 2, 3, 1, 2, 3};
    c.Expect(kAxes[int(*a.layout)] == nd, "attribute `layout` ", EnumNames<ConvLayout>::names[int(*a.layout)], " does not fit data of shape ", x, ".");
  }
  c.Expect(a.pool_type != PoolType::kLp || a.p_value, "lp pooling needs `p_value`. Give p_value=2, for instance.");
  int first = a.ChannelsLast() ? 1 : 2;
  *y = x;
  if (a.global_pool) {
    for (int i = 0; i < nd; ++i) (*y)[first + i] = 1;
    return;
  }
  c.Expect(int(a.kernel.size()) == nd, "attribute `kernel` must have one size for each of the ", nd, " pooled axes of data ", x, ", given ", a.kernel,
           ". Or set global_pool=True.");
  for (auto* v : {&a.stride, &a.pad})
    c.Expect(v->empty() || int(v->size()) == nd, "attributes `stride` and `pad` must have as many sizes as `kernel` ", a.kernel, ", given ", *v, ".");
  c.Expect(a.pooling_convention != PoolConvention::kSame || (nd == 1 && a.pool_type == PoolType::kMax),
           "pooling_convention `same` is defined for max pooling over one axis only, given data ", x, ". Use `valid` or `full` and pad.");
  for (int i = 0; i < nd; ++i) {
    int64_t k = a.kernel[size_t(i)], s = At(a.stride, i, 1), p = At(a.pad, i, 0), in = x[first + i];
    c.Expect(k > 0 && s > 0 && p >= 0, "kernel and stride must be positive and pad must not be negative, given kernel ", a.kernel, ", stride ", a.stride, ", pad ", a.pad, ".");
    if (in < 0) continue;
    c.Expect(k <= in + 2 * p, "the window must not be larger than the padded data: kernel ", a.kernel, ", data ", x, " padded by ", p, " along axis ", first + i,
             ". Pad more or take a smaller kernel.");
    int64_t rest = in + 2 * p - k;
    (*y)[first + i] = a.pooling_convention == PoolConvention::kSame ? (in + 2 * p + s - 1) / s
                      : a.pooling_convention == PoolConvention::kFull ? (rest + s - 1) / s + 1
                                                                      : rest / s + 1;
  }
}
void InferPooling(Infer& c, const PoolWindow& a) {
  if (!c.x(0).rank_known()) {
    if (!c.y(0).rank_known()) return;
    Shape x = Shape::Filled(c.y(0).ndim(), -1);  // as many axes; batch and channels follow below
    c.set_x(0, x);
  }
  Shape y;
  InferWindows(c, a, c.x(0), &y);
  c.set_y(0, y);
  int channel = a.ChannelsLast() ? y.ndim() - 1 : 1;
  Shape x = c.x(0);
  x[0] = c.y(0)[0], x[channel] = c.y(0)[channel];
  c.set_x(0, x);
}
PoolGradAttrs GradAttrs(const PoolWindow& a, const Shape& s, PoolType type) {
  PoolGradAttrs r;
  static_cast<PoolWindow&>(r) = a;
  r.pool_type = type, r.shape = s.vec();
  return r;
}
PoolingAttrs Plain(const PoolWindow& a) {
  PoolingAttrs r;
  static_cast<PoolWindow&>(r) = a;
  return r;
}

}  // namespace

PoolGeometry PoolGeometryOf(const PoolWindow& a, const Shape& x, const Shape& y) {
  PoolGeometry g;
  int nd = x.ndim() - 2, first = a.ChannelsLast() ? 1 : 2, skip = 3 - nd;
  g.planes = a.ChannelsLast() ? x[0] : x[0] * x[1];
  g.lanes = a.ChannelsLast() ? x[nd + 1] : 1;
  for (int i = 0; i < 3; ++i) {
    int j = i - skip;
    bool used = j >= 0;
    g.in[i] = used ? x[first + j] : 1, g.out[i] = used ? y[first + j] : 1;
    g.k[i] = !used ? 1 : a.global_pool ? g.in[i] : a.kernel[size_t(j)];
    g.s[i] = used && !a.global_pool ? At(a.stride, j, 1) : 1, g.p[i] = used && !a.global_pool ? At(a.pad, j, 0) : 0;
  }
  return g;
}

OpDef PoolingOp() {
  return PoolLike<PoolingAttrs>("Pooling")
      .alias("_npx_pooling")
      .doc("Slides a window over data and gives one number for what it shows. Sizes: out = floor((in + 2 pad - kernel) / stride) + 1 (`valid`), with ceil for `full`. "
           "The gradient of a maximum goes to the first of equal elements. A NaN in a window makes its maximum NaN.")
      .example("Pooling(data (64, 20, 24, 24), kernel=(2, 2), stride=(2, 2)): (64, 20, 12, 12)")
      .attr(&PoolingAttrs::cudnn_off, "cudnn_off", "Accepted for MXNet's files.")
      .ignored()
      .input("data", "(batch, channel, spatial...), or (batch, spatial..., channel) by `layout`; float.")
      .output("output", "As data, with fewer places.")
      .types(SameFloat)
      .infer([](Infer& c, const PoolingAttrs& a) { InferPooling(c, a); })
      .gradient([](Grad& g, const PoolingAttrs& a) {
        if (!g.want(0)) return;
        Val dy = g.dy(0);
        const Shape& s = g.x_shape(0);
        if (a.pool_type == PoolType::kMax) {
          g.dx[0] = CallWith("_pooling_grad", {dy, g.x(0)}, GradAttrs(a, s, PoolType::kMax));
        } else if (a.pool_type != PoolType::kLp || *a.p_value == 1) {
          g.dx[0] = CallWith("_pooling_grad", {dy}, GradAttrs(a, s, a.pool_type == PoolType::kLp ? PoolType::kSum : a.pool_type));
        } else {  // (x / y)^(p - 1), and 0 where a window is all 0
          Val x = g.x(0), y = g.y(0);
          Val safe = y + CallOp("_equal_scalar", {y}, {{"scalar", "0"}});
          bool square = *a.p_value == 2;
          Val t = CallWith("_pooling_grad", {dy / (square ? safe : safe * safe)}, GradAttrs(a, s, PoolType::kSum));
          g.dx[0] = t * (square ? x : x * x);
        }
      })
      .kernel<PoolingKernel>();
}
OpDef PoolingGradOp() {
  return PoolLike<PoolGradAttrs>("_pooling_grad")
      .doc("Gradient of max, average and sum pooling for their data.")
      .traits(kInternal)
      .attr(&PoolGradAttrs::shape, "shape", "Shape of the data.")
      .input("dy", "Gradient of the output.")
      .input_when<NeedsData>("data", "Pooling's data, to find the maxima.")
      .output("dx", "Gradient of data.")
      .types(SameFloat)
      .infer([](Infer& c, const PoolGradAttrs& a) {
        c.set_x(1, Shape(a.shape));
        c.set_y(0, Shape(a.shape));
      })
      .gradient([](Grad& g, const PoolGradAttrs& a) {
        if (!g.want(0)) return;
        if (a.pool_type == PoolType::kMax) g.dx[0] = CallWith("_pooling_take", {g.dy(0), g.x(1)}, Plain(a));
        else g.dx[0] = CallWith("Pooling", {g.dy(0)}, Plain(a));
      })
      .kernel<PoolingGradKernel>();
}
OpDef PoolingTakeOp() {
  return PoolLike<PoolingAttrs>("_pooling_take")
      .doc("The element of `values` where each window of data has its maximum.")
      .traits(kInternal)
      .input("values", "As data.")
      .input("data", "Max pooling's data.")
      .output("output", "As the pooled data.")
      .types(SameFloat)
      .infer([](Infer& c, const PoolingAttrs& a) {
        c.set_x(1, c.x(0));
        InferPooling(c, a);
      })
      .gradient([](Grad& g, const PoolingAttrs& a) {
        if (g.want(0)) g.dx[0] = CallWith("_pooling_grad", {g.dy(0), g.x(1)}, GradAttrs(a, g.x_shape(0), PoolType::kMax));
      })
      .kernel<PoolingTakeKernel>();
}

// ---- the same on blocked arrays -----------------------------------------------------------------------------------------------------------
OpDef BlockedPoolingOp() {
  return PoolLike<PoolingAttrs>("_blocked_pooling")
      .doc("Pooling of a blocked array.")
      .traits(kInternal)
      .attr(&PoolingAttrs::cudnn_off, "cudnn_off", "Accepted for MXNet's files.")
      .ignored()
      .input("data", "(n, c / b, h, w, b).")
      .output("output", "As data, with fewer places.")
      .types(SameFloat)
      .infer([](Infer& c, const PoolingAttrs& a) {
        if (!c.ranked(0)) return;
        c.Expect(c.x(0).ndim() == 5, "input `data` must have 5 axes, as _to_blocked gives them, given ", c.x(0), ".");
        Shape y;
        InferWindows(c, a, PlainOf(c.x(0)), &y);
        c.set_y(0, Shape{y[0], c.x(0)[1], y[2], y[3], c.x(0)[4]});
      })
      .compose([](const std::vector<Val>& v, const PoolingAttrs& a) {
        return std::vector<Val>{CallWith("_to_blocked", {CallWith("Pooling", {CallOp("_from_blocked", {v[0]})}, a)}, ToBlockedAttrs{ShapeOf(v[0])[4]})};
      })
      .kernel<BlockedPoolingKernel>();
}
OpDef BlockedPoolingGradOp() {
  return PoolLike<PoolGradAttrs>("_blocked_pooling_grad")
      .doc("Gradient of _blocked_pooling for its data.")
      .traits(kInternal)
      .attr(&PoolGradAttrs::shape, "shape", "Shape of the data, blocked.")
      .input("dy", "Gradient of the output.")
      .input_when<NeedsData>("data", "The pooling's data, to find the maxima.")
      .output("dx", "Gradient of data.")
      .types(SameFloat)
      .infer([](Infer& c, const PoolGradAttrs& a) {
        c.Expect(a.shape.size() == 5, "attribute `shape` must have 5 sizes, given ", a.shape, ".");
        c.set_x(1, Shape(a.shape));
        c.set_y(0, Shape(a.shape));
      })
      .compose([](const std::vector<Val>& v, const PoolGradAttrs& a) {
        PoolGradAttrs plain = a;
        plain.shape = PlainOf(Shape(a.shape)).vec();
        std::vector<Val> in;
        for (size_t i = 0; i < (NeedsData(a) ? 2u : 1u); ++i) in.push_back(CallOp("_from_blocked", {v[i]}));
        return std::vector<Val>{CallWith("_to_blocked", {CallWith("_pooling_grad", in, plain)}, ToBlockedAttrs{a.shape[4]})};
      })
      .kernel<BlockedPoolingGradKernel>();
}

}  // namespace flx

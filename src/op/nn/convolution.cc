// SPDX-License-Identifier: Apache-2.0
#include "op/nn/convolution.h"

#include <algorithm>

#include "op/nn/wide.h"

namespace flx {
namespace {

int64_t At(const Ints& v, int i, int64_t otherwise) { return size_t(i) < v.size() ? v[size_t(i)] : otherwise; }
bool HasBias(const ConvolutionAttrs& a) { return !a.no_bias; }
bool DeconvolutionHasBias(const DeconvolutionAttrs& a) { return !a.no_bias; }

// Attributes that shapes cannot mend; gives the number of spatial axes.
int CheckWindow(const Infer& c, const ConvWindow& a) {
  int nd = int(a.kernel.size());
  c.Expect(nd >= 1 && nd <= 3, "attribute `kernel` must have 1, 2 or 3 sizes, given ", a.kernel, ".");
  for (auto* v : {&a.stride, &a.dilate, &a.pad})
    c.Expect(v->empty() || int(v->size()) == nd, "attributes `stride`, `dilate` and `pad` must have as many sizes as `kernel` ", a.kernel, ", given ", *v, ".");
  for (int i = 0; i < nd; ++i)
    c.Expect(a.kernel[size_t(i)] > 0 && At(a.stride, i, 1) > 0 && At(a.dilate, i, 1) > 0 && At(a.pad, i, 0) >= 0,
             "kernel, stride and dilate must be positive and pad must not be negative, given kernel ", a.kernel, ", stride ", a.stride, ", dilate ", a.dilate,
             ", pad ", a.pad, ".");
  if (a.layout) {
    static constexpr int kAxes[] = {1, 2, 3, 1, 2, 3};
    c.Expect(kAxes[int(*a.layout)] == nd, "attribute `layout` ", EnumNames<ConvLayout>::names[int(*a.layout)], " does not fit a kernel of ", nd, " axes: ", a.kernel, ".");
  }
  c.Expect(a.num_filter % a.num_group == 0, "num_filter must be a multiple of num_group, given ", a.num_filter, " and ", a.num_group, ".");
  return nd;
}
const char* LayoutText(const ConvWindow& a) {
  static constexpr const char* kFirst[] = {"(batch, channel, width)", "(batch, channel, height, width)", "(batch, channel, depth, height, width)"};
  static constexpr const char* kLast[] = {"(batch, width, channel)", "(batch, height, width, channel)", "(batch, depth, height, width, channel)"};
  return (a.ChannelsLast() ? kLast : kFirst)[a.kernel.size() - 1];
}
// A weight (first, second, kernel...), or with channels last (first, kernel..., second).
Shape WeightShape(const ConvWindow& a, int64_t first, int64_t second) {
  Shape w{first};
  if (!a.ChannelsLast()) w.push_back(second);
  for (int64_t k : a.kernel) w.push_back(k);
  if (a.ChannelsLast()) w.push_back(second);
  return w;
}
int ChannelAxis(const ConvWindow& a, int ndim) { return a.ChannelsLast() ? ndim - 1 : 1; }
Shape BiasShape(const ConvWindow& a, int ndim, int64_t n) {
  Shape s = Shape::Filled(ndim, 1);
  s[ChannelAxis(a, ndim)] = n;
  return s;
}

template <class A> Op<A> ConvLike(const char* name) {
  Op<A> op = WindowOp<A>(name, "Sizes of the window: (width,), (height, width) or (depth, height, width).");
  op.attr(&A::num_group, "num_group", "Channels are split in so many groups, each convolved by itself.")
      .range(1, 1e15)
      .attr(&A::layout, "layout", "Order of the axes; None is NCW, NCHW or NCDHW.");
  return op;
}
template <class A> Op<A> WithIgnored(Op<A> op) {
  op.attr(&A::workspace, "workspace", "Accepted for MXNet's files; memory is managed by the library.")
      .ignored()
      .attr(&A::cudnn_tune, "cudnn_tune", "Accepted for MXNet's files.")
      .ignored()
      .attr(&A::cudnn_off, "cudnn_off", "Accepted for MXNet's files.")
      .ignored();
  return op;
}

void InferConvolution(Infer& c, const ConvolutionAttrs& a) {
  int nd = CheckWindow(c, a);
  c.set_x(2, Shape{a.num_filter});
  c.set_x(1, WeightShape(a, a.num_filter, -1));
  const Shape& w = c.x(1);
  int64_t per_group = w[ChannelAxis(a, nd + 2)];
  Shape from_weight = Shape::Filled(nd + 2, -1);
  if (per_group >= 0) from_weight[ChannelAxis(a, nd + 2)] = per_group * a.num_group;
  Shape y = Shape::Filled(nd + 2, -1);
  int channel = ChannelAxis(a, nd + 2), first = a.ChannelsLast() ? 1 : 2;
  y[channel] = a.num_filter;
  c.set_y(0, y);
  from_weight[0] = c.y(0)[0];
  for (int i = 0; i < nd; ++i)  // with steps of 1 the result tells how large the data is
    if (int64_t out = c.y(0)[first + i]; out >= 0 && At(a.stride, i, 1) == 1)
      from_weight[first + i] = std::max<int64_t>(-1, out + (a.kernel[size_t(i)] - 1) * At(a.dilate, i, 1) - 2 * At(a.pad, i, 0));
  if (!c.x(0).rank_known()) c.set_x(0, from_weight);
  if (c.x(0).ndim() != nd + 2) c.Fail("input `data` must have ", nd + 2, " axes ", LayoutText(a), " for kernel ", a.kernel, ", given ", c.x(0), ".");
  if (const Shape x = c.x(0); x[channel] >= 0) {
    c.Expect(x[channel] % a.num_group == 0, "the channels of `data` must be a multiple of num_group ", a.num_group, ", given ", x, " in the order ", LayoutText(a), ".");
    Shape want = WeightShape(a, a.num_filter, x[channel] / a.num_group);
    if (per_group >= 0 && per_group != want[channel])
      c.Fail("input `weight` was expected to have shape ", want, " for data of shape ", x, ", given ", w, ".");
    c.set_x(1, want);
  }
  c.set_x(0, from_weight);
  const Shape& x = c.x(0);
  y[0] = x[0];
  for (int i = 0; i < nd; ++i) {
    int64_t have = x[first + i];
    if (have < 0) continue;
    int64_t window = (a.kernel[size_t(i)] - 1) * At(a.dilate, i, 1) + 1, padded = have + 2 * At(a.pad, i, 0);
    c.Expect(window <= padded, "the window must not be larger than the padded data: kernel ", a.kernel, " with dilate ", At(a.dilate, i, 1), " needs ", window,
             " along axis ", first + i, ", data ", x, " padded by ", At(a.pad, i, 0), " has ", padded, ". Pad more or take a smaller kernel.");
    y[first + i] = (padded - window) / At(a.stride, i, 1) + 1;
  }
  c.set_y(0, y);
}
ConvGradAttrs GradAttrs(const ConvWindow& a, const Shape& shape) {
  ConvGradAttrs r;
  static_cast<ConvWindow&>(r) = a;
  r.shape = shape.vec();
  return r;
}
ConvolutionAttrs Plain(const ConvWindow& a) {
  ConvolutionAttrs r;
  static_cast<ConvWindow&>(r) = a;
  r.no_bias = true;
  return r;
}
double Cost(const ConvWindow& a, const Shape& x, const Shape& y) { return GeometryOf(a, x, y).Flops(); }

}  // namespace

ConvGeometry GeometryOf(const ConvWindow& a, const Shape& x, const Shape& y) {
  ConvGeometry g;
  g.nd = x.ndim() - 2, g.last = a.ChannelsLast(), g.g = a.num_group;
  int channel = ChannelAxis(a, x.ndim()), first = g.last ? 1 : 2, skip = 3 - g.nd;
  g.n = x[0], g.c = x[channel], g.o = y[channel];
  for (int i = 0; i < 3; ++i) {
    bool used = i >= skip;
    int j = i - skip;
    g.in[i] = used ? x[first + j] : 1, g.out[i] = used ? y[first + j] : 1;
    g.k[i] = used ? a.kernel[size_t(j)] : 1, g.s[i] = used ? At(a.stride, j, 1) : 1;
    g.d[i] = used ? At(a.dilate, j, 1) : 1, g.p[i] = used ? At(a.pad, j, 0) : 0;
  }
  return g;
}

OpDef ConvolutionOp() {
  return WithIgnored(ConvLike<ConvolutionAttrs>("Convolution"))
      .alias("_npx_convolution")
      .doc("Slides a window over data and takes the weighted sum of what it shows (a correlation: the kernel is not flipped). "
           "Sizes: out = floor((in + 2 pad - dilate (kernel - 1) - 1) / stride) + 1.")
      .example("Convolution(data (64, 1, 28, 28), weight (20, 1, 5, 5), bias (20,), kernel=(5, 5), num_filter=20): (64, 20, 24, 24)")
      .attr(&ConvolutionAttrs::no_bias, "no_bias", "Leave out the bias.")
      .input("data", "(batch, channel, spatial...), or (batch, spatial..., channel) by `layout`.")
      .input("weight", "(num_filter, channel / num_group, kernel...); with channels last (num_filter, kernel..., channel / num_group).")
      .input_when<HasBias>("bias", "(num_filter,).")
      .output("output", "As data, with num_filter channels.")
      .types(SameNumber)
      .infer(InferConvolution)
      .gradient([](Grad& g, const ConvolutionAttrs& a) {
        Val dy = g.dy(0);
        if (g.want(0)) g.dx[0] = CallWith("_convolution_grad_data", {g.x(1), dy}, GradAttrs(a, g.x_shape(0)));
        if (g.want(1)) g.dx[1] = CallWith("_convolution_grad_weight", {g.x(0), dy}, GradAttrs(a, g.x_shape(1)));
        if (g.has(2) && g.want(2)) g.dx[2] = ReshapeTo(SumTo(dy, BiasShape(a, g.y_shape(0).ndim(), a.num_filter)), g.x_shape(2));
      })
      .cost([](const ConvolutionAttrs& a, const Shape* x, int) {
        double k = 1, places = 1;
        for (int64_t v : a.kernel) k *= double(v);
        int nd = int(a.kernel.size()), first = a.ChannelsLast() ? 1 : 2;
        for (int i = 0; i < nd; ++i)
          places *= double((x[0][first + i] + 2 * At(a.pad, i, 0) - At(a.dilate, i, 1) * (a.kernel[size_t(i)] - 1) - 1) / At(a.stride, i, 1) + 1);
        return 2 * double(x[0][0]) * double(a.num_filter) * places * double(x[0][ChannelAxis(a, nd + 2)] / a.num_group) * k;
      })
      .kernel<ConvolutionKernel>();
}

OpDef ConvolutionGradDataOp() {
  return ConvLike<ConvGradAttrs>("_convolution_grad_data")
      .doc("Gradient of Convolution for its data: each element of dy spreads over the window it came from.")
      .traits(kInternal)
      .attr(&ConvGradAttrs::shape, "shape", "Shape of the data.")
      .input("weight", "The convolution's weight.")
      .input("dy", "Gradient of its output.")
      .output("dx", "Gradient of its data.")
      .types(SameNumber)
      .infer([](Infer& c, const ConvGradAttrs& a) { c.set_y(0, Shape(a.shape)); })
      .gradient([](Grad& g, const ConvGradAttrs& a) {
        Val up = g.dy(0);
        if (g.want(0)) g.dx[0] = CallWith("_convolution_grad_weight", {up, g.x(1)}, GradAttrs(a, g.x_shape(0)));
        if (g.want(1)) g.dx[1] = CallWith("Convolution", {up, g.x(0)}, Plain(a));
      })
      .cost([](const ConvGradAttrs& a, const Shape* x, int) { return Cost(a, Shape(a.shape), x[1]); })
      .kernel<ConvolutionGradDataKernel>();
}
OpDef ConvolutionGradWeightOp() {
  return ConvLike<ConvGradAttrs>("_convolution_grad_weight")
      .doc("Gradient of Convolution for its weight: the correlation of data and dy.")
      .traits(kInternal)
      .attr(&ConvGradAttrs::shape, "shape", "Shape of the weight.")
      .input("data", "The convolution's data.")
      .input("dy", "Gradient of its output.")
      .output("dw", "Gradient of its weight.")
      .types(SameNumber)
      .infer([](Infer& c, const ConvGradAttrs& a) { c.set_y(0, Shape(a.shape)); })
      .gradient([](Grad& g, const ConvGradAttrs& a) {
        Val up = g.dy(0);
        if (g.want(0)) g.dx[0] = CallWith("_convolution_grad_data", {up, g.x(1)}, GradAttrs(a, g.x_shape(0)));
        if (g.want(1)) g.dx[1] = CallWith("Convolution", {g.x(0), up}, Plain(a));
      })
      .cost([](const ConvGradAttrs& a, const Shape* x, int) { return Cost(a, x[0], x[1]); })
      .kernel<ConvolutionGradWeightKernel>();
}

// ---- Deconvolution: the gradient operator, seen as a layer ------------------------------------------------------------------------------
namespace {

// The window of the convolution that Deconvolution is the gradient of: it leads from the result back to data.
struct Deconvolved { ConvWindow window; Shape y; };
Deconvolved Resolve(const DeconvolutionAttrs& a, const Shape& x, const Infer* c) {
  Deconvolved r;
  r.window = a;
  int nd = int(a.kernel.size()), first = a.ChannelsLast() ? 1 : 2;
  r.window.num_filter = x[ChannelAxis(a, nd + 2)];
  r.y = Shape::Filled(nd + 2, -1);
  r.y[0] = x[0], r.y[ChannelAxis(a, nd + 2)] = a.num_filter;
  bool targeted = false;
  for (int64_t t : a.target_shape) targeted |= t != 0;
  if (targeted) r.window.pad.assign(size_t(nd), 0);
  for (int i = 0; i < nd; ++i) {
    int64_t window = (a.kernel[size_t(i)] - 1) * At(a.dilate, i, 1) + 1, stride = At(a.stride, i, 1), adj = At(a.adj, i, 0), pad = At(a.pad, i, 0);
    if (x[first + i] < 0) {
      if (targeted) r.y[first + i] = a.target_shape[size_t(i)];
      continue;
    }
    int64_t whole = (x[first + i] - 1) * stride + window;
    if (targeted) {  // padding that gives the size asked for, an odd rest at the end
      int64_t target = a.target_shape[size_t(i)], total = whole - target;
      if (c) c->Expect(total >= 0, "attribute `target_shape` must not exceed the unpadded result, ", whole, " along axis ", first + i, ", given ", a.target_shape, ".");
      pad = (total + 1) / 2, adj = 0;
      r.window.pad[size_t(i)] = pad;
      r.y[first + i] = target;
    } else {
      if (c) c->Expect(adj < stride, "attribute `adj` must be smaller than `stride`, given adj ", a.adj, " and stride ", a.stride, ".");
      r.y[first + i] = whole - 2 * pad + adj;
    }
    if (c) c->Expect(r.y[first + i] > 0, "the result would be empty along axis ", first + i, ": data ", x, ", kernel ", a.kernel, ", pad ", a.pad, ". Pad less.");
  }
  return r;
}
// What the result and the weight tell of the data.
Shape BeforeDeconvolution(Infer& c, const DeconvolutionAttrs& a, int nd) {
  int channel = ChannelAxis(a, nd + 2), first = a.ChannelsLast() ? 1 : 2;
  Shape x = Shape::Filled(nd + 2, -1), y = x;
  y[channel] = a.num_filter;
  c.set_y(0, y);
  x[0] = c.y(0)[0], x[channel] = c.x(1)[0];
  bool targeted = false;
  for (int64_t t : a.target_shape) targeted |= t != 0;
  for (int i = 0; i < nd && !targeted; ++i) {
    int64_t rest = c.y(0)[first + i] + 2 * At(a.pad, i, 0) - At(a.adj, i, 0) - (a.kernel[size_t(i)] - 1) * At(a.dilate, i, 1) - 1;
    if (c.y(0)[first + i] >= 0 && rest >= 0 && rest % At(a.stride, i, 1) == 0) x[first + i] = rest / At(a.stride, i, 1) + 1;
  }
  return x;
}
void InferDeconvolution(Infer& c, const DeconvolutionAttrs& a) {
  int nd = CheckWindow(c, a);
  c.Expect(a.adj.empty() || int(a.adj.size()) == nd, "attribute `adj` must have as many sizes as `kernel` ", a.kernel, ", given ", a.adj, ".");
  c.Expect(a.target_shape.empty() || int(a.target_shape.size()) == nd, "attribute `target_shape` must have as many sizes as `kernel` ", a.kernel, ", given ", a.target_shape, ".");
  for (int64_t v : a.adj) c.Expect(v >= 0, "attribute `adj` must not be negative, given ", a.adj, ".");
  for (int64_t v : a.target_shape) c.Expect(v >= 0, "attribute `target_shape` must not be negative, given ", a.target_shape, ".");
  c.set_x(2, Shape{a.num_filter});
  c.set_x(1, WeightShape(a, -1, a.num_filter / a.num_group));
  c.set_x(0, BeforeDeconvolution(c, a, nd));
  if (c.x(0).ndim() != nd + 2) c.Fail("input `data` must have ", nd + 2, " axes ", LayoutText(a), " for kernel ", a.kernel, ", given ", c.x(0), ".");
  int channel = ChannelAxis(a, nd + 2);
  Shape x = c.x(0);
  if (x[channel] >= 0) {
    c.Expect(x[channel] % a.num_group == 0, "the channels of `data` must be a multiple of num_group ", a.num_group, ", given ", x, ".");
    c.set_x(1, WeightShape(a, x[channel], a.num_filter / a.num_group));
  } else if (c.x(1)[0] >= 0) {
    x[channel] = c.x(1)[0];
    c.set_x(0, x);
  }
  c.set_y(0, Resolve(a, x, &c).y);
}

}  // namespace

OpDef DeconvolutionOp() {
  return WithIgnored(ConvLike<DeconvolutionAttrs>("Deconvolution"))
      .example("Deconvolution(data (1, 8, 5, 5), weight (8, 4, 3, 3), kernel=(3, 3), num_filter=4, stride=(2, 2)): (1, 4, 11, 11)")
      .alias("_npx_deconvolution")
      .doc("The transposed convolution: every element of data spreads over a window of the result, as in the gradient of Convolution for its data. "
           "Sizes: out = stride (in - 1) + dilate (kernel - 1) + 1 - 2 pad + adj, or target_shape.")
      .attr(&DeconvolutionAttrs::adj, "adj", "Added to the result's sizes, to tell apart the sizes that one stride makes equal; less than stride.")
      .attr(&DeconvolutionAttrs::target_shape, "target_shape", "The result's spatial sizes; pad and adj are then found from it. () or zeros: not used.")
      .attr(&DeconvolutionAttrs::no_bias, "no_bias", "Leave out the bias.")
      .input("data", "(batch, channel, spatial...), or (batch, spatial..., channel) by `layout`.")
      .input("weight", "(channel, num_filter / num_group, kernel...); with channels last (channel, kernel..., num_filter / num_group).")
      .input_when<DeconvolutionHasBias>("bias", "(num_filter,).")
      .output("output", "As data, with num_filter channels.")
      .types(SameNumber)
      .infer(InferDeconvolution)
      .compose([](const std::vector<Val>& x, const DeconvolutionAttrs& a) {
        Deconvolved r = Resolve(a, ShapeOf(x[0]), nullptr);
        Val y = CallWith("_convolution_grad_data", {x[1], x[0]}, GradAttrs(r.window, r.y));
        if (!a.no_bias) y = y + ReshapeTo(x[2], BiasShape(a, r.y.ndim(), a.num_filter));
        return std::vector<Val>{y};
      })
      .cost([](const DeconvolutionAttrs& a, const Shape* x, int) {
        Deconvolved r = Resolve(a, x[0], nullptr);
        return Cost(r.window, r.y, x[0]);
      });
}

}  // namespace flx

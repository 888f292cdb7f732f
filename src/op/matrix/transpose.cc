// SPDX-License-Identifier: Apache-2.0
// Operators that permute axes or elements along them: transpose, SwapAxis, reverse, depth_to_space, space_to_depth.
#include <utility>

#include "op/matrix/matrix.h"

namespace flx {
namespace {

Ints Order(const TransposeAttrs& a, int ndim) {  // axis i of the result is axis order[i] of the data
  Ints order;
  if (a.axes.empty()) {
    for (int i = ndim - 1; i >= 0; --i) order.push_back(i);
    return order;
  }
  uint32_t seen = 0;
  if (int(a.axes.size()) != ndim) Fail(Status::kShape, "transpose", "axes must name each of the ", ndim, " axes of the data, given ", a.axes, ".");
  for (int64_t k : a.axes) {
    int i = NormalAxis("transpose", k, ndim);
    if (seen >> i & 1) Fail(Status::kShape, "transpose", "axes must name each axis once, given ", a.axes, ".");
    seen |= 1u << i;
    order.push_back(i);
  }
  return order;
}
bool TransposeView(const TransposeAttrs& a, const Shape& x, const Shape& strides, ViewSpec* v) {
  Ints order = Order(a, x.ndim());
  v->shape = x, v->strides = strides, v->offset = 0;
  for (int i = 0; i < x.ndim(); ++i) v->shape[i] = x[int(order[size_t(i)])], v->strides[i] = strides[int(order[size_t(i)])];
  return true;
}
bool SwapView(const SwapAxisAttrs& a, const Shape& x, const Shape& strides, ViewSpec* v) {
  int i = NormalAxis("SwapAxis", a.dim1, x.ndim()), j = NormalAxis("SwapAxis", a.dim2, x.ndim());
  v->shape = x, v->strides = strides, v->offset = 0;
  std::swap(v->shape[i], v->shape[j]);
  std::swap(v->strides[i], v->strides[j]);
  return true;
}
bool ReverseView(const ReverseAttrs& a, const Shape& x, const Shape& strides, ViewSpec* v) {
  uint32_t flip = 0;  // an axis given twice is reversed once, as in MXNet
  for (int64_t k : a.axis) flip |= 1u << NormalAxis("reverse", k, x.ndim());
  v->shape = x, v->strides = strides, v->offset = 0;
  for (int i = 0; i < x.ndim(); ++i)
    if (flip >> i & 1) v->offset += (x[i] - 1) * strides[i], v->strides[i] = -strides[i];
  return false;  // arrays keep to strides of 0 and more
}

OpDef TransposeOp() {
  return Op<TransposeAttrs>("transpose").family("matrix").traits(kStrided)
      .doc("The axes in another order: axis i of the result is axis axes[i] of the data.")
      .attr(&TransposeAttrs::axes, "axes", "The new order of all axes; empty: reversed.")
      .input("data", "The array.").output("output", "The transposed array.")
      .infer([](Infer& c, const TransposeAttrs& a) {
        if (c.x(0).rank_known()) {
          Ints order = Order(a, c.x(0).ndim());
          Shape s = c.x(0);
          for (int i = 0; i < s.ndim(); ++i) s[i] = c.x(0)[int(order[size_t(i)])];
          c.set_y(0, s);
        }
        if (c.y(0).rank_known()) {
          Ints order = Order(a, c.y(0).ndim());
          Shape s = c.y(0);
          for (int i = 0; i < s.ndim(); ++i) s[int(order[size_t(i)])] = c.y(0)[i];
          c.set_x(0, s);
        }
      })
      .gradient([](Grad& g, const TransposeAttrs& a) {
        Ints order = Order(a, g.x_shape(0).ndim());
        TransposeAttrs back;
        back.axes.resize(order.size());
        for (size_t i = 0; i < order.size(); ++i) back.axes[size_t(order[i])] = int64_t(i);
        g.dx[0] = order.empty() ? g.dy(0) : CallWith("transpose", {g.dy(0)}, back);
      })
      .view(&TransposeView).kernel<TransposeKernel>();
}
OpDef SwapAxisOp() {
  return Op<SwapAxisAttrs>("SwapAxis").alias("swapaxes").family("matrix").traits(kStrided)
      .doc("Two axes exchanged.")
      .attr(&SwapAxisAttrs::dim1, "dim1", "One axis.").attr(&SwapAxisAttrs::dim2, "dim2", "The other axis.")
      .input("data", "The array.").output("output", "The array with the axes exchanged.")
      .infer([](Infer& c, const SwapAxisAttrs& a) {
        auto swapped = [&](Shape s) {
          std::swap(s[c.Axis(a.dim1, s.ndim())], s[c.Axis(a.dim2, s.ndim())]);
          return s;
        };
        if (c.x(0).rank_known()) c.set_y(0, swapped(c.x(0)));
        if (c.y(0).rank_known()) c.set_x(0, swapped(c.y(0)));
      })
      .gradient([](Grad& g, const SwapAxisAttrs& a) { g.dx[0] = CallWith("SwapAxis", {g.dy(0)}, a); })
      .view(&SwapView).kernel<SwapAxisKernel>();
}
OpDef ReverseOp() {
  return Op<ReverseAttrs>("reverse").alias("flip").family("matrix").traits(kStrided)
      .doc("The elements in reverse order along axes.")
      .attr(&ReverseAttrs::axis, "axis", "The axes to reverse.").required()
      .input("data", "The array.").output("output", "The reversed array.")
      .infer([](Infer& c, const ReverseAttrs& a) {
        if (c.x(0).rank_known()) for (int64_t k : a.axis) c.Axis(k, c.x(0).ndim());
        SameShape(c, a);
      })
      .gradient([](Grad& g, const ReverseAttrs& a) { g.dx[0] = CallWith("reverse", {g.dy(0)}, a); })
      .kernel<ReverseKernel>();
}

void Blocks(Infer& c, const BlockAttrs& a, bool to_space) {
  int64_t b = a.block_size;
  c.Expect(!c.ranked(0) || c.x(0).ndim() == 4, "expected data of 4 axes (batch, channel, height, width), given shape ", c.x(0), ".");
  c.set_x(0, Shape{-1, -1, -1, -1});
  const Shape x = c.x(0);
  if (to_space) c.Expect(x[1] < 0 || x[1] % (b * b) == 0, "the number of channels must be a multiple of block_size * block_size = ", b * b, ", given data of shape ", x, ".");
  else for (int i : {2, 3}) c.Expect(x[i] < 0 || x[i] % b == 0, "height and width must be multiples of block_size = ", b, ", given data of shape ", x, ".");
  auto over = [](int64_t n, int64_t k) { return n < 0 || n % k ? -1 : n / k; };
  auto turned = [&](const Shape& s, bool spread) {
    return spread ? Shape{s[0], over(s[1], b * b), TimesSize(s[2], b), TimesSize(s[3], b)} : Shape{s[0], TimesSize(s[1], b * b), over(s[2], b), over(s[3], b)};
  };
  c.set_y(0, turned(x, to_space));
  if (!x.known()) c.set_x(0, turned(c.y(0), !to_space));
}
Op<BlockAttrs> Block(const char* name) {
  Op<BlockAttrs> o(name);
  o.family("matrix").attr(&BlockAttrs::block_size, "block_size", "The side of a block.").required().range(1, 1 << 20)
      .input("data", "Images (batch, channel, height, width).").output("output", "The rearranged images.");
  return o;
}
OpDef DepthToSpaceOp() {
  return Block("depth_to_space")
      .example("depth_to_space(data (1, 8, 2, 3), block_size=2): (1, 2, 4, 6)")
      .doc("Channels laid out as blocks of pixels: (n, b*b*c, h, w) becomes (n, c, h*b, w*b), the block's row and column being the leading parts of the channel.")
      .infer([](Infer& c, const BlockAttrs& a) { Blocks(c, a, true); })
      .compose([](const std::vector<Val>& x, const BlockAttrs& a) {
        Shape s = ShapeOf(x[0]);
        int64_t b = a.block_size, c = s[1] / (b * b);
        Val v = ReshapeTo(x[0], {s[0], b, b, c, s[2], s[3]});
        v = CallWith("transpose", {v}, TransposeAttrs{{0, 3, 4, 1, 5, 2}});
        return std::vector<Val>{ReshapeTo(v, {s[0], c, s[2] * b, s[3] * b})};
      });
}
OpDef SpaceToDepthOp() {
  return Block("space_to_depth")
      .example("space_to_depth(data (1, 2, 4, 6), block_size=2): (1, 8, 2, 3)")
      .doc("Blocks of pixels laid out as channels: (n, c, h*b, w*b) becomes (n, b*b*c, h, w). The inverse of depth_to_space.")
      .infer([](Infer& c, const BlockAttrs& a) { Blocks(c, a, false); })
      .compose([](const std::vector<Val>& x, const BlockAttrs& a) {
        Shape s = ShapeOf(x[0]);
        int64_t b = a.block_size, h = s[2] / b, w = s[3] / b;
        Val v = ReshapeTo(x[0], {s[0], s[1], h, b, w, b});
        v = CallWith("transpose", {v}, TransposeAttrs{{0, 3, 5, 1, 2, 4}});
        return std::vector<Val>{ReshapeTo(v, {s[0], s[1] * b * b, h, w})};
      });
}
}  // namespace

void AddTransposeOps(std::vector<OpDef>* ops) {
  for (auto* make : {&TransposeOp, &SwapAxisOp, &ReverseOp, &DepthToSpaceOp, &SpaceToDepthOp}) ops->push_back(make());
}
void AddTransposeCpuKernels(KernelList* list) {
  list->push_back(Kernel<TransposeKernel>(&ViewCpu<TransposeAttrs, &TransposeView>).OnDevices());
  list->push_back(Kernel<SwapAxisKernel>(&ViewCpu<SwapAxisAttrs, &SwapView>).OnDevices());
  list->push_back(Kernel<ReverseKernel>(&ViewCpu<ReverseAttrs, &ReverseView>).OnDevices());
}

}  // namespace flx

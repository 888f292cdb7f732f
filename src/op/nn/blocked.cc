// SPDX-License-Identifier: Apache-2.0
#include "op/nn/blocked.h"

#include <algorithm>

#include "op/nn/wide.h"

namespace flx {
namespace {

std::string Order(std::initializer_list<int> axes) {
  std::string s = "(";
  for (int a : axes) s += Text(a, ", ");
  return s + ")";
}
Val Turn(Val v, std::initializer_list<int> axes) { return CallOp("transpose", {v}, {{"axes", Order(axes)}}); }
Val ToBlocked(Val x, int64_t block) { return CallWith("_to_blocked", {x}, ToBlockedAttrs{block}); }
Val FromBlocked(Val x) { return CallOp("_from_blocked", {x}); }
// A packed weight as it was.
Val Unpack(Val w, PackFor use) {
  const Shape s = ShapeOf(w);
  if (use == PackFor::kPlainData) return ReshapeTo(Turn(w, {0, 4, 3, 1, 2}), {s[0] * s[4], s[3], s[1], s[2]});
  if (use == PackFor::kForward) return ReshapeTo(Turn(w, {0, 5, 1, 4, 2, 3}), {s[0] * s[5], s[1] * s[4], s[2], s[3]});
  if (s[2] == 1 && s[3] == 1 && s[5] == 16) return ReshapeTo(Turn(w, {1, 4, 0, 5, 2, 3}), {s[1] * s[4], s[0] * s[5], s[2], s[3]});
  return ReshapeTo(Turn(w, {0, 4, 1, 5, 2, 3}), {s[0] * s[4], s[1] * s[5], s[2], s[3]});
}
template <class A> A PlainWindow(const ConvWindow& a) {
  A r;
  static_cast<ConvWindow&>(r) = a;
  r.layout = ConvLayout::kNCHW;
  return r;
}
template <class A> Op<A> ConvLike(const char* name) {
  Op<A> op = WindowOp<A>(name, "(height, width) of the window.");
  op.traits(kInternal);
  return op;
}
bool HasBias(const BlockedConvAttrs& a) { return !a.no_bias; }
void CheckBlock(const Infer& c, const Shape& s, int64_t block) {
  c.Expect(s.ndim() == 4, "input `data` must have 4 axes (batch, channel, height, width), given ", s, ".");
  c.Expect(s[1] < 0 || s[1] % block == 0, "the channels of `data` must be whole blocks of ", block, ", given ", s, ".");
}
void InferConv(Infer& c, const BlockedConvAttrs& a, int x, int y_as) {
  if (!c.ranked(x) || !c.ranked(x + 1)) return;
  const Shape &s = c.x(x), &w = c.x(x + 1);
  bool blocked = s.ndim() == 5;
  c.Expect(a.kernel.size() == 2 && (blocked || s.ndim() == 4), "a window of two axes and data of 4 axes, or 5 if it is blocked, were expected, given kernel ", a.kernel,
           " and data ", s, ".");
  c.Expect(w.ndim() == (blocked ? 6 : 5), "a packed weight was expected (_pack_conv_weight), given shape ", w, " for data ", s, ".");
  int64_t block = std::max(w[w.ndim() - 1], blocked ? s[4] : -1);
  Shape plain = blocked ? PlainOf(s) : s, weight{a.num_filter, plain[1], a.kernel[0], a.kernel[1]};
  c.Expect((block < 0 || (block > 0 && a.num_filter % block == 0)) && (!blocked || s[4] < 0 || s[4] == block), "blocks of data ", s, ", weight ", w, " and num_filter ",
           a.num_filter, " do not agree.");
  if (block > 0) c.set_x(x + 1, PackedOf(weight, block, blocked ? PackFor::kForward : PackFor::kPlainData));
  c.set_x(x + 2, Shape{a.num_filter});
  Shape y{plain[0], a.num_filter, -1, -1};
  for (size_t i = 0; i < 2; ++i) {
    auto at = [i](const Ints& v, int64_t d) { return v.empty() ? d : v[i]; };
    if (plain[int(i) + 2] < 0) continue;
    int64_t window = (a.kernel[i] - 1) * at(a.dilate, 1) + 1, padded = plain[int(i) + 2] + 2 * at(a.pad, 0);
    c.Expect(window <= padded, "the window must not be larger than the padded data ", plain, ", given kernel ", a.kernel, ".");
    y[int(i) + 2] = (padded - window) / at(a.stride, 1) + 1;
  }
  c.set_y(0, BlockedOf(y, block));
  if (y_as >= 0) c.set_x(y_as, c.y(0));
}
double Cost(const ConvWindow& a, const Shape& x, const Shape& y) { return GeometryOf(PlainWindow<ConvolutionAttrs>(a), x, y).Flops(); }
double ForwardCost(const BlockedConvAttrs& a, const Shape& x, const Shape& w) {
  double places = 1;
  for (size_t i = 0; i < 2; ++i) places *= double(x[2 + int(i)]) / double(a.stride.empty() ? 1 : a.stride[i]);
  return 2 * double(x[0]) * places * double(w.size());
}
Val Composed(Val x, Val w, Val bias, const BlockedConvAttrs& a) {
  bool blocked = ShapeOf(x).ndim() == 5;
  int64_t block = ShapeOf(w)[ShapeOf(w).ndim() - 1];
  ConvolutionAttrs plain = PlainWindow<ConvolutionAttrs>(a);
  plain.no_bias = !bias;
  std::vector<Val> in{blocked ? FromBlocked(x) : x, Unpack(w, blocked ? PackFor::kForward : PackFor::kPlainData)};
  if (bias) in.push_back(bias);
  return ToBlocked(CallWith("Convolution", in, plain), block);
}
Val MaybeRelu(Val y, bool relu) { return relu ? CallOp("relu", {y}) : y; }

}  // namespace

bool TurnedForGradData(const Shape& w, int64_t block) { return block == 16 && w[2] == 1 && w[3] == 1; }
Shape PlainOf(const Shape& s) { return {s[0], TimesSize(s[1], s[4]), s[2], s[3]}; }
Shape BlockedOf(const Shape& s, int64_t block) { return {s[0], s[1] < 0 || block <= 0 ? -1 : s[1] / block, s[2], s[3], block}; }
Shape PackedOf(const Shape& w, int64_t block, PackFor use) {
  auto blocks = [block](int64_t n) { return n < 0 || block <= 0 ? -1 : n / block; };
  if (use == PackFor::kPlainData) return {blocks(w[0]), w[2], w[3], w[1], block};
  int64_t o = blocks(w[0]), c = blocks(w[1]);
  if (use == PackFor::kGradData && TurnedForGradData(w, block)) std::swap(o, c);
  return {o, c, w[2], w[3], block, block};
}

OpDef ToBlockedOp() {
  return Op<ToBlockedAttrs>("_to_blocked")
      .family("nn")
      .doc("(n, c, h, w) with `block` channels side by side: (n, c / block, h, w, block).")
      .traits(kInternal)
      .attr(&ToBlockedAttrs::block, "block", "Channels of a block.")
      .range(1, 64)
      .input("data", "(n, c, h, w).")
      .output("output", "(n, c / block, h, w, block).")
      .infer([](Infer& c, const ToBlockedAttrs& a) {
        if (c.y_ranked(0) && c.y(0).ndim() == 5) c.set_x(0, PlainOf(c.y(0)));
        if (!c.ranked(0)) return;
        CheckBlock(c, c.x(0), a.block);
        c.set_y(0, BlockedOf(c.x(0), a.block));
      })
      .gradient([](Grad& g, const ToBlockedAttrs&) { if (g.want(0)) g.dx[0] = FromBlocked(g.dy(0)); })
      .compose([](const std::vector<Val>& v, const ToBlockedAttrs& a) {
        const Shape s = ShapeOf(v[0]);
        return std::vector<Val>{Turn(ReshapeTo(v[0], {s[0], s[1] / a.block, a.block, s[2], s[3]}), {0, 1, 3, 4, 2})};
      })
      .kernel<ToBlockedKernel>();
}
OpDef FromBlockedOp() {
  return Op<>("_from_blocked")
      .family("nn")
      .doc("A blocked array as it was: (n, c, h, w).")
      .traits(kInternal)
      .input("data", "(n, c / block, h, w, block).")
      .output("output", "(n, c, h, w).")
      .infer([](Infer& c, const NoAttrs&) {
        if (!c.ranked(0)) return;
        c.Expect(c.x(0).ndim() == 5, "input `data` must have 5 axes, as _to_blocked gives them, given ", c.x(0), ".");
        c.set_y(0, PlainOf(c.x(0)));
      })
      .gradient([](Grad& g, const NoAttrs&) { if (g.want(0)) g.dx[0] = ToBlocked(g.dy(0), g.x_shape(0)[4]); })
      .compose([](const std::vector<Val>& v, const NoAttrs&) { return std::vector<Val>{ReshapeTo(Turn(v[0], {0, 1, 4, 2, 3}), PlainOf(ShapeOf(v[0])))}; })
      .kernel<FromBlockedKernel>();
}
OpDef PackWeightOp() {
  return Op<PackAttrs>("_pack_conv_weight")
      .family("nn")
      .doc("A convolution's weight in the order in which blocked convolutions read it.")
      .traits(kInternal)
      .attr(&PackAttrs::block, "block", "Channels of a block.")
      .range(1, 64)
      .attr(&PackAttrs::use, "use", "What reads it: `forward`, `plain_data` (forward, of data that is not blocked) or `grad_data`.")
      .input("weight", "(o, c, height, width).")
      .output("output", "The same numbers.")
      .infer([](Infer& c, const PackAttrs& a) {
        if (!c.ranked(0)) return;
        const Shape& w = c.x(0);
        auto whole = [&](int64_t n) { return n < 0 || n % a.block == 0; };
        c.Expect(w.ndim() == 4 && whole(w[0]) && (a.use == PackFor::kPlainData || whole(w[1])), "input `weight` must be (o, c, height, width) of whole blocks of ",
                 a.block, ", given ", w, ".");
        c.set_y(0, PackedOf(w, a.block, a.use));
      })
      .compose([](const std::vector<Val>& v, const PackAttrs& a) {
        const Shape w = ShapeOf(v[0]);
        const int64_t b = a.block;
        if (a.use == PackFor::kPlainData) return std::vector<Val>{Turn(ReshapeTo(v[0], {w[0] / b, b, w[1], w[2], w[3]}), {0, 3, 4, 2, 1})};
        Val x = ReshapeTo(v[0], {w[0] / b, b, w[1] / b, b, w[2], w[3]});
        if (a.use == PackFor::kForward) return std::vector<Val>{Turn(x, {0, 2, 4, 5, 3, 1})};
        return std::vector<Val>{TurnedForGradData(w, b) ? Turn(x, {2, 0, 4, 5, 1, 3}) : Turn(x, {0, 2, 4, 5, 1, 3})};
      })
      .kernel<PackWeightKernel>();
}
OpDef BlockedConvOp() {
  return ConvLike<BlockedConvAttrs>("_blocked_convolution")
      .doc("Convolution with a blocked result, of blocked data or of plain data with few channels.")
      .attr(&BlockedConvAttrs::no_bias, "no_bias", "Leave out the bias.")
      .attr(&BlockedConvAttrs::relu, "relu", "Give max(result, 0).")
      .input("data", "(n, c / b, h, w, b), or (n, c, h, w).")
      .input("weight", "Packed for it (_pack_conv_weight).")
      .input_when<HasBias>("bias", "(num_filter,).")
      .output("output", "(n, num_filter / b, height, width, b).")
      .types(SameFloat)
      .infer([](Infer& c, const BlockedConvAttrs& a) { InferConv(c, a, 0, -1); })
      .compose([](const std::vector<Val>& v, const BlockedConvAttrs& a) {
        return std::vector<Val>{MaybeRelu(Composed(v[0], v[1], a.no_bias ? Val() : v[2], a), a.relu)};
      })
      .cost([](const BlockedConvAttrs& a, const Shape* x, int) { return ForwardCost(a, x[0], x[1]); })
      .kernel<BlockedConvKernel>();
}
OpDef BlockedConvAddOp() {
  return ConvLike<BlockedConvAttrs>("_blocked_convolution_add")
      .doc("_blocked_convolution with something added, before relu. The result may lie in the addend's memory.")
      .traits(kInplace)
      .attr(&BlockedConvAttrs::no_bias, "no_bias", "Leave out the bias.")
      .attr(&BlockedConvAttrs::relu, "relu", "Give max(result, 0).")
      .input("addend", "As the output.")
      .input("data", "(n, c / b, h, w, b), or (n, c, h, w).")
      .input("weight", "Packed for it (_pack_conv_weight).")
      .input_when<HasBias>("bias", "(num_filter,).")
      .output("output", "(n, num_filter / b, height, width, b).")
      .types(SameFloat)
      .infer([](Infer& c, const BlockedConvAttrs& a) { InferConv(c, a, 1, 0); })
      .compose([](const std::vector<Val>& v, const BlockedConvAttrs& a) {
        return std::vector<Val>{MaybeRelu(v[0] + Composed(v[1], v[2], a.no_bias ? Val() : v[3], a), a.relu)};
      })
      .cost([](const BlockedConvAttrs& a, const Shape* x, int) { return ForwardCost(a, x[1], x[2]); })
      .kernel<BlockedConvAddKernel>();
}
OpDef BlockedConvGradDataOp() {
  return ConvLike<BlockedConvGradAttrs>("_blocked_convolution_grad_data")
      .doc("Gradient of a blocked convolution for its data.")
      .attr(&BlockedConvGradAttrs::shape, "shape", "Shape of the data, blocked.")
      .input("weight", "Packed for it (_pack_conv_weight, use=grad_data).")
      .input("dy", "Gradient of the output, blocked.")
      .output("dx", "Gradient of the data, blocked.")
      .types(SameFloat)
      .infer([](Infer& c, const BlockedConvGradAttrs& a) {
        c.Expect(a.shape.size() == 5, "attribute `shape` must have 5 sizes, given ", a.shape, ".");
        c.set_y(0, Shape(a.shape));
        Shape s = PlainOf(Shape(a.shape));
        c.set_x(0, PackedOf({a.num_filter, s[1], a.kernel[0], a.kernel[1]}, a.shape[4], PackFor::kGradData));
      })
      .compose([](const std::vector<Val>& v, const BlockedConvGradAttrs& a) {
        auto plain = PlainWindow<ConvGradAttrs>(a);
        plain.shape = PlainOf(Shape(a.shape)).vec();
        return std::vector<Val>{ToBlocked(CallWith("_convolution_grad_data", {Unpack(v[0], PackFor::kGradData), FromBlocked(v[1])}, plain), a.shape[4])};
      })
      .cost([](const BlockedConvGradAttrs& a, const Shape* x, int) { return Cost(a, PlainOf(Shape(a.shape)), PlainOf(x[1])); })
      .kernel<BlockedConvGradDataKernel>();
}
OpDef BlockedConvGradWeightOp() {
  return ConvLike<BlockedConvGradAttrs>("_blocked_convolution_grad_weight")
      .doc("Gradient of a blocked convolution for its weight, which is plain again.")
      .attr(&BlockedConvGradAttrs::shape, "shape", "(o, c, height, width) of the weight.")
      .input("data", "The convolution's data, blocked or plain.")
      .input("dy", "Gradient of the output, blocked.")
      .output("dw", "Gradient of the weight, (o, c, height, width).")
      .types(SameFloat)
      .infer([](Infer& c, const BlockedConvGradAttrs& a) { c.set_y(0, Shape(a.shape)); })
      .compose([](const std::vector<Val>& v, const BlockedConvGradAttrs& a) {
        auto plain = PlainWindow<ConvGradAttrs>(a);
        plain.shape = a.shape;
        return std::vector<Val>{CallWith("_convolution_grad_weight", {ShapeOf(v[0]).ndim() == 5 ? FromBlocked(v[0]) : v[0], FromBlocked(v[1])}, plain)};
      })
      .cost([](const BlockedConvGradAttrs& a, const Shape* x, int) { return Cost(a, x[0].ndim() == 5 ? PlainOf(x[0]) : x[0], PlainOf(x[1])); })
      .kernel<BlockedConvGradWeightKernel>();
}

}  // namespace flx

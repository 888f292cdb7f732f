// SPDX-License-Identifier: Apache-2.0
// norm, moments, argmax, argmin and argmax_channel.
#include "op/reduce/reduce.h"

namespace flx {
namespace {

OpDef NormOp() {
  return Op<NormAttrs>("norm").alias("_sparse_norm").family("reduce").traits(kStrided)
      .doc("The 1-norm (sum of magnitudes) or 2-norm (root of the sum of squares) over axes, added in float64. The 2-norm's gradient at 0 is 0.")
      .attr(&NormAttrs::ord, "ord", "The order of the norm: 1 or 2.").range(1, 2)
      .attr(&NormAttrs::axis, "axis", "The axes to reduce. None: all of them.")
      .attr(&NormAttrs::out_dtype, "out_dtype", "The result's dtype; None: the input's.")
      .attr(&NormAttrs::keepdims, "keepdims", "Keep the reduced axes, with size 1.")
      .input("data", "The array whose norm is taken.").output("output", "The norm; shape (1,) when no axis is left.")
      .types([](Infer& c, const NormAttrs& a) {
        if (a.out_dtype != DType::kNone) c.set_y_type(0, a.out_dtype);
        else c.set_y_type(0, c.x_type(0)), c.set_x_type(0, c.y_type(0));
        if (c.x_type(0) == DType::kBool) c.FailType("expected a number type (float or integer), given bool. Cast it first (operator Cast).");
      })
      .infer([](Infer& c, const NormAttrs& a) {
        if (c.ranked(0)) InferReduced(c, AxisBits(c.op.name, a, c.x(0).ndim()), a.keepdims);
      })
      .gradient([](Grad& g, const NormAttrs& a) {
        Shape keep = KeptShape(g.x_shape(0), AxisBits("norm", a, g.x_shape(0).ndim()));
        Val d = ReshapeTo(CastTo(g.dy(0), g.x_type(0)), keep);
        if (a.ord == 1) {
          g.dx[0] = d * CallOp("sign", {g.x(0)});
        } else {
          Val y = ReshapeTo(CastTo(g.y(0), g.x_type(0)), keep);
          g.dx[0] = g.x(0) * (d / (y + CallOp("_equal_scalar", {y}, {{"scalar", "0"}})));
        }
      })
      .kernel<NormKernel>();
}

OpDef MomentsOp() {
  return Op<MomentsAttrs>("moments").family("reduce")
      .doc("The mean and the (biased) variance over axes: m = mean(x), v = mean((x - m)^2).")
      .attr(&MomentsAttrs::axes, "axes", "The axes to reduce. None: all of them.")
      .attr(&MomentsAttrs::keepdims, "keepdims", "Keep the reduced axes, with size 1.")
      .input("data", "The array whose moments are taken.").output("mean", "The mean.").output("var", "The variance.")
      .types([](Infer& c, const MomentsAttrs&) {
        for (int i = 0; i < 2; ++i) c.set_y_type(i, c.x_type(0)), c.set_x_type(0, c.y_type(i));
        if (c.x_type(0) != DType::kNone && !IsFloat(c.x_type(0)))
          c.FailType("expected float32, float64, float16 or bfloat16, given ", c.x_type(0), ". Cast it first (operator Cast).");
      })
      .infer([](Infer& c, const MomentsAttrs& a) {
        if (c.ranked(0)) InferReduced(c, AxisBits(c.op.name, a.axes, false, true, c.x(0).ndim()), a.keepdims);
      })
      .compose([](const std::vector<Val>& in, const MomentsAttrs& a) {
        uint32_t bits = AxisBits("moments", a.axes, false, true, ShapeOf(in[0]).ndim());
        Shape s = MxReducedShape(ShapeOf(in[0]), bits, a.keepdims);
        ReduceAttrs r;
        r.axis = a.axes, r.keepdims = true;
        Val m = CallWith("mean", {in[0]}, r), d = in[0] - m;
        return std::vector<Val>{ReshapeTo(m, s), ReshapeTo(CallWith("mean", {d * d}, r), s)};
      });
}

// The result has the data's dtype, as in MXNet, so it must be able to hold every index.
void CheckIndexFits(Infer& c, int64_t n) {
  int64_t top = INT64_MAX;
  switch (c.x_type(0)) {
    case DType::kFloat32: top = int64_t(1) << 24; break;
    case DType::kFloat64: top = int64_t(1) << 53; break;
    case DType::kFloat16: top = 2048; break;
    case DType::kBfloat16: top = 256; break;
    case DType::kUint8: top = 255; break;
    case DType::kInt8: top = 127; break;
    case DType::kInt16: top = 32767; break;
    case DType::kUint16: top = 65535; break;
    case DType::kBool: top = 1; break;
    default: break;
  }
  c.Expect(n < 0 || n - 1 <= top, "the result has the dtype of the data, ", c.x_type(0), ", which cannot tell ", n, " indices apart. Cast the data first (operator Cast).");
  c.Expect(n != 0, "an axis of size 0 has no extreme element, given data of shape ", c.x(0), ".");
}
Op<ArgAttrs> ArgOp(const char* name) {
  Op<ArgAttrs> o(name);
  o.family("reduce")
      .attr(&ArgAttrs::axis, "axis", "The axis to search. None: the flat array.")
      .attr(&ArgAttrs::keepdims, "keepdims", "Keep the searched axis, with size 1.")
      .input("data", "The array to search.").output("output", "Indices, in the data's dtype.")
      .infer([](Infer& c, const ArgAttrs& a) {
        if (!c.x(0).rank_known()) return;
        if (a.axis) {
          int k = c.Axis(*a.axis, c.x(0).ndim());
          CheckIndexFits(c, c.x(0)[k]);
          InferReduced(c, 1u << k, a.keepdims);
        } else {
          if (c.known(0)) CheckIndexFits(c, c.x(0).size());
          c.set_y(0, a.keepdims ? Shape::Filled(c.x(0).ndim(), 1) : Shape{1});
        }
      })
      .zero_gradient();
  return o;
}
OpDef ArgMaxChannelOp() {
  return Op<>("argmax_channel").family("reduce")
      .doc("The index of the largest element of each row: argmax over axis 1 of a matrix. The first of equal elements; a NaN counts as largest.")
      .input("data", "A matrix (rows, channels).").output("output", "One index for each row, in the data's dtype.")
      .infer([](Infer& c, const NoAttrs&) {
        if (!c.x(0).rank_known()) return;
        c.Expect(c.x(0).ndim() == 2, "expected a matrix (2 axes), given shape ", c.x(0), ".");
        CheckIndexFits(c, c.x(0)[1]);
        c.set_y(0, Shape{c.x(0)[0]});
        c.set_x(0, Shape{c.y(0)[0], -1});
      })
      .zero_gradient().kernel<ArgMaxChannelKernel>();
}
}  // namespace

void AddNormAndArg(std::vector<OpDef>* ops) {
  ops->push_back(NormOp());
  ops->push_back(MomentsOp());
  ops->push_back(ArgOp("argmax").kernel<ArgMaxKernel>()
      .doc("The index of the largest element along an axis: the first of equal ones; the first NaN where there is one. Flat: no gradient flows."));
  ops->push_back(ArgOp("argmin").kernel<ArgMinKernel>()
      .doc("The index of the smallest element along an axis: the first of equal ones; the first NaN where there is one. Flat: no gradient flows."));
  ops->push_back(ArgMaxChannelOp());
}

}  // namespace flx

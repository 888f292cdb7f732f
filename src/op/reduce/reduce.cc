// SPDX-License-Identifier: Apache-2.0
// sum, mean, prod, nansum, nanprod, max, min, _square_sum in MXNet's forms, and the rules that all reductions share.
#include "op/reduce/reduce.h"

namespace flx {

uint32_t AxisBits(const char* who, const std::optional<Ints>& axes, bool exclude, bool all_if_empty, int ndim) {
  uint32_t all = ndim >= 32 ? ~0u : (1u << ndim) - 1, bits = 0;
  if (!axes || (all_if_empty && axes->empty())) return all;
  for (int64_t a : *axes) {
    uint32_t bit = 1u << NormalAxis(who, a, ndim);
    if (bits & bit) Fail(Status::kShape, who, "each axis may be given once, given ", *axes, ".");
    bits |= bit;
  }
  return exclude ? all & ~bits : bits;
}
Shape KeptShape(const Shape& x, uint32_t bits) {
  Shape s = x;
  for (int i = 0; i < s.ndim(); ++i) if (bits >> i & 1) s[i] = 1;
  return s;
}
Shape ReducedShape(const Shape& x, uint32_t bits, bool keepdims) {
  if (keepdims) return KeptShape(x, bits);
  Shape s;
  for (int i = 0; i < x.ndim(); ++i) if (!(bits >> i & 1)) s.push_back(x[i]);
  return s;
}
void InferReduced(Infer& c, uint32_t bits, bool keepdims, bool mx) {
  for (int i = 0; i < c.nout; ++i) c.set_y(i, mx ? MxReducedShape(c.x(0), bits, keepdims) : ReducedShape(c.x(0), bits, keepdims));
  if (c.known(0)) return;
  Shape s = c.x(0);
  for (int i = 0, j = 0; i < s.ndim(); ++i) {
    bool reduced = bits >> i & 1;
    if (!reduced) s[i] = c.y(0)[j];
    j += keepdims || !reduced;
  }
  c.set_x(0, s);
}
uint32_t SumToBits(const Shape& x, const Shape& to) {
  uint32_t bits = 0;
  for (int i = 0; i < x.ndim(); ++i) {
    int j = i - (x.ndim() - to.ndim());
    if (j < 0 || (to[j] == 1 && x[i] != 1)) bits |= 1u << i;
  }
  return bits;
}

void SumGradient(Grad& g, const Shape& keep, double scale) {
  Val d = ReshapeTo(CastTo(g.dy(0), g.x_type(0)), keep);
  g.dx[0] = BroadcastTo(scale == 1 ? d : d * scale, g.x_shape(0));
}
// The product of the others is the whole by x, but where x is 0: there it is the product of all that are not, if x is the only zero.
void ProdGradient(Grad& g, uint32_t bits, bool skip_nan) {
  Val x = g.x(0), counts;
  Shape keep = KeptShape(g.x_shape(0), bits);
  if (skip_nan) {
    counts = CallOp("broadcast_equal", {x, x});
    x = CallOp("where", {counts, x, OnesLike(x)});
  }
  Val zero = CallOp("_equal_scalar", {x}, {{"scalar", "0"}}), some = x + zero;
  NpReduceAttrs a;
  a.keepdims = true;
  a.axis.emplace();
  for (int i = 0; i < g.x_shape(0).ndim(); ++i) if (bits >> i & 1) a.axis->push_back(i);
  Val zeros = CallWith("_np_sum", {zero}, a), product = CallWith("_np_prod", {some}, a);
  Val none = CallOp("_equal_scalar", {zeros}, {{"scalar", "0"}}), one = CallOp("_equal_scalar", {zeros}, {{"scalar", "1"}});
  Val share = ReshapeTo(CastTo(g.dy(0), g.x_type(0)), keep) * product;
  g.dx[0] = share * (zero * one + (1 - zero) * none) / some;
  if (skip_nan) g.dx[0] = g.dx[0] * counts;
}
void ExtremeGradient(Grad& g, const Shape& keep) {
  Val hit = CallOp("broadcast_equal", {g.x(0), ReshapeTo(CastTo(g.y(0), g.x_type(0)), keep)});
  g.dx[0] = hit * ReshapeTo(CastTo(g.dy(0), g.x_type(0)), keep);
}

namespace {
Shape Keep(Grad& g, const ReduceAttrs& a) { return KeptShape(g.x_shape(0), AxisBits("reduction", a, g.x_shape(0).ndim())); }

Op<ReduceAttrs> Reduction(const char* name) {
  Op<ReduceAttrs> o(name);
  o.family("reduce").traits(kStrided)
      .attr(&ReduceAttrs::axis, "axis", "The axes to reduce, negative ones counted from the end. None or an empty tuple: all of them.")
      .attr(&ReduceAttrs::keepdims, "keepdims", "Keep the reduced axes, with size 1.")
      .attr(&ReduceAttrs::exclude, "exclude", "Reduce all axes but those given.")
      .input("data", "The array to reduce.").output("output", "The reduced array; shape (1,) when no axis is left.")
      .types([](Infer& c, const ReduceAttrs&) {
        c.set_y_type(0, c.x_type(0));
        c.set_x_type(0, c.y_type(0));
        if (c.x_type(0) == DType::kBool) c.FailType("expected a number type (float or integer), given bool. Cast it first (operator Cast).");
      })
      .infer([](Infer& c, const ReduceAttrs& a) {
        if (c.ranked(0)) InferReduced(c, AxisBits(c.op.name, a, c.x(0).ndim()), a.keepdims);
      });
  return o;
}
void SumGrad(Grad& g, const ReduceAttrs& a) { SumGradient(g, Keep(g, a), 1); }
void MeanGrad(Grad& g, const ReduceAttrs& a) {
  SumGradient(g, Keep(g, a), double(g.y_shape(0).size()) / double(g.x_shape(0).size()));
}
void ExtremeGrad(Grad& g, const ReduceAttrs& a) { ExtremeGradient(g, Keep(g, a)); }
}  // namespace

void AddMxReductions(std::vector<OpDef>* ops) {
  ops->push_back(Reduction("sum").alias("sum_axis").alias("_sparse_sum").kernel<SumKernel>().gradient(&SumGrad)
      .doc("The sum over axes. float16, bfloat16 and float32 are added in float32 blocks and float64 totals; integers wrap around. Of nothing: 0."));
  ops->push_back(Reduction("mean").alias("_sparse_mean").kernel<MeanKernel>().gradient(&MeanGrad)
      .doc("The mean over axes: the sum divided by the number of elements. Integer means are truncated toward zero. Of nothing: NaN, or 0 for integers."));
  ops->push_back(Reduction("prod").kernel<ProdKernel>()
      .gradient([](Grad& g, const ReduceAttrs& a) { ProdGradient(g, AxisBits("prod", a, g.x_shape(0).ndim()), false); })
      .doc("The product over axes. Integers wrap around. Of nothing: 1."));
  ops->push_back(Reduction("nansum").kernel<NanSumKernel>()
      .gradient([](Grad& g, const ReduceAttrs& a) {
        SumGradient(g, Keep(g, a), 1);
        g.dx[0] = g.dx[0] * CallOp("broadcast_equal", {g.x(0), g.x(0)});
      })
      .doc("The sum over axes with NaN counted as 0; the gradient of a NaN is 0."));
  ops->push_back(Reduction("nanprod").kernel<NanProdKernel>()
      .gradient([](Grad& g, const ReduceAttrs& a) { ProdGradient(g, AxisBits("nanprod", a, g.x_shape(0).ndim()), true); })
      .doc("The product over axes with NaN counted as 1; the gradient of a NaN is 0."));
  ops->push_back(Reduction("max").alias("max_axis").kernel<MaxKernel>().gradient(&ExtremeGrad)
      .doc("The largest element over axes; NaN if there is one. Every element equal to it gets the whole gradient. Of nothing: the dtype's lowest value."));
  ops->push_back(Reduction("min").alias("min_axis").kernel<MinKernel>().gradient(&ExtremeGrad)
      .doc("The smallest element over axes; NaN if there is one. Every element equal to it gets the whole gradient. Of nothing: the dtype's highest value."));
  ops->push_back(Reduction("_square_sum").kernel<SquareSumKernel>()
      .gradient([](Grad& g, const ReduceAttrs& a) { g.dx[0] = 2 * g.x(0) * ReshapeTo(g.dy(0), Keep(g, a)); })
      .doc("The sum of squares over axes, added in float64."));
}

}  // namespace flx

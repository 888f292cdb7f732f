// SPDX-License-Identifier: Apache-2.0
#include "op/nn/layer_norm.h"

#include "op/nn/wide.h"

namespace flx {
namespace {

Shape KeepAxis(const Shape& s, int axis) {
  Shape k = s;
  k[axis < 0 ? axis + s.ndim() : axis] = 1;
  return k;
}
Shape AlongAxis(const Shape& s, int axis) {
  Shape k = Shape::Filled(s.ndim(), 1);
  axis = axis < 0 ? axis + s.ndim() : axis;
  k[axis] = s[axis];
  return k;
}
void InferLayerNorm(Infer& c, const LayerNormAttrs& a) {
  c.set_y(0, c.x(0));
  c.set_x(0, c.y(0));
  if (!c.x(0).rank_known()) return;
  int axis = c.Axis(a.axis, c.x(0).ndim());
  Shape s = c.x(0);
  for (int i : {1, 2}) if (s[axis] < 0 && c.known(i) && c.x(i).ndim() == 1) s[axis] = c.x(i)[0];
  for (int i : {1, 2}) c.set_x(i, Shape{s[axis]});
  for (int i : {1, 2}) c.set_y(i, KeepAxis(s, axis));
  for (int i : {1, 2})
    for (int k = 0; k < s.ndim(); ++k) if (k != axis) s[k] = c.y(i)[k];
  c.set_x(0, s);
  c.set_y(0, s);
}

}  // namespace

OpDef LayerNormOp() {
  return Op<LayerNormAttrs>("LayerNorm")
      .example("LayerNorm(data (32, 10), gamma (10,), beta (10,)): (32, 10)")
      .alias("_npx_layer_norm")
      .family("nn")
      .doc("Layer normalization (Ba, Kiros and Hinton, 2016): gamma * (x - mean) / sqrt(var + eps) + beta, with mean and variance of each row along `axis`.")
      .attr(&LayerNormAttrs::axis, "axis", "The axis that is normalised, and that gamma and beta lie along.")
      .attr(&LayerNormAttrs::eps, "eps", "Added to the variance.")
      .range(0, 1e30)
      .attr(&LayerNormAttrs::output_mean_var, "output_mean_var", "Give also the mean and the standard deviation sqrt(var + eps) of each row.")
      .input("data", "At least one axis, float.")
      .input("gamma", "(size of axis,), the scale.")
      .input("beta", "(size of axis,), the shift.")
      .output("output", "As data.")
      .hidden("mean", "As data with size 1 along axis.")
      .hidden("std", "As mean: sqrt(var + eps).")
      .visible_count([](const LayerNormAttrs& a) { return a.output_mean_var ? 3 : 1; })
      .types(SameFloat)
      .infer(InferLayerNorm)
      .gradient([](Grad& g, const LayerNormAttrs& a) {
        if (!g.want(0) && !g.want(1) && !g.want(2)) return;
        std::vector<Val> d = CallsWith("_layer_norm_grad", {g.x(0), g.x(1), g.dy(0)}, LayerNormGradAttrs{a.axis, a.eps});
        for (size_t i = 0; i < 3; ++i) if (g.want(int(i))) g.dx[i] = d[i];
      })
      .compose([](const std::vector<Val>& v, const LayerNormAttrs& a) {
        const DType t = TypeOf(v[0]), wide = WideType(t);
        const Shape s = ShapeOf(v[0]), rows = KeepAxis(s, a.axis), along = AlongAxis(s, a.axis);
        const double n = double(along.size());
        Val x = CastTo(v[0], wide), mean = SumTo(x, rows) / n, c = x - mean, std = CallOp("sqrt", {SumTo(c * c, rows) / n + a.eps});
        Val y = c / std * ReshapeTo(CastTo(v[1], wide), along) + ReshapeTo(CastTo(v[2], wide), along);
        return std::vector<Val>{CastTo(y, t), CastTo(mean, t), CastTo(std, t)};
      })
      .kernel<LayerNormKernel>();
}

OpDef LayerNormGradOp() {
  return Op<LayerNormGradAttrs>("_layer_norm_grad")
      .family("nn")
      .doc("Gradients of LayerNorm for data, gamma and beta. Mean and variance are found again: that is cheaper than keeping them, and depends on data as it should.")
      .traits(kInternal)
      .attr(&LayerNormGradAttrs::axis, "axis", "The axis that was normalised.")
      .attr(&LayerNormGradAttrs::eps, "eps", "Added to the variance.")
      .input("data", "LayerNorm's data.")
      .input("gamma", "(size of axis,).")
      .input("dy", "Gradient of the output.")
      .output("dx", "Gradient of data.")
      .output("dgamma", "As gamma.")
      .output("dbeta", "As gamma.")
      .types(SameFloat)
      .infer([](Infer& c, const LayerNormGradAttrs&) {
        c.set_x(2, c.x(0));
        c.set_y(0, c.x(0));
        for (int i : {1, 2}) c.set_y(i, c.x(1));
      })
      .compose([](const std::vector<Val>& v, const LayerNormGradAttrs& a) {
        Val x = v[0], dy = v[2];
        Shape rows = KeepAxis(ShapeOf(x), a.axis), along = AlongAxis(ShapeOf(x), a.axis);
        double n = double(along.size());
        Val c = x - SumTo(x, rows) / n;
        Val inv = CallOp("rsqrt", {SumTo(c * c, rows) / n + a.eps});
        Val xhat = c * inv, t = dy * ReshapeTo(v[1], along);
        Val dx = (t - SumTo(t, rows) / n - xhat * (SumTo(t * xhat, rows) / n)) * inv;
        return std::vector<Val>{dx, ReshapeTo(SumTo(dy * xhat, along), ShapeOf(v[1])), ReshapeTo(SumTo(dy, along), ShapeOf(v[1]))};
      })
      .kernel<LayerNormGradKernel>();
}

}  // namespace flx

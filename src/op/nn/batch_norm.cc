// SPDX-License-Identifier: Apache-2.0
#include "op/nn/batch_norm.h"

#include "op/nn/blocked.h"
#include "op/nn/wide.h"

namespace flx {
namespace {

// Statistics and parameters are float32 for 16-bit data.
void BatchNormTypes(Infer& c, const BatchNormAttrs&) {
  NeedFloat(c, 0);
  c.set_x_type(0, c.y_type(0));
  c.set_y_type(0, c.x_type(0));
  DType t = c.x_type(0) == DType::kNone ? c.x_type(1) : WideType(c.x_type(0));
  for (int i = 1; i < 5; ++i) c.set_x_type(i, t);
  for (int i = 1; i < 5; ++i) c.set_y_type(i, t);
}
void InferBatchNorm(Infer& c, const BatchNormAttrs& a) {
  c.set_y(0, c.x(0));
  c.set_x(0, c.y(0));
  Shape channels{-1};
  if (c.x(0).rank_known()) {
    int axis = c.Axis(a.axis, c.x(0).ndim());
    channels[0] = c.x(0)[axis];
    for (int i = 1; i < 5 && channels[0] < 0; ++i) if (c.known(i) && c.x(i).ndim() == 1) channels[0] = c.x(i)[0];
    for (int i = 1; i < 5 && channels[0] < 0; ++i) if (c.y_known(i) && c.y(i).ndim() == 1) channels[0] = c.y(i)[0];
    Shape s = c.x(0);
    s[axis] = channels[0];
    c.set_x(0, s);
    c.set_y(0, s);
  }
  for (int i = 1; i < 5; ++i) channels[0] = c.known(i) && c.x(i).ndim() == 1 ? c.x(i)[0] : channels[0];
  for (int i = 1; i < 5; ++i) c.set_x(i, channels), c.set_y(i, channels);
}
Shape AlongAxis(const Shape& x, int axis) {
  Shape s = Shape::Filled(x.ndim(), 1);
  axis = axis < 0 ? axis + x.ndim() : axis;
  s[axis] = x[axis];
  return s;
}

BatchNormGradAttrs GradAttrs(const Grad& g, const BatchNormAttrs& a) {
  BatchNormGradAttrs r;
  r.axis = a.axis, r.eps = a.eps, r.fix_gamma = a.fix_gamma, r.batch_stats = g.training && !a.use_global_stats;
  return r;
}
void Gradient(Grad& g, const BatchNormAttrs& a, const char* op) {
  if (!g.want(0) && !g.want(1) && !g.want(2)) return;
  std::vector<Val> d = CallsWith(op, {g.x(0), g.x(1), g.y(1), g.y(2), g.dy(0)}, GradAttrs(g, a));
  for (size_t i = 0; i < 3; ++i) if (g.want(int(i))) g.dx[i] = d[i];
}
Op<BatchNormAttrs> Like(const char* name) {
  Op<BatchNormAttrs> op(name);
  op.family("nn")
      .traits(kInplace)
      .attr(&BatchNormAttrs::eps, "eps", "Added to the variance.")
      .range_open(0, false, 1e300, false)
      .attr(&BatchNormAttrs::momentum, "momentum", "How much of the old moving average is kept at each step.")
      .attr(&BatchNormAttrs::fix_gamma, "fix_gamma", "Use 1 in place of gamma, whose gradient is then 0. Note that this is the default.")
      .attr(&BatchNormAttrs::use_global_stats, "use_global_stats", "Use the moving averages in training too.")
      .attr(&BatchNormAttrs::output_mean_var, "output_mean_var", "Give also the mean and 1 / sqrt(var + eps) that were used.")
      .attr(&BatchNormAttrs::axis, "axis", "The axis of the channels.")
      .attr(&BatchNormAttrs::cudnn_off, "cudnn_off", "Accepted for MXNet's files.")
      .ignored()
      .attr(&BatchNormAttrs::min_calib_range, "min_calib_range", "Accepted for MXNet's quantized files.")
      .ignored()
      .attr(&BatchNormAttrs::max_calib_range, "max_calib_range", "Accepted for MXNet's quantized files.")
      .ignored()
      .input("data", "Any number of axes; one of them is the channels'.")
      .input("gamma", "(channels,), the scale; float32 for 16-bit data.")
      .input("beta", "(channels,), the shift.")
      .aux("moving_mean", "zero", "(channels,), the moving average of means.")
      .aux("moving_var", "one", "(channels,), the moving average of variances.")
      .output("output", "As data.")
      .hidden("mean", "(channels,), the mean that was used.")
      .hidden("var", "(channels,), 1 / sqrt(var + eps) that was used.")
      .update("new_moving_mean", 3, true)
      .update("new_moving_var", 4, true)
      .visible_count([](const BatchNormAttrs& a) { return a.output_mean_var ? 3 : 1; })
      .types(BatchNormTypes);
  return op;
}
Op<BatchNormGradAttrs> GradLike(const char* name) {
  Op<BatchNormGradAttrs> op(name);
  op.family("nn")
      .traits(kInternal)
      .attr(&BatchNormGradAttrs::axis, "axis", "The axis of the channels.")
      .attr(&BatchNormGradAttrs::eps, "eps", "Added to the variance.")
      .attr(&BatchNormGradAttrs::fix_gamma, "fix_gamma", "gamma counts as 1 and gets no gradient.")
      .attr(&BatchNormGradAttrs::batch_stats, "batch_stats", "mean and inv are those of data, and so depend on it.")
      .input("data", "BatchNorm's data.")
      .input("gamma", "(channels,).")
      .input("mean", "(channels,), as used.")
      .input("inv", "(channels,), 1 / sqrt(var + eps) as used.")
      .input("dy", "Gradient of the output.")
      .output("dx", "Gradient of data.")
      .output("dgamma", "(channels,).")
      .output("dbeta", "(channels,).")
      .types([](Infer& c, const BatchNormGradAttrs&) {
        c.set_x_type(4, c.x_type(0));
        c.set_y_type(0, c.x_type(0));
        DType t = c.x_type(0) == DType::kNone ? c.x_type(1) : WideType(c.x_type(0));
        for (int i : {1, 2, 3}) c.set_x_type(i, t);
        for (int i : {1, 2}) c.set_y_type(i, t);
      })
      .infer([](Infer& c, const BatchNormGradAttrs&) {
        c.set_x(4, c.x(0));
        c.set_y(0, c.x(0));
        for (int i : {1, 2}) c.set_y(i, c.x(1));
      });
  return op;
}

}  // namespace

OpDef BatchNormOp() {
  return Like("BatchNorm")
      .alias("_npx_batch_norm")
      .doc("Batch normalization (Ioffe and Szegedy, 2015): gamma * (x - mean) / sqrt(var + eps) + beta for each channel. In training mean and variance are those "
           "of the batch, and the moving averages take a step towards them: moving = momentum * moving + (1 - momentum) * batch; otherwise the averages are used.")
      .example("BatchNorm(data (64, 20, 24, 24), gamma (20,), beta (20,), moving_mean (20,), moving_var (20,))")
      .infer(InferBatchNorm)
      .gradient([](Grad& g, const BatchNormAttrs& a) { Gradient(g, a, "_batch_norm_grad"); })
      .kernel<BatchNormKernel>();
}

OpDef BatchNormGradOp() {
  return GradLike("_batch_norm_grad")
      .doc("Gradients of BatchNorm for data, gamma and beta.")
      // Mean and variance are made again from data here: as given, they would hide how they depend on it.
      .compose([](const std::vector<Val>& v, const BatchNormGradAttrs& a) {
        DType t = TypeOf(v[1]), narrow = TypeOf(v[0]);
        Val x = CastTo(v[0], t), dy = CastTo(v[4], t);
        Shape s = AlongAxis(ShapeOf(x), a.axis);
        double n = double(ShapeOf(x).size()) / double(s.size() ? s.size() : 1);
        Val mean = ReshapeTo(v[2], s), inv = ReshapeTo(v[3], s);
        if (a.batch_stats) {
          mean = SumTo(x, s) / n;
          Val c = x - mean;
          inv = CallOp("rsqrt", {SumTo(c * c, s) / n + a.eps});
        }
        Val xhat = (x - mean) * inv, dbeta = SumTo(dy, s), dgamma = SumTo(dy * xhat, s);
        Val dx = a.batch_stats ? (dy - dbeta / n - xhat * (dgamma / n)) * inv : dy * inv;
        if (!a.fix_gamma) dx = dx * ReshapeTo(v[1], s);
        Shape channels = ShapeOf(v[1]);
        return std::vector<Val>{CastTo(dx, narrow), a.fix_gamma ? ZerosLike(v[1]) : ReshapeTo(dgamma, channels), ReshapeTo(dbeta, channels)};
      })
      .kernel<BatchNormGradKernel>();
}

// ---- the same on blocked arrays -----------------------------------------------------------------------------------------------------------
OpDef BlockedBatchNormOp() {
  return Like("_blocked_batch_norm")
      .doc("BatchNorm of a blocked array.")
      .traits(kInternal)
      .infer([](Infer& c, const BatchNormAttrs&) {
        c.set_y(0, c.x(0));
        c.set_x(0, c.y(0));
        if (!c.ranked(0)) return;
        c.Expect(c.x(0).ndim() == 5, "input `data` must have 5 axes, as _to_blocked gives them, given ", c.x(0), ".");
        Shape channels{TimesSize(c.x(0)[1], c.x(0)[4])};
        for (int i = 1; i < 5; ++i) c.set_x(i, channels), c.set_y(i, channels);
      })
      .gradient([](Grad& g, const BatchNormAttrs& a) { Gradient(g, a, "_blocked_batch_norm_grad"); })
      .kernel<BlockedBatchNormKernel>();
}
OpDef BlockedBatchNormGradOp() {
  return GradLike("_blocked_batch_norm_grad")
      .doc("Gradients of _blocked_batch_norm for data, gamma and beta.")
      .compose([](const std::vector<Val>& v, const BatchNormGradAttrs& a) {
        BatchNormGradAttrs plain = a;
        plain.axis = 1;
        std::vector<Val> d = CallsWith("_batch_norm_grad", {CallOp("_from_blocked", {v[0]}), v[1], v[2], v[3], CallOp("_from_blocked", {v[4]})}, plain);
        d[0] = CallWith("_to_blocked", {d[0]}, ToBlockedAttrs{ShapeOf(v[0])[4]});
        return d;
      })
      .kernel<BlockedBatchNormGradKernel>();
}

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
#include "op/nn/norms.h"

#include "op/nn/pooling.h"
#include "op/nn/wide.h"

namespace flx {
namespace {

// s with size 1 on the axes [from, to).
Shape Without(Shape s, int from, int to) {
  for (int i = from; i < to; ++i) s[i] = 1;
  return s;
}
template <int kLeast, class A> void AsData(Infer& c, const A&) {
  c.set_y(0, c.x(0));
  c.set_x(0, c.y(0));
  if (c.x(0).rank_known()) c.Expect(c.x(0).ndim() >= kLeast, "input `data` must have at least ", kLeast, " axes, given ", c.x(0), ".");
}
// (x - mean) / sqrt(var + eps) over the axes [from, end), and what was used; 16-bit floats in float32.
struct Normalized { Val y, mean, std; };
Normalized Normalize(Val x, int from, double eps) {
  Shape kept = Without(ShapeOf(x), from, ShapeOf(x).ndim());
  double n = double(ShapeOf(x).Product(from, ShapeOf(x).ndim()));
  Val mean = SumTo(x, kept) / n, centred = x - mean;
  Val var = SumTo(centred * centred, kept) / n + eps;
  return {centred * CallOp("rsqrt", {var}), mean, CallOp("sqrt", {var})};
}

}  // namespace

OpDef L2NormalizationOp() {
  return Op<L2NormalizationAttrs>("L2Normalization")
      .example("L2Normalization(data (2, 3)): (2, 3)")
      .family("nn")
      .doc("x / sqrt(sum(x^2) + eps), summed over all but the first axis (`instance`), over axis 1 (`channel`), or over the axes from 2 on (`spatial`).")
      .attr(&L2NormalizationAttrs::eps, "eps", "Added to the sum of squares.")
      .range(0, 1e30)
      .attr(&L2NormalizationAttrs::mode, "mode", "What is taken for one vector: each instance, the channels of each place, or each channel's plane.")
      .input("data", "At least two axes, three for `spatial`; float.")
      .output("output", "As data.")
      .types(SameFloat)
      .infer([](Infer& c, const L2NormalizationAttrs& a) {
        if (a.mode == L2Mode::kSpatial) AsData<3>(c, a);
        else AsData<2>(c, a);
      })
      .compose([](const std::vector<Val>& v, const L2NormalizationAttrs& a) {
        DType t = TypeOf(v[0]);
        Val x = CastTo(v[0], WideType(t));
        int nd = ShapeOf(x).ndim(), from = a.mode == L2Mode::kSpatial ? 2 : 1, to = a.mode == L2Mode::kChannel ? 2 : nd;
        return std::vector<Val>{CastTo(x * CallOp("rsqrt", {SumTo(x * x, Without(ShapeOf(x), from, to)) + double(a.eps)}), t)};
      });
}
OpDef InstanceNormOp() {
  return Op<InstanceNormAttrs>("InstanceNorm")
      .example("InstanceNorm(data (2, 3, 8), gamma (3,), beta (3,)): (2, 3, 8)")
      .family("nn")
      .doc("Instance normalization (Ulyanov, Vedaldi and Lempitsky, 2016): gamma * (x - mean) / sqrt(var + eps) + beta, with mean and variance of each channel of each instance.")
      .attr(&InstanceNormAttrs::eps, "eps", "Added to the variance.")
      .range(0, 1e30)
      .input("data", "(batch, channel, places...), at least three axes; float.")
      .input("gamma", "(channel,), the scale.")
      .input("beta", "(channel,), the shift.")
      .output("output", "As data.")
      .types(SameFloat)
      .infer([](Infer& c, const InstanceNormAttrs& a) {
        AsData<3>(c, a);
        if (!c.ranked(0)) return;
        Shape s = c.x(0);
        for (int i : {1, 2}) {
          if (s[1] < 0 && c.known(i) && c.x(i).ndim() == 1) s[1] = c.x(i)[0];
          c.set_x(i, Shape{s[1]});
        }
        c.set_x(0, s);
        c.set_y(0, s);
      })
      .compose([](const std::vector<Val>& v, const InstanceNormAttrs& a) {
        DType t = TypeOf(v[0]), wide = WideType(t);
        Val x = CastTo(v[0], wide);
        Shape channels = Shape::Filled(ShapeOf(x).ndim(), 1);
        channels[1] = ShapeOf(x)[1];
        Val y = Normalize(x, 2, a.eps).y * ReshapeTo(CastTo(v[1], wide), channels) + ReshapeTo(CastTo(v[2], wide), channels);
        return std::vector<Val>{CastTo(y, t)};
      });
}
OpDef GroupNormOp() {
  return Op<GroupNormAttrs>("GroupNorm")
      .example("GroupNorm(data (2, 6, 8), gamma (3,), beta (3,), num_groups=3): (2, 6, 8)")
      .family("nn")
      .doc("Group normalization (Wu and He, 2018): the channels of each instance are split in groups, and each group is normalised: gamma * (x - mean) / sqrt(var + eps) + beta. "
           "gamma and beta have one element for each group, as in MXNet 1.x.")
      .attr(&GroupNormAttrs::num_groups, "num_groups", "How many groups; must divide the channels.")
      .range(1, 1e15)
      .attr(&GroupNormAttrs::eps, "eps", "Added to the variance.")
      .range(0, 1e30)
      .attr(&GroupNormAttrs::output_mean_var, "output_mean_var", "Give also the mean and the standard deviation sqrt(var + eps) of each group.")
      .input("data", "(batch, channel, places...), at least three axes; float.")
      .input("gamma", "(num_groups,), the scale.")
      .input("beta", "(num_groups,), the shift.")
      .output("output", "As data.")
      .hidden("mean", "(batch, num_groups).")
      .hidden("std", "(batch, num_groups): sqrt(var + eps).")
      .visible_count([](const GroupNormAttrs& a) { return a.output_mean_var ? 3 : 1; })
      .types(SameFloat)
      .infer([](Infer& c, const GroupNormAttrs& a) {
        AsData<3>(c, a);
        for (int i : {1, 2}) c.set_x(i, Shape{a.num_groups});
        if (!c.x(0).rank_known()) return;
        int64_t channels = c.x(0)[1];
        c.Expect(channels < 0 || channels % a.num_groups == 0, "the channels must be a multiple of num_groups ", a.num_groups, ", given data of shape ", c.x(0), ".");
        for (int i : {1, 2}) {
          c.set_y(i, Shape{c.x(0)[0], a.num_groups});
          Shape s = c.x(0);
          s[0] = c.y(i)[0];
          c.set_x(0, s);
          c.set_y(0, s);
        }
      })
      .compose([](const std::vector<Val>& v, const GroupNormAttrs& a) {
        DType t = TypeOf(v[0]), wide = WideType(t);
        Shape s = ShapeOf(v[0]), groups{s[0], a.num_groups, s.size() / std::max<int64_t>(s[0] * a.num_groups, 1)};
        Normalized n = Normalize(ReshapeTo(CastTo(v[0], wide), groups), 2, a.eps);
        Shape each{1, a.num_groups, 1}, stat{s[0], a.num_groups};
        Val y = n.y * ReshapeTo(CastTo(v[1], wide), each) + ReshapeTo(CastTo(v[2], wide), each);
        return std::vector<Val>{CastTo(ReshapeTo(y, s), t), CastTo(ReshapeTo(n.mean, stat), t), CastTo(ReshapeTo(n.std, stat), t)};
      });
}
OpDef LrnOp() {
  return Op<LrnAttrs>("LRN")
      .family("nn")
      .doc("Local response normalization (Krizhevsky, Sutskever and Hinton, 2012): x * (knorm + alpha / nsize * s)^-beta, s being the sum of x^2 over nsize neighbouring channels.")
      .attr(&LrnAttrs::alpha, "alpha", "Weight of the sum of squares.")
      .attr(&LrnAttrs::beta, "beta", "The exponent.")
      .attr(&LrnAttrs::knorm, "knorm", "Added to the weighted sum.")
      .attr(&LrnAttrs::nsize, "nsize", "How many channels a sum takes, an odd number.")
      .required()
      .range(1, 1e9)
      .input("data", "(batch, channel, height, width), float.")
      .output("output", "As data.")
      .types(SameFloat)
      .infer([](Infer& c, const LrnAttrs& a) {
        AsData<2>(c, a);
        c.Expect(a.nsize % 2 == 1, "attribute `nsize` must be odd, given ", a.nsize, ".");
      })
      .compose([](const std::vector<Val>& v, const LrnAttrs& a) {
        DType t = TypeOf(v[0]);
        Val x = CastTo(v[0], WideType(t));
        Shape s = ShapeOf(x), planes{s[0], 1, s[1], s.Product(2, s.ndim())};
        PoolingAttrs p;  // the channels as an axis that a window slides along
        p.kernel = {a.nsize, 1}, p.pad = {a.nsize / 2, 0}, p.pool_type = PoolType::kSum;
        Val sum = ReshapeTo(CallWith("Pooling", {ReshapeTo(x * x, planes)}, p), s);
        Val base = sum * (double(a.alpha) / double(a.nsize)) + double(a.knorm);
        return std::vector<Val>{CastTo(x * CallOp("_power_scalar", {base}, {{"scalar", Text(-double(a.beta))}}), t)};
      });
}

}  // namespace flx

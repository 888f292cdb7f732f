// SPDX-License-Identifier: Apache-2.0
// Normalization.
#include "train/layer.h"

namespace flx {
namespace {

using Def = LayerDef;

struct BatchNormSettings {
  int64_t axis = 1;
  double momentum = 0.9, epsilon = 1e-5;
  bool center = true, scale = true, use_global_stats = false;
  std::string beta_initializer = "zeros", gamma_initializer = "ones", running_mean_initializer = "zeros", running_variance_initializer = "ones";
};
std::vector<Val> BatchNorm(LayerContext& c, const Layer& layer, const std::vector<Val>& x) {
  auto& s = layer.as<BatchNormSettings>();
  const Shape in = ShapeOf(x[0]);
  Shape n{in[NormalAxis("BatchNorm", s.axis, in.ndim())]};
  DType t = TypeOf(x[0]) == DType::kFloat64 ? DType::kFloat64 : DType::kFloat32;  // statistics of 16-bit data are kept in float32
  Val gamma = c.Param("gamma", n, s.gamma_initializer, s.scale, t), beta = c.Param("beta", n, s.beta_initializer, s.center, t);
  Val mean = c.Aux("running_mean", n, s.running_mean_initializer, t), var = c.Aux("running_var", n, s.running_variance_initializer, t);
  return {c.Op("BatchNorm", {x[0], gamma, beta, mean, var},
               {{"eps", Text(s.epsilon)}, {"momentum", Text(s.momentum)}, {"fix_gamma", Text(!s.scale)}, {"use_global_stats", Text(s.use_global_stats)},
                {"axis", Text(s.axis)}})};
}

struct LayerNormSettings {
  int64_t axis = -1;
  double epsilon = 1e-5;
  bool center = true, scale = true;
  std::string beta_initializer = "zeros", gamma_initializer = "ones";
};
std::vector<Val> LayerNorm(LayerContext& c, const Layer& layer, const std::vector<Val>& x) {
  auto& s = layer.as<LayerNormSettings>();
  const Shape in = ShapeOf(x[0]);
  Shape n{in[NormalAxis("LayerNorm", s.axis, in.ndim())]};
  Val gamma = c.Param("gamma", n, s.gamma_initializer, s.scale), beta = c.Param("beta", n, s.beta_initializer, s.center);
  return {c.Op("LayerNorm", {x[0], gamma, beta}, {{"axis", Text(s.axis)}, {"eps", Text(s.epsilon)}})};
}

struct StandardizeSettings { int64_t axis = 1; };
std::vector<Val> Standardize(LayerContext& c, const Layer& layer, const std::vector<Val>& x) {
  const Shape in = ShapeOf(x[0]);
  if (in.ndim() < 2)
    Fail(Status::kShape, "Standardize", "the input must have a batch axis and at least one more, given shape ", in, ". Reshape it to (batch, features).");
  const int axis = NormalAxis("Standardize", layer.as<StandardizeSettings>().axis, in.ndim());
  if (axis == 0) Fail(Status::kArgument, "Standardize", "axis 0 is the batch; expected the axis of the features, as 1 or -1.");
  const DType given = TypeOf(x[0]), wide = given == DType::kFloat64 ? given : DType::kFloat32;  // a mean in 16 bits would be off by more than a deviation
  Shape along = Shape::Filled(in.ndim(), 1);
  along[axis] = -1;
  auto state = [&](const char* name, const char* init) { return c.Op("Reshape", {c.Aux(name, {in[axis]}, init, wide)}, {{"shape", Text(along.vec())}}); };
  Val mean = state("mean", "zeros"), deviation = state("deviation", "ones");
  Val wider = given == wide ? x[0] : c.Op("Cast", {x[0]}, {{"dtype", DTypeName(wide)}});
  Val y = c.Op("broadcast_div", {c.Op("broadcast_sub", {wider, mean}), deviation});
  return {given == wide ? y : c.Op("Cast", {y}, {{"dtype", DTypeName(given)}})};
}
}  // namespace

void AddNormLayers(std::vector<Def>* all) {
  using B = BatchNormSettings;
  all->push_back(Define<Def, B>("BatchNorm").family("normalization")
      .doc("(x - mean) / sqrt(var + epsilon) * gamma + beta, channel by channel (Ioffe and Szegedy, 2015). In training mean and variance are the batch's, and "
           "the running ones follow: running = momentum * running + (1 - momentum) * batch. Else the running ones are used.")
      .example("BatchNorm()")
      .attr(&B::axis, "axis", "The axis of the channels.")
      .attr(&B::momentum, "momentum", "How much of the running mean and variance stays at each step.").range(0, 1)
      .attr(&B::epsilon, "epsilon", "Added to the variance.").at_least(0)
      .attr(&B::center, "center", "Whether beta is learned; else it stays as it begins.")
      .attr(&B::scale, "scale", "Whether gamma is learned; else it is 1.")
      .attr(&B::use_global_stats, "use_global_stats", "Use the running mean and variance in training too.")
      .attr(&B::beta_initializer, "beta_initializer", "How beta begins.")
      .attr(&B::gamma_initializer, "gamma_initializer", "How gamma begins.")
      .attr(&B::running_mean_initializer, "running_mean_initializer", "How the running mean begins.")
      .attr(&B::running_variance_initializer, "running_variance_initializer", "How the running variance begins.")
      .with(&Def::params, std::vector<LayerParam>{{"gamma", "(channels,)"}, {"beta", "(channels,)"}, {"running_mean", "(channels,)", true}, {"running_var", "(channels,)", true}})
      .with(&Def::forward, &BatchNorm));
  using L = LayerNormSettings;
  all->push_back(Define<Def, L>("LayerNorm").family("normalization")
      .doc("(x - mean) / sqrt(var + epsilon) * gamma + beta, with mean and variance along one axis of each sample (Ba and others, 2016).")
      .example("LayerNorm()")
      .attr(&L::axis, "axis", "The axis that is normalized.")
      .attr(&L::epsilon, "epsilon", "Added to the variance.").at_least(0)
      .attr(&L::center, "center", "Whether beta is learned; else it stays as it begins.")
      .attr(&L::scale, "scale", "Whether gamma is learned; else it stays as it begins.")
      .attr(&L::beta_initializer, "beta_initializer", "How beta begins.")
      .attr(&L::gamma_initializer, "gamma_initializer", "How gamma begins.")
      .with(&Def::params, std::vector<LayerParam>{{"gamma", "(size of the axis,)"}, {"beta", "(size of the axis,)"}}).with(&Def::forward, &LayerNorm));
  using S = StandardizeSettings;
  all->push_back(Define<Def, S>("Standardize").family("normalization")
      .doc("(x - mean) / deviation, feature by feature: columns of a table come to mean 0 and deviation 1 whatever their units. A fit finds both in one pass over its training "
           "data, before its first epoch, when this is the first layer and the states are not there yet; a feature that is always the same keeps deviation 1. "
           "They are saved with the model. Made by hand (flx_params_init) they begin as 0 and 1.")
      .example("Standardize()")
      .attr(&S::axis, "axis", "The axis of the features: 1 for tables (rows, features) and images (batch, channels, ...), -1 where they are last.")
      .with(&Def::params, std::vector<LayerParam>{{"mean", "(features,)", true}, {"deviation", "(features,)", true}}).with(&Def::forward, &Standardize));
}

}  // namespace flx

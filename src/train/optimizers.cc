// SPDX-License-Identifier: Apache-2.0
// The optimizers that are one update operator, and those made of ordinary operators.
#include <cmath>

#include "train/optimizer.h"

namespace flx {
namespace {

using Def = OptimizerDef;

template <class S> Define<Def, S> New(const char* name, const char* doc) {
  Define<Def, S> d(name);
  return d.family("optimizer").doc(doc).example(name)
      .attr(&S::learning_rate, "learning_rate", "The step's size, before a schedule.").at_least(0)
      .attr(&S::wd, "wd", "Weight decay: wd * weight is added to the gradient.").at_least(0)
      .attr(&S::rescale_grad, "rescale_grad", "The gradient is multiplied by this first. 1 suits a mean loss.")
      .attr(&S::clip_gradient, "clip_gradient", "Each element of the scaled gradient is kept within +-this. None: not clipped.").above(0)
      .attr(&S::ignore_stale, "ignore_stale", "Leave a parameter alone whose gradient was not renewed since the last step, in place of an error.")
      .attr(&S::multi_precision, "multi_precision", "Keep 16-bit weights and their states in float32 too, and update those.");
}

struct SgdSettings : OptimizerSettings { double momentum = 0; bool lazy_update = true; };
UpdateRule SgdRule(const void* p) {
  auto& s = *static_cast<const SgdSettings*>(p);
  return s.momentum == 0 ? UpdateRule{"sgd_update", 0, {}} : UpdateRule{"sgd_mom_update", 1, {{"momentum", Text(s.momentum)}}};
}
UpdateRule NagRule(const void* p) {
  auto& s = *static_cast<const SgdSettings*>(p);
  return s.momentum == 0 ? UpdateRule{"sgd_update", 0, {}} : UpdateRule{"nag_mom_update", 1, {{"momentum", Text(s.momentum)}}};
}

struct AdamSettings : OptimizerSettings {
  AdamSettings() { learning_rate = 0.001; }
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  bool lazy_update = true;
};
UpdateRule AdamRule(const void* p) {
  auto& s = *static_cast<const AdamSettings*>(p);
  return {"adam_update", 2, {{"beta1", Text(s.beta1)}, {"beta2", Text(s.beta2)}, {"epsilon", Text(s.epsilon)}}};
}
double AdamRate(const void* p, double lr, int64_t t) {
  auto& s = *static_cast<const AdamSettings*>(p);
  return lr * std::sqrt(1 - std::pow(s.beta2, double(t))) / (1 - std::pow(s.beta1, double(t)));
}

struct RmsSettings : OptimizerSettings {
  RmsSettings() { learning_rate = 0.001; }
  double gamma1 = 0.9, gamma2 = 0.9, epsilon = 1e-8;
  bool centered = false;
  std::optional<double> clip_weights;
};
UpdateRule RmsRule(const void* p) {
  auto& s = *static_cast<const RmsSettings*>(p);
  UpdateRule r{s.centered ? "rmspropalex_update" : "rmsprop_update", s.centered ? 3 : 1, {{"gamma1", Text(s.gamma1)}, {"epsilon", Text(s.epsilon)}}};
  if (s.centered) r.options.emplace_back("gamma2", Text(s.gamma2));
  if (s.clip_weights) r.options.emplace_back("clip_weights", Text(*s.clip_weights));
  return r;
}

struct FtrlSettings : OptimizerSettings {
  FtrlSettings() { learning_rate = 0.1; }
  double lamda1 = 0.01, beta = 1;
};
UpdateRule FtrlRule(const void* p) {
  auto& s = *static_cast<const FtrlSettings*>(p);
  return {"ftrl_update", 2, {{"lamda1", Text(s.lamda1)}, {"beta", Text(s.beta)}}};
}

struct FtmlSettings : OptimizerSettings {
  double beta1 = 0.6, beta2 = 0.999, epsilon = 1e-8;
};
UpdateRule FtmlRule(const void* p) {
  auto& s = *static_cast<const FtmlSettings*>(p);
  return {"ftml_update", 3, {{"beta1", Text(s.beta1)}, {"beta2", Text(s.beta2)}, {"epsilon", Text(s.epsilon)}}};
}

struct SignumSettings : OptimizerSettings { double momentum = 0.9, wd_lh = 0; };
UpdateRule SignumRule(const void* p) {
  auto& s = *static_cast<const SignumSettings*>(p);
  return s.momentum == 0 ? UpdateRule{"signsgd_update", 0, {}} : UpdateRule{"signum_update", 1, {{"momentum", Text(s.momentum)}, {"wd_lh", Text(s.wd_lh)}}};
}

struct AdaGradSettings : OptimizerSettings { double eps = 1e-7; };
void AdaGrad(const void* p, ComposedUpdate* u) {
  Val g = u->Clip(u->g);
  u->s[0] = u->s[0] + u->Op("square", {g});
  u->w = u->w - (g / u->Op("sqrt", {u->s[0] + static_cast<const AdaGradSettings*>(p)->eps}) + u->w * u->wd) * u->lr;
}
struct AdaDeltaSettings : OptimizerSettings { double rho = 0.9, epsilon = 1e-5; };
void AdaDelta(const void* p, ComposedUpdate* u) {
  auto& s = *static_cast<const AdaDeltaSettings*>(p);
  Val g = u->Clip(u->g);
  u->s[0] = u->s[0] * s.rho + u->Op("square", {g}) * (1 - s.rho);
  Val delta = u->Op("sqrt", {u->s[1] + s.epsilon}) / u->Op("sqrt", {u->s[0] + s.epsilon}) * g;
  u->s[1] = u->s[1] * s.rho + u->Op("square", {delta}) * (1 - s.rho);
  u->w = u->w - (delta + u->w * u->wd);
}
struct AdamaxSettings : OptimizerSettings {
  AdamaxSettings() { learning_rate = 0.002; }
  double beta1 = 0.9, beta2 = 0.999;
};
double AdamaxRate(const void* p, double lr, int64_t t) { return lr / (1 - std::pow(static_cast<const AdamaxSettings*>(p)->beta1, double(t))); }
void Adamax(const void* p, ComposedUpdate* u) {
  auto& s = *static_cast<const AdamaxSettings*>(p);
  Val g = u->Clip(u->g + u->w * u->wd);
  u->s[0] = u->s[0] * s.beta1 + g * (1 - s.beta1);
  u->s[1] = u->Op("broadcast_maximum", {u->s[1] * s.beta2, u->Op("abs", {g})});
  u->w = u->w - u->s[0] / u->s[1] * u->lr;
}

const char *kMomentum = "How much of the last step is kept.", *kBeta1 = "How much of the gradient's running mean stays at each step.",
           *kBeta2 = "How much of the squared gradient's running mean stays at each step.", *kEpsilon = "Added to the denominator.",
           *kLazy = "For sparse gradients: only rows with a gradient are updated.";
}  // namespace

void AddOperatorOptimizers(std::vector<Def>* all) {
  all->push_back(New<SgdSettings>("SGD", "w -= lr (g + wd w); with momentum m: v = m v - lr (g + wd w), w += v.")
      .attr(&SgdSettings::momentum, "momentum", kMomentum).range_open(0, false, 1, true)
      .attr(&SgdSettings::lazy_update, "lazy_update", kLazy).ignored().with(&Def::rule, &SgdRule));
  all->push_back(New<SgdSettings>("NAG", "SGD with Nesterov's momentum: the gradient is taken where the momentum would lead (Nesterov, 1983).")
      .attr(&SgdSettings::momentum, "momentum", kMomentum).range_open(0, false, 1, true)
      .attr(&SgdSettings::lazy_update, "lazy_update", kLazy).ignored().with(&Def::rule, &NagRule));
  all->push_back(New<AdamSettings>("Adam", "Running means of the gradient and its square, corrected for their beginning: w -= lr m / (sqrt(v) + epsilon) (Kingma and Ba, 2015).")
      .attr(&AdamSettings::beta1, "beta1", kBeta1).range_open(0, false, 1, true)
      .attr(&AdamSettings::beta2, "beta2", kBeta2).range_open(0, false, 1, true)
      .attr(&AdamSettings::epsilon, "epsilon", kEpsilon).at_least(0)
      .attr(&AdamSettings::lazy_update, "lazy_update", kLazy).ignored()
      .with(&Def::rule, &AdamRule).with(&Def::rate, &AdamRate));
  all->push_back(New<RmsSettings>("RMSProp", "The gradient divided by the root of its square's running mean (Tieleman and Hinton, 2012); centered: of its variance, with momentum (Graves, 2013).")
      .attr(&RmsSettings::gamma1, "gamma1", kBeta2).range_open(0, false, 1, true)
      .attr(&RmsSettings::gamma2, "gamma2", "Momentum of the centered form.").range_open(0, false, 1, true)
      .attr(&RmsSettings::epsilon, "epsilon", kEpsilon).at_least(0)
      .attr(&RmsSettings::centered, "centered", "Divide by the deviation in place of the root mean square.")
      .attr(&RmsSettings::clip_weights, "clip_weights", "Weights are kept within +-this. None: not clipped.").above(0)
      .with(&Def::rule, &RmsRule));
  all->push_back(New<FtrlSettings>("Ftrl", "Follow the regularized leader: sparse weights for wide linear models (McMahan and others, 2013).")
      .attr(&FtrlSettings::lamda1, "lamda1", "The L1 penalty, which makes weights exactly 0.").at_least(0)
      .attr(&FtrlSettings::beta, "beta", "Smooths the rate of each weight.").at_least(0).with(&Def::rule, &FtrlRule));
  all->push_back(New<FtmlSettings>("FTML", "Follow the moving leader (Zheng and Kwok, 2017).")
      .attr(&FtmlSettings::beta1, "beta1", kBeta1).range_open(0, false, 1, true)
      .attr(&FtmlSettings::beta2, "beta2", kBeta2).range_open(0, false, 1, true)
      .attr(&FtmlSettings::epsilon, "epsilon", kEpsilon).at_least(0).with(&Def::rule, &FtmlRule));
  all->push_back(New<SignumSettings>("Signum", "Steps of one size, by the sign of the gradient or of its momentum (Bernstein and others, 2018).")
      .alias("SignSGD")
      .attr(&SignumSettings::momentum, "momentum", kMomentum).range_open(0, false, 1, true)
      .attr(&SignumSettings::wd_lh, "wd_lh", "Weight decay apart from the gradient (Loshchilov and Hutter, 2019).").at_least(0)
      .with(&Def::rule, &SignumRule));
}

void AddComposedOptimizers(std::vector<Def>* all) {
  all->push_back(New<AdaGradSettings>("AdaGrad", "The gradient divided by the root of the sum of its squares so far (Duchi and others, 2011). Weight decay stands outside of the division.")
      .attr(&AdaGradSettings::eps, "eps", kEpsilon).at_least(0).with(&Def::compose, &AdaGrad).with(&Def::composed_states, 1));
  all->push_back(New<AdaDeltaSettings>("AdaDelta", "Steps by the ratio of running means of squared steps and squared gradients (Zeiler, 2012). It has no learning rate.")
      .attr(&AdaDeltaSettings::rho, "rho", kBeta2).range_open(0, false, 1, true)
      .attr(&AdaDeltaSettings::epsilon, "epsilon", kEpsilon).at_least(0).with(&Def::compose, &AdaDelta).with(&Def::composed_states, 2));
  all->push_back(New<AdamaxSettings>("Adamax", "Adam with the largest gradient in place of the root mean square (Kingma and Ba, 2015).")
      .attr(&AdamaxSettings::beta1, "beta1", kBeta1).range_open(0, false, 1, true)
      .attr(&AdamaxSettings::beta2, "beta2", kBeta2).range_open(0, false, 1, true)
      .with(&Def::rate, &AdamaxRate).with(&Def::compose, &Adamax).with(&Def::composed_states, 2));
}

}  // namespace flx

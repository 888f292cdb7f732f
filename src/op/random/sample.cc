// SPDX-License-Identifier: Apache-2.0
// _random_* (one set of parameters) and _sample_* (parameters in arrays). A drawn number counts as a constant: no gradient flows to parameters.
#include <cmath>

#include "op/random/random.h"

namespace flx {
namespace {

// ---- _random_*
template <class A> Op<A> Start(const char* name, const char* doc) {
  Op<A> o(name);
  o.family("random").doc(doc).traits(kRandom | kInit).output("output", "The random numbers.").zero_gradient()
      .infer([](Infer& c, const A& a) { c.set_y(0, a.shape ? Shape(*a.shape) : Shape{1}); });
  return o;
}
template <class A> Op<A>& Rest(Op<A>& o) {  // MXNet's order: parameters first
  return o.attr(&DrawAttrs::shape, "shape", "The result's shape; None: (1,).").range(0, INFINITY)
      .attr(&DrawAttrs::ctx, "ctx", "Where the array is made, as cpu or gpu(0); empty: on the CPU. In a graph that runs elsewhere, there.")
      .attr(&DrawAttrs::dtype, "dtype", "The result's dtype; None: float32, or int32 for whole numbers drawn from a range.");
}
template <class A> void FloatType(Infer& c, const A& a) {
  DType t = a.dtype == DType::kNone ? DType::kFloat32 : a.dtype;
  if (!IsFloat(t)) c.FailType("expected float32, float64, float16 or bfloat16 as dtype, given ", t, ".");
  c.set_y_type(0, t);
}
template <class A> Op<A> Float(Op<A> o) { return std::move(Rest(o).types(&FloatType<A>)); }

OpDef RandintOp() {
  Op<RandintAttrs> o = Start<RandintAttrs>("_random_randint", "Whole numbers from low to high (exclusive), each as likely as another.");
  o.alias("random_randint").attr(&RandintAttrs::low, "low", "The smallest number.").required().attr(&RandintAttrs::high, "high", "One more than the largest number.").required();
  return Rest(o)
      .types([](Infer& c, const RandintAttrs& a) {
        DType t = a.dtype == DType::kNone ? DType::kInt32 : a.dtype;
        if (t != DType::kInt32 && t != DType::kInt64) c.FailType("expected int32 or int64 as dtype, given ", t, ".");
        c.set_y_type(0, t);
      })
      .infer([](Infer& c, const RandintAttrs& a) {
        c.Expect(a.low < a.high, "expected low < high, given low ", a.low, " and high ", a.high, ".");
        c.Expect(c.y_type(0) == DType::kInt64 || (a.low >= INT32_MIN && a.high - 1 <= INT32_MAX), "low and high must fit int32, given ", a.low, " and ", a.high, ". Ask for dtype int64.");
        c.set_y(0, a.shape ? Shape(*a.shape) : Shape{1});
      })
      .kernel<RandintKernel>();
}

// ---- _sample_*
Op<SampleAttrs> Sample(const char* name, const char* alias, const char* doc, std::initializer_list<std::pair<const char*, const char*>> params) {
  Op<SampleAttrs> o(name);
  o.alias(alias).family("random").doc(doc).traits(kRandom).zero_gradient()
      .attr(&SampleAttrs::shape, "shape", "How many numbers each set of parameters gives: the shape that follows that of the parameters; empty: one.").range(0, INFINITY)
      .attr(&SampleAttrs::dtype, "dtype", "The result's dtype; None: float32.");
  for (auto& p : params) o.input(p.first, p.second);
  o.output("output", "The random numbers, of shape parameters.shape + shape.")
      .types([](Infer& c, const SampleAttrs& a) {
        FloatType(c, a);
        for (int i = 0; i < c.nin; ++i) c.guess_x_type(i, DType::kFloat32);
      })
      .infer([](Infer& c, const SampleAttrs& a) {
        for (int i = 1; i < c.nin; ++i) c.set_x(0, c.x(i)), c.set_x(i, c.x(0));
        int more = int(a.shape.size());
        if (const Shape& y = c.y(0); y.rank_known() && y.ndim() >= more) c.set_x(0, Shape(y.data(), y.ndim() - more));
        for (int i = 1; i < c.nin; ++i) c.set_x(i, c.x(0));
        if (!c.x(0).rank_known()) return;
        Shape s = c.x(0);
        for (int64_t d : a.shape) s.push_back(d);
        c.set_y(0, s);
      });
  return o;
}
}  // namespace

void AddDrawOps(std::vector<OpDef>* ops) {
  ops->push_back(Float(Start<UniformAttrs>("_random_uniform", "Numbers from low to high (exclusive), evenly spread.").alias("random_uniform").alias("uniform")
      .attr(&UniformAttrs::low, "low", "The lower end.").attr(&UniformAttrs::high, "high", "The upper end.")).kernel<RandomUniformKernel>());
  ops->push_back(Float(Start<NormalAttrs>("_random_normal", "Numbers of the normal distribution.").alias("random_normal").alias("normal")
      .attr(&NormalAttrs::loc, "loc", "The mean.").attr(&NormalAttrs::scale, "scale", "The standard deviation.").range(0, INFINITY)).kernel<RandomNormalKernel>());
  ops->push_back(Float(Start<GammaAttrs>("_random_gamma", "Numbers of the gamma distribution, with mean alpha * beta.").alias("random_gamma")
      .attr(&GammaAttrs::alpha, "alpha", "The shape parameter.").range_open(0, true, INFINITY, false)
      .attr(&GammaAttrs::beta, "beta", "The scale parameter.").range_open(0, true, INFINITY, false)).kernel<RandomGammaKernel>());
  ops->push_back(Float(Start<RateAttrs>("_random_exponential", "Numbers of the exponential distribution, with mean 1 / lam.").alias("random_exponential")
      .attr(&RateAttrs::lam, "lam", "The rate.").range_open(0, true, INFINITY, false)).kernel<RandomExponentialKernel>());
  ops->push_back(Float(Start<RateAttrs>("_random_poisson", "Numbers of the Poisson distribution: counts, in a float dtype.").alias("random_poisson")
      .attr(&RateAttrs::lam, "lam", "The mean.").range(0, 1e15)).kernel<RandomPoissonKernel>());
  ops->push_back(Float(Start<NegativeBinomialAttrs>("_random_negative_binomial", "Failures before the k-th success, each attempt succeeding with probability p.").alias("random_negative_binomial")
      .attr(&NegativeBinomialAttrs::k, "k", "The number of successes.").range(1, 9e18)
      .attr(&NegativeBinomialAttrs::p, "p", "The probability of a success.").range_open(0, true, 1, false)).kernel<RandomNegativeBinomialKernel>());
  ops->push_back(Float(Start<GeneralizedNegativeBinomialAttrs>("_random_generalized_negative_binomial", "Counts with mean mu and variance mu + alpha * mu^2: a Poisson distribution whose mean varies.")
      .alias("random_generalized_negative_binomial")
      .attr(&GeneralizedNegativeBinomialAttrs::mu, "mu", "The mean.").range(0, INFINITY)
      .attr(&GeneralizedNegativeBinomialAttrs::alpha, "alpha", "The dispersion.").range(0, INFINITY)).kernel<RandomGeneralizedNegativeBinomialKernel>());
  ops->push_back(RandintOp());

  ops->push_back(Sample("_sample_uniform", "sample_uniform", "Numbers from low to high (exclusive), evenly spread, for each pair of parameters.",
                        {{"low", "The lower ends."}, {"high", "The upper ends."}}).kernel<SampleUniformKernel>());
  ops->push_back(Sample("_sample_normal", "sample_normal", "Numbers of the normal distribution, for each pair of parameters.",
                        {{"mu", "The means."}, {"sigma", "The standard deviations."}}).kernel<SampleNormalKernel>());
  ops->push_back(Sample("_sample_gamma", "sample_gamma", "Numbers of the gamma distribution, for each pair of parameters.",
                        {{"alpha", "The shape parameters."}, {"beta", "The scale parameters."}}).kernel<SampleGammaKernel>());
  ops->push_back(Sample("_sample_exponential", "sample_exponential", "Numbers of the exponential distribution, for each rate.", {{"lam", "The rates."}}).kernel<SampleExponentialKernel>());
  ops->push_back(Sample("_sample_poisson", "sample_poisson", "Numbers of the Poisson distribution, for each mean.", {{"lam", "The means."}}).kernel<SamplePoissonKernel>());
  ops->push_back(Sample("_sample_negative_binomial", "sample_negative_binomial", "Failures before the k-th success, for each pair of parameters.",
                        {{"k", "The numbers of successes."}, {"p", "The probabilities of a success."}}).kernel<SampleNegativeBinomialKernel>());
  ops->push_back(Sample("_sample_generalized_negative_binomial", "sample_generalized_negative_binomial", "Counts with mean mu and variance mu + alpha * mu^2, for each pair of parameters.",
                        {{"mu", "The means."}, {"alpha", "The dispersions."}}).kernel<SampleGeneralizedNegativeBinomialKernel>());
}

}  // namespace flx

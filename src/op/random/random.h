// SPDX-License-Identifier: Apache-2.0
// Attributes and kernel keys of the random operators.
#pragma once
#include <optional>
#include <string>

#include "op/op.h"

namespace flx {

// ---- one pair of parameters for all elements: sample.cc
struct DrawAttrs {
  std::optional<Ints> shape;
  std::string ctx;
  DType dtype = DType::kNone;
};
struct UniformAttrs : DrawAttrs { double low = 0, high = 1; };
struct NormalAttrs : DrawAttrs { double loc = 0, scale = 1; };
struct GammaAttrs : DrawAttrs { double alpha = 1, beta = 1; };
struct RateAttrs : DrawAttrs { double lam = 1; };
struct NegativeBinomialAttrs : DrawAttrs { int64_t k = 1; double p = 1; };
struct GeneralizedNegativeBinomialAttrs : DrawAttrs { double mu = 1, alpha = 1; };
struct RandintAttrs : DrawAttrs { int64_t low = 0, high = 0; };
template <class A> struct DrawKey { using Signature = void(KernelContext&, const A&, TensorView& y); };
struct RandomUniformKernel : DrawKey<UniformAttrs> { static constexpr const char* kName = "random_uniform"; };
struct RandomNormalKernel : DrawKey<NormalAttrs> { static constexpr const char* kName = "random_normal"; };
struct RandomGammaKernel : DrawKey<GammaAttrs> { static constexpr const char* kName = "random_gamma"; };
struct RandomExponentialKernel : DrawKey<RateAttrs> { static constexpr const char* kName = "random_exponential"; };
struct RandomPoissonKernel : DrawKey<RateAttrs> { static constexpr const char* kName = "random_poisson"; };
struct RandomNegativeBinomialKernel : DrawKey<NegativeBinomialAttrs> { static constexpr const char* kName = "random_negative_binomial"; };
struct RandomGeneralizedNegativeBinomialKernel : DrawKey<GeneralizedNegativeBinomialAttrs> { static constexpr const char* kName = "random_generalized_negative_binomial"; };
struct RandintKernel : DrawKey<RandintAttrs> { static constexpr const char* kName = "random_randint"; };

// ---- parameters in arrays: each gives `shape` elements
struct SampleAttrs {
  Ints shape;
  DType dtype = DType::kNone;
};
struct Sample1Key { using Signature = void(KernelContext&, const SampleAttrs&, const TensorView& a, TensorView& y); };
struct Sample2Key { using Signature = void(KernelContext&, const SampleAttrs&, const TensorView& a, const TensorView& b, TensorView& y); };
struct SampleUniformKernel : Sample2Key { static constexpr const char* kName = "sample_uniform"; };
struct SampleNormalKernel : Sample2Key { static constexpr const char* kName = "sample_normal"; };
struct SampleGammaKernel : Sample2Key { static constexpr const char* kName = "sample_gamma"; };
struct SampleExponentialKernel : Sample1Key { static constexpr const char* kName = "sample_exponential"; };
struct SamplePoissonKernel : Sample1Key { static constexpr const char* kName = "sample_poisson"; };
struct SampleNegativeBinomialKernel : Sample2Key { static constexpr const char* kName = "sample_negative_binomial"; };
struct SampleGeneralizedNegativeBinomialKernel : Sample2Key { static constexpr const char* kName = "sample_generalized_negative_binomial"; };

// ---- choose.cc
struct MultinomialAttrs {
  Ints shape;
  bool get_prob = false;
  DType dtype = DType::kInt32;
};
struct MultinomialKernel {
  using Signature = void(KernelContext&, const MultinomialAttrs&, const TensorView& p, TensorView& y, TensorView& log_prob);
  static constexpr const char* kName = "sample_multinomial";
};
struct ShuffleKernel {
  using Signature = void(KernelContext&, const NoAttrs&, const TensorView& x, TensorView& y, TensorView& order);
  static constexpr const char* kName = "shuffle";
};

void AddDrawOps(std::vector<OpDef>* ops);
void AddDrawCpuKernels(KernelList* list);
void AddChooseOps(std::vector<OpDef>* ops);
void AddChooseCpuKernels(KernelList* list);

}  // namespace flx

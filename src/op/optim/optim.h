// SPDX-License-Identifier: Apache-2.0
// Optimizer steps: attributes, and for each rule its kernel key and the numbers that its formula takes (optim_formulas.h).
// The gradient is g = clip(rescale_grad * grad); a clip limit below 0 is none. Rules differ in where wd enters, as MXNet's do.
#pragma once
#include <cmath>
#include <limits>

#include "op/op.h"

namespace flx {

struct StepAttrs { float lr = 0.01f, wd = 0, rescale_grad = 1, clip_gradient = -1; };
struct SgdAttrs : StepAttrs { bool lazy_update = true; };
struct MomentumAttrs : StepAttrs { float momentum = 0; };
struct LazyMomentumAttrs : MomentumAttrs { bool lazy_update = true; };
struct SignumAttrs : MomentumAttrs { float wd_lh = 0; };
struct AdamAttrs : StepAttrs { float beta1 = 0.9f, beta2 = 0.999f, epsilon = 1e-8f; bool lazy_update = true; };
struct RmspropAttrs : StepAttrs { float gamma1 = 0.95f, epsilon = 1e-8f, clip_weights = -1; };
struct RmspropAlexAttrs : RmspropAttrs { float gamma2 = 0.9f; };
struct FtrlAttrs : StepAttrs { float lamda1 = 0.01f, beta = 1; };
struct FtmlAttrs { float lr = 0.01f, beta1 = 0.6f, beta2 = 0.999f; double epsilon = 1e-8; int64_t t = 1; float wd = 0, rescale_grad = 1, clip_grad = -1; };
struct AdamWAttrs { float lr = 0.01f, beta1 = 0.9f, beta2 = 0.999f, epsilon = 1e-8f, wd = 0, eta = 1, clip_gradient = -1; };
struct LambAttrs { float beta1 = 0.9f, beta2 = 0.999f, epsilon = 1e-6f; int64_t t = 1; bool bias_correction = true; float wd = 0, rescale_grad = 1, clip_gradient = -1; };
struct LambStepAttrs { float lr = 0.01f, lower_bound = -1, upper_bound = -1; };

inline double Limit(double clip) { return clip >= 0 ? clip : std::numeric_limits<double>::infinity(); }
constexpr int kMaxNumbers = 10;

// A rule's numbers, in the order its formula reads them: s[0] lr, s[1] wd, s[2] rescale_grad, s[3] clip limit, then its own.
inline void StepNumbers(const StepAttrs& a, double* s) { s[0] = a.lr, s[1] = a.wd, s[2] = a.rescale_grad, s[3] = Limit(a.clip_gradient); }
struct SgdRule { using Attrs = SgdAttrs; static constexpr const char* kName = "sgd_update"; static void Numbers(const Attrs& a, double* s) { StepNumbers(a, s); } };
struct SgdMomRule {
  using Attrs = LazyMomentumAttrs;
  static constexpr const char* kName = "sgd_mom_update";
  static void Numbers(const Attrs& a, double* s) { StepNumbers(a, s), s[4] = a.momentum; }
};
struct NagRule {
  using Attrs = MomentumAttrs;
  static constexpr const char* kName = "nag_mom_update";
  static void Numbers(const Attrs& a, double* s) { StepNumbers(a, s), s[4] = a.momentum; }
};
struct SignSgdRule { using Attrs = StepAttrs; static constexpr const char* kName = "signsgd_update"; static void Numbers(const Attrs& a, double* s) { StepNumbers(a, s); } };
struct SignumRule {
  using Attrs = SignumAttrs;
  static constexpr const char* kName = "signum_update";
  static void Numbers(const Attrs& a, double* s) { StepNumbers(a, s), s[4] = a.momentum, s[5] = a.wd_lh; }
};
struct AdamRule {
  using Attrs = AdamAttrs;
  static constexpr const char* kName = "adam_update";
  static void Numbers(const Attrs& a, double* s) { StepNumbers(a, s), s[4] = a.beta1, s[5] = 1.0 - a.beta1, s[6] = a.beta2, s[7] = 1.0 - a.beta2, s[8] = a.epsilon; }
};
struct RmspropRule {
  using Attrs = RmspropAttrs;
  static constexpr const char* kName = "rmsprop_update";
  static void Numbers(const Attrs& a, double* s) { StepNumbers(a, s), s[4] = a.gamma1, s[5] = 1.0 - a.gamma1, s[6] = a.epsilon, s[7] = Limit(a.clip_weights); }
};
struct RmspropAlexRule {
  using Attrs = RmspropAlexAttrs;
  static constexpr const char* kName = "rmspropalex_update";
  static void Numbers(const Attrs& a, double* s) { RmspropRule::Numbers(a, s), s[8] = a.gamma2; }
};
struct FtrlRule {
  using Attrs = FtrlAttrs;
  static constexpr const char* kName = "ftrl_update";
  static void Numbers(const Attrs& a, double* s) { StepNumbers(a, s), s[4] = a.lamda1, s[5] = a.beta; }
};
struct FtmlRule {
  using Attrs = FtmlAttrs;
  static constexpr const char* kName = "ftml_update";
  static void Numbers(const Attrs& a, double* s) {
    s[0] = (1 - std::pow(double(a.beta1), double(a.t))) / a.lr, s[1] = a.wd, s[2] = a.rescale_grad, s[3] = Limit(a.clip_grad);
    s[4] = a.beta1, s[5] = 1.0 - a.beta1, s[6] = a.beta2, s[7] = 1.0 - a.beta2, s[8] = a.epsilon, s[9] = 1 / (1 - std::pow(double(a.beta2), double(a.t)));
  }
};
struct LambRule {  // phase 1: the direction
  using Attrs = LambAttrs;
  static constexpr const char* kName = "lamb_update_phase1";
  static void Numbers(const Attrs& a, double* s) {
    s[0] = a.bias_correction ? 1 / (1 - std::pow(double(a.beta1), double(a.t))) : 1, s[1] = a.wd, s[2] = a.rescale_grad, s[3] = Limit(a.clip_gradient);
    s[4] = a.beta1, s[5] = 1.0 - a.beta1, s[6] = a.beta2, s[7] = 1.0 - a.beta2, s[8] = a.epsilon;
    s[9] = a.bias_correction ? 1 / (1 - std::pow(double(a.beta2), double(a.t))) : 1;
  }
};
struct AdamWRule {  // s[2], the factor of the gradient, is read from an array
  using Attrs = AdamWAttrs;
  static constexpr const char* kName = "_adamw_update";
  static void Numbers(const Attrs& a, double* s) {
    s[0] = double(a.eta) * a.lr, s[1] = double(a.eta) * a.wd, s[3] = Limit(a.clip_gradient);
    s[4] = a.beta1, s[5] = 1.0 - a.beta1, s[6] = a.beta2, s[7] = 1.0 - a.beta2, s[8] = a.epsilon;
  }
};
struct LambStepRule { using Attrs = LambStepAttrs; static constexpr const char* kName = "lamb_update_phase2"; };  // phase 2: its number depends on two arrays
// The same rule on a float32 master copy, the last input, of a 16-bit weight.
template <class R> struct MixedName;
template <> struct MixedName<SgdRule> { static constexpr const char* kName = "mp_sgd_update"; };
template <> struct MixedName<SgdMomRule> { static constexpr const char* kName = "mp_sgd_mom_update"; };
template <> struct MixedName<NagRule> { static constexpr const char* kName = "mp_nag_mom_update"; };
template <> struct MixedName<LambRule> { static constexpr const char* kName = "mp_lamb_update_phase1"; };
template <> struct MixedName<LambStepRule> { static constexpr const char* kName = "mp_lamb_update_phase2"; };

template <> struct MixedName<AdamWRule> { static constexpr const char* kName = "_mp_adamw_update"; };

template <class R> struct UpdateKernel {
  using Signature = void(KernelContext&, const typename R::Attrs&, Views, OutViews);
  static constexpr const char* kName = R::kName;
};
template <class R> struct MixedKernel {
  using Signature = void(KernelContext&, const typename R::Attrs&, Views, OutViews);
  static constexpr const char* kName = MixedName<R>::kName;
};
void AddUpdateKernels(KernelList* list);  // update_kernels.cc
void AddHelperOps(std::vector<OpDef>* ops);  // helpers.cc: what trainers ask beside the steps
void AddHelperKernels(KernelList* list);

}  // namespace flx

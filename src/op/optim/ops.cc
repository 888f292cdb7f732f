// SPDX-License-Identifier: Apache-2.0
// Optimizer steps. Output 0 is the new weight (give the weight itself as the output to update it in place); states are updated in their own memory.
#include "op/families.h"
#include "op/optim/optim.h"

namespace flx {
namespace {
// Ports and rules of a step: weight, grad, then the states, each updated in place.
template <class A> Op<A> Step(const char* name, const char* doc, std::initializer_list<const char*> states, bool mixed = false) {
  Op<A> o(name);
  o.family("optim").doc(doc);
  o.input("weight", mixed ? "The weight, 16-bit." : "The weight.").input("grad", "Its gradient, of the same dtype.");
  for (auto* s : states) o.input(s, "State of the rule, in the weight's shape; updated in place.");
  if (mixed) o.input("weight32", "The weight's float32 master copy; updated in place.");
  o.output("output", "The new weight.");
  int at = 2;
  for (auto* s : states) o.update(s, at++);
  if (mixed) o.update("weight32", at);
  o.infer(SameShape<A>).types([](Infer& c, const A&) {  // a mixed operator's states are float32, others share the weight's dtype
    const bool two = std::string_view(c.op.name).substr(0, 3) == "mp_";
    DType t = c.x_type(0) != DType::kNone ? c.x_type(0) : c.x_type(1) != DType::kNone ? c.x_type(1) : c.y_type(0);
    if (t != DType::kNone && !IsFloat(t)) c.FailType("expected a floating-point weight, given ", t, ". Cast it first (operator Cast).");
    c.set_x_type(0, t), c.set_x_type(1, t), c.set_y_type(0, t);
    for (int i = 2; i < c.nin; ++i) c.set_x_type(i, two ? DType::kFloat32 : t), c.set_y_type(i - 1, two ? DType::kFloat32 : t);
  });
  return o;
}
// In MXNet's order, which is the order of positional arguments: lr, the rule's own, then what nearly all have.
template <class A> Op<A>& Rate(Op<A>& o) { return o.attr(&A::lr, "lr", "Learning rate.").required().runtime(); }
template <class A> Op<A>& Common(Op<A>& o) {
  o.attr(&A::wd, "wd", "Weight decay.").runtime();
  o.attr(&A::rescale_grad, "rescale_grad", "Factor of the gradient.").runtime();
  o.attr(&A::clip_gradient, "clip_gradient", "The rescaled gradient is held within [-this, this]; below 0: it is not.").runtime();
  return o;
}
template <class A> Op<A>& Lazy(Op<A>& o) {
  o.attr(&A::lazy_update, "lazy_update", "For row-sparse gradients: update only the rows they have. No effect on dense ones.");
  return o;
}
template <class A> Op<A>& Momentum(Op<A>& o) {
  o.attr(&A::momentum, "momentum", "Weight of the old momentum.").runtime();
  return o;
}
template <class A> Op<A>& Betas(Op<A>& o) {
  o.attr(&A::beta1, "beta1", "Decay of the mean.").runtime();
  o.attr(&A::beta2, "beta2", "Decay of the mean square.").runtime();
  o.attr(&A::epsilon, "epsilon", "Added where a root divides.").runtime();
  return o;
}
template <class A> Op<A>& LambPhase1(Op<A>& o) {
  Betas(o);
  o.attr(&A::t, "t", "The step's number, from 1.").required().runtime().range(1, 9e15);
  o.attr(&A::bias_correction, "bias_correction", "Divide the averages by 1 - beta^t.");
  o.attr(&A::wd, "wd", "Weight decay.").required().runtime();
  o.attr(&A::rescale_grad, "rescale_grad", "Factor of the gradient.").runtime();
  o.attr(&A::clip_gradient, "clip_gradient", "The rescaled gradient is held within [-this, this]; below 0: it is not.").runtime();
  return o;
}
Op<AdamWAttrs> AdamW(const char* name, bool mixed) {
  Op<AdamWAttrs> o(name);
  o.family("optim").doc("AdamW: mean and var are the averages of g = clip(rescale_grad * grad) and its square; weight - eta * (lr * mean / (sqrt(var) + epsilon) + wd * weight) "
                        "(Loshchilov and Hutter 2019). Nothing changes where rescale_grad is 0 or not finite.");
  o.input("weight", "The weight.").input("grad", "Its gradient, of the same dtype.").input("mean", "Average of the gradient; updated in place.").input("var", "Average of its square; updated in place.");
  if (mixed) o.input("weight32", "The weight's float32 master copy; updated in place.");
  o.input("rescale_grad", "Factor of the gradient, one float32 number.");
  o.output("output", "The new weight.").update("mean", 2).update("var", 3);
  if (mixed) o.update("weight32", 4);
  Betas(Rate(o)).attr(&AdamWAttrs::wd, "wd", "Weight decay.").runtime().attr(&AdamWAttrs::eta, "eta", "The schedule's factor of the whole step.").required().runtime();
  o.attr(&AdamWAttrs::clip_gradient, "clip_gradient", "The rescaled gradient is held within [-this, this]; below 0: it is not.").runtime();
  o.infer([](Infer& c, const AdamWAttrs&) {
    for (int i = 0; i < c.nin - 1; ++i) {
      c.set_y(0, c.x(i));
      for (int j = 0; j < c.nin - 1; ++j) c.set_x(j, c.y(0));
    }
    for (int k = 1; k < c.nout; ++k) c.set_y(k, c.y(0));
    c.Expect(!c.known(c.nin - 1) || c.x(c.nin - 1).size() == 1, "`rescale_grad` is one number, given shape ", c.x(c.nin - 1), ".");
  });
  o.types([](Infer& c, const AdamWAttrs&) {
    const bool two = c.nin == 6;
    DType t = c.x_type(0) != DType::kNone ? c.x_type(0) : c.x_type(1);
    if (t != DType::kNone && !IsFloat(t)) c.FailType("expected a floating-point weight, given ", t, ". Cast it first (operator Cast).");
    c.set_x_type(0, t), c.set_x_type(1, t), c.set_y_type(0, t);
    for (int i = 2; i < c.nin - 1; ++i) c.set_x_type(i, two ? DType::kFloat32 : t), c.set_y_type(i - 1, two ? DType::kFloat32 : t);
    c.set_x_type(c.nin - 1, DType::kFloat32);
  });
  return o;
}
Op<LambStepAttrs> LambPhase2(const char* name, bool mixed) {
  Op<LambStepAttrs> o(name);
  o.family("optim").doc("LAMB, the step: weight - lr * (r1 / r2) * g, the ratio 1 where a norm is 0 (You et al. 2019).");
  o.input("weight", "The weight.").input("g", "The direction, from phase 1.").input("r1", "The weight's norm, shape (1,).").input("r2", "The direction's norm, shape (1,).");
  if (mixed) o.input("weight32", "The weight's float32 master copy; updated in place.");
  o.output("output", "The new weight.");
  if (mixed) o.update("weight32", 4);
  o.attr(&LambStepAttrs::lr, "lr", "Learning rate.").required().runtime();
  o.attr(&LambStepAttrs::lower_bound, "lower_bound", "The least r1; below 0: none.").runtime();
  o.attr(&LambStepAttrs::upper_bound, "upper_bound", "The largest r1; below 0: none.").runtime();
  o.infer([](Infer& c, const LambStepAttrs&) {
    for (int i : {0, 1, 4}) {
      if (i >= c.nin) continue;
      c.set_y(0, c.x(i)), c.set_x(0, c.y(0)), c.set_x(1, c.y(0));
      if (c.nin > 4) c.set_x(4, c.y(0)), c.set_y(1, c.y(0));
    }
    for (int i : {2, 3}) c.Expect(!c.known(i) || c.x(i).size() == 1, "`", c.InputName(i), "` is a norm: expected one element, given shape ", c.x(i), ".");
  });
  o.types([](Infer& c, const LambStepAttrs&) {
    DType t = c.x_type(0), rest = c.nin > 4 ? DType::kFloat32 : t;
    if (t != DType::kNone && !IsFloat(t)) c.FailType("expected a floating-point weight, given ", t, ". Cast it first (operator Cast).");
    c.set_y_type(0, t);
    for (int i = 1; i < c.nin; ++i) c.set_x_type(i, rest);
    if (c.nin > 4) c.set_y_type(1, DType::kFloat32);
  });
  return o;
}
}  // namespace

void AddOptimOps(std::vector<OpDef>* ops) {
  auto add = [&](OpDef d) { ops->push_back(std::move(d)); };
  const char *sgd = "weight - lr * (g + wd * weight), with g = clip(rescale_grad * grad).",
             *mom = "mom = momentum * mom - lr * (g + wd * weight), with g = clip(rescale_grad * grad); weight + mom.",
             *nag = "Nesterov: with g = clip(rescale_grad * grad) and m = momentum * mom - lr * (g + wd * weight), weight + momentum * m - lr * (g + wd * weight); "
                   "mom becomes momentum * mom - lr * (g + wd * new weight).",
             *lamb = "LAMB, the direction: mean / (sqrt(var) + epsilon) + wd * weight of the averages of clip(rescale_grad * grad) (You et al. 2019).";
  auto o1 = Step<SgdAttrs>("sgd_update", sgd, {});
  add(Lazy(Common(Rate(o1))).kernel<UpdateKernel<SgdRule>>());
  auto o2 = Step<LazyMomentumAttrs>("sgd_mom_update", mom, {"mom"});
  add(Lazy(Common(Momentum(Rate(o2)))).kernel<UpdateKernel<SgdMomRule>>());
  auto o3 = Step<SgdAttrs>("mp_sgd_update", sgd, {}, true);
  add(Lazy(Common(Rate(o3))).kernel<MixedKernel<SgdRule>>());
  auto o4 = Step<LazyMomentumAttrs>("mp_sgd_mom_update", mom, {"mom"}, true);
  add(Lazy(Common(Momentum(Rate(o4)))).kernel<MixedKernel<SgdMomRule>>());
  auto o5 = Step<MomentumAttrs>("nag_mom_update", nag, {"mom"});
  add(Common(Momentum(Rate(o5))).kernel<UpdateKernel<NagRule>>());
  auto o6 = Step<MomentumAttrs>("mp_nag_mom_update", nag, {"mom"}, true);
  add(Common(Momentum(Rate(o6))).kernel<MixedKernel<NagRule>>());
  auto o7 = Step<StepAttrs>("signsgd_update", "(1 - lr * wd) * weight - lr * sign(grad) (Bernstein et al. 2018). Clipping does not change a sign.", {});
  add(Common(Rate(o7)).kernel<UpdateKernel<SignSgdRule>>());
  auto o8 = Step<SignumAttrs>("signum_update", "mom = momentum * mom - (1 - momentum) * (g + wd * weight); (1 - lr * wd_lh) * weight + lr * sign(mom).", {"mom"});
  add(Common(Momentum(Rate(o8))).attr(&SignumAttrs::wd_lh, "wd_lh", "Weight decay apart from the sign (Loshchilov and Hutter).").runtime().kernel<UpdateKernel<SignumRule>>());
  auto o9 = Step<AdamAttrs>("adam_update", "mean and var are the averages of g = clip(rescale_grad * grad + wd * weight) and its square; weight - lr * mean / (sqrt(var) + epsilon). "
                            "No bias correction: scale lr (Kingma and Ba 2015).", {"mean", "var"});
  add(Lazy(Common(Betas(Rate(o9)))).kernel<UpdateKernel<AdamRule>>());
  auto o10 = Step<RmspropAttrs>("rmsprop_update", "n is the average of the square of g = clip(rescale_grad * grad + wd * weight); weight - lr * g / sqrt(n + epsilon) (Tieleman and Hinton 2012).", {"n"});
  Rate(o10).attr(&RmspropAttrs::gamma1, "gamma1", "Decay of the average.").runtime().attr(&RmspropAttrs::epsilon, "epsilon", "Added under the root.").runtime();
  add(Common(o10).attr(&RmspropAttrs::clip_weights, "clip_weights", "The new weight is held within [-this, this]; below 0: it is not.").runtime().kernel<UpdateKernel<RmspropRule>>());
  auto o11 = Step<RmspropAlexAttrs>("rmspropalex_update", "RMSProp with the average g of the gradient and a momentum: delta = gamma2 * delta - lr * grad' / sqrt(n - g^2 + epsilon); "
                                    "weight + delta (Graves 2013).", {"n", "g", "delta"});
  Rate(o11).attr(&RmspropAlexAttrs::gamma1, "gamma1", "Decay of the averages.").runtime().attr(&RmspropAlexAttrs::gamma2, "gamma2", "Weight of the old delta.").runtime();
  o11.attr(&RmspropAlexAttrs::epsilon, "epsilon", "Added under the root.").runtime();
  add(Common(o11).attr(&RmspropAlexAttrs::clip_weights, "clip_weights", "The new weight is held within [-this, this]; below 0: it is not.").runtime().kernel<UpdateKernel<RmspropAlexRule>>());
  auto o12 = Step<FtrlAttrs>("ftrl_update", "Follow the regularised leader: z += g - (sqrt(n + g^2) - sqrt(n)) * weight / lr, n += g^2; 0 where |z| <= lamda1, "
                             "else (sign(z) * lamda1 - z) / ((beta + sqrt(n)) / lr + wd) (McMahan et al. 2013).", {"z", "n"});
  Rate(o12).attr(&FtrlAttrs::lamda1, "lamda1", "The L1 penalty.").runtime().attr(&FtrlAttrs::beta, "beta", "Smooths the rate of each weight.").runtime();
  add(Common(o12).kernel<UpdateKernel<FtrlRule>>());
  auto o13 = Step<FtmlAttrs>("ftml_update", "Follow the moving leader (Zheng and Kwok 2017), with g = clip(rescale_grad * grad + wd * weight).", {"d", "v", "z"});
  Betas(Rate(o13)).attr(&FtmlAttrs::t, "t", "The step's number, from 1.").required().runtime().range(1, 9e15);
  o13.attr(&FtmlAttrs::wd, "wd", "Weight decay.").runtime().attr(&FtmlAttrs::rescale_grad, "rescale_grad", "Factor of the gradient.").runtime();
  add(o13.attr(&FtmlAttrs::clip_grad, "clip_grad", "The gradient is held within [-this, this]; below 0: it is not.").runtime().kernel<UpdateKernel<FtmlRule>>());
  auto o14 = Step<LambAttrs>("lamb_update_phase1", lamb, {"mean", "var"});
  add(LambPhase1(o14).kernel<UpdateKernel<LambRule>>());
  Op<LambAttrs> o15("mp_lamb_update_phase1");
  o15.family("optim").doc(lamb).input("weight", "The weight, 16-bit; only its master copy is read.").input("grad", "Its gradient, of the same dtype.");
  o15.input("mean", "Average of the gradient; updated in place.").input("var", "Average of its square; updated in place.").input("weight32", "The weight's float32 master copy.");
  o15.output("output", "The direction, float32.").update("mean", 2).update("var", 3).infer(SameShape<LambAttrs>).types([](Infer& c, const LambAttrs&) {
    DType t = c.x_type(0) != DType::kNone ? c.x_type(0) : c.x_type(1);
    if (t != DType::kNone && !IsFloat(t)) c.FailType("expected a floating-point weight, given ", t, ". Cast it first (operator Cast).");
    c.set_x_type(0, t), c.set_x_type(1, t);
    for (int i = 2; i < 5; ++i) c.set_x_type(i, DType::kFloat32);
    for (int i = 0; i < 3; ++i) c.set_y_type(i, DType::kFloat32);
  });
  add(LambPhase1(o15).kernel<MixedKernel<LambRule>>());
  add(AdamW("_adamw_update", false).example("_adamw_update(weight (3,), grad (3,), mean (3,), var (3,), rescale_grad (1,), lr=0.1, eta=1): (3,)").kernel<UpdateKernel<AdamWRule>>());
  add(AdamW("_mp_adamw_update", true).example("_mp_adamw_update(weight (3,), grad (3,), mean (3,), var (3,), weight32 (3,), rescale_grad (1,), lr=0.1, eta=1): (3,)").kernel<MixedKernel<AdamWRule>>());
  add(LambPhase2("lamb_update_phase2", false).example("lamb_update_phase2(weight (3,), g (3,), r1 (1,), r2 (1,), lr=0.1): (3,)").kernel<UpdateKernel<LambStepRule>>());
  add(LambPhase2("mp_lamb_update_phase2", true).example("mp_lamb_update_phase2(weight (3,), g (3,), r1 (1,), r2 (1,), weight32 (3,), lr=0.1): (3,)").kernel<MixedKernel<LambStepRule>>());
  AddHelperOps(ops);
}
void AddOptimCpuKernels(KernelList* list) {
  AddUpdateKernels(list);
  AddHelperKernels(list);
}

}  // namespace flx

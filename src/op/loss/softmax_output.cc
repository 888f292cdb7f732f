// SPDX-License-Identifier: Apache-2.0
#include "op/loss/softmax_output.h"

#include "op/nn/wide.h"

namespace flx {
namespace {

bool TakesHead(const SoftmaxOutputAttrs& a) { return a.out_grad; }
void InferSoftmaxOutput(Infer& c, const SoftmaxOutputAttrs& a) {
  c.set_y(0, c.x(0));
  c.set_x(0, c.y(0));
  const Shape &x = c.x(0), given = c.x(1);
  if (!x.rank_known()) return;
  c.Expect(x.ndim() >= (a.multi_output ? 3 : 2) || a.preserve_shape, "input `data` must have at least ", a.multi_output ? 3 : 2, " axes, given ", x, ".");
  c.Expect(x.ndim() >= 1, "input `data` must have at least one axis.");
  Shape want = x;  // one label for each distribution
  if (a.multi_output) want.Erase(1);
  else if (a.preserve_shape) want.Erase(x.ndim() - 1);
  else want = Shape{x[0]};
  if (!given.rank_known()) return c.guess_x(1, want);
  // What the label knows of data's axes, from which of its own.
  auto learn = [&](int from, int axis) {
    Shape s = Shape::Filled(c.x(0).ndim(), -1);
    s[axis] = given[from];
    c.set_x(0, s);
    c.set_y(0, c.x(0));
  };
  if (given.ndim() == x.ndim() && !a.multi_output) {  // probabilities
    c.set_x(1, x);
    c.set_x(0, given);
    return c.set_y(0, c.x(0));
  }
  if (given.ndim() == x.ndim()) {  // probabilities, or the channels' axis with size 1
    Shape either = x;
    if (x[1] < 0 || given[1] < 0 || (given[1] == 1 && x[1] != 1)) either[1] = -1;
    for (int i = 0; i < x.ndim(); ++i) if (i != 1) learn(i, i);
    if (given[1] > 1) learn(1, 1);
    return c.set_x(1, either);
  }
  if (a.multi_output && given.ndim() == 2 && x.ndim() > 3) {  // the places in one row
    c.set_x(1, Shape{x[0], ProductOf(x, 2, x.ndim())});
    return learn(0, 0);
  }
  c.set_x(1, want);
  for (int i = 0; i < given.ndim(); ++i) learn(i, a.multi_output && i > 0 ? i + 1 : i);
}
void LabelTypes(Infer& c) {
  NeedFloat(c, 0);
  c.set_x_type(0, c.y_type(0));
  c.set_y_type(0, c.x_type(0));
  c.guess_x_type(1, c.x_type(0));
}
Op<SoftmaxOutputAttrs> SoftmaxOutputLike(const char* name) {
  return Op<SoftmaxOutputAttrs>(name)
      .family("loss")
      .attr(&SoftmaxOutputAttrs::grad_scale, "grad_scale", "Factor of the gradient.")
      .attr(&SoftmaxOutputAttrs::ignore_label, "ignore_label", "Label of what does not count, with use_ignore and in normalization=valid.")
      .attr(&SoftmaxOutputAttrs::multi_output, "multi_output", "data is (batch, classes, places...): a distribution at each place, over axis 1.")
      .attr(&SoftmaxOutputAttrs::use_ignore, "use_ignore", "No gradient where the label is ignore_label.")
      .attr(&SoftmaxOutputAttrs::preserve_shape, "preserve_shape", "Distributions lie along the last axis; else all axes but the first are one distribution.")
      .attr(&SoftmaxOutputAttrs::normalization, "normalization",
            "What the gradient is divided by: `null` 1 (with multi_output the places), `batch` the batch size, `valid` how many labels count.")
      .attr(&SoftmaxOutputAttrs::out_grad, "out_grad", "Multiply by the gradient of the output, which is ignored otherwise.")
      .attr(&SoftmaxOutputAttrs::smooth_alpha, "smooth_alpha", "Label smoothing: so much of the probability is spread evenly over the other classes.")
      .range(0, 1);
}

}  // namespace

OpDef SoftmaxOutputOp() {
  return SoftmaxOutputLike("SoftmaxOutput")
      .example("SoftmaxOutput(data (32, 10), label (32,)): (32, 10)")
      .alias("Softmax")
      .doc("softmax of data. Its gradient is that of the cross entropy with label: (softmax - one_hot(label)) * grad_scale, whatever the gradient of the output is. "
           "A label of data's shape holds probabilities.")
      .traits(kLoss)
      .input("data", "(batch, classes), or by multi_output and preserve_shape.")
      .input("label", "One class, counted from 0, for each distribution; or probabilities of data's shape.")
      .output("output", "As data: the probabilities.")
      .types([](Infer& c, const SoftmaxOutputAttrs&) { LabelTypes(c); })
      .infer(InferSoftmaxOutput)
      .gradient([](Grad& g, const SoftmaxOutputAttrs& a) {
        if (!g.want(0)) return;
        std::vector<Val> in{g.y(0), g.x(1)};
        if (a.out_grad) in.push_back(g.dy(0));
        g.dx[0] = CallWith("_softmax_output_grad", in, a);
      })
      .kernel<SoftmaxOutputKernel>();
}
OpDef SoftmaxOutputGradOp() {
  return SoftmaxOutputLike("_softmax_output_grad")
      .doc("Gradient of SoftmaxOutput for its data.")
      .traits(kInternal | kNoSecond)
      .input("y", "SoftmaxOutput's output.")
      .input("label", "Its label.")
      .input_when<TakesHead>("dy", "Gradient of the output, with out_grad.")
      .output("dx", "Gradient of data.")
      .types([](Infer& c, const SoftmaxOutputAttrs&) { c.set_y_type(0, c.x_type(0)); })
      .infer([](Infer& c, const SoftmaxOutputAttrs&) { c.set_y(0, c.x(0)); })
      .kernel<SoftmaxOutputGradKernel>();
}

OpDef SoftmaxCrossEntropyOp() {
  return Op<>("softmax_cross_entropy")
      .family("loss")
      .doc("Sum over the batch of -log(softmax(data)[label]). Computed from log(sum(exp(x))), so that no probability underflows. An error names a label out of range.")
      .input("data", "(batch, classes), float.")
      .input("label", "(batch,), classes counted from 0, of any number type.")
      .output("output", "(1,), the sum.")
      .types([](Infer& c, const NoAttrs&) { LabelTypes(c); })
      .infer([](Infer& c, const NoAttrs&) {
        if (c.ranked(0)) c.Expect(c.x(0).ndim() == 2, "input `data` must have two axes (batch, classes), given ", c.x(0), ".");
        c.set_x(1, Shape{c.ranked(0) ? c.x(0)[0] : -1});
        c.set_x(0, Shape{c.x(1)[0], -1});
        c.set_y(0, Shape{1});
      })
      .gradient([](Grad& g, const NoAttrs&) {
        if (g.want(0)) g.dx[0] = CallOp("_softmax_cross_entropy_grad", {g.x(0), g.x(1), g.dy(0)});
      })
      .kernel<SoftmaxCrossEntropyKernel>();
}
OpDef SoftmaxCrossEntropyGradOp() {
  return Op<>("_softmax_cross_entropy_grad")
      .family("loss")
      .doc("Gradient of softmax_cross_entropy for its data: (softmax(data) - one_hot(label)) * dy.")
      .traits(kInternal)
      .input("data", "(batch, classes), as the loss had it.")
      .input("label", "(batch,), as the loss had them.")
      .input("dy", "(1,), the gradient of the sum.")
      .output("dx", "(batch, classes).")
      .types([](Infer& c, const NoAttrs&) { c.set_y_type(0, c.x_type(0)); })
      .infer([](Infer& c, const NoAttrs&) { c.set_y(0, c.x(0)); })
      .gradient([](Grad& g, const NoAttrs&) {
        Val up = g.dy(0);
        if (g.want(0)) {
          Val y = CallOp("softmax", {g.x(0)});
          Val t = y * up;
          g.dx[0] = (t - y * SumTo(t, {g.x_shape(0)[0], 1})) * g.x(2);
        }
        if (g.want(2)) {
          Val unit = CallOp("_softmax_cross_entropy_grad", {g.x(0), g.x(1), OnesLike(g.x(2))});
          g.dx[2] = SumTo(ReshapeTo(up * unit, {g.x_shape(0).size()}), {1});
        }
      })
      .kernel<SoftmaxCrossEntropyGradKernel>();
}

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
#include "op/loss/regression.h"

#include "op/nn/wide.h"

namespace flx {
namespace {

void InferRegression(Infer& c, const RegressionAttrs&) {
  c.set_y(0, c.x(0));
  c.set_x(0, c.y(0));
  const Shape &x = c.x(0), &label = c.x(1);
  if (!x.rank_known()) return;
  // (batch, 1) goes with labels (batch,), which MXNet also infers.
  bool flat = x.ndim() == 2 && (x[1] == 1 || x[1] < 0);
  if (flat && label.rank_known() && label.ndim() == 1) {
    c.set_x(0, Shape{label[0], 1});
    c.set_y(0, c.x(0));
    c.set_x(1, Shape{x[0]});
  } else if (flat && !label.rank_known()) {
    if (x[1] == 1) c.guess_x(1, Shape{x[0]});
  } else {
    c.set_x(1, x);
    c.set_x(0, c.x(1));
    c.set_y(0, c.x(0));
  }
}
void RegressionTypes(Infer& c, const RegressionAttrs&) {
  NeedFloat(c, 0);
  c.set_x_type(0, c.y_type(0));
  c.set_y_type(0, c.x_type(0));
  c.guess_x_type(1, c.x_type(0));
}
using Rule = Val (*)(Val y, Val label);
template <Rule kRule> Op<RegressionAttrs> Regression(const char* name, const char* sparse_name, const char* doc) {
  return Op<RegressionAttrs>(name)
      .alias(sparse_name)
      .family("loss")
      .doc(doc)
      .traits(kLoss)
      .attr(&RegressionAttrs::grad_scale, "grad_scale", "Factor of the gradient, which is divided by the outputs of one instance.")
      .input("data", "(batch, ...), float.")
      .input("label", "As data; (batch,) will do for (batch, 1).")
      .output("output", "As data.")
      .types(RegressionTypes)
      .infer(InferRegression)
      .gradient([](Grad& g, const RegressionAttrs& a) {
        if (!g.want(0)) return;
        const Shape& s = g.y_shape(0);
        double each = s.ndim() && s[0] > 0 ? double(s.size()) / double(s[0]) : 1;
        g.dx[0] = kRule(g.y(0), ReshapeTo(CastTo(g.x(1), g.x_type(0)), s)) * (double(a.grad_scale) / (each > 0 ? each : 1));
      });
}
Val Difference(Val y, Val label) { return y - label; }
Val Sign(Val y, Val label) { return CallOp("sign", {y - label}); }

}  // namespace

OpDef LinearRegressionOutputOp() {
  return Regression<Difference>("LinearRegressionOutput", "_sparse_LinearRegressionOutput", "data itself. Its gradient is that of the squared error, (data - label) * grad_scale / outputs, whatever the "
                                                          "gradient of the output is.")
      .example("LinearRegressionOutput(data (32, 1), label (32,)): (32, 1)")
      .compose([](const std::vector<Val>& x, const RegressionAttrs&) { return std::vector<Val>{CallOp("_copy", {x[0]})}; });
}
OpDef LogisticRegressionOutputOp() {
  return Regression<Difference>("LogisticRegressionOutput", "_sparse_LogisticRegressionOutput", "sigmoid(data). Its gradient is that of the cross entropy, (sigmoid(data) - label) * grad_scale / outputs, "
                                                            "whatever the gradient of the output is.")
      .example("LogisticRegressionOutput(data (32, 1), label (32,)): (32, 1)")
      .compose([](const std::vector<Val>& x, const RegressionAttrs&) { return std::vector<Val>{CallOp("sigmoid", {x[0]})}; });
}
OpDef MaeRegressionOutputOp() {
  return Regression<Sign>("MAERegressionOutput", "_sparse_MAERegressionOutput", "data itself. Its gradient is that of the absolute error, sign(data - label) * grad_scale / outputs, whatever the gradient "
                                                 "of the output is.")
      .example("MAERegressionOutput(data (32, 1), label (32,)): (32, 1)")
      .compose([](const std::vector<Val>& x, const RegressionAttrs&) { return std::vector<Val>{CallOp("_copy", {x[0]})}; });
}
OpDef MakeLossOp() {
  return Op<MakeLossAttrs>("MakeLoss")
      .family("loss")
      .doc("data itself, taken for a loss: the gradient of every element is grad_scale, divided as normalization says, whatever the gradient of the output is.")
      .traits(kLoss)
      .attr(&MakeLossAttrs::grad_scale, "grad_scale", "The gradient of each element.")
      .attr(&MakeLossAttrs::valid_thresh, "valid_thresh", "With normalization=valid: elements above it count.")
      .attr(&MakeLossAttrs::normalization, "normalization", "What the gradient is divided by: `null` 1, `batch` the batch size, `valid` how many elements count.")
      .input("data", "Any shape, float.")
      .output("output", "As data.")
      .types(SameFloat)
      .infer(SameShape)
      .gradient([](Grad& g, const MakeLossAttrs& a) {
        if (!g.want(0)) return;
        const Shape s = g.x_shape(0);
        double k = a.grad_scale;
        if (a.normalization == LossNorm::kValid) {
          Val count = SumTo(ReshapeTo(CallOp("_greater_scalar", {g.x(0)}, {{"scalar", Text(a.valid_thresh)}}), {s.size()}), {1});
          Val each = k / CallOp("_maximum_scalar", {count}, {{"scalar", "1"}});
          g.dx[0] = ReshapeTo(BroadcastTo(each, {s.size()}), s);
          return;
        }
        if (a.normalization == LossNorm::kBatch && s.ndim() && s[0] > 0) k /= double(s[0]);
        g.dx[0] = OnesLike(g.dy(0)) * k;
      })
      .compose([](const std::vector<Val>& x, const MakeLossAttrs&) { return std::vector<Val>{CallOp("_copy", {x[0]})}; });
}

}  // namespace flx

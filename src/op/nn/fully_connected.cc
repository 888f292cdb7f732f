// SPDX-License-Identifier: Apache-2.0
#include "op/nn/fully_connected.h"

#include "op/nn/wide.h"

namespace flx {
namespace {

bool HasBias(const FullyConnectedAttrs& a) { return !a.no_bias; }
// data as the matrix that is multiplied.
Shape Rows(const FullyConnectedAttrs& a, const Shape& s) {
  int at = a.flatten ? 1 : s.ndim() - 1;
  return {s.Product(0, at), s.Product(at, s.ndim())};
}
void InferFullyConnected(Infer& c, const FullyConnectedAttrs& a) {
  const Shape& x = c.x(0);
  c.set_x(1, Shape{a.num_hidden, -1});
  c.set_x(2, Shape{a.num_hidden});
  if (!x.rank_known()) {
    if (a.flatten) return c.set_y(0, Shape{-1, a.num_hidden});
    if (!c.y_ranked(0) || c.y(0).ndim() < 1) return;
    Shape s = c.y(0);
    s[s.ndim() - 1] = c.x(1)[1];
    c.set_x(0, s);
  }
  c.Expect(x.ndim() >= (a.flatten ? 2 : 1), "input `data` must have ", a.flatten ? "a batch axis and at least one more" : "at least one axis", ", given ", x, ".");
  int at = a.flatten ? 1 : x.ndim() - 1;
  int64_t in = ProductOf(x, at, x.ndim());
  if (in < 0 && at == x.ndim() - 1 && c.x(1)[1] >= 0) {  // the weight says how long the rows are
    Shape s = x;
    s[at] = in = c.x(1)[1];
    c.set_x(0, s);
  }
  if (in >= 0 && c.x(1)[1] >= 0 && c.x(1)[1] != in)
    c.Fail("input `weight` was expected to have shape ", Shape{a.num_hidden, in}, " for data of shape ", x, ", given ", c.x(1), ".",
           a.flatten && x.ndim() > 2 ? " Set flatten=False to multiply along the last axis only." : "");
  c.set_x(1, Shape{a.num_hidden, in});
  Shape y(x.data(), at);
  y.push_back(a.num_hidden);
  c.set_y(0, y);
  if (x.known()) return;
  Shape s = x;
  for (int i = 0; i < at; ++i) s[i] = c.y(0)[i];
  c.set_x(0, s);
}

}  // namespace

OpDef FullyConnectedOp() {
  return Op<FullyConnectedAttrs>("FullyConnected")
      .alias("_npx_fully_connected")
      .alias("_sparse_FullyConnected")
      .family("nn")
      .doc("data * weight^T + bias: a dense layer. data is taken as (batch, everything else), or with flatten=False as rows along its last axis.")
      .example("FullyConnected(data (64, 1, 28, 28), weight (10, 784), bias (10,), num_hidden=10): (64, 10)")
      .attr(&FullyConnectedAttrs::num_hidden, "num_hidden", "How many outputs each row gets.")
      .required()
      .range(1, 1e15)
      .attr(&FullyConnectedAttrs::no_bias, "no_bias", "Leave out the bias.")
      .attr(&FullyConnectedAttrs::flatten, "flatten", "Take all axes but the first as one; else multiply along the last axis and keep the others.")
      .input("data", "(batch, ...), or (..., input) with flatten=False.")
      .input("weight", "(num_hidden, input).")
      .input_when<HasBias>("bias", "(num_hidden,).")
      .output("output", "(batch, num_hidden), or (..., num_hidden) with flatten=False.")
      .types(SameNumber)
      .infer(InferFullyConnected)
      .gradient([](Grad& g, const FullyConnectedAttrs& a) {
        Shape rows = Rows(a, g.x_shape(0));
        Val dy = ReshapeTo(g.dy(0), {rows[0], a.num_hidden});
        if (g.want(0)) g.dx[0] = ReshapeTo(CallOp("dot", {dy, g.x(1)}), g.x_shape(0));
        if (g.want(1)) g.dx[1] = CallOp("dot", {dy, ReshapeTo(g.x(0), rows)}, {{"transpose_a", "True"}});
        if (g.has(2) && g.want(2)) g.dx[2] = SumTo(dy, g.x_shape(2));
      })
      .cost([](const FullyConnectedAttrs& a, const Shape* x, int) { return 2.0 * double(x[0].size()) * double(a.num_hidden); })
      .kernel<FullyConnectedKernel>();
}

}  // namespace flx

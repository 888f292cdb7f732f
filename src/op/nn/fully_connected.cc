// SPDX-License-Identifier: Apache-2.0
#include "op/nn/fully_connected.h"

#include <algorithm>

#include "op/nn/wide.h"

namespace flx {
namespace {

bool HasBias(const FullyConnectedAttrs& a) { return !a.no_bias; }
// data as the matrix that is multiplied.
Shape Rows(const FullyConnectedAttrs& a, const Shape& s) {
  int at = a.flatten ? 1 : s.ndim() - 1;
  return {s.Product(0, at), s.Product(at, s.ndim())};
}
void InferProduct(Infer& c, const FullyConnectedAttrs& a, bool bias) {
  const Shape& x = c.x(0);
  c.set_x(1, Shape{a.num_hidden, -1});
  if (bias) c.set_x(2, Shape{a.num_hidden});
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
void InferFullyConnected(Infer& c, const FullyConnectedAttrs& a) { InferProduct(c, a, !a.no_bias); }

int Inputs(const FullyConnectedAttrs& a) { return a.no_bias ? 2 : 3; }
void InferChained(Infer& c, const FullyConnectedChainAttrs& a) {
  const int others = std::max(0, a.chain.ninputs() - 1);
  c.Expect(c.nin == Inputs(a) + others, "expected ", Inputs(a) + others, " inputs (data, weight", a.no_bias ? "" : ", bias", others ? ", and what the chain reads" : "", "), given ", c.nin, ".");
  InferProduct(c, a, !a.no_bias);
  for (int o = 1; o < c.nout; ++o) c.set_y(o, c.y(0));
  if (!c.y_known(0)) return;
  for (int i = Inputs(a); i < c.nin; ++i)
    c.Expect(!c.known(i) || FitsBehindProduct(c.y(0), c.x(i)), "input ", i, " was expected to have the product's shape ", c.y(0), ", or that of one of its rows, given ", c.x(i), ".");
}
std::vector<Val> ComposeChained(const std::vector<Val>& x, const FullyConnectedChainAttrs& a) {
  size_t n = size_t(Inputs(a));
  std::vector<Val> in = {CallWith("FullyConnected", {x.begin(), x.begin() + std::ptrdiff_t(n)}, static_cast<const FullyConnectedAttrs&>(a))};
  in.insert(in.end(), x.begin() + std::ptrdiff_t(n), x.end());
  return ComposeChain(a.chain, in);
}
}  // namespace

bool FitsBehindProduct(const Shape& product, const Shape& other) {
  return other == product || other.size() == 1 || (other.ndim() <= product.ndim() && other.ndim() > 0 && other.back() == product.back() && other.size() == other.back());
}

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

OpDef FullyConnectedChainOp() {
  return Op<FullyConnectedChainAttrs>("_fully_connected_chain")
      .family("nn")
      .traits(kInternal)
      .doc("FullyConnected with elementwise operators behind it, which take each block of the product while it is in the cache.")
      .attr(&FullyConnectedChainAttrs::num_hidden, "num_hidden", "How many outputs each row gets.")
      .required()
      .range(1, 1e15)
      .attr(&FullyConnectedChainAttrs::no_bias, "no_bias", "Leave out the bias.")
      .attr(&FullyConnectedChainAttrs::flatten, "flatten", "Take all axes but the first as one.")
      .attr(&FullyConnectedChainAttrs::chain, "chain", "The operators behind the product, which is x0.")
      .required()
      .input_list("data", "data, weight, bias, and what the chain reads besides: x1, x2 ...", nullptr, 2)
      .output("output", "The chain's results.")
      .outputs_count([](const FullyConnectedChainAttrs& a) { return int(a.chain.outputs().size()); })
      .infer(InferChained)
      .compose(ComposeChained)
      .cost([](const FullyConnectedChainAttrs& a, const Shape* x, int) { return 2.0 * double(x[0].size()) * double(a.num_hidden); })
      .kernel<FullyConnectedChainKernel>();
}

}  // namespace flx

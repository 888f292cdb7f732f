// SPDX-License-Identifier: Apache-2.0
// Reductions in NumPy's forms (over all axes the result has shape ()), and _sum_to, which undoes broadcasting.
#include "op/reduce/reduce.h"

namespace flx {
namespace {
Shape Keep(Grad& g, const NpReduceAttrs& a) { return KeptShape(g.x_shape(0), AxisBits("reduction", a, g.x_shape(0).ndim())); }

Op<NpReduceAttrs> NpReduction(const char* name) {
  Op<NpReduceAttrs> o(name);
  o.family("reduce").traits(kStrided)
      .attr(&NpReduceAttrs::axis, "axis", "The axes to reduce, negative ones counted from the end. None: all of them; an empty tuple: none.")
      .attr(&NpReduceAttrs::dtype, "dtype", "The result's dtype; None: the input's, or what the operator's text says.")
      .attr(&NpReduceAttrs::keepdims, "keepdims", "Keep the reduced axes, with size 1.")
      .attr(&NpReduceAttrs::initial, "initial", "One more element that takes part.")
      .input("a", "The array to reduce.").output("output", "The reduced array.")
      .infer([](Infer& c, const NpReduceAttrs& a) {
        if (c.ranked(0)) InferReduced(c, AxisBits(c.op.name, a, c.x(0).ndim()), a.keepdims, false);
      });
  return o;
}
void SameType(Infer& c, const NpReduceAttrs& a) {
  if (a.dtype != DType::kNone) c.set_y_type(0, a.dtype);
  else c.set_y_type(0, c.x_type(0)), c.set_x_type(0, c.y_type(0));
}
void AddedType(Infer& c, const NpReduceAttrs& a) {  // of bools: counted in int64
  if (a.dtype == DType::kNone && c.x_type(0) == DType::kBool) c.set_y_type(0, DType::kInt64);
  else if (a.dtype != DType::kNone || c.x_type(0) != DType::kNone || c.y_type(0) != DType::kInt64) SameType(c, a);
}
void MeanType(Infer& c, const NpReduceAttrs& a) {
  if (a.dtype == DType::kNone && c.x_type(0) != DType::kNone && !IsFloat(c.x_type(0))) c.set_y_type(0, DType::kFloat32);
  else if (a.dtype != DType::kNone || c.x_type(0) != DType::kNone || c.y_type(0) != DType::kFloat32) SameType(c, a);
}
void ExtremeGrad(Grad& g, const NpReduceAttrs& a) { ExtremeGradient(g, Keep(g, a)); }

OpDef SumToOp() {
  return Op<ToShapeAttrs>("_sum_to").family("reduce").traits(kInternal | kStrided)
      .doc("The sum of x over the axes along which `shape` would have to be broadcast to become the shape of x: what undoes broadcasting.")
      .attr(&ToShapeAttrs::shape, "shape", "The result's shape.").required()
      .input("x", "The array to sum.").output("y", "The sum.")
      .infer([](Infer& c, const ToShapeAttrs& a) {
        Shape to(a.shape);
        if (c.x(0).known()) {
          bool ok = to.ndim() <= c.x(0).ndim();
          for (int i = 0; ok && i < to.ndim(); ++i) {
            int64_t n = c.x(0)[i + c.x(0).ndim() - to.ndim()];
            ok = to[i] == n || to[i] == 1;
          }
          c.Expect(ok, "expected a shape that broadcasts to that of x, ", c.x(0), ", given ", to, ".");
        }
        c.set_y(0, to);
      })
      .gradient([](Grad& g, const ToShapeAttrs&) { g.dx[0] = BroadcastTo(g.dy(0), g.x_shape(0)); })
      .kernel<SumToKernel>();
}
}  // namespace

void AddNpReductions(std::vector<OpDef>* ops) {
  ops->push_back(SumToOp());
  ops->push_back(NpReduction("_np_sum").types(&AddedType).kernel<NpSumKernel>()
      .gradient([](Grad& g, const NpReduceAttrs& a) { SumGradient(g, Keep(g, a), 1); })
      .doc("The sum over axes; of nothing: 0. Bools are counted in int64."));
  ops->push_back(NpReduction("_np_mean").alias("_npi_mean").types(&MeanType).kernel<NpMeanKernel>()
      .gradient([](Grad& g, const NpReduceAttrs& a) {
        SumGradient(g, Keep(g, a), double(g.y_shape(0).size()) / double(g.x_shape(0).size()));
      })
      .doc("The mean over axes; of nothing: NaN. Integers give float32."));
  ops->push_back(NpReduction("_np_prod").alias("_np_product").types(&AddedType).kernel<NpProdKernel>()
      .gradient([](Grad& g, const NpReduceAttrs& a) {
        ProdGradient(g, AxisBits("_np_prod", a, g.x_shape(0).ndim()), false);
        if (a.initial) g.dx[0] = g.dx[0] * *a.initial;
      })
      .doc("The product over axes; of nothing: 1."));
  ops->push_back(NpReduction("_np_max").alias("_np_amax").types(&SameType).kernel<NpMaxKernel>().gradient(&ExtremeGrad)
      .doc("The largest element over axes; NaN if there is one. Every element equal to it gets the whole gradient. Of nothing: `initial`, or the dtype's lowest value."));
  ops->push_back(NpReduction("_np_min").alias("_np_amin").types(&SameType).kernel<NpMinKernel>().gradient(&ExtremeGrad)
      .doc("The smallest element over axes; NaN if there is one. Every element equal to it gets the whole gradient. Of nothing: `initial`, or the dtype's highest value."));
}

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// Choosing between two arrays.
#include "op/elementwise/cast.h"
#include "op/elementwise/driver.h"
#include "op/elementwise/family.h"
#include "op/elementwise/formula.h"

namespace flx {
namespace {
struct WhereKernel {
  using Signature = void(KernelContext&, const NoAttrs&, const TensorView& condition, const TensorView& x, const TensorView& y, TensorView& out);
  static constexpr const char* kName = "_where_rows";
};
Op<> WhereLike(const char* name, const char* doc, const char* condition_doc) {
  Op<> o(name);
  o.family("elementwise").doc(doc).input("condition", condition_doc).input("x", "Taken where the condition holds.").input("y", "Taken elsewhere; of x's dtype.").output("output");
  o.types([](Infer& c, const NoAttrs&) {
    for (int i = 1; i < 3; ++i) c.set_y_type(0, c.x_type(i));
    for (int i = 1; i < 3; ++i) c.set_x_type(i, c.y_type(0));
  });
  return o;
}
// The branch not taken gets an exact zero, also where dy is infinite.
template <const char* kName> void WhereGradient(Grad& g, const NoAttrs&) {
  Val c = g.x(0), dy = g.dy(0), zero = ZerosLike(dy);
  if (g.want(1)) g.dx[1] = SumTo(CallOp(kName, {c, dy, zero}), g.x_shape(1));
  if (g.want(2)) g.dx[2] = SumTo(CallOp(kName, {c, zero, dy}), g.x_shape(2));
}
constexpr char kWhere[] = "where", kNumpyWhere[] = "_npi_where";

void WhereCpu(KernelContext& ctx, const NoAttrs&, const TensorView& condition, const TensorView& x, const TensorView& y, TensorView& out) {
  TensorView in[] = {condition, x, y};
  while (in[0].ndim() < x.ndim()) in[0].shape.push_back(1), in[0].strides.push_back(1);  // a vector of rows: (n) is (n, 1, ...)
  RunElementwise(*ctx.op, CpuLoops("where"), ctx, nullptr, in, 3, out);
}
}  // namespace

void AddWhereOps(std::vector<OpDef>* ops) {
  ops->push_back(WhereLike(kWhere, "x where the condition is not zero, else y. A vector condition picks whole rows.", "Any dtype; of x's shape, or (rows,).")
                     .infer([](Infer& c, const NoAttrs&) {
                       c.set_y(0, c.x(1)), c.set_y(0, c.x(2));
                       c.set_x(1, c.y(0)), c.set_x(2, c.y(0));
                       const Shape k = c.x(0);
                       if (k.rank_known() && k.ndim() > 1) {
                         for (int i : {1, 2}) c.set_x(i, k);
                         c.set_y(0, k);
                       }
                       Shape y = c.y(0);
                       if (!y.rank_known()) return;
                       if (!k.rank_known() && y.ndim() > 1) return c.guess_x(0, y);
                       if (k.rank_known() && k.ndim() == 1 && y.ndim() > 1) {  // a row is chosen as a whole
                         if (y[0] < 0) y[0] = k[0];
                         for (int i : {1, 2}) c.set_x(i, y);
                         c.set_y(0, y);
                         return c.set_x(0, Shape{y[0]});
                       }
                       c.set_x(0, y);
                       for (int i : {1, 2}) c.set_x(i, c.x(0));
                       c.set_y(0, c.x(0));
                     })
                     .gradient(WhereGradient<kWhere>).traits(kExpands)
                     .compose([](const std::vector<Val>& x, const NoAttrs&) {
                       Shape rows = ShapeOf(x[0]);
                       while (rows.ndim() < ShapeOf(x[1]).ndim()) rows.push_back(1);
                       return std::vector<Val>{CallOp(kNumpyWhere, {ReshapeTo(x[0], rows), x[1], x[2]})};
                     })
                     .kernel<WhereKernel>());
  ops->push_back(WhereLike(kNumpyWhere, "x where the condition is not zero, else y; the three broadcast by NumPy's rule.", "Any dtype.")
                     .infer([](Infer& c, const NoAttrs&) { c.set_y(0, BroadcastShapes(c, c.x(0), BroadcastShapes(c, c.x(1), c.x(2)))); })
                     .gradient(WhereGradient<kNumpyWhere>).tiles(0, nullptr, "where"));
}
void AddWhereCpuKernels(KernelList* list) { list->push_back(Kernel<WhereKernel>(&WhereCpu).OnDevices()); }

}  // namespace flx

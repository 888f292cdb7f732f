// SPDX-License-Identifier: Apache-2.0
// take, pick, batch_take, one_hot, Embedding.
#include "op/indexing/indexing.h"

namespace flx {
namespace {

// The types of an operator of an array and its indices: the result has the array's.
template <class A> void ByIndex(Infer& c, const A&) { c.set_y_type(0, c.x_type(0)); c.set_x_type(0, c.y_type(0)); }
template <class A> void FromIndex(Infer& c, const A&) { c.set_y_type(0, c.x_type(1)); c.set_x_type(1, c.y_type(0)); }

OpDef TakeOp() {
  return Op<TakeAttrs>("take").family("indexing")
      .doc("Slices of an axis chosen by index: the axis is replaced by the axes of the indices. Where an index repeats, its gradients are added.")
      .attr(&TakeAttrs::axis, "axis", "The axis to choose from; negative: from the end.")
      .attr(&TakeAttrs::mode, "mode", "An index out of range is the nearest (clip), taken modulo the size (wrap), or an error (raise).")
      .input("a", "The array to choose from.").input("indices", "The indices, of any shape and dtype; truncated to whole numbers.").output("output", "The chosen slices.")
      .types(&ByIndex<TakeAttrs>)
      .infer([](Infer& c, const TakeAttrs& a) {
        if (!c.x(0).rank_known() || !c.x(1).rank_known()) return;
        const int k = c.Axis(a.axis, c.x(0).ndim()), m = c.x(1).ndim();
        Shape s;
        for (int i = 0; i < k; ++i) s.push_back(c.x(0)[i]);
        for (int64_t d : c.x(1)) s.push_back(d);
        for (int i = k + 1; i < c.x(0).ndim(); ++i) s.push_back(c.x(0)[i]);
        c.set_y(0, s);
        c.Expect(c.x(0)[k] != 0 || !c.known(1) || c.x(1).size() == 0, "nothing can be taken from axis ", a.axis, " of shape ", c.x(0), ".");
        if (c.known(0) && c.known(1)) return;
        Shape x = c.x(0), index = c.x(1);
        for (int i = 0; i < x.ndim(); ++i) if (i != k) x[i] = c.y(0)[i < k ? i : i + m - 1];
        for (int i = 0; i < m; ++i) index[i] = c.y(0)[k + i];
        c.set_x(0, x);
        c.set_x(1, index);
      })
      .gradient([](Grad& g, const TakeAttrs& a) {
        TakeGradAttrs t;
        static_cast<TakeAttrs&>(t) = a;
        t.shape = g.x_shape(0).vec();
        if (g.want(0)) g.dx[0] = CallWith("_take_grad", {g.x(1), g.dy(0)}, t);
      })
      .kernel<TakeKernel>();
}
OpDef TakeGradOp() {
  return Op<TakeGradAttrs>("_take_grad").family("indexing").traits(kInternal)
      .doc("Zeros of the given shape to whose slices those of dy are added, each to the one its index names: the gradient of take.")
      .attr(&TakeAttrs::axis, "axis", "The axis that was chosen from.").attr(&TakeAttrs::mode, "mode", "As in take.")
      .attr(&TakeGradAttrs::shape, "shape", "The result's shape.").required()
      .input("indices", "The indices given to take.").input("dy", "The gradient of its result.").output("dx", "The gradient of its array.")
      .types(&FromIndex<TakeGradAttrs>)
      .infer([](Infer& c, const TakeGradAttrs& a) { c.set_y(0, Shape(a.shape)); })
      .gradient([](Grad& g, const TakeGradAttrs& a) {
        if (g.want(1)) g.dx[1] = CallWith("take", {g.dy(0), g.x(0)}, static_cast<const TakeAttrs&>(a));
      })
      .kernel<TakeGradKernel>();
}

OpDef TakeAlongOp() {
  return Op<AlongAttrs>("_take_along").family("indexing").traits(kInternal)
      .doc("Elements of x chosen along an axis, another index for each place: y[i][j] = x[i][index[i][j]] for the last axis.")
      .attr(&AlongAttrs::axis, "axis", "The axis to choose along.").attr(&AlongAttrs::mode, "mode", "What an index out of range means: raise, wrap or clip.")
      .input("x", "The array.").input("index", "Indices; its shape is that of x but for the axis.").output("y", "The chosen elements, in the shape of the indices.")
      .types(&ByIndex<AlongAttrs>)
      .infer([](Infer& c, const AlongAttrs& a) {
        if (!c.known(0) || !c.known(1)) return c.set_y(0, c.x(1)), c.set_x(1, c.y(0));
        Shape want = c.x(0);
        int k = c.Axis(a.axis, want.ndim());
        c.Expect(c.x(1).ndim() == want.ndim(), "the indices must have as many axes as the data: data is ", c.x(0), ", indices are ", c.x(1), ".");
        want[k] = c.x(1)[k];
        c.Expect(want == c.x(1), "the indices must have the shape of the data but for axis ", a.axis, ": data is ", c.x(0), ", indices are ", c.x(1), ".");
        c.Expect(c.x(0)[k] != 0 || want.size() == 0, "nothing can be chosen from axis ", a.axis, " of shape ", c.x(0), ".");
        c.set_y(0, want);
      })
      .gradient([](Grad& g, const AlongAttrs& a) {
        PutAlongAttrs p;
        static_cast<AlongAttrs&>(p) = a;
        p.shape = g.x_shape(0).vec();
        if (g.want(0)) g.dx[0] = CallWith("_put_along", {g.x(1), g.dy(0)}, p);
      })
      .kernel<TakeAlongKernel>();
}
OpDef PutAlongOp() {
  return Op<PutAlongAttrs>("_put_along").family("indexing").traits(kInternal)
      .doc("Zeros of the given shape to whose elements those of dy are added, each to the one its index names along an axis: the gradient of _take_along.")
      .attr(&AlongAttrs::axis, "axis", "The axis that was chosen along.").attr(&AlongAttrs::mode, "mode", "As in _take_along.")
      .attr(&PutAlongAttrs::shape, "shape", "The result's shape.").required()
      .input("index", "The indices given to _take_along.").input("dy", "The gradient of its result.").output("dx", "The gradient of its array.")
      .types(&FromIndex<PutAlongAttrs>)
      .infer([](Infer& c, const PutAlongAttrs& a) {
        c.set_x(1, c.x(0));
        c.set_y(0, Shape(a.shape));
      })
      .gradient([](Grad& g, const PutAlongAttrs& a) {
        if (g.want(1)) g.dx[1] = CallWith("_take_along", {g.dy(0), g.x(0)}, static_cast<const AlongAttrs&>(a));
      })
      .kernel<PutAlongKernel>();
}

// pick's index has the data's shape without the axis, or with the axis at size 1.
Shape PickShape(const char* who, const Shape& x, const Shape& index, int k) {
  Shape kept = x, dropped = x;
  kept[k] = 1;
  dropped.Erase(k);
  if (index != kept && index != dropped && !(dropped.ndim() == 0 && index == Shape{1}))
    Fail(Status::kShape, who, "the index must have the data's shape without axis ", k, ", ", dropped, ", or with size 1 there, given ", index, ".");
  return kept;
}
Shape PickResult(const Shape& kept, int k, bool keepdims) {
  Shape s = kept;
  if (!keepdims) s.Erase(k);
  return s.ndim() == 0 ? Shape{1} : s;
}
// pick where not all is known: the axes that stay are the same everywhere.
void InferPick(Infer& c, const PickAttrs& a) {
  if (!a.axis) return c.ranked(0) ? c.set_y(0, a.keepdims ? Shape::Filled(c.x(0).ndim(), 1) : Shape{1}) : void();
  if (!c.ranked(0)) return;
  Shape x = c.x(0), index = c.x(1);
  const int n = x.ndim(), k = c.Axis(*a.axis, n);
  auto learn = [&](const Shape& s, bool kept) {  // from an array with the axis, or without it
    for (int i = 0, j = 0; i < n; ++i) {
      if (i != k && x[i] < 0) x[i] = s[j];
      j += i != k || kept;
    }
  };
  Shape y = x;
  y[k] = 1;
  c.set_y(0, PickResult(y, k, a.keepdims));
  if (n > 1) learn(c.y(0), a.keepdims);
  if (index.rank_known() && index.ndim() == n && n > 1) learn(index, true);
  else if (index.rank_known() && index.ndim() == n - 1) learn(index, false);
  c.set_x(0, x);
  y = x;
  y[k] = 1;
  c.set_y(0, PickResult(y, k, a.keepdims));
  if (!index.rank_known() || n == 1) return;
  if (index.ndim() == n - 1) y.Erase(k);
  c.set_x(1, y);
}
OpDef PickOp() {
  return Op<PickAttrs>("pick").alias("choose_element_0index").family("indexing")
      .doc("One element of each row along an axis: y[i] = data[i][index[i]].")
      .attr(&PickAttrs::axis, "axis", "The axis to choose along. None: the flat array, of which one element is chosen.")
      .attr(&PickAttrs::keepdims, "keepdims", "Keep the axis, with size 1.")
      .attr(&PickAttrs::mode, "mode", "An index out of range is the nearest (clip), or taken modulo the size (wrap).")
      .input("data", "The array.").input("index", "The indices, of any dtype.").output("output", "The chosen elements.")
      .types(&ByIndex<PickAttrs>)
      .infer([](Infer& c, const PickAttrs& a) {
        if (a.axis && c.x(0).rank_known()) c.Axis(*a.axis, c.x(0).ndim());
        if (!c.known(0) || !c.known(1)) return InferPick(c, a);
        Shape x = a.axis ? c.x(0) : Shape{c.x(0).size()};
        int k = a.axis ? c.Axis(*a.axis, x.ndim()) : 0;
        Shape kept = PickShape(c.op.name, x, c.x(1), k);
        c.set_y(0, a.axis || !a.keepdims ? PickResult(kept, k, a.keepdims) : Shape::Filled(c.x(0).ndim(), 1));
      })
      .compose([](const std::vector<Val>& in, const PickAttrs& a) {
        Shape x = a.axis ? ShapeOf(in[0]) : Shape{ShapeOf(in[0]).size()};
        int k = a.axis ? NormalAxis("pick", *a.axis, x.ndim()) : 0;
        Shape kept = PickShape("pick", x, ShapeOf(in[1]), k);
        Val v = CallWith("_take_along", {ReshapeTo(in[0], x), ReshapeTo(in[1], kept)}, AlongAttrs{k, a.mode == PickMode::kWrap ? IndexMode::kWrap : IndexMode::kClip});
        return std::vector<Val>{ReshapeTo(v, a.axis || !a.keepdims ? PickResult(kept, k, a.keepdims) : Shape::Filled(ShapeOf(in[0]).ndim(), 1))};
      });
}
OpDef BatchTakeOp() {
  return Op<>("batch_take").family("indexing")
      .example("batch_take(a (4, 3), indices (4,)): (4,)")
      .doc("One element of each row of the last axis: y[i] = a[i][indices[i]]; an index out of range is the nearest.")
      .input("a", "The array.").input("indices", "One index for each row.").output("output", "The chosen elements, in the shape of the indices.")
      .types(&ByIndex<NoAttrs>)
      .infer([](Infer& c, const NoAttrs&) {
        c.set_y(0, c.x(1));
        c.set_x(1, c.y(0));
        if (!c.known(0) || !c.known(1)) return;
        c.Expect(c.x(0).ndim() > 0 && c.x(0).Product(0, c.x(0).ndim() - 1) == c.x(1).size(), "expected one index for each row of a, given a of shape ", c.x(0), " and indices of shape ", c.x(1), ".");
        c.set_y(0, c.x(1));
      })
      .compose([](const std::vector<Val>& in, const NoAttrs&) {
        Shape s = ShapeOf(in[1]), x = ShapeOf(in[0]);
        Val v = CallWith("_take_along", {ReshapeTo(in[0], {s.size(), x.back()}), ReshapeTo(in[1], {s.size(), 1})}, AlongAttrs{1, IndexMode::kClip});
        return std::vector<Val>{ReshapeTo(v, s)};
      });
}
OpDef OneHotOp() {
  return Op<OneHotAttrs>("one_hot").family("indexing")
      .doc("A new last axis of size depth, off_value everywhere but on_value at the index. An index out of range gives off_value everywhere.")
      .attr(&OneHotAttrs::depth, "depth", "The size of the new axis.").required().range(0, 9e18)
      .attr(&OneHotAttrs::on_value, "on_value", "The value at the index.").attr(&OneHotAttrs::off_value, "off_value", "The value elsewhere.")
      .attr(&OneHotAttrs::dtype, "dtype", "The result's dtype.")
      .input("indices", "The indices, of any shape and dtype.").output("output", "The encoded indices.")
      .types([](Infer& c, const OneHotAttrs& a) { c.set_y_type(0, a.dtype == DType::kNone ? DType::kFloat32 : a.dtype); })
      .infer([](Infer& c, const OneHotAttrs& a) {
        if (c.y_ranked(0) && c.y(0).ndim() > 0) c.set_x(0, Shape(c.y(0).data(), c.y(0).ndim() - 1));
        if (!c.x(0).rank_known()) return;
        Shape s = c.x(0);
        s.push_back(a.depth);
        c.set_y(0, s);
      })
      .zero_gradient().kernel<OneHotKernel>();
}
OpDef EmbeddingOp() {
  return Op<EmbeddingAttrs>("Embedding").alias("_sparse_Embedding").alias("_contrib_SparseEmbedding").family("indexing")
      .example("Embedding(data (32, 5), weight (1000, 16), input_dim=1000, output_dim=16): (32, 5, 16)")
      .doc("Rows of a table by index: the vectors that stand for words. An index out of range is the nearest. The table's gradient adds where an index repeats.")
      .attr(&EmbeddingAttrs::input_dim, "input_dim", "The number of rows of the table.").required().range(1, 9e18)
      .attr(&EmbeddingAttrs::output_dim, "output_dim", "The length of a row.").required().range(1, 9e18)
      .attr(&EmbeddingAttrs::dtype, "dtype", "The table's dtype, where it is not known otherwise.")
      .attr(&EmbeddingAttrs::sparse_grad, "sparse_grad", "Accepted for MXNet's files; the gradient is dense.").ignored()
      .input("data", "The indices, of any shape and dtype.").input("weight", "The table (input_dim, output_dim).").output("output", "The rows; their length is a new last axis.")
      .types([](Infer& c, const EmbeddingAttrs& a) {
        FromIndex(c, a);
        c.guess_x_type(1, a.dtype);
        c.set_y_type(0, c.x_type(1));
      })
      .infer([](Infer& c, const EmbeddingAttrs& a) {
        c.set_x(1, Shape{a.input_dim, a.output_dim});
        if (c.y_ranked(0) && c.y(0).ndim() > 0) c.set_x(0, Shape(c.y(0).data(), c.y(0).ndim() - 1));
        if (!c.x(0).rank_known()) return;
        Shape s = c.x(0);
        s.push_back(a.output_dim);
        c.set_y(0, s);
      })
      .compose([](const std::vector<Val>& in, const EmbeddingAttrs&) { return std::vector<Val>{CallWith("take", {in[1], in[0]}, TakeAttrs{})}; });
}
}  // namespace

void AddTakeOps(std::vector<OpDef>* ops) {
  for (auto* make : {&TakeOp, &TakeGradOp, &TakeAlongOp, &PutAlongOp, &PickOp, &BatchTakeOp, &OneHotOp, &EmbeddingOp}) ops->push_back(make());
}

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// Operators that repeat elements: broadcast_to, broadcast_axis, broadcast_like, repeat, tile, and _np_broadcast_to.
#include <cmath>

#include "op/matrix/matrix.h"

namespace flx {
namespace {

// MXNet's rule: as many sizes as axes, -1 keeps a size, and only axes of size 1 grow.
Shape Broadcasted(const char* who, const Shape& x, const Shape& to) {
  Shape s = to;
  bool ok = to.ndim() == x.ndim();
  for (int i = 0; ok && i < s.ndim(); ++i) {
    if (s[i] == -1) s[i] = x[i];
    ok = s[i] == x[i] || x[i] == 1 || x[i] < 0;
  }
  if (!ok) Fail(Status::kShape, who, "data of shape ", x, " does not broadcast to ", to, ": both must have as many axes, and only axes of size 1 grow. Reshape it first.");
  return s;
}
Shape Target(const Shape& x, const BroadcastToAttrs& a) { return Broadcasted("broadcast_to", x, Shape(a.shape)); }
Shape Target(const Shape& x, const BroadcastAxisAttrs& a) {
  if (a.axis.size() != a.size.size()) Fail(Status::kShape, "broadcast_axis", "expected as many sizes as axes, given axis ", a.axis, " and size ", a.size, ".");
  Shape s = x;
  for (size_t i = 0; i < a.axis.size(); ++i) {
    int k = NormalAxis("broadcast_axis", a.axis[i], x.ndim());
    if (x[k] != 1 && x[k] >= 0) Fail(Status::kShape, "broadcast_axis", "axis ", a.axis[i], " must have size 1, given data of shape ", x, ".");
    s[k] = a.size[i];
  }
  return s;
}
Shape Target(const Shape& l, const Shape& r, const BroadcastLikeAttrs& a) {
  const char* who = "broadcast_like";
  if (!a.lhs_axes && !a.rhs_axes) {
    Shape s = l;
    bool ok = l.ndim() == r.ndim();
    for (int i = 0; ok && i < l.ndim(); ++i) s[i] = r[i], ok = l[i] == r[i] || l[i] == 1 || l[i] < 0 || r[i] < 0;
    if (!ok) Fail(Status::kShape, who, "lhs of shape ", l, " does not broadcast to the shape of rhs, ", r, ". Give lhs_axes and rhs_axes, or reshape lhs.");
    return s;
  }
  if (!a.lhs_axes || !a.rhs_axes || a.lhs_axes->size() != a.rhs_axes->size() || a.lhs_axes->empty())
    Fail(Status::kShape, who, "expected lhs_axes and rhs_axes of equal, positive length.");
  Shape s = l;
  for (size_t i = 0; i < a.lhs_axes->size(); ++i) {
    int j = NormalAxis(who, (*a.lhs_axes)[i], l.ndim()), k = NormalAxis(who, (*a.rhs_axes)[i], r.ndim());
    if (l[j] != 1 && l[j] != r[k] && l[j] >= 0 && r[k] >= 0) Fail(Status::kShape, who, "axis ", (*a.lhs_axes)[i], " of lhs must have size 1, given lhs of shape ", l, ".");
    s[j] = r[k];
  }
  return s;
}

void InferBroadcastTo(Infer& c, const BroadcastToAttrs& a) {
  if (c.known(0)) return c.set_y(0, Target(c.x(0), a));
  Shape x = Shape::Filled(int(a.shape.size()), -1);
  c.set_x(0, x);
  c.set_y(0, Target(c.x(0), a));
  for (int i = 0; i < x.ndim(); ++i) if (a.shape[size_t(i)] == -1) x[i] = c.y(0)[i];
  c.set_x(0, x);
}
void InferBroadcastAxis(Infer& c, const BroadcastAxisAttrs& a) {
  if (!c.ranked(0) && c.y_ranked(0)) c.set_x(0, Shape::Filled(c.y(0).ndim(), -1));
  if (!c.ranked(0)) return;
  c.set_y(0, Target(c.x(0), a));
  Shape x = c.y(0);
  for (int64_t k : a.axis) x[c.Axis(k, x.ndim())] = 1;
  c.set_x(0, x);
}
void InferBroadcastLike(Infer& c, const BroadcastLikeAttrs& a) {
  if (c.ranked(0) && c.ranked(1)) c.set_y(0, Target(c.x(0), c.x(1), a));
  if (!a.lhs_axes && !a.rhs_axes) {
    c.set_y(0, c.x(1));
    c.set_x(1, c.y(0));
    if (c.y_ranked(0)) c.set_x(0, Shape::Filled(c.y(0).ndim(), -1));
  }
}

bool ToView(const BroadcastToAttrs& a, const Shape& x, const Shape& strides, ViewSpec* v) { return BroadcastView(x, strides, Target(x, a), v), true; }
bool AxisView(const BroadcastAxisAttrs& a, const Shape& x, const Shape& strides, ViewSpec* v) { return BroadcastView(x, strides, Target(x, a), v), true; }
bool NpView(const ToShapeAttrs& a, const Shape& x, const Shape& strides, ViewSpec* v) { return BroadcastView(x, strides, Shape(a.shape), v), true; }

OpDef BroadcastToOp() {
  return Op<BroadcastToAttrs>("broadcast_to").family("matrix").traits(kStrided)
      .doc("Axes of size 1 repeated to the given sizes. The gradient is summed over them.")
      .attr(&BroadcastToAttrs::shape, "shape", "The size of each axis; -1 keeps it.").range(-1, INFINITY)
      .input("data", "The array.").output("output", "The broadcast array.")
      .infer(InferBroadcastTo)
      .gradient([](Grad& g, const BroadcastToAttrs&) { g.dx[0] = SumTo(g.dy(0), g.x_shape(0)); })
      .view(&ToView).kernel<BroadcastToKernel>();
}
OpDef BroadcastAxisOp() {
  return Op<BroadcastAxisAttrs>("broadcast_axis").alias("broadcast_axes").family("matrix").traits(kStrided)
      .doc("Chosen axes of size 1 repeated to the given sizes. The gradient is summed over them.")
      .attr(&BroadcastAxisAttrs::axis, "axis", "The axes that grow.").attr(&BroadcastAxisAttrs::size, "size", "Their sizes, one for each axis.").range(0, INFINITY)
      .input("data", "The array.").output("output", "The broadcast array.")
      .infer(InferBroadcastAxis)
      .gradient([](Grad& g, const BroadcastAxisAttrs&) { g.dx[0] = SumTo(g.dy(0), g.x_shape(0)); })
      .view(&AxisView).kernel<BroadcastAxisKernel>();
}
OpDef NpBroadcastToOp() {
  return Op<ToShapeAttrs>("_np_broadcast_to").family("matrix").traits(kInternal | kStrided)
      .doc("x repeated to the given shape by NumPy's rule: shapes are matched from the right, axes of size 1 grow, and axes in front are new.")
      .attr(&ToShapeAttrs::shape, "shape", "The result's shape.").required()
      .input("x", "The array.").output("y", "The broadcast array.")
      .infer([](Infer& c, const ToShapeAttrs& a) {
        Shape to(a.shape);
        if (c.known(0)) {
          int front = to.ndim() - c.x(0).ndim();
          bool ok = front >= 0;
          for (int i = 0; ok && i < c.x(0).ndim(); ++i) ok = c.x(0)[i] == to[i + front] || c.x(0)[i] == 1;
          c.Expect(ok, "x of shape ", c.x(0), " does not broadcast to ", to, ".");
        }
        c.set_y(0, to);
      })
      .gradient([](Grad& g, const ToShapeAttrs&) { g.dx[0] = SumTo(g.dy(0), g.x_shape(0)); })
      .view(&NpView).kernel<NpBroadcastToKernel>();
}
OpDef BroadcastLikeOp() {
  return Op<BroadcastLikeAttrs>("broadcast_like").family("matrix")
      .doc("lhs with its axes of size 1 repeated to the shape of rhs, of which only the shape is read.")
      .attr(&BroadcastLikeAttrs::lhs_axes, "lhs_axes", "The axes of lhs that grow; None: all.")
      .attr(&BroadcastLikeAttrs::rhs_axes, "rhs_axes", "The axes of rhs whose sizes they get; None: all.")
      .input("lhs", "The array.").input("rhs", "The array whose shape is taken.").output("output", "The broadcast array.")
      .types([](Infer& c, const BroadcastLikeAttrs&) { c.set_y_type(0, c.x_type(0)); c.set_x_type(0, c.y_type(0)); })
      .infer(InferBroadcastLike)
      .compose([](const std::vector<Val>& x, const BroadcastLikeAttrs& a) {
        return std::vector<Val>{BroadcastTo(x[0], Target(ShapeOf(x[0]), ShapeOf(x[1]), a))};
      });
}

OpDef RepeatOp() {
  return Op<RepeatAttrs>("repeat").alias("_np_repeat").family("matrix")
      .doc("Each element repeated along an axis: (a, b) becomes (a, a, b, b).")
      .attr(&RepeatAttrs::repeats, "repeats", "How often each element stands in the result.").required().range(0, INFINITY)
      .attr(&RepeatAttrs::axis, "axis", "The axis along which to repeat. None: the flat array.")
      .input("data", "The array.").output("output", "The repeated array.")
      .infer([](Infer& c, const RepeatAttrs& a) {
        if (!c.ranked(0) && c.y_ranked(0) && a.axis) c.set_x(0, Shape::Filled(c.y(0).ndim(), -1));
        if (!c.ranked(0)) return a.axis ? void() : c.set_y(0, Shape{-1});
        Shape s = a.axis ? c.x(0) : Shape{ProductOf(c.x(0), 0, c.x(0).ndim())};
        int k = a.axis ? c.Axis(*a.axis, s.ndim()) : 0;
        if (s[k] >= 0) c.Expect(!__builtin_mul_overflow(s[k], a.repeats, &s[k]), "the result would have more elements than 63 bits can count.");
        c.set_y(0, s);
        if (!a.axis || c.known(0)) return;
        s = c.y(0);
        s[k] = a.repeats > 0 && s[k] >= 0 && s[k] % a.repeats == 0 ? s[k] / a.repeats : -1;
        c.set_x(0, s);
      })
      .compose([](const std::vector<Val>& x, const RepeatAttrs& a) {
        Shape s = a.axis ? ShapeOf(x[0]) : Shape{ShapeOf(x[0]).size()}, out = s;
        int k = a.axis ? NormalAxis("repeat", *a.axis, s.ndim()) : 0;
        out[k] *= a.repeats;
        s.Insert(k + 1, 1);
        Val v = ReshapeTo(x[0], s);
        s[k + 1] = a.repeats;
        return std::vector<Val>{ReshapeTo(BroadcastTo(v, s), out)};
      });
}
OpDef TileOp() {
  return Op<TileAttrs>("tile").family("matrix")
      .doc("The whole array repeated along each axis. Shapes and reps are matched from the right, the shorter filled with 1 in front.")
      .attr(&TileAttrs::reps, "reps", "How often the array is repeated along each axis.").required().range(0, INFINITY)
      .input("data", "The array.").output("output", "The repeated array.")
      .infer([](Infer& c, const TileAttrs& a) {
        if (!c.ranked(0)) return;
        int n = int(a.reps.size()), m = c.x(0).ndim(), r = n > m ? n : m;
        Shape s = Shape::Filled(r, 1);
        for (int i = 0; i < m; ++i) s[i + r - m] = c.x(0)[i];
        for (int i = 0; i < n; ++i)
          if (s[i + r - n] >= 0)
            c.Expect(!__builtin_mul_overflow(s[i + r - n], a.reps[size_t(i)], &s[i + r - n]), "the result would have more elements than 63 bits can count.");
        c.set_y(0, s);
        if (c.known(0)) return;
        Shape x = c.x(0);
        for (int i = 0; i < m; ++i) {
          int64_t rep = i + r - m < r - n ? 1 : a.reps[size_t(i + (r - m) - (r - n))], all = c.y(0)[i + r - m];
          if (x[i] < 0 && rep > 0 && all >= 0 && all % rep == 0) x[i] = all / rep;
        }
        c.set_x(0, x);
      })
      .compose([](const std::vector<Val>& x, const TileAttrs& a) {
        const Shape in = ShapeOf(x[0]);
        int n = int(a.reps.size()), m = in.ndim(), r = n > m ? n : m;
        Shape split, wide, out;  // (1, size) pairs; only axes that are repeated get a pair, so that few axes stay few
        for (int i = 0; i < r; ++i) {
          int64_t size = i < r - m ? 1 : in[i - (r - m)], rep = i < r - n ? 1 : a.reps[size_t(i - (r - n))];
          if (rep != 1) split.push_back(1), wide.push_back(rep);
          split.push_back(size), wide.push_back(size);
          out.push_back(size * rep);
        }
        return std::vector<Val>{ReshapeTo(BroadcastTo(ReshapeTo(x[0], split), wide), out)};
      });
}
}  // namespace

void AddBroadcastOps(std::vector<OpDef>* ops) {
  for (auto* make : {&BroadcastToOp, &BroadcastAxisOp, &NpBroadcastToOp, &BroadcastLikeOp, &RepeatOp, &TileOp}) ops->push_back(make());
}
void AddBroadcastCpuKernels(KernelList* list) {
  list->push_back(Kernel<BroadcastToKernel>(&ViewCpu<BroadcastToAttrs, &ToView>).OnDevices());
  list->push_back(Kernel<BroadcastAxisKernel>(&ViewCpu<BroadcastAxisAttrs, &AxisView>).OnDevices());
  list->push_back(Kernel<NpBroadcastToKernel>(&ViewCpu<ToShapeAttrs, &NpView>).OnDevices());
}

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// Operators that only change the shape: the elements stay in row-major order, and the result is a view where strides allow.
#include <algorithm>
#include <cmath>
#include <utility>

#include "op/matrix/matrix.h"

namespace flx {
namespace {

[[noreturn]] void Misfit(const Shape& x, const Ints& codes, const char* why) {
  Fail(Status::kShape, "Reshape", "shape ", codes, " does not fit data of shape ", x, ": ", why, ".");
}
// MXNet's codes, from the left: 0 copies a size, -1 is inferred, -2 copies the rest, -3 merges two sizes, -4 splits one into the next two.
Shape Decode(const Shape& x, const Ints& codes, bool reverse) {
  Shape from = x;
  Ints code = codes;
  if (reverse) {
    std::reverse(from.data(), from.data() + from.ndim());
    std::reverse(code.begin(), code.end());
    for (size_t i = 2; i < code.size(); ++i)  // -4 goes back in front of its two parts
      if (code[i] == -4) std::rotate(code.begin() + int64_t(i) - 2, code.begin() + int64_t(i), code.begin() + int64_t(i) + 1);
  }
  Shape to;
  int src = 0, inferred = -1;
  auto next = [&](const char* why) { if (src >= from.ndim()) Misfit(x, codes, why); return from[src++]; };
  for (size_t i = 0; i < code.size(); ++i) {
    switch (code[i]) {
      case 0: to.push_back(next("0 has no axis left to copy")); break;
      case -1:
        if (inferred >= 0) Misfit(x, codes, "only one size can be inferred");
        inferred = to.ndim(), to.push_back(1), ++src;
        break;
      case -2: while (src < from.ndim()) to.push_back(from[src++]); break;
      case -3: {
        int64_t a = next("-3 has no two axes left to merge");
        to.push_back(a * next("-3 has no two axes left to merge"));
        break;
      }
      case -4: {
        if (i + 2 >= code.size()) Misfit(x, codes, "-4 must be followed by its two parts");
        int64_t whole = next("-4 has no axis left to split"), a = code[i + 1], b = code[i + 2];
        if (a < -1 || b < -1 || (a == -1 && b == -1)) Misfit(x, codes, "of the parts of -4 at most one is -1, and the other 0 or more");
        if (a == -1) a = b ? whole / b : 0;
        if (b == -1) b = a ? whole / a : 0;
        if (a * b != whole) Misfit(x, codes, "the parts of -4 do not multiply to the size they split");
        to.push_back(a), to.push_back(b);
        i += 2;
        break;
      }
      default:
        if (code[i] < 0) Misfit(x, codes, "codes are 0 to -4");
        to.push_back(code[i]), ++src;
    }
  }
  int64_t size = x.size();
  if (inferred >= 0) {
    int64_t rest = to.size();
    if (rest == 0 ? size != 0 : size % rest != 0) Misfit(x, codes, "no size can be inferred that makes the numbers of elements equal");
    to[inferred] = rest ? size / rest : 0;
  }
  if (to.size() != size) Misfit(x, codes, "the numbers of elements differ");
  if (reverse) std::reverse(to.data(), to.data() + to.ndim());
  return to;
}
// The older attributes: 0 is the size to infer; keep_highest keeps the first.
Shape DecodeTarget(const Shape& x, const ReshapeAttrs& a) {
  Shape to(a.target_shape);
  if (a.keep_highest && x.ndim() > 0) to[0] = x[0];
  int inferred = -1, zeros = 0;
  for (int i = a.keep_highest ? 1 : 0; i < to.ndim(); ++i) if (to[i] == 0) inferred = i, ++zeros;
  if (zeros == 1) {
    to[inferred] = 1;
    int64_t rest = to.size();
    to[inferred] = rest ? x.size() / rest : 0;
  }
  if (to.size() != x.size()) Misfit(x, a.target_shape, "the numbers of elements differ (target_shape: one 0 is inferred)");
  return to;
}
Shape Target(const Shape& x, const ReshapeAttrs& a) {
  return a.shape.empty() && !a.target_shape.empty() ? DecodeTarget(x, a) : Decode(x, a.shape, a.reverse);
}
// One unknown size of data follows from the number of elements of the result.
void LearnFromElements(Infer& c) {
  if (!c.x(0).rank_known() || !c.y_known(0)) return;
  Shape x = c.x(0);
  int unknown = -1;
  for (int i = 0; i < x.ndim(); ++i)
    if (x[i] < 0 && std::exchange(unknown, i) >= 0) return;
  if (unknown < 0) return;
  x[unknown] = 1;
  int64_t rest = x.size(), all = c.y(0).size();
  if (rest <= 0 || all < 0 || all % rest != 0) return;
  x[unknown] = all / rest;
  c.set_x(0, x);
}
Shape FlatShape(const Shape& x) { return {x[0], x.Product(1, x.ndim())}; }
Shape Expanded(const char* who, const Shape& x, int64_t axis) {
  Shape s = x;
  s.Insert(NormalAxis(who, axis, x.ndim() + 1), 1);
  return s;
}
Shape Squeezed(const Shape& x, const SqueezeAttrs& a) {
  uint32_t drop = 0;
  if (a.axis) {
    for (int64_t k : *a.axis) {
      int i = NormalAxis("squeeze", k, x.ndim());
      if (x[i] != 1) Fail(Status::kShape, "squeeze", "axis ", k, " must have size 1, given data of shape ", x, ".");
      if (drop >> i & 1) Fail(Status::kShape, "squeeze", "each axis may be given once, given ", *a.axis, ".");
      drop |= 1u << i;
    }
  } else {
    for (int i = 0; i < x.ndim(); ++i) if (x[i] == 1) drop |= 1u << i;
  }
  Shape s;
  for (int i = 0; i < x.ndim(); ++i) if (!(drop >> i & 1)) s.push_back(x[i]);
  return s.ndim() == 0 ? Shape{1} : s;  // MXNet keeps one axis
}
Shape Alike(const Shape& l, const Shape& r, const ReshapeLikeAttrs& a) {
  auto at = [](const char* name, std::optional<int64_t> v, int64_t otherwise, int n) {
    int64_t i = v.value_or(otherwise);
    if (i < -n || i > n) Fail(Status::kShape, "reshape_like", name, " must be in [", -n, ", ", n, "], given ", i, ".");
    return int(i < 0 ? i + n : i);
  };
  int lb = at("lhs_begin", a.lhs_begin, 0, l.ndim()), le = at("lhs_end", a.lhs_end, l.ndim(), l.ndim());
  int rb = at("rhs_begin", a.rhs_begin, 0, r.ndim()), re = at("rhs_end", a.rhs_end, r.ndim(), r.ndim());
  Shape s;
  for (int i = 0; i < lb; ++i) s.push_back(l[i]);
  for (int i = rb; i < re; ++i) s.push_back(r[i]);
  for (int i = le; i < l.ndim(); ++i) s.push_back(l[i]);
  if (s.size() != l.size() || le < lb || re < rb)
    Fail(Status::kShape, "reshape_like", "the axes taken from rhs must have as many elements as those replaced: lhs is ", l, ", rhs is ", r, ", the result would be ", s, ".");
  return s;
}

void Back(Grad& g) { g.dx[0] = ReshapeTo(g.dy(0), g.x_shape(0)); }

OpDef ReshapeOp() {
  return Op<ReshapeAttrs>("Reshape").alias("reshape").family("matrix").traits(kStrided)
      .doc("The same elements in another shape. Sizes may be codes: 0 copies the size at its place, -1 is inferred, -2 copies all remaining sizes, -3 merges the next two, -4 splits the next into "
           "the two sizes that follow it (one may be -1). The numbers of elements must be equal.")
      .example("Reshape(zeros(2, 3, 4), shape=(0, -1)) has shape (2, 12)")
      .attr(&ReshapeAttrs::shape, "shape", "The sizes or codes of the new shape.")
      .attr(&ReshapeAttrs::reverse, "reverse", "Match sizes and codes from the right.")
      .attr(&ReshapeAttrs::target_shape, "target_shape", "The older form of shape: one 0 is inferred. Used when shape is empty.").range(0, INFINITY)
      .attr(&ReshapeAttrs::keep_highest, "keep_highest", "With target_shape: keep the first size.")
      .input("data", "The array to reshape.").output("output", "The reshaped array.")
      .infer([](Infer& c, const ReshapeAttrs& a) {
        LearnFromElements(c);
        if (c.known(0)) c.set_y(0, Target(c.x(0), a));
      })
      .gradient([](Grad& g, const ReshapeAttrs&) { Back(g); })
      .view([](const ReshapeAttrs& a, const Shape& x, const Shape& strides, ViewSpec* v) { return ReshapeView(x, strides, Target(x, a), v); })
      .kernel<ReshapeKernel>();
}
OpDef ReshapeToOp() {
  return Op<ToShapeAttrs>("_np_reshape_to").family("matrix").traits(kInternal | kStrided)
      .doc("The same elements in the given shape, without codes.")
      .attr(&ToShapeAttrs::shape, "shape", "The result's shape.").required()
      .input("x", "The array to reshape.").output("y", "The reshaped array.")
      .infer([](Infer& c, const ToShapeAttrs& a) {
        Shape to(a.shape);
        c.Expect(!c.known(0) || c.x(0).size() == to.size(), "expected a shape of ", c.known(0) ? c.x(0).size() : 0, " elements for x of shape ", c.x(0), ", given ", to, ".");
        c.set_y(0, to);
      })
      .gradient([](Grad& g, const ToShapeAttrs&) { Back(g); })
      .view([](const ToShapeAttrs& a, const Shape& x, const Shape& strides, ViewSpec* v) { return ReshapeView(x, strides, Shape(a.shape), v); })
      .kernel<ReshapeToKernel>();
}
OpDef ReshapeLikeOp() {
  return Op<ReshapeLikeAttrs>("reshape_like").family("matrix")
      .doc("lhs in the shape of rhs, or with its axes [lhs_begin, lhs_end) replaced by the axes [rhs_begin, rhs_end) of rhs. Only the shape of rhs is read.")
      .attr(&ReshapeLikeAttrs::lhs_begin, "lhs_begin", "First axis of lhs to replace; None: 0.")
      .attr(&ReshapeLikeAttrs::lhs_end, "lhs_end", "Axis of lhs behind the last to replace; None: all.")
      .attr(&ReshapeLikeAttrs::rhs_begin, "rhs_begin", "First axis of rhs to take; None: 0.")
      .attr(&ReshapeLikeAttrs::rhs_end, "rhs_end", "Axis of rhs behind the last to take; None: all.")
      .input("lhs", "The array to reshape.").input("rhs", "The array whose shape is taken.").output("output", "The reshaped array.")
      .types([](Infer& c, const ReshapeLikeAttrs&) { c.set_y_type(0, c.x_type(0)); c.set_x_type(0, c.y_type(0)); })
      .infer([](Infer& c, const ReshapeLikeAttrs& a) { if (c.known(0) && c.known(1)) c.set_y(0, Alike(c.x(0), c.x(1), a)); })
      .compose([](const std::vector<Val>& x, const ReshapeLikeAttrs& a) { return std::vector<Val>{ReshapeTo(x[0], Alike(ShapeOf(x[0]), ShapeOf(x[1]), a))}; });
}
OpDef FlattenOp() {
  return Op<>("Flatten").alias("flatten").family("matrix").traits(kStrided)
      .doc("All axes but the first made one: (n, a, b, ...) becomes (n, a * b * ...).")
      .input("data", "The array to flatten.").output("output", "A matrix.")
      .infer([](Infer& c, const NoAttrs&) {
        if (!c.x(0).rank_known()) return;
        c.Expect(c.x(0).ndim() > 0, "expected at least one axis, given shape (). Reshape it first.");
        bool rest = true;
        for (int i = 1; i < c.x(0).ndim(); ++i) rest = rest && c.x(0)[i] >= 0;
        c.set_y(0, Shape{c.x(0)[0], rest ? FlatShape(c.x(0))[1] : -1});
      })
      .gradient([](Grad& g, const NoAttrs&) { Back(g); })
      .view([](const NoAttrs&, const Shape& x, const Shape& strides, ViewSpec* v) { return ReshapeView(x, strides, FlatShape(x), v); })
      .kernel<FlattenKernel>();
}
OpDef ExpandDimsOp() {
  return Op<ExpandDimsAttrs>("expand_dims").family("matrix").traits(kStrided)
      .doc("A new axis of size 1.")
      .attr(&ExpandDimsAttrs::axis, "axis", "Where the new axis stands in the result; negative: from the end.").required()
      .input("data", "The array.").output("output", "The array with one axis more.")
      .infer([](Infer& c, const ExpandDimsAttrs& a) {
        if (c.x(0).rank_known()) c.set_y(0, Expanded("expand_dims", c.x(0), a.axis));
        if (!c.y(0).rank_known()) return;
        Shape s = c.y(0);
        c.Expect(s.ndim() > 0, "the result has at least one axis, given shape ().");
        s.Erase(c.Axis(a.axis, s.ndim()));
        c.set_x(0, s);
      })
      .gradient([](Grad& g, const ExpandDimsAttrs&) { Back(g); })
      .view([](const ExpandDimsAttrs& a, const Shape& x, const Shape& strides, ViewSpec* v) {
        return ReshapeView(x, strides, Expanded("expand_dims", x, a.axis), v);
      })
      .kernel<ExpandDimsKernel>();
}
OpDef SqueezeOp() {
  return Op<SqueezeAttrs>("squeeze").family("matrix").traits(kStrided)
      .doc("The array without axes of size 1. At least one axis is left.")
      .attr(&SqueezeAttrs::axis, "axis", "The axes to drop, each of size 1. None: all of size 1.")
      .input("data", "The array.").output("output", "The array with fewer axes.")
      .infer([](Infer& c, const SqueezeAttrs& a) { if (c.known(0)) c.set_y(0, Squeezed(c.x(0), a)); })
      .gradient([](Grad& g, const SqueezeAttrs&) { Back(g); })
      .view([](const SqueezeAttrs& a, const Shape& x, const Shape& strides, ViewSpec* v) { return ReshapeView(x, strides, Squeezed(x, a), v); })
      .kernel<SqueezeKernel>();
}
}  // namespace

void AddReshapeOps(std::vector<OpDef>* ops) {
  for (auto* make : {&ReshapeOp, &ReshapeToOp, &ReshapeLikeOp, &FlattenOp, &ExpandDimsOp, &SqueezeOp}) ops->push_back(make());
}
void AddReshapeCpuKernels(KernelList* list) {
  list->push_back(Kernel<ReshapeKernel>(&ReshapeCpu<ReshapeAttrs>));
  list->push_back(Kernel<ReshapeToKernel>(&ReshapeCpu<ToShapeAttrs>));
  list->push_back(Kernel<FlattenKernel>(&ReshapeCpu<NoAttrs>));
  list->push_back(Kernel<ExpandDimsKernel>(&ReshapeCpu<ExpandDimsAttrs>));
  list->push_back(Kernel<SqueezeKernel>(&ReshapeCpu<SqueezeAttrs>));
}

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// Operators that only change the shape: the elements stay in row-major order, and the result is a view where strides allow.
#include <algorithm>
#include <cmath>

#include "op/matrix/matrix.h"

namespace flx {
namespace {

[[noreturn]] void Misfit(const Shape& x, const Ints& codes, const char* why) {
  Fail(Status::kShape, "Reshape", "shape ", codes, " does not fit data of shape ", x, ": ", why, ".");
}
// MXNet's codes, from the left: 0 copies a size, -1 is inferred, -2 copies the rest, -3 merges two sizes, -4 splits one into the next two.
// Unknown sizes may be among those of x. What is copied, merged or split is the same on both sides, whatever its size: only the rest is counted.
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
  int64_t rest_from = 1, rest_to = 1;
  auto next = [&](const char* why) { if (src >= from.ndim()) Misfit(x, codes, why); return from[src++]; };
  auto skip = [&] { if (src < from.ndim()) rest_from = TimesSize(rest_from, from[src++]); };
  for (size_t i = 0; i < code.size(); ++i) {
    switch (code[i]) {
      case 0: to.push_back(next("0 has no axis left to copy")); break;
      case -1:
        if (inferred >= 0) Misfit(x, codes, "only one size can be inferred");
        inferred = to.ndim(), to.push_back(-1), skip();
        break;
      case -2: while (src < from.ndim()) to.push_back(from[src++]); break;
      case -3: {
        int64_t a = next("-3 has no two axes left to merge");
        to.push_back(TimesSize(a, next("-3 has no two axes left to merge")));
        break;
      }
      case -4: {
        if (i + 2 >= code.size()) Misfit(x, codes, "-4 must be followed by its two parts");
        int64_t whole = next("-4 has no axis left to split"), a = code[i + 1], b = code[i + 2];
        if (a < -1 || b < -1 || (a == -1 && b == -1)) Misfit(x, codes, "of the parts of -4 at most one is -1, and the other 0 or more");
        if (whole >= 0) {
          if (a == -1) a = b ? whole / b : 0;
          if (b == -1) b = a ? whole / a : 0;
          if (int64_t n; __builtin_mul_overflow(a, b, &n) || n != whole) Misfit(x, codes, "the parts of -4 do not multiply to the size they split");
        }
        to.push_back(a), to.push_back(b);
        i += 2;
        break;
      }
      default:
        if (code[i] < 0) Misfit(x, codes, "codes are 0 to -4");
        if (int64_t n; __builtin_mul_overflow(rest_to, code[i], &n)) Misfit(x, codes, "it has more elements than can be counted");
        to.push_back(code[i]), rest_to = TimesSize(rest_to, code[i]), skip();
    }
  }
  while (src < from.ndim()) skip();
  if (inferred >= 0 && rest_from >= 0) {
    if (rest_to == 0 ? rest_from != 0 : rest_from % rest_to != 0) {
      if (ProductOf(x, 0, x.ndim()) != 0) Misfit(x, codes, "no size can be inferred that makes the numbers of elements equal");
      to[inferred] = 0;
    } else {
      to[inferred] = rest_to ? rest_from / rest_to : 0;
    }
  }
  if (x.known() && to.known() && to.size() != x.size()) Misfit(x, codes, "the numbers of elements differ");
  if (reverse) std::reverse(to.data(), to.data() + to.ndim());
  return to;
}
// What codes alone tell of the result: unknown where -2 copies who knows how many sizes.
Shape DecodeAlone(const Ints& codes) {
  Shape to;
  for (int64_t k : codes) {
    if (k == -2) return Shape::Unknown();
    if (k != -4) to.push_back(k > 0 ? k : -1);
  }
  return to;
}
// Data and result have the same number of elements: a single unknown size follows.
void SolveSize(Infer& c) {
  for (bool input : {true, false}) {
    const Shape &one = input ? c.x(0) : c.y(0), &other = input ? c.y(0) : c.x(0);
    if (!one.rank_known() || !other.known()) continue;
    int at = -1, unknown = 0;
    int64_t rest = 1;
    for (int i = 0; i < one.ndim(); ++i)
      if (one[i] < 0) at = i, ++unknown;
      else if (__builtin_mul_overflow(rest, one[i], &rest)) rest = 0, i = one.ndim();
    if (unknown != 1 || rest == 0 || other.size() % rest) continue;
    Shape s = one;
    s[at] = other.size() / rest;
    if (input) c.set_x(0, s);
    else c.set_y(0, s);
  }
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
void InferReshape(Infer& c, const ReshapeAttrs& a) {
  if (a.shape.empty() && !a.target_shape.empty()) {
    if (c.known(0)) return c.set_y(0, DecodeTarget(c.x(0), a));
    Shape s(a.target_shape);
    if (std::count(s.begin(), s.end(), 0) == 1 || a.keep_highest)
      for (int i = 0; i < s.ndim(); ++i) if (s[i] == 0 || (i == 0 && a.keep_highest)) s[i] = -1;
    c.set_y(0, s);
  } else if (c.ranked(0)) {
    c.set_y(0, Decode(c.x(0), a.shape, a.reverse));
    if (c.known(0)) return;
    // Sizes that are copied in front of all else are the same on both sides.
    Shape s = c.x(0);
    for (size_t i = 0; !a.reverse && i < a.shape.size() && int(i) < s.ndim() && a.shape[i] == 0; ++i) s[int(i)] = c.y(0)[int(i)];
    c.set_x(0, s);
  } else {
    c.set_y(0, DecodeAlone(a.shape));
  }
  SolveSize(c);
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
      if (x[i] != 1 && x[i] >= 0) Fail(Status::kShape, "squeeze", "axis ", k, " must have size 1, given data of shape ", x, ".");
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
  if ((s.known() && l.known() && s.size() != l.size()) || le < lb || re < rb)
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
      .infer(InferReshape)
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
        if (!c.known(0)) SolveSize(c);
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
      .infer([](Infer& c, const ReshapeLikeAttrs& a) {
        if (!a.lhs_begin && !a.lhs_end && !a.rhs_begin && !a.rhs_end) {
          c.set_y(0, c.x(1));
          c.set_x(1, c.y(0));
        }
        if (c.ranked(0) && c.ranked(1)) c.set_y(0, Alike(c.x(0), c.x(1), a));
        if (!c.known(0) || !c.y_known(0)) SolveSize(c);
      })
      .compose([](const std::vector<Val>& x, const ReshapeLikeAttrs& a) { return std::vector<Val>{ReshapeTo(x[0], Alike(ShapeOf(x[0]), ShapeOf(x[1]), a))}; });
}
OpDef FlattenOp() {
  return Op<>("Flatten").alias("flatten").family("matrix").traits(kStrided)
      .doc("All axes but the first made one: (n, a, b, ...) becomes (n, a * b * ...).")
      .input("data", "The array to flatten.").output("output", "A matrix.")
      .infer([](Infer& c, const NoAttrs&) {
        if (!c.ranked(0)) return c.set_y(0, Shape{-1, -1});
        c.Expect(c.x(0).ndim() > 0, "expected at least one axis, given shape (). Reshape it first.");
        Shape s = c.x(0);
        c.set_y(0, Shape{s[0], ProductOf(s, 1, s.ndim())});
        if (s.known()) return;
        s[0] = c.y(0)[0];
        c.set_x(0, s);
        SolveSize(c);
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
      .infer([](Infer& c, const SqueezeAttrs& a) {
        if (c.known(0)) return c.set_y(0, Squeezed(c.x(0), a));
        if (!c.ranked(0) || !a.axis) return;  // which sizes are 1 is not known
        c.set_y(0, Squeezed(c.x(0), a));
        Shape s = c.x(0);
        uint32_t drop = 0;
        for (int64_t k : *a.axis) drop |= 1u << c.Axis(k, s.ndim());
        for (int i = 0, j = 0; i < s.ndim(); ++i) s[i] = drop >> i & 1 ? 1 : c.y(0)[j++];
        c.set_x(0, s);
      })
      .gradient([](Grad& g, const SqueezeAttrs&) { Back(g); })
      .view([](const SqueezeAttrs& a, const Shape& x, const Shape& strides, ViewSpec* v) { return ReshapeView(x, strides, Squeezed(x, a), v); })
      .kernel<SqueezeKernel>();
}
}  // namespace

void AddReshapeOps(std::vector<OpDef>* ops) {
  for (auto* make : {&ReshapeOp, &ReshapeToOp, &ReshapeLikeOp, &FlattenOp, &ExpandDimsOp, &SqueezeOp}) ops->push_back(make());
}
void AddReshapeCpuKernels(KernelList* list) {
  list->push_back(Kernel<ReshapeKernel>(&ReshapeCpu<ReshapeAttrs>).OnDevices());
  list->push_back(Kernel<ReshapeToKernel>(&ReshapeCpu<ToShapeAttrs>).OnDevices());
  list->push_back(Kernel<FlattenKernel>(&ReshapeCpu<NoAttrs>).OnDevices());
  list->push_back(Kernel<ExpandDimsKernel>(&ReshapeCpu<ExpandDimsAttrs>).OnDevices());
  list->push_back(Kernel<SqueezeKernel>(&ReshapeCpu<SqueezeAttrs>).OnDevices());
}

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// The operators that make arrays: of one value, of ranges, and in another array's shape.
#include <cmath>

#include "op/families.h"
#include "op/init/init.h"

namespace flx {
namespace {
template <class A> Op<A> Maker(const char* name, const char* doc) {
  Op<A> o(name);
  o.family("init").doc(doc).traits(kInit).output("output").zero_gradient();
  o.types([](Infer& c, const A& a) { c.set_y_type(0, a.dtype == DType::kNone ? DType::kFloat32 : a.dtype); });
  return o;
}
template <class A> void Where(Op<A>& o) {  // the attributes at the end of all of them
  o.attr(&A::ctx, "ctx", "Where the array is made, as cpu or gpu(0); empty: on the CPU. In a graph that runs elsewhere, there.");
  o.attr(&A::dtype, "dtype", "The array's dtype.");
}
template <class A> Op<A> Shaped(const char* name, const char* doc) {
  Op<A> o = Maker<A>(name, doc);
  o.attr(&A::shape, "shape", "The array's shape; () is a scalar.");
  Where(o);
  o.infer([](Infer& c, const A& a) { c.set_y(0, Shape(a.shape)); });
  return o;
}
Op<> Like(const char* name, const char* doc) {
  return Op<>(name).family("init").doc(doc).input("data", "Gives shape and dtype; its numbers are not read.").output("output").infer(SameShape<NoAttrs>).zero_gradient();
}
int64_t Steps(Infer& c, const ArangeAttrs& a) {
  double first = a.stop ? a.start : 0, last = a.stop ? *a.stop : a.start, n = std::ceil((last - first) / a.step);
  c.Expect(a.step != 0 && n == n, "expected a range that ends, given start ", first, ", stop ", last, ", step ", a.step, ".");
  c.Expect(n > 0, "expected a range with elements, given start ", first, ", stop ", last, ", step ", a.step, ". Change the sign of step?");
  c.Expect(n * double(a.repeat) < 9e15, "the range has too many elements.");
  return int64_t(n) * a.repeat;
}
}  // namespace

void AddInitOps(std::vector<OpDef>* ops) {
  auto add = [&](OpDef d) { ops->push_back(std::move(d)); };
  add(Shaped<ShapedAttrs>("_zeros", "An array of zeros.").kernel<ZerosKernel>());
  add(Shaped<ShapedAttrs>("_ones", "An array of ones.").kernel<OnesKernel>());
  add(Shaped<FullAttrs>("_full", "An array of one value.").attr(&FullAttrs::value, "value", "The value.").required().kernel<FullKernel>());
  add(Like("zeros_like", "Zeros in the shape and dtype of another array.").kernel<ZerosLikeKernel>());
  add(Like("ones_like", "Ones in the shape and dtype of another array.").kernel<OnesLikeKernel>());

  Op<ArangeAttrs> range = Maker<ArangeAttrs>("_arange", "start, start + step, ... below stop, each `repeat` times.");
  range.attr(&ArangeAttrs::start, "start", "The first number; without stop, the end of a range from 0.").required();
  range.attr(&ArangeAttrs::stop, "stop", "Where the range ends; not part of it.");
  range.attr(&ArangeAttrs::step, "step", "The distance of neighbours; may be negative.");
  range.attr(&ArangeAttrs::repeat, "repeat", "How often each number stands.").range(1, 9e15);
  range.attr(&ArangeAttrs::infer_range, "infer_range", "True: the length is taken from where the result is used.");
  Where(range);
  range.infer([](Infer& c, const ArangeAttrs& a) {
    if (!a.infer_range || a.stop) c.set_y(0, Shape{Steps(c, a)});
    else if (c.y(0).rank_known() && c.y(0).ndim() != 1) c.Fail("expected a result of one axis, given ", c.y(0), ".");
  });
  add(range.kernel<ArangeKernel>());

  Op<LinspaceAttrs> line = Maker<LinspaceAttrs>("_linspace", "num numbers from start to stop, evenly apart.");
  line.attr(&LinspaceAttrs::start, "start", "The first number.").required();
  line.attr(&LinspaceAttrs::stop, "stop", "The last number, or the one after it.").required();
  line.attr(&LinspaceAttrs::num, "num", "How many numbers.").required().range(0, 9e15);
  line.attr(&LinspaceAttrs::endpoint, "endpoint", "False: stop is left out.");
  Where(line);
  add(line.infer([](Infer& c, const LinspaceAttrs& a) { c.set_y(0, Shape{a.num}); }).kernel<LinspaceKernel>());

  Op<EyeAttrs> eye = Maker<EyeAttrs>("_eye", "An (N, M) matrix with ones on the k-th diagonal.");
  eye.attr(&EyeAttrs::N, "N", "Number of rows.").required().range(0, 9e15);
  eye.attr(&EyeAttrs::M, "M", "Columns; 0: as many as rows.").range(0, 9e15);
  eye.attr(&EyeAttrs::k, "k", "The diagonal: 0 the main one, above it if positive, below if negative.");
  Where(eye);
  add(eye.infer([](Infer& c, const EyeAttrs& a) { c.set_y(0, Shape{a.N, a.M > 0 ? a.M : a.N}); }).kernel<EyeKernel>());

  Op<ArangeLikeAttrs> like("_contrib_arange_like");
  like.family("init").doc("start, start + step, ... in the shape of another array, or of one of its axes.").zero_gradient();
  like.attr(&ArangeLikeAttrs::start, "start", "The first number.");
  like.attr(&ArangeLikeAttrs::step, "step", "The distance of neighbours.");
  like.attr(&ArangeLikeAttrs::repeat, "repeat", "How often each number stands.").range(1, 9e15);
  like.attr(&ArangeLikeAttrs::ctx, "ctx", "MXNet's device text; the array's device counts.").ignored();
  like.attr(&ArangeLikeAttrs::axis, "axis", "The axis that gives the length; None: the whole shape.");
  like.input("data", "Gives shape and dtype; its numbers are not read.").output("output").infer([](Infer& c, const ArangeLikeAttrs& a) {
    if (!c.x(0).rank_known()) return;
    if (a.axis) c.set_y(0, Shape{c.x(0)[c.Axis(*a.axis, c.x(0).ndim())]});
    else c.set_y(0, c.x(0));
  });
  add(like.kernel<ArangeLikeKernel>());
}
void AddInitCpuKernels(KernelList* list) { AddMakers(list); }

}  // namespace flx

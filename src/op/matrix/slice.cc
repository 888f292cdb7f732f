// SPDX-License-Identifier: Apache-2.0
// Boxes cut out of an array, and put into one: slice, slice_axis, slice_like, Crop, _slice_assign, _slice_assign_scalar.
//   All gradients are made of two internal operators, each the other's gradient: _slice_from (a box of x) and _slice_into (x as a box in zeros).
#include <algorithm>

#include "op/matrix/matrix.h"
#include "tensor/array.h"

namespace flx {
namespace {

struct Box { Shape begin, step, size; };

Box Whole(const Shape& x) { return {Shape::Filled(x.ndim(), 0), Shape::Filled(x.ndim(), 1), x}; }
// NumPy's rule for one axis: missing ends reach to the border, those beyond it are clipped.
Box BoxOf(const char* who, const SliceAttrs& a, const Shape& x) {
  Box b = Whole(x);
  if (int(a.begin.size()) > x.ndim() || a.begin.size() != a.end.size() || (!a.step.empty() && a.step.size() != a.begin.size()))
    Fail(Status::kShape, who, "begin and end (and step, if given) must have equal lengths, at most the data's ", x.ndim(), " axes; given ", int64_t(a.begin.size()), ", ",
         int64_t(a.end.size()), " and ", int64_t(a.step.size()), ".");
  for (int i = 0; i < int(a.begin.size()); ++i) {
    int64_t n = x[i], step = a.step.empty() ? 1 : a.step[size_t(i)].value_or(1);
    if (step == 0) Fail(Status::kShape, who, "step must not be 0.");
    auto place = [&](std::optional<int64_t> v, int64_t otherwise) {
      if (!v) return otherwise;
      int64_t p = *v < 0 ? *v + n : *v;
      return step > 0 ? std::min(std::max<int64_t>(p, 0), n) : std::min(std::max<int64_t>(p, -1), n - 1);
    };
    int64_t from = place(a.begin[size_t(i)], step > 0 ? 0 : n - 1), to = place(a.end[size_t(i)], step > 0 ? n : -1);
    int64_t length = step > 0 ? to - from : from - to, size = step > 0 ? step : step > INT64_MIN ? -step : INT64_MAX;
    b.begin[i] = from, b.step[i] = step, b.size[i] = length > 0 ? (length - 1) / size + 1 : 0;
    if (b.size[i] == 0) b.begin[i] = 0;
  }
  return b;
}
Box BoxOf(const SliceAxisAttrs& a, const Shape& x) {
  Box b = Whole(x);
  int k = NormalAxis("slice_axis", a.axis, x.ndim());
  int64_t n = x[k], from = a.begin < 0 ? a.begin + n : a.begin, to = !a.end ? n : *a.end < 0 ? *a.end + n : *a.end;
  if (from < 0 || to > n || from > to)
    Fail(Status::kShape, "slice_axis", "expected 0 <= begin <= end <= ", n, " on axis ", a.axis, " of data of shape ", x, ", given begin ", from, " and end ", to, ".");
  b.begin[k] = from, b.size[k] = to - from;
  return b;
}
Box BoxOf(const SliceLikeAttrs& a, const Shape& x, const Shape& like) {
  Box b = Whole(x);
  uint32_t bits = 0;
  if (a.axes.empty() && x.ndim() != like.ndim())
    Fail(Status::kShape, "slice_like", "without axes both shapes must have as many axes, given data ", x, " and shape_like ", like, ".");
  for (int64_t k : a.axes) {
    int i = NormalAxis("slice_like", k, x.ndim());
    bits |= 1u << i;
    int j = NormalAxis("slice_like", k, like.ndim());
    b.size[i] = like[j];
  }
  for (int i = 0; a.axes.empty() && i < x.ndim(); ++i) b.size[i] = like[i];
  for (int i = 0; i < x.ndim(); ++i)
    if (b.size[i] > x[i]) Fail(Status::kShape, "slice_like", "axis ", i, " of shape_like is longer than that of the data: data is ", x, ", shape_like is ", like, ".");
  return b;
}
Box BoxOf(const CropAttrs& a, const Shape& x, const Shape* like) {
  const char* who = "Crop";
  if (x.ndim() != 4 || (like && like->ndim() != 4)) Fail(Status::kShape, who, "expected arrays of 4 axes (batch, channel, height, width), given ", x, ".");
  if (a.offset.size() != 2 || a.h_w.size() != 2) Fail(Status::kShape, who, "offset and h_w must have two numbers each.");
  Box b = Whole(x);
  for (int i = 0; i < 2; ++i) {
    int64_t n = x[i + 2], size = like ? (*like)[i + 2] : a.h_w[size_t(i)];
    bool fits = size >= 1 && size <= n;
    int64_t from = a.center_crop && fits ? (n - size) / 2 : a.offset[size_t(i)];
    if (!fits || from < 0 || from > n - size)
      Fail(Status::kShape, who, "the cropped region must lie inside the data of shape ", x, ", given ", i ? "width " : "height ", size, " at offset ", from, ".");
    b.begin[i + 2] = from, b.size[i + 2] = size;
  }
  return b;
}
Box BoxOf(const SliceFromAttrs& a) { return {Shape(a.begin), Shape(a.step), Shape(a.shape)}; }

// ---- shapes of which sizes may be unknown
bool WholeAxis(const SliceAttrs& a, int i) {
  if (i >= int(a.begin.size())) return true;
  int64_t step = a.step.empty() ? 1 : a.step[size_t(i)].value_or(1);
  return !a.begin[size_t(i)] && i < int(a.end.size()) && !a.end[size_t(i)] && (step == 1 || step == -1);
}
void InferSlice(Infer& c, const SliceAttrs& a) {
  if (c.known(0)) return c.set_y(0, BoxOf(c.op.name, a, c.x(0)).size);
  int n = c.ranked(0) ? c.x(0).ndim() : c.y(0).ndim();
  if (n < 0) return;
  Shape s = c.ranked(0) ? c.x(0) : Shape::Filled(n, -1), y = s;
  for (int i = 0; i < n; ++i) if (s[i] < 0) s[i] = 0;
  Box b = BoxOf(c.op.name, a, s);
  for (int i = 0; i < n; ++i) if (!WholeAxis(a, i)) y[i] = y[i] < 0 ? -1 : b.size[i];
  c.set_y(0, y);
  Shape x = Shape::Filled(n, -1);
  for (int i = 0; i < n; ++i) if (WholeAxis(a, i)) x[i] = c.y(0)[i];
  c.set_x(0, x);
}
void InferSliceAxis(Infer& c, const SliceAxisAttrs& a) {
  if (c.known(0)) return c.set_y(0, BoxOf(a, c.x(0)).size);
  int n = c.ranked(0) ? c.x(0).ndim() : c.y(0).ndim();
  if (n < 0) return;
  int k = c.Axis(a.axis, n);
  Shape y = c.ranked(0) ? c.x(0) : Shape::Filled(n, -1);
  if (y[k] >= 0) y[k] = BoxOf(a, y).size[k];
  else if (a.end && (a.begin < 0) == (*a.end < 0) && *a.end >= a.begin) y[k] = *a.end - a.begin;  // both must lie inside
  else if (!a.end && a.begin < 0) y[k] = a.begin > INT64_MIN ? -a.begin : INT64_MAX;
  else if (!a.end && a.begin == 0) y[k] = c.y_ranked(0) && c.y(0).ndim() == n ? c.y(0)[k] : -1;
  c.set_y(0, y);
  Shape x = c.y(0);
  if (a.begin != 0 || a.end) x[k] = -1;
  c.set_x(0, x);
}
// The axes of data that slice_like cuts, by the axis of shape_like.
template <class F> void EachLike(const SliceLikeAttrs& a, int n, int like, const F& f) {
  for (int64_t k : a.axes) f(NormalAxis("slice_like", k, n), NormalAxis("slice_like", k, like));
  for (int i = 0; a.axes.empty() && i < n && i < like; ++i) f(i, i);
}
void InferSliceLike(Infer& c, const SliceLikeAttrs& a) {
  if (c.known(0) && c.known(1)) return c.set_y(0, BoxOf(a, c.x(0), c.x(1)).size);
  if (a.axes.empty()) {  // all sizes are those of shape_like
    c.set_y(0, c.x(1));
    c.set_x(1, c.y(0));
    if (c.y_ranked(0)) c.set_x(0, Shape::Filled(c.y(0).ndim(), -1));
    return;
  }
  if (!c.ranked(0) && c.y_ranked(0)) c.set_x(0, Shape::Filled(c.y(0).ndim(), -1));
  if (!c.ranked(0)) return;
  Shape y = c.x(0), x = y, like = c.x(1);
  uint32_t cut = 0;
  EachLike(a, y.ndim(), like.rank_known() ? like.ndim() : y.ndim(), [&](int i, int j) { cut |= 1u << i, y[i] = like.rank_known() ? like[j] : -1; });
  c.set_y(0, y);
  for (int i = 0; i < x.ndim(); ++i) if (!(cut >> i & 1)) x[i] = c.y(0)[i];
  c.set_x(0, x);
  if (!like.rank_known()) return;
  EachLike(a, y.ndim(), like.ndim(), [&](int i, int j) { like[j] = c.y(0)[i]; });
  c.set_x(1, like);
}
void InferCrop(Infer& c, const CropAttrs& a) {
  c.Expect(c.nin <= 2, "expected one or two inputs, given ", c.nin, ".");
  if (c.known(0) && (c.nin == 1 || c.known(1))) return c.set_y(0, BoxOf(a, c.x(0), c.nin == 2 ? &c.x(1) : nullptr).size);
  Shape y{-1, -1, -1, -1};
  for (int i = 0; i < c.nin; ++i) c.set_x(i, y);
  for (int i = 0; i < 2; ++i) y[i] = c.x(0)[i], y[i + 2] = c.nin == 2 ? c.x(1)[i + 2] : i < int(a.h_w.size()) ? a.h_w[size_t(i)] : -1;
  c.set_y(0, y);
  y = c.y(0);
  if (c.nin == 2) c.set_x(1, Shape{-1, -1, y[2], y[3]});
  c.set_x(0, Shape{y[0], y[1], -1, -1});
}

bool BoxView(const Box& b, const Shape& strides, ViewSpec* v) {
  v->shape = b.size, v->strides = strides, v->offset = 0;
  bool forwards = true;
  for (int i = 0; i < strides.ndim(); ++i) {
    v->offset += b.begin[i] * strides[i], v->strides[i] = strides[i] * b.step[i];
    forwards &= b.step[i] > 0;
  }
  return forwards;  // arrays keep to strides of 0 and more
}
bool SliceView(const SliceAttrs& a, const Shape& x, const Shape& strides, ViewSpec* v) { return BoxView(BoxOf("slice", a, x), strides, v); }
bool SliceAxisView(const SliceAxisAttrs& a, const Shape& x, const Shape& strides, ViewSpec* v) { return BoxView(BoxOf(a, x), strides, v); }
bool SliceFromView(const SliceFromAttrs& a, const Shape&, const Shape& strides, ViewSpec* v) { return BoxView(BoxOf(a), strides, v); }

Val From(Val x, const Box& b) { return CallWith("_slice_from", {x}, SliceFromAttrs{b.begin.vec(), b.step.vec(), b.size.vec()}); }
Val Into(Val x, const Box& b, const Shape& shape) { return CallWith("_slice_into", {x}, SliceIntoAttrs{b.begin.vec(), b.step.vec(), shape.vec()}); }

OpDef SliceOp() {
  return Op<SliceAttrs>("slice").alias("crop").alias("_sparse_slice").family("matrix").traits(kStrided)
      .doc("The box from begin to end (exclusive) in steps, axis by axis, by NumPy's rules: negative numbers count from the end, what reaches beyond is clipped; axes not named are whole.")
      .example("slice(x, begin=(None, 1), end=(None, 3)) is x[:, 1:3]")
      .attr(&SliceAttrs::begin, "begin", "The first index on each axis; None: the border.").required()
      .attr(&SliceAttrs::end, "end", "The index behind the last on each axis; None: the border.").required()
      .attr(&SliceAttrs::step, "step", "The step on each axis, not 0; negative: backwards. None or empty: 1.")
      .input("data", "The array.").output("output", "The box.")
      .infer(InferSlice)
      .gradient([](Grad& g, const SliceAttrs& a) { g.dx[0] = Into(g.dy(0), BoxOf("slice", a, g.x_shape(0)), g.x_shape(0)); })
      .view(&SliceView).kernel<SliceKernel>();
}
OpDef SliceAxisOp() {
  return Op<SliceAxisAttrs>("slice_axis").family("matrix").traits(kStrided)
      .doc("The part from begin to end (exclusive) of one axis. Both must lie within the axis.")
      .attr(&SliceAxisAttrs::axis, "axis", "The axis to cut.").required()
      .attr(&SliceAxisAttrs::begin, "begin", "The first index; negative: from the end.").required()
      .attr(&SliceAxisAttrs::end, "end", "The index behind the last; negative: from the end; None: the border.").required()
      .input("data", "The array.").output("output", "The part.")
      .infer(InferSliceAxis)
      .gradient([](Grad& g, const SliceAxisAttrs& a) { g.dx[0] = Into(g.dy(0), BoxOf(a, g.x_shape(0)), g.x_shape(0)); })
      .view(&SliceAxisView).kernel<SliceAxisKernel>();
}
OpDef SliceLikeOp() {
  return Op<SliceLikeAttrs>("slice_like").family("matrix")
      .doc("The front part of the data, in the size of another array (of which only the shape is read) on the axes named.")
      .attr(&SliceLikeAttrs::axes, "axes", "The axes to cut; empty: all.")
      .input("data", "The array.").input("shape_like", "The array whose sizes are taken.").output("output", "The part.")
      .types([](Infer& c, const SliceLikeAttrs&) { c.set_y_type(0, c.x_type(0)); c.set_x_type(0, c.y_type(0)); })
      .infer(InferSliceLike)
      .compose([](const std::vector<Val>& x, const SliceLikeAttrs& a) { return std::vector<Val>{From(x[0], BoxOf(a, ShapeOf(x[0]), ShapeOf(x[1])))}; });
}
OpDef CropOp() {
  return Op<CropAttrs>("Crop").family("matrix")
      .example("Crop(arg (1, 3, 8, 8), num_args=1, offset=(1, 1), h_w=(4, 4)): (1, 3, 4, 4)")
      .doc("A region of images: height and width of a second array (of which only the shape is read), or h_w.")
      .attr(&CropAttrs::num_args, "num_args", "1: the size is h_w; 2: it is that of the second input.").required().range(1, 2)
      .attr(&CropAttrs::offset, "offset", "The first row and column.")
      .attr(&CropAttrs::h_w, "h_w", "Height and width of the region, where there is one input.")
      .attr(&CropAttrs::center_crop, "center_crop", "Take the middle, and not what offset says.")
      .input_list("arg", "Images (batch, channel, height, width), and optionally an array of the wanted height and width.", "num_args").output("output", "The region.")
      .infer(InferCrop)
      .compose([](const std::vector<Val>& x, const CropAttrs& a) {
        return std::vector<Val>{From(x[0], BoxOf(a, ShapeOf(x[0]), x.size() == 2 ? &ShapeOf(x[1]) : nullptr))};
      });
}
OpDef SliceFromOp() {
  return Op<SliceFromAttrs>("_slice_from").family("matrix").traits(kInternal | kStrided)
      .doc("The box of x that starts at `begin`, with `shape` elements in steps on each axis.")
      .attr(&SliceFromAttrs::begin, "begin", "The first index on each axis.").required().attr(&SliceFromAttrs::step, "step", "The step on each axis.").required()
      .attr(&SliceFromAttrs::shape, "shape", "The result's shape.").required()
      .input("x", "The array.").output("y", "The box.")
      .infer([](Infer& c, const SliceFromAttrs& a) { c.set_y(0, Shape(a.shape)); })
      .gradient([](Grad& g, const SliceFromAttrs& a) { g.dx[0] = Into(g.dy(0), BoxOf(a), g.x_shape(0)); })
      .view(&SliceFromView).kernel<SliceFromKernel>();
}
OpDef SliceIntoOp() {
  return Op<SliceIntoAttrs>("_slice_into").family("matrix").traits(kInternal | kStrided)
      .doc("Zeros of the given shape with x as the box that starts at `begin`: the gradient of slicing.")
      .attr(&SliceIntoAttrs::begin, "begin", "The first index on each axis.").required().attr(&SliceIntoAttrs::step, "step", "The step on each axis.").required()
      .attr(&SliceIntoAttrs::shape, "shape", "The result's shape.").required()
      .input("x", "The box.").output("y", "The whole.")
      .infer([](Infer& c, const SliceIntoAttrs& a) { c.set_y(0, Shape(a.shape)); })
      .gradient([](Grad& g, const SliceIntoAttrs& a) { g.dx[0] = From(g.dy(0), {Shape(a.begin), Shape(a.step), g.x_shape(0)}); })
      .kernel<SliceIntoKernel>();
}
template <class A> Op<A> Assigned(const char* name) {
  Op<A> o(name);
  o.family("matrix").traits(kInplace | kStrided)
      .attr(&SliceAttrs::begin, "begin", "The first index on each axis; None: the border.").required()
      .attr(&SliceAttrs::end, "end", "The index behind the last on each axis; None: the border.").required()
      .attr(&SliceAttrs::step, "step", "The step on each axis, not 0; None or empty: 1.");
  return o;
}
OpDef SliceAssignOp() {
  return Assigned<SliceAttrs>("_slice_assign").alias("_crop_assign")
      .example("_slice_assign(lhs (4, 4), rhs (2, 2), begin=(0, 1), end=(2, 3)): (4, 4)")
      .doc("lhs with its box from begin to end replaced by rhs.")
      .input("lhs", "The array.").input("rhs", "What the box becomes; its shape.").output("output", "The changed array.")
      .infer([](Infer& c, const SliceAttrs& a) {
        c.set_y(0, c.x(0));
        c.set_x(0, c.y(0));
        if (c.known(0)) c.set_x(1, BoxOf(c.op.name, a, c.x(0)).size);
      })
      .gradient([](Grad& g, const SliceAttrs& a) {
        SliceAssignScalarAttrs zero;
        static_cast<SliceAttrs&>(zero) = a;
        if (g.want(0)) g.dx[0] = CallWith("_slice_assign_scalar", {g.dy(0)}, zero);
        if (g.want(1)) g.dx[1] = CallWith("slice", {g.dy(0)}, a);
      })
      .kernel<SliceAssignKernel>();
}
OpDef SliceAssignScalarOp() {
  return Assigned<SliceAssignScalarAttrs>("_slice_assign_scalar").alias("_crop_assign_scalar")
      .doc("The data with its box from begin to end set to one number.")
      .attr(&SliceAssignScalarAttrs::scalar, "scalar", "The number.").runtime()
      .input("data", "The array.").output("output", "The changed array.")
      .infer([](Infer& c, const SliceAssignScalarAttrs& a) {
        SameShape(c, a);
        if (c.known(0)) BoxOf(c.op.name, a, c.x(0));
      })
      .gradient([](Grad& g, const SliceAssignScalarAttrs& a) {
        SliceAssignScalarAttrs zero = a;
        zero.scalar = 0;
        g.dx[0] = CallWith("_slice_assign_scalar", {g.dy(0)}, zero);
      })
      .kernel<SliceAssignScalarKernel>();
}

// ---- the CPU's kernels
TensorView BoxIn(const TensorView& y, const Box& b) {
  ViewSpec v;
  BoxView(b, y.strides, &v);
  return Apply(y, v);
}
void SliceIntoCpu(KernelContext&, const SliceIntoAttrs& a, const TensorView& x, TensorView& y) {
  FillStrided(y, 0);
  CopyStrided(x, BoxIn(y, {Shape(a.begin), Shape(a.step), x.shape}));
}
void Keep(const TensorView& x, const TensorView& y) {
  if (x.raw() != y.raw()) CopyStrided(x, y);
}
void SliceAssignCpu(KernelContext&, const SliceAttrs& a, const TensorView& lhs, const TensorView& rhs, TensorView& y) {
  Keep(lhs, y);
  CopyStrided(rhs, BoxIn(y, BoxOf("_slice_assign", a, y.shape)));
}
void SliceAssignScalarCpu(KernelContext&, const SliceAssignScalarAttrs& a, const TensorView& x, TensorView& y) {
  Keep(x, y);
  FillStrided(BoxIn(y, BoxOf("_slice_assign_scalar", a, y.shape)), a.scalar);
}
}  // namespace

void AddSliceOps(std::vector<OpDef>* ops) {
  for (auto* make : {&SliceOp, &SliceAxisOp, &SliceLikeOp, &CropOp, &SliceFromOp, &SliceIntoOp, &SliceAssignOp, &SliceAssignScalarOp}) ops->push_back(make());
}
void AddSliceCpuKernels(KernelList* list) {
  list->push_back(Kernel<SliceKernel>(&ViewCpu<SliceAttrs, &SliceView>).OnDevices());
  list->push_back(Kernel<SliceAxisKernel>(&ViewCpu<SliceAxisAttrs, &SliceAxisView>).OnDevices());
  list->push_back(Kernel<SliceFromKernel>(&ViewCpu<SliceFromAttrs, &SliceFromView>).OnDevices());
  list->push_back(Kernel<SliceIntoKernel>(&SliceIntoCpu).OnDevices());
  list->push_back(Kernel<SliceAssignKernel>(&SliceAssignCpu).OnDevices());
  list->push_back(Kernel<SliceAssignScalarKernel>(&SliceAssignScalarCpu).OnDevices());
}

}  // namespace flx

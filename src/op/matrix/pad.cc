// SPDX-License-Identifier: Apache-2.0
// Borders around an array (Pad), and diagonals (diag).
#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/thread_pool.h"
#include "device/kernels.h"
#include "op/matrix/matrix.h"
#include "tensor/array.h"
#include "tensor/device_work.h"

namespace flx {
namespace {

int64_t Before(const PadAttrs& a, int axis) { return a.pad_width[size_t(2 * axis)]; }
int64_t After(const PadAttrs& a, int axis) { return a.pad_width[size_t(2 * axis + 1)]; }

Val Into(Val x, int k, int64_t from, int64_t size) {
  Shape s = ShapeOf(x);
  SliceIntoAttrs a;
  a.begin.assign(size_t(s.ndim()), 0), a.step.assign(size_t(s.ndim()), 1);
  a.begin[size_t(k)] = from, s[k] = size, a.shape = s.vec();
  return CallWith("_slice_into", {x}, a);
}
// Padding one axis after another pads all; so the gradient folds the borders back one axis after another.
Val Fold(Val d, PadMode mode, int k, int64_t before, int64_t n, int64_t after) {
  Val inner = PartOf(d, k, before, n);
  if (mode == PadMode::kConstant) return inner;
  auto add = [&](Val border, int64_t at) {
    Shape one = ShapeOf(border);
    one[k] = 1;
    if (mode == PadMode::kEdge) border = SumTo(border, one);
    else border = CallWith("reverse", {border}, ReverseAttrs{{k}});
    inner = inner + Into(border, k, at, n);
  };
  if (before) add(PartOf(d, k, 0, before), mode == PadMode::kEdge ? 0 : 1);
  if (after) add(PartOf(d, k, before + n, after), mode == PadMode::kEdge ? n - 1 : n - 1 - after);
  return inner;
}
OpDef PadOp() {
  return Op<PadAttrs>("Pad").alias("pad").family("matrix")
      .example("Pad(data (1, 1, 3, 3), mode=constant, pad_width=(0, 0, 0, 0, 1, 1, 2, 2)): (1, 1, 5, 7)")
      .doc("A border around arrays of 4 or 5 axes: of one value (constant), of copies of the outermost elements (edge), or of the elements mirrored about them (reflect).")
      .attr(&PadAttrs::mode, "mode", "What the border is made of.").required()
      .attr(&PadAttrs::pad_width, "pad_width", "Before and after each axis: (before_0, after_0, before_1, after_1, ...).").required().range(0, INFINITY)
      .attr(&PadAttrs::constant_value, "constant_value", "The border's value in mode constant.")
      .input("data", "The array.").output("output", "The padded array.")
      .infer([](Infer& c, const PadAttrs& a) {
        if (!c.ranked(0) && c.y_ranked(0)) c.set_x(0, Shape::Filled(c.y(0).ndim(), -1));
        if (!c.ranked(0)) return;
        Shape s = c.x(0);
        c.Expect(s.ndim() == 4 || s.ndim() == 5, "expected data of 4 or 5 axes, given shape ", s, ". Reshape it first.");
        c.Expect(int(a.pad_width.size()) == 2 * s.ndim(), "expected two numbers for each of ", s.ndim(), " axes in pad_width, given ", a.pad_width, ".");
        for (int i = 0; i < s.ndim(); ++i) {
          int64_t b = Before(a, i), e = After(a, i), n = s[i];
          if (n < 0) continue;
          if (a.mode == PadMode::kReflect && b + e > 0)
            c.Expect(b < n && e < n, "mode reflect needs borders narrower than the data, given ", b, " and ", e, " on axis ", i, " of shape ", s, ".");
          if (a.mode == PadMode::kEdge && b + e > 0) c.Expect(n > 0, "mode edge needs at least one element on axis ", i, ", given shape ", s, ".");
          s[i] = n + b + e;
        }
        c.set_y(0, s);
        if (c.known(0)) return;
        for (int i = 0; i < s.ndim(); ++i) s[i] = c.y(0)[i] < 0 ? -1 : std::max<int64_t>(-1, c.y(0)[i] - Before(a, i) - After(a, i));
        c.set_x(0, s);
      })
      .gradient([](Grad& g, const PadAttrs& a) {
        Val d = g.dy(0);
        for (int k = 0; k < g.x_shape(0).ndim(); ++k)
          if (Before(a, k) || After(a, k)) d = Fold(d, a.mode, k, Before(a, k), g.x_shape(0)[k], After(a, k));
        g.dx[0] = d;
      })
      .kernel<PadKernel>();
}
int64_t Source(PadMode mode, int64_t i, int64_t n) {  // the element at place i beside an axis of n; -1: none
  if (i >= 0 && i < n) return i;
  if (mode == PadMode::kConstant) return -1;
  if (mode == PadMode::kEdge) return i < 0 ? 0 : n - 1;
  return i < 0 ? -i : 2 * (n - 1) - i;
}
template <class T> void PadRows(const PadAttrs& a, const TensorView& x, const TensorView& y, T border) {
  int last = x.ndim() - 1;
  int64_t width = y.dim(last), n = x.dim(last), rows = y.size() / width, before = Before(a, last);
  ParallelFor(rows, std::max<int64_t>(1, 32768 / width), [&](int64_t r, int64_t end) {
    for (; r < end; ++r) {
      int64_t q = r, from = 0;
      for (int k = last - 1; k >= 0 && from >= 0; --k) {
        int64_t s = Source(a.mode, q % y.dim(k) - Before(a, k), x.dim(k));
        q /= y.dim(k);
        from = s < 0 ? -1 : from + s * x.strides[k];
      }
      T* to = y.data<T>() + r * width;
      if (from < 0) {
        std::fill(to, to + width, border);
        continue;
      }
      const T* row = x.data<T>() + from;
      for (int64_t j = 0; j < before; ++j) {
        int64_t s = Source(a.mode, j - before, n);
        to[j] = s < 0 ? border : row[s];
      }
      if (n) std::memcpy(to + before, row, size_t(n) * sizeof(T));
      for (int64_t j = before + n; j < width; ++j) {
        int64_t s = Source(a.mode, j - before, n);
        to[j] = s < 0 ? border : row[s];
      }
    }
  });
}
void PadOnDevice(DeviceWork* w, const PadAttrs& a, const TensorView& x, const TensorView& y) {
  static_assert(int64_t(PadMode::kConstant) == kPadConstant && int64_t(PadMode::kEdge) == kPadEdge && int64_t(PadMode::kReflect) == kPadReflect);
  PadInts p = {int64_t(a.mode), {}, {}, {}};
  for (int i = 0; i < kPadAxes; ++i) {
    const int k = i - (kPadAxes - x.ndim());
    p.x[i] = k < 0 ? 1 : x.dim(k), p.y[i] = k < 0 ? 1 : y.dim(k), p.before[i] = k < 0 ? 0 : Before(a, k);
  }
  w->Call(kDevicePad, DeviceSignature(kDevicePad), {&x, 1, &y, 1, &p.mode, int(sizeof p / sizeof(int64_t)), &a.constant_value, 1});
}
void PadCpu(KernelContext&, const PadAttrs& a, const TensorView& x, TensorView& y) {
  if (DeviceWork* w = DeviceWork::Current()) return PadOnDevice(w, a, x, y);
  uint64_t border = 0;  // the value's bytes in the array's dtype
  TensorView one = MakeView(&border, y.dtype, Shape{});
  FillStrided(one, a.constant_value);
  switch (DTypeSize(y.dtype)) {
    case 1: return PadRows<uint8_t>(a, x, y, *one.data<uint8_t>());
    case 2: return PadRows<uint16_t>(a, x, y, *one.data<uint16_t>());
    case 4: return PadRows<uint32_t>(a, x, y, *one.data<uint32_t>());
    default: return PadRows<uint64_t>(a, x, y, *one.data<uint64_t>());
  }
}

// ---- diagonals
constexpr int64_t kFarthest = int64_t(1) << 56;  // k beyond it is outside of every array, too
struct Diagonal { int i, j; int64_t length, row, col; };  // axes, size, where it starts
Diagonal DiagonalOf(const char* who, const Shape& x, int64_t k, int64_t axis1, int64_t axis2) {
  Diagonal d;
  d.i = NormalAxis(who, axis1, x.ndim()), d.j = NormalAxis(who, axis2, x.ndim());
  if (d.i == d.j) Fail(Status::kShape, who, "axis1 and axis2 must differ, given ", axis1, " and ", axis2, ".");
  k = std::clamp(k, -kFarthest, kFarthest);
  d.row = k < 0 ? -k : 0, d.col = k > 0 ? k : 0;
  d.length = std::max<int64_t>(0, std::min(x[d.i] - d.row, x[d.j] - d.col));
  if (d.length == 0) d.row = d.col = 0;
  return d;
}
void DiagonalView(const Diagonal& d, const Shape& x, const Shape& strides, ViewSpec* v) {
  v->shape = v->strides = Shape();
  v->offset = d.row * strides[d.i] + d.col * strides[d.j];
  for (int i = 0; i < x.ndim(); ++i)
    if (i != d.i && i != d.j) v->shape.push_back(x[i]), v->strides.push_back(strides[i]);
  v->shape.push_back(d.length), v->strides.push_back(strides[d.i] + strides[d.j]);
}
int64_t Side(const DiagAttrs& a, int64_t n) { return n + std::abs(std::clamp(a.k, -kFarthest, kFarthest)); }
bool DiagView(const DiagAttrs& a, const Shape& x, const Shape& strides, ViewSpec* v) {
  if (x.ndim() < 2) return false;  // a vector becomes a matrix: no view
  DiagonalView(DiagonalOf("diag", x, a.k, a.axis1, a.axis2), x, strides, v);
  return true;
}
void FillDiagonal(const TensorView& x, const TensorView& y, const Diagonal& d) {
  ViewSpec v;
  DiagonalView(d, y.shape, y.strides, &v);
  FillStrided(y, 0);
  CopyStrided(x, Apply(y, v));
}
void DiagCpu(KernelContext&, const DiagAttrs& a, const TensorView& x, TensorView& y) {
  ViewSpec v;
  if (DiagView(a, x.shape, x.strides, &v)) CopyView(x, v, y);
  else FillDiagonal(x, y, DiagonalOf("diag", y.shape, a.k, 0, 1));
}
void DiagIntoCpu(KernelContext&, const DiagIntoAttrs& a, const TensorView& x, TensorView& y) {
  FillDiagonal(x, y, DiagonalOf("_diag_into", y.shape, a.k, a.axis1, a.axis2));
}
OpDef DiagOp() {
  return Op<DiagAttrs>("diag").family("matrix").traits(kStrided)
      .doc("A vector as the diagonal of a square matrix of zeros; or the diagonal of two axes of an array, which becomes the last axis.")
      .attr(&DiagAttrs::k, "k", "Which diagonal: 0 the main one, positive above, negative below.")
      .attr(&DiagAttrs::axis1, "axis1", "The axis of the diagonal's rows.").attr(&DiagAttrs::axis2, "axis2", "The axis of its columns.")
      .input("data", "A vector, or an array of two axes and more.").output("output", "The matrix, or the diagonal.")
      .infer([](Infer& c, const DiagAttrs& a) {
        if (!c.ranked(0)) return;
        c.Expect(c.x(0).ndim() > 0, "expected at least one axis, given shape ().");
        if (c.x(0).ndim() == 1) {
          int64_t side = c.known(0) ? Side(a, c.x(0)[0]) : -1;
          return c.set_y(0, Shape{side, side});
        }
        if (!c.known(0)) {
          Shape y;
          int i = c.Axis(a.axis1, c.x(0).ndim()), j = c.Axis(a.axis2, c.x(0).ndim());
          for (int k = 0; k < c.x(0).ndim(); ++k) if (k != i && k != j) y.push_back(c.x(0)[k]);
          y.push_back(-1);
          if (i != j) c.set_y(0, y);
          return;
        }
        ViewSpec v;
        DiagView(a, c.x(0), ContiguousStrides(c.x(0)), &v);
        c.set_y(0, v.shape);
      })
      .gradient([](Grad& g, const DiagAttrs& a) {
        const Shape& x = g.x_shape(0);
        if (x.ndim() == 1) g.dx[0] = CallWith("diag", {g.dy(0)}, DiagAttrs{a.k, 0, 1});
        else g.dx[0] = CallWith("_diag_into", {g.dy(0)}, DiagIntoAttrs{x.vec(), a.k, a.axis1, a.axis2});
      })
      .view(&DiagView).kernel<DiagKernel>();
}
OpDef DiagIntoOp() {
  return Op<DiagIntoAttrs>("_diag_into").family("matrix").traits(kInternal | kStrided)
      .doc("Zeros of the given shape with the last axis of x on the diagonal of two axes: the gradient of diag.")
      .attr(&DiagIntoAttrs::shape, "shape", "The result's shape.").required()
      .attr(&DiagIntoAttrs::k, "k", "Which diagonal.")
      .attr(&DiagIntoAttrs::axis1, "axis1", "The axis of the diagonal's rows.").attr(&DiagIntoAttrs::axis2, "axis2", "The axis of its columns.")
      .input("x", "The diagonals.").output("y", "The whole.")
      .infer([](Infer& c, const DiagIntoAttrs& a) {
        Shape s(a.shape);
        ViewSpec v;
        DiagonalView(DiagonalOf(c.op.name, s, a.k, a.axis1, a.axis2), s, ContiguousStrides(s), &v);
        c.set_x(0, v.shape);
        c.set_y(0, s);
      })
      .gradient([](Grad& g, const DiagIntoAttrs& a) { g.dx[0] = CallWith("diag", {g.dy(0)}, DiagAttrs{a.k, a.axis1, a.axis2}); })
      .kernel<DiagIntoKernel>();
}
}  // namespace

void AddPadOps(std::vector<OpDef>* ops) {
  for (auto* make : {&PadOp, &DiagOp, &DiagIntoOp}) ops->push_back(make());
}
void AddPadCpuKernels(KernelList* list) {
  list->push_back(Kernel<PadKernel>(&PadCpu).OnDevices());
  list->push_back(Kernel<DiagKernel>(&DiagCpu).OnDevices());
  list->push_back(Kernel<DiagIntoKernel>(&DiagIntoCpu).OnDevices());
}

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// Elements by indices on several axes at once (gather_nd, scatter_nd and their kin), and _histogram.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/thread_pool.h"
#include "device/kernels.h"
#include "op/indexing/indexing.h"
#include "tensor/array.h"
#include "tensor/device_work.h"

namespace flx {
namespace {
using In = const TensorView&;
using Out = TensorView&;

// indices (m, a, b, ...) name places of the first m axes of an array; what lies at a place is a slice of the others.
Shape SliceShape(const char* who, const Shape& array, const Shape& indices) {
  if (indices.ndim() < 1 || indices[0] > array.ndim())
    Fail(Status::kShape, who, "the first axis of indices is the number of axes they index, at most ", array.ndim(), " for an array of shape ", array, ", given indices of shape ", indices, ".");
  Shape s;
  for (int i = 1; i < indices.ndim(); ++i) s.push_back(indices[i]);
  for (int i = int(indices[0]); i < array.ndim(); ++i) s.push_back(array[i]);
  return s;
}
// Whether indices of this shape tell how many axes they name; else nothing follows.
bool CountsAxes(const Shape& indices) { return indices.rank_known() && (indices.ndim() < 1 || indices[0] >= 0); }
// The offset (in slices) of each place, checked; negative indices count from the end.
struct Places { int64_t* at; int64_t count, inner; };
Places PlacesOf(KernelContext& ctx, const char* who, const Shape& array, In indices) {
  int m = int(indices.dim(0));
  int64_t count = indices.shape.Product(1, indices.ndim());
  auto* raw = ctx.Scratch<int64_t>(std::max<int64_t>(1, m * count));
  CopyStrided(indices, MakeView(raw, DType::kInt64, indices.shape));
  auto* at = ctx.Scratch<int64_t>(count);
  std::fill(at, at + count, 0);
  for (int k = 0; k < m; ++k)
    for (int64_t i = 0; i < count; ++i) {
      int64_t v = raw[k * count + i], n = array[k];
      if (v < -n || v >= n) Fail(Status::kIndex, who, "an index on axis ", k, " must be in [", -n, ", ", n, "), given ", v, ".");
      at[i] = at[i] * n + (v < 0 ? v + n : v);
    }
  return {at, count, array.Product(m, array.ndim())};
}

// The same on a device, which cannot look at the indices before it goes on: one out of range is the nearest.
struct DevicePlaces {
  TensorView at;
  int64_t n, count, inner;  // places there are, places named, elements of a slice
  DevicePlaces(DeviceWork* w, const Shape& array, In indices) {
    const int m = int(indices.dim(0));
    count = indices.shape.Product(1, indices.ndim()), n = array.Product(0, m), inner = array.Product(m, array.ndim());
    at = MakeView(w->Scratch(count * 8 + 8), DType::kInt64, Shape{count});
    SmallVector<int64_t, 8> ints(1 + m);
    ints[0] = count;
    for (int k = 0; k < m; ++k) ints[1 + k] = array[k];
    w->Call(kDevicePlaces, DeviceSignature(kDevicePlaces), {&indices, 1, &at, 1, ints.data(), 1 + m});
  }
  void Move(DeviceWork* w, const char* kernel, In x, In y) const {  // gather, scatter_add
    const int64_t ints[] = {1, n, count, inner, 0, 0};
    const TensorView in[] = {x, at};
    w->Call(kernel, DeviceSignature(kernel), {in, 2, &y, 1, ints, 6});
  }
};
void GatherCpu(KernelContext& ctx, const NoAttrs&, In x, In indices, Out y) {
  if (DeviceWork* w = DeviceWork::Current()) return DevicePlaces(w, x.shape, indices).Move(w, kDeviceGather, x, y);
  Places p = PlacesOf(ctx, "gather_nd", x.shape, indices);
  int64_t bytes = p.inner * DTypeSize(x.dtype);
  auto* from = static_cast<const char*>(x.raw());
  auto* to = static_cast<char*>(y.raw());
  ParallelFor(p.count, std::max<int64_t>(1, 65536 / std::max<int64_t>(1, bytes)), [&](int64_t i, int64_t e) {
    for (; i < e; ++i) std::memcpy(to + i * bytes, from + p.at[i] * bytes, size_t(bytes));
  });
}
void Set(KernelContext& ctx, const char* who, In data, In indices, Out y) {  // of equal places the last counts
  if (DeviceWork* w = DeviceWork::Current()) {
    const DevicePlaces p(w, y.shape, indices);
    const int64_t ints[] = {p.n, p.count, p.inner};
    const TensorView in[] = {data, p.at};
    return w->Call(kDeviceScatterSet, DeviceSignature(kDeviceScatterSet), {in, 2, &y, 1, ints, 3});
  }
  Places p = PlacesOf(ctx, who, y.shape, indices);
  int64_t bytes = p.inner * DTypeSize(y.dtype);
  for (int64_t i = 0; i < p.count; ++i)
    std::memcpy(static_cast<char*>(y.raw()) + p.at[i] * bytes, static_cast<const char*>(data.raw()) + i * bytes, size_t(bytes));
}
void ScatterCpu(KernelContext& ctx, const ToShapeAttrs&, In data, In indices, Out y) {
  FillStrided(y, 0);
  if (data.size()) Set(ctx, "scatter_nd", data, indices, y);
}
void ScatterSetCpu(KernelContext& ctx, const ToShapeAttrs&, In lhs, In rhs, In indices, Out y) {
  if (lhs.raw() != y.raw()) CopyStrided(lhs, y);
  if (rhs.size()) Set(ctx, "_scatter_set_nd", rhs, indices, y);
}
void ScatterAddCpu(KernelContext& ctx, const ToShapeAttrs&, In data, In indices, Out y) {
  FillStrided(y, 0);
  if (data.size() == 0) return;
  if (DeviceWork* w = DeviceWork::Current()) {
    const DevicePlaces p(w, y.shape, indices);
    if (DTypeSize(y.dtype) != 2 || !IsFloat(y.dtype)) return p.Move(w, kDeviceScatterAdd, data, y);
    TensorView sum = MakeView(w->Scratch(y.size() * 4), DType::kFloat32, y.shape), wide = MakeView(w->Scratch(data.size() * 4), DType::kFloat32, data.shape);
    FillStrided(sum, 0), CopyStrided(data, wide);
    p.Move(w, kDeviceScatterAdd, wide, sum);
    return CopyStrided(sum, y);
  }
  Places p = PlacesOf(ctx, "_scatter_add_nd", y.shape, indices);
  Dispatch(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T* from = data.data<T>();
    if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, Bfloat16>) {  // added in float32, rounded once
      std::unique_ptr<float[]> sum(new float[size_t(y.size())]());
      for (int64_t i = 0; i < p.count; ++i)
        for (int64_t j = 0; j < p.inner; ++j) sum[size_t(p.at[i] * p.inner + j)] += ToFloat(from[i * p.inner + j]);
      CopyStrided(MakeView(sum.get(), DType::kFloat32, y.shape), y);
    } else {
      T* to = y.data<T>();
      for (int64_t i = 0; i < p.count; ++i)
        for (int64_t j = 0; j < p.inner; ++j) {
          T& t = to[p.at[i] * p.inner + j];
          if constexpr (std::is_integral_v<T>) t = T(uint64_t(t) + uint64_t(from[i * p.inner + j])); else t += from[i * p.inner + j];
        }
    }
  });
}

void OfData(Infer& c) { c.set_y_type(0, c.x_type(0)); c.set_x_type(0, c.y_type(0)); }

OpDef GatherNdOp() {
  return Op<>("gather_nd").family("indexing")
      .example("gather_nd(data (3, 4), indices (2, 5)): (5,)")
      .doc("Slices of the data at places: indices[:, i] names place i on the first axes, one row of indices for each axis. Negative indices count from the end; others out of range are an error.")
      .input("data", "The array.").input("indices", "Indices (axes, ...).").output("output", "The slices, of shape indices.shape[1:] + data.shape[axes:].")
      .types([](Infer& c, const NoAttrs&) { OfData(c); })
      .infer([](Infer& c, const NoAttrs&) { if (c.ranked(0) && CountsAxes(c.x(1))) c.set_y(0, SliceShape(c.op.name, c.x(0), c.x(1))); })
      .gradient([](Grad& g, const NoAttrs&) { if (g.want(0)) g.dx[0] = CallWith("_scatter_add_nd", {g.dy(0), g.x(1)}, ToShapeAttrs{g.x_shape(0).vec()}); })
      .kernel<GatherNdKernel>();
}
Op<ToShapeAttrs> Scatter(const char* name) {
  Op<ToShapeAttrs> o(name);
  o.family("indexing").attr(&ToShapeAttrs::shape, "shape", "The result's shape.").required().range(0, INFINITY)
      .input("data", "The slices, of shape indices.shape[1:] + shape[axes:].").input("indices", "Indices (axes, ...), as in gather_nd.").output("output", "The array.")
      .types([](Infer& c, const ToShapeAttrs&) { OfData(c); })
      .infer([](Infer& c, const ToShapeAttrs& a) {
        Shape s(a.shape);
        if (CountsAxes(c.x(1))) c.set_x(0, SliceShape(c.op.name, s, c.x(1)));
        c.set_y(0, s);
      })
      .gradient([](Grad& g, const ToShapeAttrs&) { if (g.want(0)) g.dx[0] = CallOp("gather_nd", {g.dy(0), g.x(1)}); });
  return o;
}
OpDef ScatterSetNdOp() {
  return Op<ToShapeAttrs>("_scatter_set_nd").family("indexing").traits(kInplace)
      .example("_scatter_set_nd(lhs (3, 4), rhs (5,), indices (2, 5), shape=(3, 4)): (3, 4)")
      .doc("lhs with the slices of rhs set at places: lhs[indices] = rhs. Where places are equal the last counts.")
      .attr(&ToShapeAttrs::shape, "shape", "The shape of lhs.").required()
      .input("lhs", "The array.").input("rhs", "The slices.").input("indices", "Indices (axes, ...), as in gather_nd.").output("output", "The changed array.")
      .types([](Infer& c, const ToShapeAttrs&) {
        OfData(c);
        c.set_x_type(1, c.x_type(0));
      })
      .infer([](Infer& c, const ToShapeAttrs& a) {
        Shape s(a.shape);
        c.set_x(0, s);
        if (CountsAxes(c.x(2))) c.set_x(1, SliceShape(c.op.name, s, c.x(2)));
        c.set_y(0, s);
      })
      .gradient([](Grad& g, const ToShapeAttrs& a) {
        if (g.want(1)) g.dx[1] = CallOp("gather_nd", {g.dy(0), g.x(2)});
        if (g.want(0)) g.dx[0] = CallWith("_scatter_set_nd", {g.dy(0), ZerosLike(CallOp("gather_nd", {g.dy(0), g.x(2)})), g.x(2)}, a);
      })
      .kernel<ScatterSetNdKernel>();
}

OpDef IndexCopyOp() {
  return Op<>("_contrib_index_copy").family("indexing")
      .doc("The old array with the rows that the indices name replaced by those of the new one. Where an index repeats the last row counts; one out of range is an error.")
      .input("old_tensor", "The array.").input("index_vector", "The rows to replace, a vector.").input("new_tensor", "The new rows, one for each index.").output("output", "The changed array.")
      .types([](Infer& c, const NoAttrs&) {
        OfData(c);
        c.set_x_type(2, c.x_type(0));
        c.set_x_type(0, c.x_type(2));
      })
      .infer([](Infer& c, const NoAttrs&) {
        c.set_y(0, c.x(0));
        c.set_x(0, c.y(0));
        if (!c.x(0).rank_known() || !c.x(1).rank_known()) return;
        c.Expect(c.x(0).ndim() > 0 && c.x(1).ndim() == 1, "expected an array of rows and a vector of indices, given shapes ", c.x(0), " and ", c.x(1), ".");
        Shape rows = c.x(0);
        rows[0] = c.x(1)[0];
        c.set_x(2, rows);
      })
      .compose([](const std::vector<Val>& x, const NoAttrs&) {
        return std::vector<Val>{CallWith("_scatter_set_nd", {x[0], x[2], ReshapeTo(x[1], {1, ShapeOf(x[1]).size()})}, ToShapeAttrs{ShapeOf(x[0]).vec()})};
      })
      .kernel<IndexCopyKernel>();
}
void IndexCopyCpu(KernelContext& ctx, const NoAttrs&, In x, In indices, In rows, Out y) {
  CopyStrided(x, y);
  TensorView v = indices;
  v.shape = Shape{1, indices.size()}, v.strides = ContiguousStrides(v.shape);
  if (rows.size()) Set(ctx, "_contrib_index_copy", rows, v, y);
}

bool GivenBins(const HistogramAttrs& a) { return !a.bin_cnt; }
OpDef HistogramOp() {
  return Op<HistogramAttrs>("_histogram").family("indexing")
      .example("_histogram(data (100,), bin_cnt=10, range=(0, 1)): (10,), (11,)")
      .doc("How many elements fall into each bin, [edge i, edge i + 1), the last bin with both edges. Elements outside of all bins and NaN are not counted.")
      .attr(&HistogramAttrs::bin_cnt, "bin_cnt", "The number of equal bins over `range`; None: the edges are the input `bins`.").range(1, 9e18)
      .attr(&HistogramAttrs::range, "range", "The lower and upper end of the equal bins.")
      .input("data", "The elements to count.").input_when<&GivenBins>("bins", "The edges, rising; given when bin_cnt is not.")
      .output("count", "The counts, int64.").output("edges", "The edges, in the data's dtype.")
      .types([](Infer& c, const HistogramAttrs&) {
        c.set_y_type(0, DType::kInt64);
        c.set_y_type(1, c.x_type(0));
        c.set_x_type(1, c.x_type(0));
      })
      .infer([](Infer& c, const HistogramAttrs& a) {
        if (a.bin_cnt) {
          c.Expect(a.range && a.range->size() == 2 && (*a.range)[0] < (*a.range)[1], "bin_cnt needs a range (low, high) with low < high.");
          c.set_y(0, Shape{*a.bin_cnt});
          c.set_y(1, Shape{*a.bin_cnt + 1});
        } else if (c.known(1)) {
          c.Expect(c.x(1).ndim() == 1 && c.x(1)[0] >= 2, "bins must be a vector of at least two edges, given shape ", c.x(1), ".");
          c.set_y(0, Shape{c.x(1)[0] - 1});
          c.set_y(1, c.x(1));
        }
      })
      .zero_gradient().kernel<HistogramKernel>();
}
void HistogramCpu(KernelContext& ctx, const HistogramAttrs& a, In data, In bins, Out count, Out edges) {
  int64_t n = count.size();
  if (DeviceWork* w = DeviceWork::Current()) {
    const TensorView in[] = {data, bins}, out[] = {count, edges};
    const double ends[] = {a.bin_cnt ? (*a.range)[0] : 0, a.bin_cnt ? (*a.range)[1] : 0};
    return w->Call(kDeviceHistogram, DeviceSignature(kDeviceHistogram), {in, 2, out, 2, &n, 1, ends, 2});
  }
  auto* edge = ctx.Scratch<double>(n + 1);
  if (a.bin_cnt) {
    double low = (*a.range)[0], high = (*a.range)[1];
    for (int64_t i = 0; i <= n; ++i) edge[i] = i == n ? high : low + (high - low) * (double(i) / double(n));
    CopyStrided(MakeView(edge, DType::kFloat64, {n + 1}), edges);
  } else {
    CopyStrided(bins, edges);
    CopyStrided(bins, MakeView(edge, DType::kFloat64, {n + 1}));
  }
  auto* to = count.data<int64_t>();
  std::fill(to, to + n, 0);
  Dispatch(data.dtype, [&](auto zero) {
    auto* x = data.data<decltype(zero)>();
    for (int64_t i = 0, size = data.size(); i < size; ++i) {
      double v = LoadAs(x[i]);
      if (!(v >= edge[0] && v <= edge[n])) continue;
      int64_t bin = std::upper_bound(edge, edge + n + 1, v) - edge - 1;
      ++to[std::min(bin, n - 1)];
    }
  });
}
}  // namespace

void AddNdOps(std::vector<OpDef>* ops) {
  ops->push_back(GatherNdOp());
  ops->push_back(Scatter("scatter_nd").example("scatter_nd(data (5,), indices (2, 5), shape=(3, 4)): (3, 4)").kernel<ScatterNdKernel>()
      .doc("Zeros of the given shape with slices of the data set at places: the inverse of gather_nd. Where places are equal the last counts."));
  ops->push_back(Scatter("_scatter_add_nd").traits(kInternal).kernel<ScatterAddNdKernel>()
      .doc("Zeros of the given shape to which slices of the data are added at places: the gradient of gather_nd."));
  ops->push_back(ScatterSetNdOp());
  ops->push_back(IndexCopyOp());
  ops->push_back(HistogramOp());
}
void AddNdCpuKernels(KernelList* list) {
  list->push_back(Kernel<GatherNdKernel>(&GatherCpu).OnDevices());
  list->push_back(Kernel<ScatterNdKernel>(&ScatterCpu).OnDevices());
  list->push_back(Kernel<ScatterAddNdKernel>(&ScatterAddCpu).OnDevices());
  list->push_back(Kernel<ScatterSetNdKernel>(&ScatterSetCpu).OnDevices());
  list->push_back(Kernel<IndexCopyKernel>(&IndexCopyCpu).OnDevices());
  list->push_back(Kernel<HistogramKernel>(&HistogramCpu).OnDevices());
}

}  // namespace flx

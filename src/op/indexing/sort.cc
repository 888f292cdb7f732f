// SPDX-License-Identifier: Apache-2.0
// topk, sort and argsort. Equal elements keep their order; NaN counts as larger than all numbers.
#include <algorithm>

#include "base/thread_pool.h"
#include "device/kernels.h"
#include "op/indexing/indexing.h"
#include "tensor/array.h"
#include "tensor/device_work.h"

namespace flx {
namespace {

struct Sorted { Shape x; int axis; };  // the array and axis that are sorted; without an axis the flat array
Sorted SortedOf(const char* who, const std::optional<int64_t>& axis, const Shape& x) {
  if (!axis) return {Shape{ProductOf(x, 0, x.ndim())}, 0};
  return {x, NormalAxis(who, *axis, x.ndim())};
}
int64_t CountOf(const TopkAttrs& a, int64_t n) { return n < 0 ? -1 : a.k > 0 ? std::min(a.k, n) : n; }
// What the result tells of the data: all sizes, or (where only some elements of each row are kept) all but the row's.
void LearnRows(Infer& c, int64_t axis, bool whole) {
  if (!c.y_ranked(0)) return;
  Shape s = c.y(0);
  if (!whole) s[c.Axis(axis, s.ndim())] = -1;
  c.set_x(0, s);
}
void CheckIndex(Infer& c, DType t, int64_t n) {
  c.Expect(n - 1 <= LargestIndex(t), "dtype ", t, " cannot tell ", n, " indices apart. Ask for int32 or int64 indices.");
}
// The gradient of chosen values: each goes back to the place it came from.
Val PutBack(Grad& g, Val positions, const Sorted& s) {
  PutAlongAttrs p;
  p.axis = s.axis, p.shape = s.x.vec();
  return ReshapeTo(CallWith("_put_along", {positions, g.dy(0)}, p), g.x_shape(0));
}

OpDef TopkOp() {
  return Op<TopkAttrs>("topk").family("indexing")
      .doc("The k largest (or smallest) elements along an axis, in order: their values, their indices, both, or a mask of the data's shape that is 1 at them.")
      .attr(&TopkAttrs::axis, "axis", "The axis. None: the flat array.")
      .attr(&TopkAttrs::k, "k", "How many; less than 1, or more than there are: all.")
      .attr(&TopkAttrs::ret_typ, "ret_typ", "What to return: value, indices, mask, or both (values, then indices).")
      .attr(&TopkAttrs::is_ascend, "is_ascend", "The smallest, in ascending order.")
      .attr(&TopkAttrs::dtype, "dtype", "The dtype of indices.")
      .input("data", "The array.").output("output", "Values, indices or mask.").output("indices", "The indices, if ret_typ is both.")
      .hidden("positions", "What the gradient needs: the indices as int64.")
      .visible_count([](const TopkAttrs& a) { return a.ret_typ == TopkType::kBoth ? 2 : 1; })
      .types([](Infer& c, const TopkAttrs& a) {
        if (a.ret_typ == TopkType::kIndices) c.set_y_type(0, a.dtype);
        else c.set_y_type(0, c.x_type(0)), c.set_x_type(0, c.y_type(0));
        c.set_y_type(1, a.dtype);
        c.set_y_type(2, DType::kInt64);
      })
      .infer([](Infer& c, const TopkAttrs& a) {
        if (a.axis && c.x(0).rank_known()) c.Axis(*a.axis, c.x(0).ndim());
        if (a.axis) LearnRows(c, *a.axis, a.ret_typ == TopkType::kMask);
        if (!c.ranked(0)) return;
        Sorted s = SortedOf(c.op.name, a.axis, c.x(0));
        if (a.ret_typ != TopkType::kValue && a.ret_typ != TopkType::kMask) CheckIndex(c, a.dtype, s.x[s.axis]);
        s.x[s.axis] = CountOf(a, s.x[s.axis]);
        c.set_y(0, a.ret_typ == TopkType::kMask ? c.x(0) : s.x);
        c.set_y(1, a.ret_typ == TopkType::kBoth ? s.x : Shape{0});
        c.set_y(2, a.ret_typ == TopkType::kBoth || a.ret_typ == TopkType::kValue ? s.x : Shape{0});
      })
      .gradient([](Grad& g, const TopkAttrs& a) {
        if (a.ret_typ == TopkType::kBoth || a.ret_typ == TopkType::kValue) g.dx[0] = PutBack(g, g.y(2), SortedOf("topk", a.axis, g.x_shape(0)));
        else g.dx[0] = CallOp("_zeros", {}, {{"shape", Text(g.x_shape(0))}, {"dtype", DTypeName(g.x_type(0))}}, g.builder);
      })
      .kernel<TopkKernel>();
}
OpDef SortOp() {
  return Op<SortAttrs>("sort").family("indexing")
      .doc("The elements in order along an axis.")
      .attr(&SortAttrs::axis, "axis", "The axis. None: the flat array.").attr(&SortAttrs::is_ascend, "is_ascend", "Ascending, or descending.")
      .input("data", "The array.").output("output", "The sorted array.").hidden("positions", "Where each element came from: what the gradient needs.")
      .types([](Infer& c, const SortAttrs&) {
        c.set_y_type(0, c.x_type(0));
        c.set_x_type(0, c.y_type(0));
        c.set_y_type(1, DType::kInt64);
      })
      .infer([](Infer& c, const SortAttrs& a) {
        if (a.axis && c.x(0).rank_known()) c.Axis(*a.axis, c.x(0).ndim());
        if (a.axis) LearnRows(c, *a.axis, true);
        if (!c.ranked(0)) return;
        Sorted s = SortedOf(c.op.name, a.axis, c.x(0));
        c.set_y(0, s.x);
        c.set_y(1, s.x);
      })
      .gradient([](Grad& g, const SortAttrs& a) { g.dx[0] = PutBack(g, g.y(1), SortedOf("sort", a.axis, g.x_shape(0))); })
      .kernel<SortKernel>();
}
OpDef ArgsortOp() {
  return Op<ArgsortAttrs>("argsort").family("indexing")
      .doc("The indices that would sort the array along an axis. Flat: no gradient flows.")
      .attr(&ArgsortAttrs::axis, "axis", "The axis. None: the flat array.").attr(&ArgsortAttrs::is_ascend, "is_ascend", "Ascending, or descending.")
      .attr(&ArgsortAttrs::dtype, "dtype", "The dtype of the indices.")
      .input("data", "The array.").output("output", "The indices.")
      .types([](Infer& c, const ArgsortAttrs& a) { c.set_y_type(0, a.dtype); })
      .infer([](Infer& c, const ArgsortAttrs& a) {
        if (a.axis && c.x(0).rank_known()) c.Axis(*a.axis, c.x(0).ndim());
        if (a.axis) LearnRows(c, *a.axis, true);
        if (!c.ranked(0)) return;
        Sorted s = SortedOf(c.op.name, a.axis, c.x(0));
        CheckIndex(c, a.dtype, s.x[s.axis]);
        c.set_y(0, s.x);
      })
      .zero_gradient().kernel<ArgsortKernel>();
}

// ---- the CPU's kernels
// Keys in which all dtypes compare as they do themselves.
template <class F> void WithKey(DType t, const F& f) {
  if (t == DType::kFloat64) f(double{});
  else if (IsFloat(t)) f(float{});
  else if (t == DType::kUint64) f(uint64_t{});
  else f(int64_t{});
}
template <class K> bool Less(K a, K b) { return a < b || (b != b && a == a); }

// Finds the first k places of each row in order; calls row(o, j, places) for the row at outer index o and inner index j.
template <class F> void EachRow(const TensorView& x, const Sorted& s, int64_t k, bool ascend, const F& row) {
  Rows r = RowsOf(s.x, s.axis);
  WithKey(x.dtype, [&](auto zero) {
    using K = decltype(zero);
    int64_t cost = std::max<int64_t>(1, r.n) * 8;
    ParallelFor(r.outer * r.inner, std::max<int64_t>(1, 32768 / cost), [&](int64_t b, int64_t e) {
      std::vector<K> key(static_cast<size_t>(r.n));
      std::vector<int64_t> at(static_cast<size_t>(r.n));
      for (; b < e; ++b) {
        int64_t o = b / r.inner, j = b % r.inner;
        TensorView from = x;
        from.shape = Shape{r.n}, from.strides = Shape{r.inner}, from.offset += (o * r.n * r.inner + j) * DTypeSize(x.dtype);
        CopyStrided(from, MakeView(key.data(), kDTypeOf<K>, {r.n}));
        for (int64_t i = 0; i < r.n; ++i) at[size_t(i)] = i;
        const K* q = key.data();
        // with the index as the last word no two places are equal: any algorithm gives the stable order
        auto up = [q](int64_t i, int64_t l) { return Less(q[i], q[l]) || (!Less(q[l], q[i]) && i < l); };
        auto down = [q](int64_t i, int64_t l) { return Less(q[l], q[i]) || (!Less(q[i], q[l]) && i < l); };
        auto sort = [&](auto before) {
          if (k < r.n) std::partial_sort(at.begin(), at.begin() + k, at.end(), before);
          else std::sort(at.begin(), at.end(), before);
        };
        if (ascend) sort(up); else sort(down);
        row(o, j, at.data());
      }
    });
  });
}
// One element of a row to another of the same dtype.
void CopyElement(const TensorView& x, int64_t from, const TensorView& y, int64_t to) {
  int64_t size = DTypeSize(x.dtype);
  std::memcpy(static_cast<char*>(y.raw()) + to * size, static_cast<const char*>(x.raw()) + from * size, size_t(size));
}
void StoreIndex(const TensorView& y, int64_t at, int64_t v) {
  Dispatch(y.dtype, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_same_v<T, Half>) y.data<T>()[at] = ToHalf(float(v));
    else if constexpr (std::is_same_v<T, Bfloat16>) y.data<T>()[at] = ToBfloat16(float(v));
    else y.data<T>()[at] = T(v);
  });
}
// The places of the first k of each row, in `given` if there is such an array.
TensorView PlacesOnDevice(DeviceWork* w, const TensorView& x, Rows r, int64_t k, bool ascend, const TensorView& given) {
  const SortInts ints = {r.outer, r.n, r.inner, k, ascend};
  const TensorView at = given ? given : MakeView(w->Scratch(r.outer * k * r.inner * 8 + 8), DType::kInt64, Shape{r.outer, k, r.inner});
  w->Call(kDeviceSort, DeviceSignature(kDeviceSort), {&x, 1, &at, 1, &ints.outer, int(sizeof ints / sizeof(int64_t))});
  return at;
}
// With an index for each element: gather, or scatter_add.
void MoveOnDevice(DeviceWork* w, const char* kernel, const TensorView& x, const TensorView& at, Rows r, int64_t k, const TensorView& y) {
  const int64_t ints[] = {r.outer, r.n, k, r.inner, 0, 1};
  const TensorView in[] = {x, at};
  w->Call(kernel, DeviceSignature(kernel), {in, 2, &y, 1, ints, 6});
}
void CopyFlat(const TensorView& from, const TensorView& to) { CopyStrided(MakeView(from.base, from.dtype, to.shape, from.offset), to); }
void TopkOnDevice(DeviceWork* w, const TopkAttrs& a, const TensorView& x, Rows r, int64_t k, const TensorView& y, const TensorView& indices, const TensorView& positions) {
  const bool values = a.ret_typ == TopkType::kValue || a.ret_typ == TopkType::kBoth;
  const TensorView at = PlacesOnDevice(w, x, r, k, a.is_ascend, values ? positions : TensorView{});
  if (a.ret_typ == TopkType::kIndices) return CopyFlat(at, y);
  if (a.ret_typ == TopkType::kMask) {
    TensorView ones = MakeView(w->Scratch(r.outer * k * r.inner * DTypeSize(y.dtype) + 8), y.dtype, Shape{r.outer * k * r.inner});
    FillStrided(y, 0), FillStrided(ones, 1);
    return MoveOnDevice(w, kDeviceScatterAdd, ones, at, r, k, y);
  }
  MoveOnDevice(w, kDeviceGather, x, at, r, k, y);
  if (a.ret_typ == TopkType::kBoth && indices) CopyFlat(at, indices);
}
void TopkCpu(KernelContext&, const TopkAttrs& a, const TensorView& x, TensorView& y, TensorView& indices, TensorView& positions) {
  Sorted s = SortedOf("topk", a.axis, x.shape);
  Rows r = RowsOf(s.x, s.axis);
  int64_t k = CountOf(a, r.n);
  if (DeviceWork* w = DeviceWork::Current()) return TopkOnDevice(w, a, x, r, k, y, indices, positions);
  if (a.ret_typ == TopkType::kMask) FillStrided(y, 0);
  uint64_t bits = 0;
  TensorView one = MakeView(&bits, x.dtype, Shape{});
  FillStrided(one, 1);
  EachRow(x, s, k, a.is_ascend, [&](int64_t o, int64_t j, const int64_t* at) {
    for (int64_t i = 0; i < k; ++i) {
      int64_t from = (o * r.n + at[i]) * r.inner + j, to = (o * k + i) * r.inner + j;
      if (a.ret_typ == TopkType::kMask) { CopyElement(one, 0, y, from); continue; }
      if (a.ret_typ == TopkType::kIndices) { StoreIndex(y, to, at[i]); continue; }
      CopyElement(x, from, y, to);
      if (positions) positions.data<int64_t>()[to] = at[i];
      if (a.ret_typ == TopkType::kBoth && indices) StoreIndex(indices, to, at[i]);
    }
  });
}
void SortCpu(KernelContext&, const SortAttrs& a, const TensorView& x, TensorView& y, TensorView& positions) {
  Sorted s = SortedOf("sort", a.axis, x.shape);
  Rows r = RowsOf(s.x, s.axis);
  if (DeviceWork* w = DeviceWork::Current()) return MoveOnDevice(w, kDeviceGather, x, PlacesOnDevice(w, x, r, r.n, a.is_ascend, positions), r, r.n, y);
  EachRow(x, s, r.n, a.is_ascend, [&](int64_t o, int64_t j, const int64_t* at) {
    for (int64_t i = 0; i < r.n; ++i) {
      int64_t to = (o * r.n + i) * r.inner + j;
      CopyElement(x, (o * r.n + at[i]) * r.inner + j, y, to);
      if (positions) positions.data<int64_t>()[to] = at[i];
    }
  });
}
void ArgsortCpu(KernelContext&, const ArgsortAttrs& a, const TensorView& x, TensorView& y) {
  Sorted s = SortedOf("argsort", a.axis, x.shape);
  Rows r = RowsOf(s.x, s.axis);
  if (DeviceWork* w = DeviceWork::Current()) return CopyFlat(PlacesOnDevice(w, x, r, r.n, a.is_ascend, {}), y);
  EachRow(x, s, r.n, a.is_ascend, [&](int64_t o, int64_t j, const int64_t* at) {
    for (int64_t i = 0; i < r.n; ++i) StoreIndex(y, (o * r.n + i) * r.inner + j, at[i]);
  });
}
}  // namespace

void AddSortOps(std::vector<OpDef>* ops) {
  for (auto* make : {&TopkOp, &SortOp, &ArgsortOp}) ops->push_back(make());
}
void AddSortCpuKernels(KernelList* list) {
  list->push_back(Kernel<TopkKernel>(&TopkCpu).OnDevices());
  list->push_back(Kernel<SortKernel>(&SortCpu).OnDevices());
  list->push_back(Kernel<ArgsortKernel>(&ArgsortCpu).OnDevices());
}

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// Matrix products as operators: dot and batch_dot, on the shared Gemm.
#include <algorithm>

#include "base/thread_pool.h"
#include "op/matrix/gemm.h"
#include "op/matrix/matrix.h"
#include "tensor/array.h"
#include "tensor/device_work.h"

namespace flx {
namespace {

void FloatTypes(Infer& c, const DotAttrs&) {
  DType t = c.x_type(0) != DType::kNone ? c.x_type(0) : c.x_type(1) != DType::kNone ? c.x_type(1) : c.y_type(0);
  if (t != DType::kNone && !IsFloat(t)) c.FailType("expected float32, float64, float16 or bfloat16, given ", t, ". Cast it first (operator Cast).");
  c.set_x_type(0, t);
  c.set_x_type(1, t);
  c.set_y_type(0, t);
}
Op<DotAttrs> Product(const char* name) {
  Op<DotAttrs> o(name);
  o.family("matrix").traits(kStrided)
      .attr(&DotAttrs::transpose_a, "transpose_a", "Use lhs transposed.").attr(&DotAttrs::transpose_b, "transpose_b", "Use rhs transposed.")
      .attr(&DotAttrs::forward_stype, "forward_stype", "Accepted for MXNet's files; results are dense.").ignored()
      .input("lhs", "The left factor.").input("rhs", "The right factor.").output("output", "The product.")
      .types(&FloatTypes);
  return o;
}

// ka, kb: the axes that are summed; la, lb: those that would be if that factor were transposed.
[[noreturn]] void FailInner(const char* who, const Shape& a, const Shape& b, const DotAttrs& t, int ka, int kb, int la, int lb) {
  bool mend = a[la] == b[kb] || a[ka] == b[lb];
  Fail(Status::kShape, who, "the inner lengths must agree: lhs is ", a, t.transpose_a ? ", transposed," : "", " and rhs is ", b, t.transpose_b ? ", transposed" : "", ", so ", a[ka], " meets ", b[kb], ".", mend ? " Transpose one of them?" : "");
}

// dot sees its arrays as matrices: of a, the axis that is summed is the last (transposed: the first), of b the first (transposed: the last).
struct DotShape { int64_t m, n, k; Shape y; };
DotShape DotShapeOf(const char* who, const Shape& a, const Shape& b, const DotAttrs& t) {
  if (a.ndim() == 0 || b.ndim() == 0) Fail(Status::kShape, who, "expected arrays of one axis or more, given ", a, " and ", b, ". Multiply by scalars with `*`.");
  int ka = t.transpose_a ? 0 : a.ndim() - 1, kb = t.transpose_b ? b.ndim() - 1 : 0;
  if (a[ka] != b[kb] && a[ka] >= 0 && b[kb] >= 0)
    FailInner(who, a, b, t, ka, kb, t.transpose_a ? a.ndim() - 1 : 0, t.transpose_b ? 0 : b.ndim() - 1);
  DotShape s{1, 1, a[ka], {}};
  for (int i = 0; i < a.ndim(); ++i) if (i != ka) s.m *= a[i], s.y.push_back(a[i]);
  for (int i = 0; i < b.ndim(); ++i) if (i != kb) s.n *= b[i], s.y.push_back(b[i]);
  if (s.y.ndim() == 0) s.y = Shape{1};  // MXNet's: the product of two vectors
  return s;
}
OpDef DotOp() {
  return Product("dot").alias("_sparse_dot")
      .doc("The sum over the last axis of lhs and the first of rhs: the product of matrices, of a matrix and a vector, of two vectors (shape (1,)), and the like for more axes.")
      .infer([](Infer& c, const DotAttrs& t) {
        if (!c.ranked(0) || !c.ranked(1)) return;
        Shape a = c.x(0), b = c.x(1);
        c.set_y(0, DotShapeOf(c.op.name, a, b, t).y);
        if (a.known() && b.known()) return;
        int ka = t.transpose_a ? 0 : a.ndim() - 1, kb = t.transpose_b ? b.ndim() - 1 : 0, at = 0;
        bool scalar = a.ndim() == 1 && b.ndim() == 1;
        for (int i = 0; i < a.ndim() && !scalar; ++i) if (i != ka) a[i] = c.y(0)[at++];
        for (int i = 0; i < b.ndim() && !scalar; ++i) if (i != kb) b[i] = c.y(0)[at++];
        if (a[ka] < 0) a[ka] = b[kb];
        b[kb] = a[ka];
        c.set_x(0, a);
        c.set_x(1, b);
      })
      .gradient([](Grad& g, const DotAttrs& t) {
        DotShape s = DotShapeOf("dot", g.x_shape(0), g.x_shape(1), t);
        Val d = ReshapeTo(g.dy(0), {s.m, s.n});
        auto product = [](Val a, bool ta, Val b, bool tb) { return CallWith("dot", {a, b}, DotAttrs{ta, tb, {}}); };
        if (g.want(0)) {
          Val b = ReshapeTo(g.x(1), t.transpose_b ? Shape{s.n, s.k} : Shape{s.k, s.n});
          g.dx[0] = ReshapeTo(t.transpose_a ? product(b, t.transpose_b, d, true) : product(d, false, b, !t.transpose_b), g.x_shape(0));
        }
        if (g.want(1)) {
          Val a = ReshapeTo(g.x(0), t.transpose_a ? Shape{s.k, s.m} : Shape{s.m, s.k});
          g.dx[1] = ReshapeTo(t.transpose_b ? product(d, true, a, t.transpose_a) : product(a, !t.transpose_a, d, false), g.x_shape(1));
        }
      })
      .cost([](const DotAttrs& t, const Shape* x, int) {
        DotShape s = DotShapeOf("dot", x[0], x[1], t);
        return 2.0 * double(s.m) * double(s.n) * double(s.k);
      })
      .kernel<DotKernel>();
}

struct BatchShape { int64_t batch, m, n, k; Shape y; };
BatchShape BatchShapeOf(const char* who, const Shape& a, const Shape& b, const DotAttrs& t) {
  int n = a.ndim();
  bool ok = n >= 3 && b.ndim() == n;
  for (int i = 0; ok && i < n - 2; ++i) ok = a[i] == b[i] || a[i] < 0 || b[i] < 0;
  if (!ok) Fail(Status::kShape, who, "expected two arrays of 3 axes or more that agree in all but the last two, given ", a, " and ", b, ".");
  BatchShape s{a.Product(0, n - 2), a[t.transpose_a ? n - 1 : n - 2], b[t.transpose_b ? n - 2 : n - 1], a[t.transpose_a ? n - 2 : n - 1], a};
  int ka = t.transpose_a ? n - 2 : n - 1, kb = t.transpose_b ? n - 1 : n - 2;
  if (a[ka] != b[kb] && a[ka] >= 0 && b[kb] >= 0) FailInner(who, a, b, t, ka, kb, 2 * n - 3 - ka, 2 * n - 3 - kb);
  s.y[n - 2] = s.m, s.y[n - 1] = s.n;
  return s;
}
OpDef BatchDotOp() {
  return Product("batch_dot")
      .example("batch_dot(lhs (8, 2, 3), rhs (8, 3, 4)): (8, 2, 4)")
      .doc("The product of the matrices in the last two axes, for each index of the axes before: (..., m, k) and (..., k, n) give (..., m, n).")
      .infer([](Infer& c, const DotAttrs& t) {
        if (c.known(0) && c.known(1)) return c.set_y(0, BatchShapeOf(c.op.name, c.x(0), c.x(1), t).y);
        int n = std::max(c.x(0).ndim(), std::max(c.x(1).ndim(), c.y(0).ndim()));
        if (n < 3) return;
        for (int i : {0, 1}) c.set_x(i, Shape::Filled(n, -1));
        c.set_y(0, Shape::Filled(n, -1));
        Shape a = c.x(0), b = c.x(1), y = c.y(0);
        BatchShapeOf(c.op.name, a, b, t);  // what contradicts itself
        auto same = [](int64_t& p, int64_t& q) { p = p < 0 ? q : p, q = q < 0 ? p : q; };
        for (int i = 0; i < n - 2; ++i) same(a[i], b[i]), same(a[i], y[i]), same(b[i], y[i]);
        same(a[n - (t.transpose_a ? 1 : 2)], y[n - 2]);
        same(b[n - (t.transpose_b ? 2 : 1)], y[n - 1]);
        same(a[n - (t.transpose_a ? 2 : 1)], b[n - (t.transpose_b ? 1 : 2)]);
        c.set_x(0, a);
        c.set_x(1, b);
        c.set_y(0, y);
      })
      .gradient([](Grad& g, const DotAttrs& t) {
        auto product = [](Val a, bool ta, Val b, bool tb) { return CallWith("batch_dot", {a, b}, DotAttrs{ta, tb, {}}); };
        Val d = g.dy(0);
        if (g.want(0)) g.dx[0] = t.transpose_a ? product(g.x(1), t.transpose_b, d, true) : product(d, false, g.x(1), !t.transpose_b);
        if (g.want(1)) g.dx[1] = t.transpose_b ? product(d, true, g.x(0), t.transpose_a) : product(g.x(0), !t.transpose_a, d, false);
      })
      .cost([](const DotAttrs& t, const Shape* x, int) {
        BatchShape s = BatchShapeOf("batch_dot", x[0], x[1], t);
        return 2.0 * double(s.batch) * double(s.m) * double(s.n) * double(s.k);
      })
      .kernel<BatchDotKernel>();
}

// ---- the CPU's kernels
// A matrix (or a stack of them) as Gemm takes it: rows of consecutive elements, or columns of them and the other flag.
struct Matrix { const void* data; int64_t ld, step; bool trans; };
TensorView Contiguous(KernelContext& ctx, const TensorView& x) {
  TensorView t = MakeView(ctx.Scratch(x.bytes()), x.dtype, x.shape);
  CopyStrided(x, t);
  return t;
}
// x has 2 axes, or 3 of which the first is the batch.
Matrix MatrixOf(KernelContext& ctx, TensorView x, bool trans) {
  int i = x.ndim() - 2, j = i + 1;
  auto straight = [&](int row, int col) { return (x.strides[col] == 1 || x.dim(col) == 1) && x.strides[row] >= x.dim(col); };
  if (!straight(i, j) && !straight(j, i)) x = Contiguous(ctx, x);
  bool flip = !straight(i, j) && straight(j, i);
  if (!flip && x.dim(i) <= 1) x.strides[i] = std::max<int64_t>(1, x.dim(j));
  return {x.raw(), std::max<int64_t>(1, x.strides[flip ? j : i]), i > 0 ? x.strides[0] : 0, trans != flip};
}
TensorView Reshaped(KernelContext& ctx, const TensorView& x, const Shape& to) {
  ViewSpec v;
  if (ReshapeView(x.shape, x.strides, to, &v)) return Apply(x, v);
  TensorView t = Contiguous(ctx, x);
  t.shape = to, t.strides = ContiguousStrides(to);
  return t;
}
// Products want a contiguous result.
template <class F> void Whole(KernelContext& ctx, const TensorView& y, const F& f) {
  if (y.contiguous) return f(y.raw());
  TensorView t = MakeView(ctx.Scratch(y.bytes()), y.dtype, y.shape);
  f(t.raw());
  CopyStrided(t, y);
}
void DotCpu(KernelContext& ctx, const DotAttrs& t, const TensorView& a, const TensorView& b, TensorView& y) {
  DotShape s = DotShapeOf("dot", a.shape, b.shape, t);
  Matrix ma = MatrixOf(ctx, Reshaped(ctx, a, t.transpose_a ? Shape{s.k, s.m} : Shape{s.m, s.k}), t.transpose_a);
  Matrix mb = MatrixOf(ctx, Reshaped(ctx, b, t.transpose_b ? Shape{s.n, s.k} : Shape{s.k, s.n}), t.transpose_b);
  Whole(ctx, y, [&](void* c) { Gemm(y.dtype, ma.trans, mb.trans, s.m, s.n, s.k, 1, ma.data, ma.ld, mb.data, mb.ld, 0, c, s.n); });
}
void BatchDotCpu(KernelContext& ctx, const DotAttrs& t, const TensorView& a, const TensorView& b, TensorView& y) {
  BatchShape s = BatchShapeOf("batch_dot", a.shape, b.shape, t);
  Matrix ma = MatrixOf(ctx, Reshaped(ctx, a, t.transpose_a ? Shape{s.batch, s.k, s.m} : Shape{s.batch, s.m, s.k}), t.transpose_a);
  Matrix mb = MatrixOf(ctx, Reshaped(ctx, b, t.transpose_b ? Shape{s.batch, s.n, s.k} : Shape{s.batch, s.k, s.n}), t.transpose_b);
  int64_t size = DTypeSize(y.dtype), each = std::max<int64_t>(1, s.m * s.n * std::max<int64_t>(1, s.k));
  Whole(ctx, y, [&](void* c) {
    if (DeviceWork::Current()) return GemmBatch(y.dtype, ma.trans, mb.trans, s.m, s.n, s.k, 1, ma.data, ma.ld, ma.step, mb.data, mb.ld, mb.step, 0, c, s.n, s.m * s.n, s.batch);
    auto one = [&](int64_t i) {
      Gemm(y.dtype, ma.trans, mb.trans, s.m, s.n, s.k, 1, static_cast<const char*>(ma.data) + i * ma.step * size, ma.ld,
           static_cast<const char*>(mb.data) + i * mb.step * size, mb.ld, 0, static_cast<char*>(c) + i * s.m * s.n * size, s.n);
    };
    if (s.batch < 4 && each > (int64_t(1) << 22)) {  // few large products are cut inside
      for (int64_t i = 0; i < s.batch; ++i) one(i);
    } else {
      ParallelFor(s.batch, std::max<int64_t>(1, (1 << 18) / each), [&](int64_t i, int64_t e) { for (; i < e; ++i) one(i); });
    }
  });
}
}  // namespace

void AddDotOps(std::vector<OpDef>* ops) {
  ops->push_back(DotOp());
  ops->push_back(BatchDotOp());
}
void AddDotCpuKernels(KernelList* list) {
  list->push_back(Kernel<DotKernel>(&DotCpu).OnDevices());
  list->push_back(Kernel<BatchDotKernel>(&BatchDotCpu).OnDevices());
}

}  // namespace flx

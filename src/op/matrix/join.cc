// SPDX-License-Identifier: Apache-2.0
// Arrays joined along an axis, and cut into parts along one: Concat, stack, SliceChannel (split), _split_v2.
#include <algorithm>

#include "op/matrix/matrix.h"
#include "tensor/array.h"

namespace flx {
Val PartOf(Val x, int k, int64_t from, int64_t size) {
  Shape s = ShapeOf(x);
  SliceFromAttrs a;
  a.begin.assign(size_t(s.ndim()), 0), a.step.assign(size_t(s.ndim()), 1);
  a.begin[size_t(k)] = from, s[k] = size, a.shape = s.vec();
  return CallWith("_slice_from", {x}, a);
}

namespace {

// The part of y that starts at `from` on axis k, `size` long.
TensorView Part(const TensorView& y, int k, int64_t from, int64_t size) {
  ViewSpec v{y.shape, y.strides, from * y.strides[k]};
  v.shape[k] = size;
  return Apply(y, v);
}
OpDef Joined(const char* name, std::initializer_list<const char*> aliases, const char* doc) {
  Op<ConcatAttrs> o(name);
  for (auto* a : aliases) o.alias(a);
  return o.family("matrix").traits(kStrided)
      .doc(doc)
      .attr(&ConcatAttrs::num_args, "num_args", "The number of inputs.").range(0, INT32_MAX)
      .attr(&ConcatAttrs::dim, "dim", "The axis along which to join; negative: from the end.")
      .input_list("data", "The arrays to join.", "num_args").output("output", "The joined array.")
      .infer([](Infer& c, const ConcatAttrs& a) {
        Shape all = c.y(0);
        for (int i = 0; i < c.nin && !all.rank_known(); ++i) all = c.x(i);
        if (!all.rank_known()) return;
        int k = c.Axis(a.dim, all.ndim()), unknown = 0, which = -1;
        int64_t sum = 0;
        all[k] = -1;
        // what any knows of the other axes, all know
        for (int i = 0; i < c.nin; ++i) {
          c.set_x(i, all);
          for (int j = 0; j < all.ndim(); ++j) if (j != k) all[j] = c.x(i)[j];
          if (c.x(i)[k] < 0) ++unknown, which = i;
          else sum += c.x(i)[k];
        }
        for (int i = 0; i < c.nin; ++i) c.set_x(i, all);
        Shape y = all;
        if (unknown == 0) y[k] = sum;
        c.set_y(0, y);
        if (unknown == 1 && c.y(0)[k] >= sum) all[k] = c.y(0)[k] - sum, c.set_x(which, all);
      })
      .gradient([](Grad& g, const ConcatAttrs& a) {
        int k = NormalAxis("Concat", a.dim, g.y_shape(0).ndim());
        int64_t from = 0;
        for (int i = 0; i < g.nin(); ++i) {
          if (g.want(i)) g.dx[size_t(i)] = PartOf(g.dy(0), k, from, g.x_shape(i)[k]);
          from += g.x_shape(i)[k];
        }
      })
      .kernel<ConcatKernel>();
}
OpDef ConcatOp() {
  return Joined("Concat", {"concat", "_sparse_concat"}, "The inputs one behind the other along an axis. Their other axes must agree.");
}
OpDef RnnParamConcatOp() {  // an operator of its own, so that files keep its name
  return Joined("_rnn_param_concat", {"_npi_rnn_param_concat"}, "Concat, as MXNet calls it where it joins the parameters of an RNN.");
}
OpDef StackOp() {
  return Op<StackAttrs>("stack").family("matrix")
      .doc("Arrays of one shape as the slices of a new axis.")
      .attr(&StackAttrs::axis, "axis", "Where the new axis stands in the result; negative: from the end.")
      .attr(&StackAttrs::num_args, "num_args", "The number of inputs.").range(0, INT32_MAX)
      .input_list("data", "The arrays to stack.", "num_args").output("output", "The stacked array.")
      .infer([](Infer& c, const StackAttrs& a) {
        for (int i = 1; i < c.nin; ++i) c.set_x(0, c.x(i));
        if (c.y(0).rank_known()) {
          Shape s = c.y(0);
          s.Erase(c.Axis(a.axis, s.ndim()));
          c.set_x(0, s);
        }
        for (int i = 1; i < c.nin; ++i) c.set_x(i, c.x(0));
        if (!c.x(0).rank_known()) return;
        Shape s = c.x(0);
        s.Insert(c.Axis(a.axis, s.ndim() + 1), c.nin);
        c.set_y(0, s);
      })
      .compose([](const std::vector<Val>& x, const StackAttrs& a) {
        Shape s = ShapeOf(x[0]);
        int k = NormalAxis("stack", a.axis, s.ndim() + 1);
        s.Insert(k, 1);
        std::vector<Val> parts;
        for (Val v : x) parts.push_back(ReshapeTo(v, s));
        return std::vector<Val>{CallWith("Concat", parts, ConcatAttrs{int64_t(x.size()), k})};
      });
}

// Where part i of an axis of n elements begins; i may be the number of parts.
int64_t Begin(const SplitAttrs& a, int64_t n, int i) { return n / a.num_outputs * i; }
int64_t Begin(const SplitV2Attrs& a, int64_t n, int i) {
  if (a.sections > 0) return n / a.sections * i;
  return i < int(a.indices.size()) ? a.indices[size_t(i)] : n;
}
int Count(const SplitAttrs& a) { return int(a.num_outputs); }
int Count(const SplitV2Attrs& a) { return a.sections > 0 ? int(a.sections) : int(a.indices.size()); }
void CheckAxis(Infer& c, const SplitAttrs& a, int64_t n) {
  c.Expect(n % a.num_outputs == 0, "axis ", a.axis, " of data of shape ", c.x(0), " cannot be cut into ", a.num_outputs, " equal parts.");
}
void CheckAxis(Infer& c, const SplitV2Attrs& a, int64_t n) {
  c.Expect(a.sections > 0 || !a.indices.empty(), "expected sections > 0 or indices, given neither.");
  if (a.sections > 0) return c.Expect(n % a.sections == 0, "axis ", a.axis, " of data of shape ", c.x(0), " cannot be cut into ", a.sections, " equal parts.");
  for (int i = 0; i < c.nout; ++i) {
    int64_t from = Begin(a, n, i), to = Begin(a, n, i + 1);
    c.Expect(from >= 0 && from <= to && to <= n, "indices must rise from 0 to at most ", n, ", given ", a.indices, ".");
  }
}
int64_t EqualParts(const SplitAttrs& a) { return a.num_outputs; }
int64_t EqualParts(const SplitV2Attrs& a) { return a.sections; }  // 0: they are not
// What the parts tell of the whole.
template <class A> void LearnWhole(Infer& c, const A& a) {
  for (int i = 0; i < c.nout; ++i) {
    if (!c.y_ranked(i)) continue;
    Shape s = c.y(i);
    int k = c.Axis(a.axis, s.ndim() + a.squeeze_axis);
    if (a.squeeze_axis) s.Insert(k, 1);
    s[k] = s[k] >= 0 && EqualParts(a) > 0 ? s[k] * EqualParts(a) : -1;
    c.set_x(0, s);
  }
  if (a.squeeze_axis && c.ranked(0) && EqualParts(a) > 0) {
    Shape s = c.x(0);
    if (int64_t& n = s[c.Axis(a.axis, s.ndim())]; n < 0) n = EqualParts(a);
    c.set_x(0, s);
  }
}
template <class A> void SplitInfer(Infer& c, const A& a) {
  if (!c.known(0)) LearnWhole(c, a);
  if (!c.x(0).rank_known()) return;
  int k = c.Axis(a.axis, c.x(0).ndim());
  int64_t n = c.x(0)[k];
  if (n >= 0) CheckAxis(c, a, n);
  for (int i = 0; i < c.nout; ++i) {
    Shape s = c.x(0);
    bool last = i + 1 == c.nout;
    s[k] = n < 0 && (EqualParts(a) > 0 || last) ? -1 : Begin(a, n, i + 1) - Begin(a, n, i);
    if (n < 0) s[k] = std::max<int64_t>(-1, s[k]);
    if (a.squeeze_axis) {
      c.Expect(s[k] == 1 || s[k] < 0, "squeeze_axis needs parts of size 1, given one of size ", s[k], ".");
      s.Erase(k);
    }
    c.set_y(i, s);
  }
}
template <class A> void SplitGrad(Grad& g, const A& a) {
  Shape x = g.x_shape(0);
  int k = NormalAxis("split", a.axis, x.ndim()), n = Count(a);
  std::vector<Val> parts;
  for (int i = 0; i < n; ++i) {
    Shape s = x;
    s[k] = Begin(a, x[k], i + 1) - Begin(a, x[k], i);
    parts.push_back(ReshapeTo(g.dy(i), s));
  }
  int64_t first = Begin(a, x[k], 0);
  if (first > 0) {  // what lies before the first index is in no part
    Shape s = x;
    s[k] = first;
    parts.insert(parts.begin(), CallOp("_zeros", {}, {{"shape", Text(s)}, {"dtype", DTypeName(g.x_type(0))}}, g.builder));
  }
  g.dx[0] = CallWith("Concat", parts, ConcatAttrs{int64_t(parts.size()), k});
}
template <class A> void SplitCpu(KernelContext&, const A& a, const TensorView& x, OutViews y) {
  int k = NormalAxis("split", a.axis, x.ndim());
  for (int i = 0; i < y.size(); ++i) {
    if (!y[i]) continue;
    int64_t from = Begin(a, x.dim(k), i);
    TensorView part = Part(x, k, from, Begin(a, x.dim(k), i + 1) - from);
    if (a.squeeze_axis) part.shape.Erase(k), part.strides.Erase(k);
    CopyStrided(part, y[i]);
  }
}
OpDef SplitOp() {
  return Op<SplitAttrs>("SliceChannel").alias("split").family("matrix").traits(kStrided)
      .doc("The data cut into equal parts along an axis.")
      .attr(&SplitAttrs::num_outputs, "num_outputs", "The number of parts; it must divide the axis.").required().range(1, INT32_MAX)
      .attr(&SplitAttrs::axis, "axis", "The axis to cut.")
      .attr(&SplitAttrs::squeeze_axis, "squeeze_axis", "Drop the axis, where each part has size 1 on it.")
      .input("data", "The array.").output("output", "A part.")
      .outputs_count([](const SplitAttrs& a) { return Count(a); })
      .infer(&SplitInfer<SplitAttrs>).gradient(&SplitGrad<SplitAttrs>).kernel<SplitKernel>();
}
OpDef SplitV2Op() {
  return Op<SplitV2Attrs>("_split_v2").family("matrix").traits(kStrided)
      .doc("The data cut along an axis into equal sections, or at indices: part i runs from indices[i] to the next index, the last to the end.")
      .attr(&SplitV2Attrs::indices, "indices", "Where each part begins, rising; used when sections is 0.").required()
      .attr(&SplitV2Attrs::axis, "axis", "The axis to cut.")
      .attr(&SplitV2Attrs::squeeze_axis, "squeeze_axis", "Drop the axis, where each part has size 1 on it.")
      .attr(&SplitV2Attrs::sections, "sections", "The number of equal parts; 0: cut at indices.").range(0, INT32_MAX)
      .input("data", "The array.").output("output", "A part.")
      .outputs_count([](const SplitV2Attrs& a) { return Count(a); })
      .infer(&SplitInfer<SplitV2Attrs>).gradient(&SplitGrad<SplitV2Attrs>).kernel<SplitV2Kernel>();
}
void ConcatCpu(KernelContext&, const ConcatAttrs& a, Views x, TensorView& y) {
  int k = NormalAxis("Concat", a.dim, y.ndim());
  int64_t from = 0;
  for (const TensorView& v : x) {
    CopyStrided(v, Part(y, k, from, v.dim(k)));
    from += v.dim(k);
  }
}
}  // namespace

void AddJoinOps(std::vector<OpDef>* ops) {
  for (auto* make : {&ConcatOp, &RnnParamConcatOp, &StackOp, &SplitOp, &SplitV2Op}) ops->push_back(make());
}
void AddJoinCpuKernels(KernelList* list) {
  list->push_back(Kernel<ConcatKernel>(&ConcatCpu).OnDevices());
  list->push_back(Kernel<SplitKernel>(&SplitCpu<SplitAttrs>).OnDevices());
  list->push_back(Kernel<SplitV2Kernel>(&SplitCpu<SplitV2Attrs>).OnDevices());
}

}  // namespace flx

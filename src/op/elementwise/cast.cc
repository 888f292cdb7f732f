// SPDX-License-Identifier: Apache-2.0
// Copies and casts: operators that pass their input on as it is, or in another dtype.
#include "op/elementwise/cast.h"

#include <algorithm>

#include "device/kernels.h"
#include "op/elementwise/family.h"
#include "tensor/array.h"
#include "tensor/device_work.h"

namespace flx {
namespace {
Op<CastAttrs> CastLike(const char* name, const char* doc, const char* dtype_doc) {
  Op<CastAttrs> o(name);
  o.family("elementwise").doc(doc).input("data", "Any array.").output("output").infer(SameShape<CastAttrs>);
  o.attr(&CastAttrs::dtype, "dtype", dtype_doc).required();
  o.gradient([](Grad& g, const CastAttrs&) { g.dx[0] = CastTo(g.dy(0), g.x_type(0)); });
  return o;
}
bool Narrow(DType t) { return t == DType::kFloat32 || t == DType::kFloat16 || t == DType::kBfloat16; }

struct MulticastAttrs { int64_t num_outputs = 1; bool cast_narrow = false; };
struct AddNAttrs { int64_t num_args = 1; };
struct AddNKernel {
  using Signature = void(KernelContext&, const AddNAttrs&, Views, TensorView& y);
  static constexpr const char* kName = "add_n";
};
struct MulticastKernel {
  using Signature = void(KernelContext&, const MulticastAttrs&, Views, OutViews);
  static constexpr const char* kName = "amp_multicast";
};
void MulticastTypes(Infer& c, const MulticastAttrs& a) {
  DType found = DType::kNone;
  for (int i = 0; i < c.nin; ++i) {
    DType t = c.x_type(i);
    if (t == DType::kNone) return;
    if (!IsFloat(t)) c.FailType("expected floating-point arrays, given ", t, " for `", c.InputName(i), "`. Cast it first (operator Cast).");
    bool smaller = found == DType::kNone || (a.cast_narrow ? DTypeSize(t) < DTypeSize(found) : DTypeSize(t) > DTypeSize(found));
    if (smaller) found = t;
  }
  for (int i = 0; i < c.nout; ++i) c.set_y_type(i, found);
}
void MulticastKernelCpu(KernelContext&, const MulticastAttrs&, Views x, OutViews y) {
  for (int i = 0; i < x.size(); ++i) CastElements(x[i], y[i]);
}
void CastKernelCpu(KernelContext&, const CastAttrs&, const TensorView& x, TensorView& y) { CastElements(x, y); }
void WriteNumbers(const int64_t* v, int n, const TensorView& y) {
  DeviceWork* w = DeviceWork::Current();
  if (!w) return std::copy(v, v + n, y.data<int64_t>()), void();
  for (int i = 0; i < n; i += kMostParameters) {  // they travel with the launch
    const int m = std::min(n - i, kMostParameters);
    const TensorView part = MakeView(y.base, DType::kInt64, Shape{m}, y.offset + i * int64_t(sizeof(int64_t)));
    w->Call(kDeviceParameters, DeviceSignature(kDeviceParameters), {nullptr, 0, &part, 1, v + i, m});
  }
}
void ShapeArrayCpu(KernelContext&, const NoAttrs&, const TensorView& x, TensorView& y) { WriteNumbers(x.shape.data(), x.ndim(), y); }
void SizeArrayCpu(KernelContext&, const NoAttrs&, const TensorView& x, TensorView& y) {
  const int64_t size = x.size();
  WriteNumbers(&size, 1, y);
}
void AddNCpu(KernelContext& ctx, const AddNAttrs&, Views x, TensorView& y) { AddElements(ctx, x, y); }

struct ShapeArrayKernel {
  using Signature = void(KernelContext&, const NoAttrs&, const TensorView& x, TensorView& y);
  static constexpr const char* kName = "shape_array";
};
struct SizeArrayKernel {
  using Signature = void(KernelContext&, const NoAttrs&, const TensorView& x, TensorView& y);
  static constexpr const char* kName = "size_array";
};
void IntoInt64(Infer& c, const NoAttrs&) { c.set_y_type(0, DType::kInt64); }
}  // namespace

void AddCastOps(std::vector<OpDef>* ops) {
  auto add = [&](OpDef d) { ops->push_back(std::move(d)); };
  add(CastLike("Cast", "The same numbers in another dtype. Floats become integers toward zero (saturating, NaN is 0), integers wrap, everything but zero is true.", "The result's dtype.")
          .alias("cast").types([](Infer& c, const CastAttrs& a) { c.set_y_type(0, a.dtype); }).kernel<CastKernel>());
  add(CastLike("amp_cast", "Cast between float32, float16 and bfloat16, for mixed precision. Arrays of any other dtype pass unchanged.", "The dtype wanted.")
          .types([](Infer& c, const CastAttrs& a) { if (c.x_type(0) != DType::kNone) c.set_y_type(0, Narrow(c.x_type(0)) ? a.dtype : c.x_type(0)); })
          .kernel<CastKernel>());
  Op<MulticastAttrs> multi("amp_multicast");
  multi.example("amp_multicast(data (2, 3), data (4,), num_outputs=2): (2, 3), (4,)");
  multi.family("elementwise").doc("Casts all inputs to the widest of their dtypes (or the narrowest). Shapes may differ.");
  multi.attr(&MulticastAttrs::num_outputs, "num_outputs", "How many arrays are given.").range(1, 1 << 20);
  multi.attr(&MulticastAttrs::cast_narrow, "cast_narrow", "True: to the narrowest dtype.");
  multi.input_list("data", "Floating-point arrays.", "num_outputs").output("output").outputs_count([](const MulticastAttrs& a) { return int(a.num_outputs); });
  multi.infer([](Infer& c, const MulticastAttrs&) {
    c.Expect(c.nin == c.nout, "expected `num_outputs` arrays (", c.nout, "), given ", c.nin, ".");
    for (int i = 0; i < c.nin; ++i) c.set_y(i, c.x(i)), c.set_x(i, c.y(i));
  });
  multi.types(MulticastTypes).gradient([](Grad& g, const MulticastAttrs&) {
    for (int i = 0; i < g.nin(); ++i) if (g.has_dy(i)) g.dx[size_t(i)] = CastTo(g.dy(i), g.x_type(i));
  });
  add(multi.kernel<MulticastKernel>());

  const auto pass = [](Grad& g, const NoAttrs&) { g.dx[0] = g.dy(0); };
  add(Unary("_copy", "A copy of the array.").alias("identity").gradient(pass).tiles(0, nullptr, "identity"));
  add(Unary("_copyto", "A copy of the array, into the array given as the output.").gradient(pass).tiles(0, nullptr, "identity"));
  add(Unary("BlockGrad", "The array itself; no gradient flows back.").alias("stop_gradient").zero_gradient().tiles(0, nullptr, "identity"));
  add(Unary("make_loss", "Marks the array as a loss: its gradient is 1, whatever head gradient comes.").traits(kLoss)
          .gradient([](Grad& g, const NoAttrs&) { g.dx[0] = OnesLike(g.x(0)); }).tiles(0, nullptr, "identity"));
  Op<> like("_identity_with_attr_like_rhs");
  like.family("elementwise").doc("lhs itself, known to have the shape and dtype of rhs.").input("lhs", "The array.").input("rhs", "Gives the shape only.").output("output");
  add(like.infer(SameShape<NoAttrs>).gradient([](Grad& g, const NoAttrs&) { g.dx[0] = g.dy(0); }).kernel<LikeKernel>());
  Op<AddNAttrs> sum("add_n");
  sum.example("add_n(args (2, 3), args (2, 3)): (2, 3)");
  sum.alias("ElementWiseSum").family("elementwise").doc("The sum of all arrays, element by element; 16-bit floats are summed in float32.");
  sum.attr(&AddNAttrs::num_args, "num_args", "How many arrays are given.").range(1, 1 << 20);
  sum.input_list("args", "Arrays of one shape and dtype.", "num_args").output("output").infer(SameShape<AddNAttrs>);
  sum.gradient([](Grad& g, const AddNAttrs&) { for (int i = 0; i < g.nin(); ++i) if (g.want(i)) g.dx[size_t(i)] = g.dy(0); });
  add(sum.kernel<AddNKernel>());
  add(Op<>("shape_array").family("elementwise").doc("The array's shape, as int64.").input("data", "Any array.").output("output").types(IntoInt64)
          .infer([](Infer& c, const NoAttrs&) { if (c.x(0).rank_known()) c.set_y(0, Shape{c.x(0).ndim()}); }).zero_gradient().kernel<ShapeArrayKernel>());
  add(Op<>("size_array").family("elementwise").doc("The number of elements, as int64, shape (1,).").input("data", "Any array.").output("output").types(IntoInt64)
          .infer([](Infer& c, const NoAttrs&) { c.set_y(0, Shape{1}); }).zero_gradient().kernel<SizeArrayKernel>());
}

void AddCastCpuKernels(KernelList* list) {
  list->push_back(Kernel<CastKernel>(&CastKernelCpu).OnDevices());
  list->push_back(Kernel<MulticastKernel>(&MulticastKernelCpu).OnDevices());
  list->push_back(Kernel<AddNKernel>(&AddNCpu).OnDevices());
  list->push_back(Kernel<LikeKernel>([](KernelContext&, const NoAttrs&, const TensorView& x, const TensorView&, TensorView& y) { CastElements(x, y); }).OnDevices());
  list->push_back(Kernel<ShapeArrayKernel>(&ShapeArrayCpu).OnDevices());
  list->push_back(Kernel<SizeArrayKernel>(&SizeArrayCpu).OnDevices());
}

}  // namespace flx

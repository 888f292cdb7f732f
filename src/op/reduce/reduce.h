// SPDX-License-Identifier: Apache-2.0
// Attributes and kernel keys of the reductions.
#pragma once
#include <optional>

#include "op/op.h"
#include "op/val_attrs.h"

namespace flx {

struct ReduceAttrs {  // MXNet's reductions
  std::optional<Ints> axis;
  bool keepdims = false, exclude = false;
};
struct NormAttrs {
  int ord = 2;
  std::optional<Ints> axis;
  DType out_dtype = DType::kNone;
  bool keepdims = false;
};
struct ArgAttrs {
  std::optional<int64_t> axis;
  bool keepdims = false;
};
struct MomentsAttrs {
  std::optional<Ints> axes;
  bool keepdims = false;
};
struct NpReduceAttrs {  // NumPy's reductions
  std::optional<Ints> axis;
  DType dtype = DType::kNone;
  bool keepdims = false;
  std::optional<double> initial;
};

// The axes as bits (bit i: axis i is reduced), checked. `all_if_empty`: an empty tuple means all axes (MXNet) or none (NumPy).
uint32_t AxisBits(const char* who, const std::optional<Ints>& axes, bool exclude, bool all_if_empty, int ndim);
inline uint32_t AxisBits(const char* who, const ReduceAttrs& a, int ndim) { return AxisBits(who, a.axis, a.exclude, true, ndim); }
inline uint32_t AxisBits(const char* who, const NormAttrs& a, int ndim) { return AxisBits(who, a.axis, false, true, ndim); }
inline uint32_t AxisBits(const char* who, const NpReduceAttrs& a, int ndim) { return AxisBits(who, a.axis, false, false, ndim); }
Shape KeptShape(const Shape& x, uint32_t bits);                    // reduced axes have size 1
Shape ReducedShape(const Shape& x, uint32_t bits, bool keepdims);  // reduced axes are dropped unless keepdims
inline Shape MxReducedShape(const Shape& x, uint32_t bits, bool keepdims) {  // ... and at least one axis is left: MXNet's rule
  Shape s = ReducedShape(x, bits, keepdims);
  return s.ndim() == 0 ? Shape{1} : s;
}
// The rule of reductions, once the rank is known: all outputs alike, and the axes that stay, backwards.
void InferReduced(Infer& c, uint32_t bits, bool keepdims, bool mx = true);
uint32_t SumToBits(const Shape& x, const Shape& to);               // the axes over which x is summed to become `to`

template <class A> struct ReduceKey { using Signature = void(KernelContext&, const A&, const TensorView& x, TensorView& y); };
struct SumKernel : ReduceKey<ReduceAttrs> { static constexpr const char* kName = "sum"; };
struct MeanKernel : ReduceKey<ReduceAttrs> { static constexpr const char* kName = "mean"; };
struct ProdKernel : ReduceKey<ReduceAttrs> { static constexpr const char* kName = "prod"; };
struct NanSumKernel : ReduceKey<ReduceAttrs> { static constexpr const char* kName = "nansum"; };
struct NanProdKernel : ReduceKey<ReduceAttrs> { static constexpr const char* kName = "nanprod"; };
struct MaxKernel : ReduceKey<ReduceAttrs> { static constexpr const char* kName = "max"; };
struct MinKernel : ReduceKey<ReduceAttrs> { static constexpr const char* kName = "min"; };
struct SquareSumKernel : ReduceKey<ReduceAttrs> { static constexpr const char* kName = "square_sum"; };
struct NormKernel : ReduceKey<NormAttrs> { static constexpr const char* kName = "norm"; };
struct ArgMaxKernel : ReduceKey<ArgAttrs> { static constexpr const char* kName = "argmax"; };
struct ArgMinKernel : ReduceKey<ArgAttrs> { static constexpr const char* kName = "argmin"; };
struct ArgMaxChannelKernel : ReduceKey<NoAttrs> { static constexpr const char* kName = "argmax_channel"; };
struct NpSumKernel : ReduceKey<NpReduceAttrs> { static constexpr const char* kName = "np_sum"; };
struct NpMeanKernel : ReduceKey<NpReduceAttrs> { static constexpr const char* kName = "np_mean"; };
struct NpProdKernel : ReduceKey<NpReduceAttrs> { static constexpr const char* kName = "np_prod"; };
struct NpMaxKernel : ReduceKey<NpReduceAttrs> { static constexpr const char* kName = "np_max"; };
struct NpMinKernel : ReduceKey<NpReduceAttrs> { static constexpr const char* kName = "np_min"; };
struct SumToKernel : ReduceKey<ToShapeAttrs> { static constexpr const char* kName = "sum_to"; };

// ---- gradients, shared by MXNet's and NumPy's forms. `keep`: the result's shape with the reduced axes kept.
void SumGradient(Grad& g, const Shape& keep, double scale);
void ProdGradient(Grad& g, uint32_t bits, bool skip_nan);
void ExtremeGradient(Grad& g, const Shape& keep);

void AddMxReductions(std::vector<OpDef>* ops);   // reduce.cc
void AddNormAndArg(std::vector<OpDef>* ops);     // norm_arg.cc
void AddNpReductions(std::vector<OpDef>* ops);   // np_reduce.cc

}  // namespace flx

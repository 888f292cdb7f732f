// SPDX-License-Identifier: Apache-2.0
// Attributes and kernel keys of the operators that move elements: reshape, transpose, broadcast, slice, join, pad.
#pragma once
#include <optional>

#include "op/matrix/views.h"

namespace flx {

// ---- reshape.cc
struct ReshapeAttrs {
  Ints shape;
  bool reverse = false;
  Ints target_shape;
  bool keep_highest = false;
};
struct ReshapeLikeAttrs { std::optional<int64_t> lhs_begin, lhs_end, rhs_begin, rhs_end; };
struct ExpandDimsAttrs { int64_t axis = 0; };
struct SqueezeAttrs { std::optional<Ints> axis; };
struct ReshapeKernel : CopyKey<ReshapeAttrs> { static constexpr const char* kName = "Reshape"; };
struct ReshapeToKernel : CopyKey<ToShapeAttrs> { static constexpr const char* kName = "reshape_to"; };
struct FlattenKernel : CopyKey<NoAttrs> { static constexpr const char* kName = "Flatten"; };
struct ExpandDimsKernel : CopyKey<ExpandDimsAttrs> { static constexpr const char* kName = "expand_dims"; };
struct SqueezeKernel : CopyKey<SqueezeAttrs> { static constexpr const char* kName = "squeeze"; };

// ---- transpose.cc
struct TransposeAttrs { Ints axes; };
struct SwapAxisAttrs { int64_t dim1 = 0, dim2 = 0; };
struct BlockAttrs { int64_t block_size = 0; };
struct ReverseAttrs { Ints axis; };
struct TransposeKernel : CopyKey<TransposeAttrs> { static constexpr const char* kName = "transpose"; };
struct SwapAxisKernel : CopyKey<SwapAxisAttrs> { static constexpr const char* kName = "SwapAxis"; };
struct ReverseKernel : CopyKey<ReverseAttrs> { static constexpr const char* kName = "reverse"; };

// ---- broadcast.cc
struct BroadcastToAttrs { Ints shape; };
struct BroadcastAxisAttrs { Ints axis, size; };
struct BroadcastLikeAttrs { std::optional<Ints> lhs_axes, rhs_axes; };
struct RepeatAttrs {
  int64_t repeats = 1;
  std::optional<int64_t> axis;
};
struct TileAttrs { Ints reps; };
struct BroadcastToKernel : CopyKey<BroadcastToAttrs> { static constexpr const char* kName = "broadcast_to"; };
struct BroadcastAxisKernel : CopyKey<BroadcastAxisAttrs> { static constexpr const char* kName = "broadcast_axis"; };
struct NpBroadcastToKernel : CopyKey<ToShapeAttrs> { static constexpr const char* kName = "np_broadcast_to"; };

// ---- slice.cc
struct SliceAttrs { OptInts begin, end, step; };
struct SliceAxisAttrs {
  int64_t axis = 0, begin = 0;
  std::optional<int64_t> end;
};
struct SliceLikeAttrs { Ints axes; };
struct CropAttrs {
  int64_t num_args = 1;
  Ints offset{0, 0}, h_w{0, 0};
  bool center_crop = false;
};
struct SliceFromAttrs { Ints begin, step, shape; };   // _slice_from: a box of x; shape is the result's
struct SliceIntoAttrs { Ints begin, step, shape; };   // _slice_into: x as a box in zeros of that shape
struct SliceAssignScalarAttrs : SliceAttrs { double scalar = 0; };
struct SliceKernel : CopyKey<SliceAttrs> { static constexpr const char* kName = "slice"; };
struct SliceAxisKernel : CopyKey<SliceAxisAttrs> { static constexpr const char* kName = "slice_axis"; };
struct SliceFromKernel : CopyKey<SliceFromAttrs> { static constexpr const char* kName = "slice_from"; };
struct SliceIntoKernel : CopyKey<SliceIntoAttrs> { static constexpr const char* kName = "slice_into"; };
struct SliceAssignScalarKernel : CopyKey<SliceAssignScalarAttrs> { static constexpr const char* kName = "slice_assign_scalar"; };
struct SliceAssignKernel {
  using Signature = void(KernelContext&, const SliceAttrs&, const TensorView& lhs, const TensorView& rhs, TensorView& y);
  static constexpr const char* kName = "slice_assign";
};

// ---- join.cc
struct ConcatAttrs { int64_t num_args = 0, dim = 1; };
struct StackAttrs { int64_t axis = 0, num_args = 0; };
struct SplitAttrs {
  int64_t num_outputs = 1, axis = 1;
  bool squeeze_axis = false;
};
struct SplitV2Attrs {
  Ints indices;
  int64_t axis = 1;
  bool squeeze_axis = false;
  int64_t sections = 0;
};
struct ConcatKernel {
  using Signature = void(KernelContext&, const ConcatAttrs&, Views x, TensorView& y);
  static constexpr const char* kName = "Concat";
};
template <class A> struct SplitKey { using Signature = void(KernelContext&, const A&, const TensorView& x, OutViews y); };
struct SplitKernel : SplitKey<SplitAttrs> { static constexpr const char* kName = "SliceChannel"; };
struct SplitV2Kernel : SplitKey<SplitV2Attrs> { static constexpr const char* kName = "split_v2"; };

// ---- pad.cc
enum class PadMode { kConstant, kEdge, kReflect };
struct PadAttrs {
  PadMode mode = PadMode::kConstant;
  Ints pad_width;
  double constant_value = 0;
};
struct DiagAttrs { int64_t k = 0, axis1 = 0, axis2 = 1; };
struct DiagIntoAttrs {
  Ints shape;
  int64_t k = 0, axis1 = 0, axis2 = 1;
};
struct PadKernel : CopyKey<PadAttrs> { static constexpr const char* kName = "Pad"; };
struct DiagKernel : CopyKey<DiagAttrs> { static constexpr const char* kName = "diag"; };
struct DiagIntoKernel : CopyKey<DiagIntoAttrs> { static constexpr const char* kName = "diag_into"; };

// ---- dot.cc
enum class DotStype { kDefault, kRowSparse, kCsr };
struct DotAttrs {
  bool transpose_a = false, transpose_b = false;
  std::optional<DotStype> forward_stype;
};
template <class A> struct ProductKey { using Signature = void(KernelContext&, const A&, const TensorView& a, const TensorView& b, TensorView& y); };
struct DotKernel : ProductKey<DotAttrs> { static constexpr const char* kName = "dot"; };
struct BatchDotKernel : ProductKey<DotAttrs> { static constexpr const char* kName = "batch_dot"; };

// For gradients and compositions: x from `from` on, `size` long, along axis k.
Val PartOf(Val x, int k, int64_t from, int64_t size);

template <> struct EnumNames<PadMode> { static constexpr const char* names[] = {"constant", "edge", "reflect"}; };
template <> struct EnumNames<DotStype> { static constexpr const char* names[] = {"default", "row_sparse", "csr"}; };

}  // namespace flx

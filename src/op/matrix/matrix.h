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

}  // namespace flx

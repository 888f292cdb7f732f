// SPDX-License-Identifier: Apache-2.0
// The one driver of all elementwise loops. Loops know float32, float64, int32 and int64 over contiguous elements; the driver feeds them: in tiles of
// 256 elements, converted, gathered and broadcast (NumPy's rule), or by the arrays' own pointers and as long as possible where there is nothing to do.
#pragma once
#include "op/op.h"

namespace flx {

// Out may be the memory of an input of the same dtype, shape and strides. The loops' type follows from out's: float32 for float32 and the 16-bit
// floats, int32 for bool and integers below 32 bits, int64 for wider ones (uint64 has loops of its own). An input of another dtype is loaded by value if that is exact (or an
// integer into float64), and else as 0 or 1: the only such input is a condition.
void RunElementwise(const OpDef& op, const TileLoops& loops, KernelContext& ctx, const double* scalars, const TensorView* in, int nin, TensorView& out);

TileFn LoopOf(const TileLoops& l, DType t);  // of elements that need no conversion; null: there is none
DType LoopType(DType t);  // float32, float64, int32 or int64
constexpr int kTile = 256;
constexpr int kTileInputs = 8;

}  // namespace flx

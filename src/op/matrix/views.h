// SPDX-License-Identifier: Apache-2.0
// What the operators share that only say where elements lie: results that are views of their input, and the kernels that copy instead.
#pragma once
#include "op/op.h"
#include "op/val_attrs.h"
#include "tensor/view.h"

namespace flx {

// The strides under which memory of shape `from` and `strides` reads as shape `to`; false: it needs a copy. Both have the same size.
bool ReshapeStrides(const Shape& from, const Shape& strides, const Shape& to, Shape* out);
bool ReshapeView(const Shape& from, const Shape& strides, const Shape& to, ViewSpec* out);
// NumPy's broadcasting: axes of size 1, and those in front, get stride 0.
void BroadcastView(const Shape& from, const Shape& strides, const Shape& to, ViewSpec* out);
TensorView Apply(const TensorView& x, const ViewSpec& v);

// y receives the elements of x in row-major order; their shapes may differ.
void CopyReshaped(KernelContext& ctx, const TensorView& x, const TensorView& y);

template <class A> struct CopyKey { using Signature = void(KernelContext&, const A&, const TensorView& x, TensorView& y); };
template <class A> void ReshapeCpu(KernelContext& ctx, const A&, const TensorView& x, TensorView& y) { CopyReshaped(ctx, x, y); }

// A geometry fills in the view of the result over its input, and says whether others may share it (else the kernel copies through it).
template <class A> using Geometry = bool (*)(const A&, const Shape& x, const Shape& strides, ViewSpec* out);
void CopyView(const TensorView& x, const ViewSpec& v, const TensorView& y);
template <class A, Geometry<A> G> void ViewCpu(KernelContext&, const A& a, const TensorView& x, TensorView& y) {
  ViewSpec v;
  G(a, x.shape, x.strides, &v);
  CopyView(x, v, y);
}

// One list of operators and one of kernels for each file of this family.
#define FLX_FILE(name) void Add##name##Ops(std::vector<OpDef>* ops); void Add##name##CpuKernels(KernelList* list)
FLX_FILE(Reshape);    // reshape.cc: Reshape, reshape_like, Flatten, expand_dims, squeeze, _np_reshape_to
FLX_FILE(Transpose);  // transpose.cc: transpose, SwapAxis, depth_to_space, space_to_depth, reverse
FLX_FILE(Broadcast);  // broadcast.cc: broadcast_to, broadcast_axis, broadcast_like, repeat, tile, _np_broadcast_to
FLX_FILE(Slice);      // slice.cc: slice, slice_axis, slice_like, Crop, _slice_assign, _slice_assign_scalar, _slice_from, _slice_into
FLX_FILE(Join);       // join.cc: Concat, stack, SliceChannel, _split_v2
FLX_FILE(Pad);        // pad.cc: Pad, diag, _diag_into
FLX_FILE(Dot);        // dot.cc: dot, batch_dot
#undef FLX_FILE

}  // namespace flx

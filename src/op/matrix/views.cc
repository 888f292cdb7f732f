// SPDX-License-Identifier: Apache-2.0
#include "op/matrix/views.h"

#include "tensor/array.h"

namespace flx {

bool ReshapeStrides(const Shape& from, const Shape& strides, const Shape& to, Shape* out) {
  *out = ContiguousStrides(to);
  if (from.size() <= 1) return true;
  // Both shapes are cut into the shortest groups of equal size; within a group the input must be one even run.
  int i = 0, j = 0;
  while (i < from.ndim() || j < to.ndim()) {
    int i0 = i, j0 = j;
    int64_t m = 1, n = 1;
    while (i < from.ndim() && from[i] == 1) ++i, ++i0;
    while (j < to.ndim() && to[j] == 1) ++j, ++j0;
    if (i == from.ndim() || j == to.ndim()) break;
    m = from[i++], n = to[j++];
    while (m != n) {
      if (m < n) m *= from[i++];
      else n *= to[j++];
    }
    int last = -1;  // the group's last axis with more than one element
    for (int k = i0; k < i; ++k) {
      if (from[k] == 1) continue;
      if (last >= 0 && strides[last] != strides[k] * from[k]) return false;
      last = k;
    }
    int64_t s = strides[last];
    for (int k = j - 1; k >= j0; --k) (*out)[k] = s, s *= to[k];
  }
  return true;
}
bool ReshapeView(const Shape& from, const Shape& strides, const Shape& to, ViewSpec* out) {
  out->shape = to, out->offset = 0;
  return ReshapeStrides(from, strides, to, &out->strides);
}
void BroadcastView(const Shape& from, const Shape& strides, const Shape& to, ViewSpec* out) {
  out->shape = to, out->offset = 0, out->strides = Shape::Filled(to.ndim(), 0);
  int front = to.ndim() - from.ndim();
  for (int i = 0; i < from.ndim(); ++i)
    if (from[i] == to[i + front]) out->strides[i + front] = strides[i];
}
TensorView Apply(const TensorView& x, const ViewSpec& v) {
  TensorView t = x;
  t.shape = v.shape, t.strides = v.strides, t.offset += v.offset * DTypeSize(x.dtype);
  t.contiguous = t.strides == ContiguousStrides(t.shape);
  return t;
}
void CopyView(const TensorView& x, const ViewSpec& v, const TensorView& y) { CopyStrided(Apply(x, v), y); }

void CopyReshaped(KernelContext& ctx, const TensorView& x, const TensorView& y) {
  ViewSpec v;
  if (ReshapeView(y.shape, y.strides, x.shape, &v)) return CopyStrided(x, Apply(y, v));
  if (ReshapeView(x.shape, x.strides, y.shape, &v)) return CopyStrided(Apply(x, v), y);
  TensorView t = MakeView(ctx.Scratch(x.bytes()), x.dtype, x.shape);
  CopyStrided(x, t);
  t.shape = y.shape, t.strides = ContiguousStrides(y.shape);
  CopyStrided(t, y);
}

}  // namespace flx

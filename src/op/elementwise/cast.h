// SPDX-License-Identifier: Apache-2.0
// Kernel keys of casts, and their work as plain functions.
#pragma once
#include "op/op.h"
#include "op/val_attrs.h"

namespace flx {
struct CastKernel {
  using Signature = void(KernelContext&, const CastAttrs&, const TensorView& x, TensorView& y);
  static constexpr const char* kName = "Cast";
};
struct LikeKernel {
  using Signature = void(KernelContext&, const NoAttrs&, const TensorView& x, const TensorView& like, TensorView& y);
  static constexpr const char* kName = "_identity_with_attr_like_rhs";
};
void CastElements(const TensorView& x, TensorView& y);             // contiguous, of one size
void AddElements(KernelContext& ctx, Views x, TensorView& y);      // contiguous, of one shape and dtype; y may be x[0]
}  // namespace flx

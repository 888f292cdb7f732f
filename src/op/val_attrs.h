// SPDX-License-Identifier: Apache-2.0
// Attributes of the few operators that Val's arithmetic calls directly; their definitions use the same structs.
#pragma once
#include "base/attrs.h"

namespace flx {
struct ScalarAttrs { double scalar = 1; bool is_int = true; };                 // _plus_scalar and its family: scalar is runtime
struct ToShapeAttrs { Ints shape; };                                           // _sum_to, _np_broadcast_to, _np_reshape_to
struct CastAttrs { DType dtype = DType::kNone; };                              // Cast
}  // namespace flx

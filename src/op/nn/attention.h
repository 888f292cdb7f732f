// SPDX-License-Identifier: Apache-2.0
// The parts of attention as MXNet's transformers call them: products over heads that lie interleaved in one array.
#pragma once
#include "op/op.h"

namespace flx {

struct AttentionAttrs { int64_t heads = 1; };
OpDef SelfAttentionQkOp();
OpDef SelfAttentionValueOp();
OpDef CrossAttentionQkOp();
OpDef CrossAttentionValueOp();
OpDef DivSqrtDimOp();

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// Normalizations that are made of other operators.
#pragma once
#include "op/op.h"

namespace flx {

enum class L2Mode { kInstance, kSpatial, kChannel };
template <> struct EnumNames<L2Mode> { static constexpr const char* names[] = {"instance", "spatial", "channel"}; };
struct L2NormalizationAttrs { float eps = 1e-10f; L2Mode mode = L2Mode::kInstance; };
struct InstanceNormAttrs { float eps = 1e-3f; };
struct GroupNormAttrs { int64_t num_groups = 1; float eps = 1e-5f; bool output_mean_var = false; };
struct LrnAttrs { float alpha = 1e-4f, beta = 0.75f, knorm = 2; int64_t nsize = 0; };

OpDef L2NormalizationOp();
OpDef InstanceNormOp();
OpDef GroupNormOp();
OpDef LrnOp();

}  // namespace flx

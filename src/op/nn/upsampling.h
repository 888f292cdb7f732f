// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "op/op.h"

namespace flx {

enum class UpSampleType { kNearest, kBilinear };
template <> struct EnumNames<UpSampleType> { static constexpr const char* names[] = {"nearest", "bilinear"}; };
enum class UpSampleInputs { kConcat, kSum };
template <> struct EnumNames<UpSampleInputs> { static constexpr const char* names[] = {"concat", "sum"}; };
struct UpSamplingAttrs {
  int64_t scale = 1, num_filter = 0;
  UpSampleType sample_type = UpSampleType::kNearest;
  UpSampleInputs multi_input_mode = UpSampleInputs::kConcat;
  int64_t num_args = 1, workspace = 512;
};
OpDef UpSamplingOp();

}  // namespace flx

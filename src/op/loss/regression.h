// SPDX-License-Identifier: Apache-2.0
// The outputs that bring their own gradient: linear, logistic and absolute regression, and MakeLoss. Made of other operators throughout.
#pragma once
#include "op/loss/softmax_output.h"
#include "op/op.h"

namespace flx {

struct RegressionAttrs { float grad_scale = 1; };
struct MakeLossAttrs {
  float grad_scale = 1, valid_thresh = 0;
  LossNorm normalization = LossNorm::kNull;
};
OpDef LinearRegressionOutputOp();
OpDef LogisticRegressionOutputOp();
OpDef MaeRegressionOutputOp();
OpDef MakeLossOp();

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
#include "op/families.h"

namespace flx {
void FillAllOps(std::vector<OpDef>* ops) {
  AddElementwiseOps(ops);
  AddReduceOps(ops);
  AddMatrixOps(ops);
  AddIndexingOps(ops);
  AddRandomOps(ops);
  AddInitOps(ops);
  AddNnOps(ops);
  AddRnnOps(ops);
  AddLossOps(ops);
  AddControlOps(ops);
  AddHostOp(ops);
  AddOptimOps(ops);
  AddSequenceOps(ops);
  AddVisionOps(ops);
}
}  // namespace flx

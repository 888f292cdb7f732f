// SPDX-License-Identifier: Apache-2.0
// The operators of this family and their CPU kernels, listed file by file.
#include "op/families.h"
#include "op/matrix/views.h"

namespace flx {

void AddMatrixOps(std::vector<OpDef>* ops) {
  AddReshapeOps(ops);
  AddTransposeOps(ops);
  AddBroadcastOps(ops);
  AddSliceOps(ops);
  AddJoinOps(ops);
  AddPadOps(ops);
  AddDotOps(ops);
}
void AddMatrixCpuKernels(KernelList* list) {
  AddReshapeCpuKernels(list);
  AddTransposeCpuKernels(list);
  AddBroadcastCpuKernels(list);
  AddSliceCpuKernels(list);
  AddJoinCpuKernels(list);
  AddPadCpuKernels(list);
  AddDotCpuKernels(list);
}

}  // namespace flx

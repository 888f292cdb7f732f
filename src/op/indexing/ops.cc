// SPDX-License-Identifier: Apache-2.0
// The operators of this family and their CPU kernels, listed file by file.
#include "op/families.h"
#include "op/indexing/indexing.h"

namespace flx {

void AddIndexingOps(std::vector<OpDef>* ops) {
  AddTakeOps(ops);
  AddNdOps(ops);
  AddSortOps(ops);
}
void AddIndexingCpuKernels(KernelList* list) {
  AddTakeCpuKernels(list);
  AddNdCpuKernels(list);
  AddSortCpuKernels(list);
}

}  // namespace flx

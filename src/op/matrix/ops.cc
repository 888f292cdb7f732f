// SPDX-License-Identifier: Apache-2.0
// The operators of this family and their CPU kernels, listed one by one.
#include "op/families.h"

namespace flx {

void AddMatrixOps(std::vector<OpDef>* ops) { (void)ops; }
void AddMatrixCpuKernels(KernelList* list) { (void)list; }

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// The operators of this family and their CPU kernels, listed file by file.
#include "op/families.h"
#include "op/random/random.h"

namespace flx {

void AddRandomOps(std::vector<OpDef>* ops) {
  AddDrawOps(ops);
  AddChooseOps(ops);
}
void AddRandomCpuKernels(KernelList* list) {
  AddDrawCpuKernels(list);
  AddChooseCpuKernels(list);
}

}  // namespace flx

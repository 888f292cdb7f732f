// SPDX-License-Identifier: Apache-2.0
#include "op/families.h"

namespace flx {
void FillAllCpuKernels(KernelList* list) {
  AddElementwiseCpuKernels(list);
  AddReduceCpuKernels(list);
  AddMatrixCpuKernels(list);
  AddIndexingCpuKernels(list);
  AddRandomCpuKernels(list);
  AddInitCpuKernels(list);
  AddNnCpuKernels(list);
  AddRnnCpuKernels(list);
  AddLossCpuKernels(list);
  AddOptimCpuKernels(list);
  AddSequenceCpuKernels(list);
  AddVisionCpuKernels(list);
}
}  // namespace flx

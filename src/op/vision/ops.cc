// SPDX-License-Identifier: Apache-2.0
// The operators of this family and their CPU kernels, listed file by file.
#include "op/families.h"
#include "op/vision/vision.h"

namespace flx {

void AddVisionOps(std::vector<OpDef>* ops) {
  AddBoxOps(ops);
  AddMultiBoxOps(ops);
}
void AddVisionCpuKernels(KernelList* list) {
  list->push_back(Kernel<BoxIouKernel>(&BoxIouCpu));
  list->push_back(Kernel<BoxNmsKernel>(&BoxNmsCpu).OnDevices());
  list->push_back(Kernel<BoxNmsGradKernel>(&BoxNmsGradCpu).OnDevices());
  list->push_back(Kernel<MultiBoxPriorKernel>(&MultiBoxPriorCpu).OnDevices());
  list->push_back(Kernel<MultiBoxTargetKernel>(&MultiBoxTargetCpu).OnDevices());
  list->push_back(Kernel<MultiBoxDetectionKernel>(&MultiBoxDetectionCpu).OnDevices());
}

}  // namespace flx

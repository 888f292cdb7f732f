// SPDX-License-Identifier: Apache-2.0
#include "op/families.h"
#include "op/rnn/rnn.h"

namespace flx {

void AddRnnOps(std::vector<OpDef>* ops) {
  for (auto make : {&RnnOp, &RnnGradOp}) ops->push_back(make());
}
void AddRnnCpuKernels(KernelList* list) {
  list->push_back(Kernel<RnnKernel>(&RnnCpu, &RnnOnDevice));
  list->push_back(Kernel<RnnGradKernel>(&RnnGradCpu, &RnnGradOnDevice));
}

}  // namespace flx

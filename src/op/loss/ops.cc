// SPDX-License-Identifier: Apache-2.0
// The operators of this family and their CPU kernels, listed one by one.
#include "op/families.h"
#include "op/loss/ctc.h"
#include "op/loss/regression.h"
#include "op/loss/softmax_output.h"

namespace flx {

void AddLossOps(std::vector<OpDef>* ops) {
  for (auto make : {&SoftmaxOutputOp, &SoftmaxOutputGradOp, &SoftmaxCrossEntropyOp, &SoftmaxCrossEntropyGradOp, &LinearRegressionOutputOp, &LogisticRegressionOutputOp,
                    &MaeRegressionOutputOp, &MakeLossOp, &CtcLossOp, &CtcLossGradOp})
    ops->push_back(make());
}
void AddLossCpuKernels(KernelList* list) {
  list->push_back(Kernel<SoftmaxOutputKernel>(&SoftmaxOutputCpu).OnDevices());
  list->push_back(Kernel<SoftmaxOutputGradKernel>(&SoftmaxOutputGradCpu).OnDevices());
  list->push_back(Kernel<SoftmaxCrossEntropyKernel>(&SoftmaxCrossEntropyCpu).OnDevices());
  list->push_back(Kernel<SoftmaxCrossEntropyGradKernel>(&SoftmaxCrossEntropyGradCpu).OnDevices());
  list->push_back(Kernel<CtcKernel>(&CtcLossCpu).OnDevices());
  list->push_back(Kernel<CtcGradKernel>(&CtcLossGradCpu).OnDevices());
}

}  // namespace flx

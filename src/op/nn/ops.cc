// SPDX-License-Identifier: Apache-2.0
// The operators of this family and their CPU kernels, listed one by one.
#include "op/families.h"
#include "op/nn/attention.h"
#include "op/nn/batch_norm.h"
#include "op/nn/blocked.h"
#include "op/nn/convolution.h"
#include "op/nn/dropout.h"
#include "op/nn/fully_connected.h"
#include "op/nn/layer_norm.h"
#include "op/nn/norms.h"
#include "op/nn/pooling.h"
#include "op/nn/softmax.h"
#include "op/nn/upsampling.h"

namespace flx {

void AddNnOps(std::vector<OpDef>* ops) {
  for (auto make : {&FullyConnectedOp, &FullyConnectedChainOp, &ConvolutionOp, &ConvolutionGradDataOp, &ConvolutionGradWeightOp, &DeconvolutionOp, &PoolingOp, &PoolingGradOp, &PoolingTakeOp,
                    &BatchNormOp, &BatchNormGradOp, &LayerNormOp, &LayerNormGradOp, &DropoutOp, &SoftmaxOp, &SoftminOp, &LogSoftmaxOp, &SoftmaxGradOp, &LogSoftmaxGradOp,
                    &SoftmaxActivationOp, &L2NormalizationOp, &InstanceNormOp, &GroupNormOp, &LrnOp, &UpSamplingOp, &SelfAttentionQkOp,
                    &SelfAttentionValueOp, &CrossAttentionQkOp, &CrossAttentionValueOp, &DivSqrtDimOp, &ToBlockedOp, &FromBlockedOp, &PackWeightOp, &BlockedConvOp,
                    &BlockedConvAddOp, &BlockedConvGradDataOp, &BlockedConvGradWeightOp, &BlockedPoolingOp, &BlockedPoolingGradOp, &BlockedBatchNormOp, &BlockedBatchNormGradOp})
    ops->push_back(make());
}
void AddNnCpuKernels(KernelList* list) {
  list->push_back(Kernel<FullyConnectedKernel>(&FullyConnectedCpu).OnDevices());
  list->push_back(Kernel<FullyConnectedChainKernel>(&FullyConnectedChainCpu));
  list->push_back(Kernel<ConvolutionKernel>(&ConvolutionCpu, &ConvolutionOnDevice));
  list->push_back(Kernel<ConvolutionGradDataKernel>(&ConvolutionGradDataCpu, &ConvolutionGradDataOnDevice));
  list->push_back(Kernel<ConvolutionGradWeightKernel>(&ConvolutionGradWeightCpu, &ConvolutionGradWeightOnDevice));
  list->push_back(Kernel<PoolingKernel>(&PoolingCpu, &PoolingOnDevice));
  list->push_back(Kernel<PoolingGradKernel>(&PoolingGradCpu, &PoolingGradOnDevice));
  list->push_back(Kernel<PoolingTakeKernel>(&PoolingTakeCpu, &PoolingTakeOnDevice));
  list->push_back(Kernel<BatchNormKernel>(&BatchNormCpu).OnDevices());
  list->push_back(Kernel<BatchNormGradKernel>(&BatchNormGradCpu).OnDevices());
  list->push_back(Kernel<LayerNormKernel>(&LayerNormCpu));
  list->push_back(Kernel<LayerNormGradKernel>(&LayerNormGradCpu));
  list->push_back(Kernel<DropoutKernel>(&DropoutCpu).OnDevices());
  list->push_back(Kernel<SoftmaxKernel>(&SoftmaxCpu).OnDevices());
  list->push_back(Kernel<SoftminKernel>(&SoftminCpu).OnDevices());
  list->push_back(Kernel<LogSoftmaxKernel>(&LogSoftmaxCpu).OnDevices());
  list->push_back(Kernel<SoftmaxGradKernel>(&SoftmaxGradCpu).OnDevices());
  list->push_back(Kernel<LogSoftmaxGradKernel>(&LogSoftmaxGradCpu).OnDevices());
  list->push_back(Kernel<SoftmaxActivationKernel>(&SoftmaxActivationCpu).OnDevices());
  AddBlockedCpuKernels(list);
}

}  // namespace flx

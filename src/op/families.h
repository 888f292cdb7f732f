// SPDX-License-Identifier: Apache-2.0
// Each family's two lists: its operators, and their CPU kernels. Explicit, so that static linking drops none.
#pragma once
#include "op/op.h"

namespace flx {
// A kernel with a function of its own for devices.
template <class K> KernelEntry Kernel(typename K::Signature* fn, typename K::Signature* on_devices) {
  KernelEntry e = Kernel<K>(fn);
  e.device_fn = reinterpret_cast<AnyFn>(on_devices);
  return e;
}
void AddElementwiseOps(std::vector<OpDef>* ops);
void AddElementwiseCpuKernels(KernelList* list);
void AddReduceOps(std::vector<OpDef>* ops);
void AddReduceCpuKernels(KernelList* list);
void AddMatrixOps(std::vector<OpDef>* ops);
void AddMatrixCpuKernels(KernelList* list);
void AddIndexingOps(std::vector<OpDef>* ops);
void AddIndexingCpuKernels(KernelList* list);
void AddRandomOps(std::vector<OpDef>* ops);
void AddRandomCpuKernels(KernelList* list);
void AddInitOps(std::vector<OpDef>* ops);
void AddInitCpuKernels(KernelList* list);
void AddNnOps(std::vector<OpDef>* ops);
void AddNnCpuKernels(KernelList* list);
void AddRnnOps(std::vector<OpDef>* ops);
void AddRnnCpuKernels(KernelList* list);
void AddLossOps(std::vector<OpDef>* ops);
void AddLossCpuKernels(KernelList* list);
void AddControlOps(std::vector<OpDef>* ops);
void AddHostOp(std::vector<OpDef>* ops);
void AddOptimOps(std::vector<OpDef>* ops);
void AddOptimCpuKernels(KernelList* list);
void AddSequenceOps(std::vector<OpDef>* ops);
void AddSequenceCpuKernels(KernelList* list);
void AddVisionOps(std::vector<OpDef>* ops);
void AddVisionCpuKernels(KernelList* list);
}  // namespace flx

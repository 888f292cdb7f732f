// SPDX-License-Identifier: Apache-2.0
#include "cuda/elementwise.h"

namespace flx::cuda {
namespace {
#include "op/elementwise/activation_formulas.h"
}  // namespace
void AddActivationKernels(KernelTable* t) {
  KernelList<All> list{t};
  ListActivation(list);
}
}  // namespace flx::cuda

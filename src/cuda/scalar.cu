// SPDX-License-Identifier: Apache-2.0
#include "cuda/elementwise.h"

namespace flx::cuda {
namespace {
#include "op/elementwise/binary_formulas.h"
}  // namespace
void AddScalarKernels(KernelTable* t) {
  KernelList<WithNumbers> list{t};
  ListBinary(list);
}
}  // namespace flx::cuda

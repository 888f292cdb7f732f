// SPDX-License-Identifier: Apache-2.0
#include "cuda/elementwise.h"

namespace flx::cuda {
namespace {
#include "op/elementwise/unary_formulas.h"
}  // namespace
void AddUnaryAnyKernels(KernelTable* t) {
  KernelList<OfAny> list{t};
  ListUnary(list);
}
}  // namespace flx::cuda

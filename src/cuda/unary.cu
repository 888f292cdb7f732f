// SPDX-License-Identifier: Apache-2.0
#include "cuda/elementwise.h"

namespace flx::cuda {
namespace {
#include "op/elementwise/unary_formulas.h"
}  // namespace
void AddUnaryKernels(KernelTable* t) {
  KernelList<OfFloats> list{t};
  ListUnary(list);
}
}  // namespace flx::cuda

// SPDX-License-Identifier: Apache-2.0
// The operators of this family and their CPU kernels.
#include <cstring>

#include "op/elementwise/family.h"
#include "op/elementwise/formula.h"
#include "op/families.h"

namespace flx {
namespace {
const LoopList& CpuList() {
  static const LoopList* list = [] {
    auto* l = new LoopList;  // as the registry, never destroyed
    GetUnaryLoops(l);
    GetBinaryLoops(l);
    GetActivationLoops(l);
    return l;
  }();
  return *list;
}
}  // namespace

const TileLoops& CpuLoops(const char* name) {
  const LoopList& list = CpuList();
  for (int i = 0; i < list.count; ++i) if (std::strcmp(list.items[i].name, name) == 0) return list.items[i].loops;
  Fail(Status::kInternal, name, "no elementwise loops have this name.");
}
void AddElementwiseOps(std::vector<OpDef>* ops) {
  AddUnaryOps(ops);
  AddUnaryMoreOps(ops);
  AddBinaryOps(ops);
  AddScalarOps(ops);
  AddCastOps(ops);
  AddWhereOps(ops);
  AddActivationOps(ops);
  AddChainOps(ops);
}
void AddElementwiseCpuKernels(KernelList* list) {
  const LoopList& loops = CpuList();
  for (int i = 0; i < loops.count; ++i) list->push_back(TileKernel(loops.items[i].name, &loops.items[i].loops));
  AddCastCpuKernels(list);
  AddWhereCpuKernels(list);
  AddActivationCpuKernels(list);
  AddChainCpuKernels(list);
}

}  // namespace flx

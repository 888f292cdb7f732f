// SPDX-License-Identifier: Apache-2.0
// The operators of this family, listed file by file.
#include "op/families.h"
#include "op/reduce/reduce.h"

namespace flx {

void AddReduceOps(std::vector<OpDef>* ops) {
  AddNpReductions(ops);
  AddMxReductions(ops);
  AddNormAndArg(ops);
}

}  // namespace flx

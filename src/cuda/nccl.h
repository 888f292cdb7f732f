// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "device/device_table.h"

namespace flx::cuda {

void AddCollectives(flx_device_table* t);
// A GPU was lost: what the others do together with it would wait for it for ever, and is given up. Its results are poisoned as the lost GPU's are.
void AbortGroups(int32_t device);

}  // namespace flx::cuda

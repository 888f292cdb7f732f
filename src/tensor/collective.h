// SPDX-License-Identifier: Apache-2.0
// Sums and copies over arrays of several devices at once, by the collectives of their module: NCCL on GPUs. Each function takes contiguous arrays of one
// shape and dtype, one on each device. It answers false, and has done nothing, where the module has no collectives for these, or where FLEXOR_DETERMINISTIC
// demands sums of a fixed order; then the same is to be done by copies and additions. Queued, as any operation.
#pragma once
#include <vector>

#include "tensor/array.h"

namespace flx::collective {

bool AllReduce(const std::vector<NDArray>& from, const std::vector<NDArray>& to);  // every array of `to` becomes the sum; on the devices of `from`
bool Reduce(const std::vector<NDArray>& from, const NDArray& to);                  // on one of those devices
bool Broadcast(const NDArray& from, const std::vector<NDArray>& to);               // from one of their devices

}  // namespace flx::collective

// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

namespace flx {

// What arrays will hold whose memory is not taken yet, since the operations that make them are queued: a host that runs ahead holds it all the same.
// From 8 KiB an array.
int64_t PromisedBytes();

}  // namespace flx

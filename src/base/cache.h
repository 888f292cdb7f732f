// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

namespace flx {

// Bytes of the last cache before memory; a result larger than that is written past the caches, since reading its lines first would only cost.
int64_t CacheBytes();

}  // namespace flx

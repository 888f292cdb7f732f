// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

namespace flx {

int64_t CacheBytes();  // of the last cache before memory

// Whether an operation that reads and writes so many bytes should write past the caches: they would not hold its result for the next one, and a line
// that is written the usual way is read first.
inline bool PastCaches(int64_t bytes) { return bytes > CacheBytes() / 4 * 3; }

}  // namespace flx

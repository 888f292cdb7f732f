// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

#include "base/random.h"

namespace flx {
// words[0..n): word i is word (at + i) % 4 of Philox for (element (at + i) / 4, draw 0). `at` must be a multiple of 4.
void RandomWords(const Philox& philox, uint64_t at, int64_t n, uint32_t* words);
}  // namespace flx

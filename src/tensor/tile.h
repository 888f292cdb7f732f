// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

namespace flx {

constexpr int64_t kTileSide = 64;
// to[i * to_step + j] = from[j * from_step + i] for i < rows, j < columns, both at most kTileSide; elements of `size` bytes (1, 2, 4 or 8).
// `stream`: past the caches, where `to` allows it; FlushPast() afterwards, in the same thread.
using TurnFn = void (*)(const void* from, int64_t from_step, void* to, int64_t to_step, int64_t rows, int64_t columns, bool stream);
TurnFn TransposeTile(int size);

// memcpy past the caches; FlushPast() when all is written, in the same thread.
void CopyPast(void* to, const void* from, int64_t bytes);
void FlushPast();

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// Sizes of blocks: multiples of 64 bytes up to 256, then four sizes to each doubling up to 4 MiB, then eight. A block's class follows from the bytes
// asked for, so blocks carry no header, and what is freed fits the next of its class exactly.
#pragma once
#include <cstddef>
#include <cstdint>

namespace flx {

constexpr int kSmallClasses = 60;                        // held by thread caches
constexpr size_t kLargestSmall = size_t(4) << 20;
constexpr int kClasses = kSmallClasses + 8 * 24;         // up to 64 TiB
constexpr size_t kLargest = size_t(1) << 46;

constexpr int Log2(size_t v) { return 63 - __builtin_clzll(v); }
constexpr int ClassOf(size_t bytes) {
  if (bytes <= 256) return bytes <= 64 ? 0 : int((bytes - 1) >> 6);
  int e = Log2(bytes - 1);
  if (bytes <= kLargestSmall) return 4 + (e - 8) * 4 + int((bytes - 1) >> (e - 2)) - 4;
  return kSmallClasses + (e - 22) * 8 + int((bytes - 1) >> (e - 3)) - 8;
}
constexpr size_t ClassSize(int c) {
  if (c < 4) return size_t(c + 1) << 6;
  if (c < kSmallClasses) return size_t((c - 4) % 4 + 5) << ((c - 4) / 4 + 6);
  return size_t((c - kSmallClasses) % 8 + 9) << ((c - kSmallClasses) / 8 + 19);
}
static_assert(ClassSize(kSmallClasses - 1) == kLargestSmall && ClassOf(kLargestSmall) == kSmallClasses - 1);
static_assert(ClassOf(kLargestSmall + 1) == kSmallClasses && ClassOf(kLargest) == kClasses - 1 && ClassSize(kClasses - 1) == kLargest);

}  // namespace flx

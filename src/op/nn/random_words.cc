// SPDX-License-Identifier: Apache-2.0
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "op/nn/random_words.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep

#include "hwy/highway.h"
#include "op/nn/random_words.h"

HWY_BEFORE_NAMESPACE();
namespace flx {
namespace HWY_NAMESPACE {

// Philox (base/random.h) for a block of counters at once, lane by lane, so that the compiler makes vectors of it.
void Words(const Philox* philox, uint64_t at, int64_t n, uint32_t* words) {
  constexpr int kLanes = 16;
  for (int64_t i = 0; i < n; i += 4 * kLanes) {
    uint64_t c0[kLanes], c1[kLanes], c2[kLanes], c3[kLanes];  // 32 bits used of each: the product needs 64
    for (int j = 0; j < kLanes; ++j) {
      uint64_t element = (at + uint64_t(i)) / 4 + uint64_t(j);
      c0[j] = element & 0xffffffff, c1[j] = element >> 32, c2[j] = 0, c3[j] = 0;
    }
    uint32_t k0 = philox->key[0], k1 = philox->key[1];
    for (int r = 0; r < 10; ++r) {
      for (int j = 0; j < kLanes; ++j) {
        uint64_t p0 = 0xD2511F53ull * c0[j], p1 = 0xCD9E8D57ull * c2[j];
        uint64_t n0 = (p1 >> 32) ^ c1[j] ^ k0, n2 = (p0 >> 32) ^ c3[j] ^ k1;
        c1[j] = p1 & 0xffffffff, c3[j] = p0 & 0xffffffff, c0[j] = n0, c2[j] = n2;
      }
      k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    uint32_t out[4 * kLanes];
    for (int j = 0; j < kLanes; ++j) out[4 * j] = uint32_t(c0[j]), out[4 * j + 1] = uint32_t(c1[j]), out[4 * j + 2] = uint32_t(c2[j]), out[4 * j + 3] = uint32_t(c3[j]);
    int64_t m = n - i < 4 * kLanes ? n - i : 4 * kLanes;
    for (int64_t j = 0; j < m; ++j) words[i + j] = out[j];
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace flx
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace flx {
HWY_EXPORT(Words);
void RandomWords(const Philox& philox, uint64_t at, int64_t n, uint32_t* words) { HWY_DYNAMIC_DISPATCH(Words)(&philox, at, n, words); }
}  // namespace flx
#endif

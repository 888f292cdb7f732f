// SPDX-License-Identifier: Apache-2.0
// FNV-1a (Fowler, Noll, Vo) of 64 bits, with a basis of our own: the same in every build, so it may stand in files, names and signatures.
#pragma once
#include <cstdint>
#include <string_view>

namespace flx {

constexpr uint64_t kHashBasis = 1469598103934665603ull, kHashPrime = 1099511628211ull;
// Of what `before` is the hash of, and then `s`.
constexpr uint64_t HashBytes(std::string_view s, uint64_t before = kHashBasis) {
  for (char c : s) before = (before ^ uint64_t(static_cast<unsigned char>(c))) * kHashPrime;
  return before;
}

}  // namespace flx

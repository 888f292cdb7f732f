// SPDX-License-Identifier: Apache-2.0
#include "io/iter.h"

#include <numeric>

#include "base/random.h"
#include "io/iters.h"

namespace flx {

bool Iter::Next() {
  if (ended_) return false;
  begun_ = true;
  arrays_.clear();
  pad_ = 0;
  if (Fetch()) return true;
  ended_ = true;
  return false;
}
void Iter::Reset() { SetEpoch(begun_ ? epoch_ + 1 : epoch_); }
void Iter::SetEpoch(int64_t epoch) {
  if (epoch < 0) Fail(Status::kArgument, "iter", "an epoch's number must be 0 or more, given ", epoch, ".");
  arrays_.clear();
  pad_ = 0;
  Begin(epoch);
  epoch_ = epoch;
  begun_ = ended_ = false;
}

const Registry<IterDef>& Iters() {
  static const auto& all = *new const Registry<IterDef>("iterator", {ArrayIterDef(), CsvIterDef(), MnistIterDef()});
  return all;
}
Ref<Iter> CreateIter(std::string_view name, const Settings& settings, const std::vector<NDArray>& arrays, const std::vector<std::string>& names) {
  const IterDef& def = Iters().Find(name);
  Attrs attrs = ParseSettings(def, settings);
  if (!def.from_arrays && !arrays.empty()) Fail(Status::kArgument, def.name, "expected no arrays, given ", arrays.size(), ".");
  return def.create(attrs, arrays, names);
}

std::vector<int64_t> Permutation(int64_t n, uint64_t seed, int64_t epoch) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), int64_t(0));
  Philox random(Ticket{seed, uint64_t(epoch)});
  uint32_t words[4] = {};
  for (int64_t i = n - 1; i > 0; --i) {
    // Two draws of 64 bits a call; the product's upper half is below i + 1, with a bias of i / 2^64.
    int64_t draw = n - 1 - i;
    if (draw % 2 == 0) random(uint64_t(draw / 2), 0, words);
    uint64_t r = draw % 2 == 0 ? uint64_t(words[0]) << 32 | words[1] : uint64_t(words[2]) << 32 | words[3];
    auto j = static_cast<int64_t>(static_cast<unsigned __int128>(r) * uint64_t(i + 1) >> 64);
    std::swap(order[size_t(i)], order[size_t(j)]);
  }
  return order;
}

}  // namespace flx

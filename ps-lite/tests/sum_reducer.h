// SPDX-License-Identifier: Apache-2.0
// What bytes mean in these tests: arrays of int64. Their sum depends on no order, so who was counted how often can be read from it.
#pragma once
#include <atomic>
#include <cstring>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "ps/server.h"

namespace ps {

using Numbers = std::vector<int64_t>;
inline Buffer ToBuffer(const Numbers& numbers) { return Buffer::Copy(numbers.data(), numbers.size() * 8); }
inline Numbers ToNumbers(const Buffer& bytes) {
  Numbers numbers(bytes.size() / 8);
  if (!numbers.empty()) std::memcpy(numbers.data(), bytes.data(), numbers.size() * 8);
  return numbers;
}
inline KeyInfo Key64(const std::string& name, size_t count) {
  KeyInfo key;
  key.name = name;
  key.dtype = 64;
  key.item_bytes = 8;
  key.bytes = count * 8;
  return key;
}

// Without an optimizer the sum is the value; after Configure("add", factor) value += factor * sum, and the state counts updates.
class SumReducer : public Reducer {
 public:
  Buffer Reduce(const Slice& slice, const std::vector<Contribution>& in_rank_order, Aggregate) override {
    if (slice.key->name == "throws") throw std::runtime_error("this key's sum is not wanted");
    Numbers sum(slice.size / 8);
    for (const Contribution& c : in_rank_order) {
      Numbers one = ToNumbers(c.bytes);
      for (size_t i = 0; i < sum.size(); ++i) sum[i] += one.at(i);
    }
    ++reduced;
    return ToBuffer(sum);
  }
  Stored Apply(const Slice&, const Stored& stored, const Buffer& reduced_bytes) override {
    Numbers value = ToNumbers(stored.value), sum = ToNumbers(reduced_bytes), state = stored.state.empty() ? Numbers{0} : ToNumbers(stored.state);
    for (size_t i = 0; i < value.size(); ++i) value[i] += factor * sum.at(i);
    ++state[0];
    return {ToBuffer(value), ToBuffer(state)};
  }
  void Configure(const std::string& name, const std::string& text) override {
    if (name != "add") throw std::runtime_error("there is no optimizer `" + name + "`");
    factor = std::stoll(text);
  }
  std::atomic<int64_t> factor{0};
  std::atomic<int> reduced{0};
};

}  // namespace ps

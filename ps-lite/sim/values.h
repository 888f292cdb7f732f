// SPDX-License-Identifier: Apache-2.0
// What payloads mean in the simulator. A value is a name for its history: which contributions were added, in which order, to which earlier value. So whoever
// sees the bytes of an answer knows exactly what is in it; two histories never have the same bytes, and a sum in another order is another value.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace ps::sim {

// One array that a user gave: in a push, or at init.
struct Given {
  uint32_t process = 0, life = 0;  // who
  uint32_t key = 0, step = 0;      // which call: the step counts this life's pushes of the key from 1; 0 is init
  uint32_t words = 0;
};

struct Part {            // of a sum
  uint32_t given = 0;    // index among what was given
  uint32_t rank = 0;     // under which rank the server added it
  uint32_t samples = 0;
};

enum class Kind : uint8_t { kGiven, kSum, kStored };
struct Value {
  Kind kind = Kind::kGiven;
  uint32_t key = 0, first = 0, words = 0;  // which words of the key
  uint32_t given = 0;                      // kGiven: whose
  uint32_t base = 0, sum = 0;              // kStored: sum applied to base (values)
  uint32_t depth = 0;                      // kStored: how many sums are in it
  std::vector<Part> parts;                 // kSum; a push that is a round alone has no sum of its own: it is kGiven
};

class Values {
 public:
  Values() { values_.push_back({}); }  // 0 is no value
  std::string give(const Given& given);                     // the bytes of a whole array
  uint32_t last_given() const { return static_cast<uint32_t>(given_.size()) - 1; }
  uint32_t find(std::string_view bytes, uint32_t key);      // the value with these bytes, 0 if they are none; slices of what was given become values here
  uint32_t sum(uint32_t key, std::vector<Part> parts, const std::vector<uint32_t>& values);  // in the order given; 0 if they do not fit together
  uint32_t apply(uint32_t base, uint32_t sum);
  std::string bytes(uint32_t value) const;
  const Value& value(uint32_t id) const { return values_[id]; }
  const Given& given(uint32_t id) const { return given_[id]; }
  std::string text(uint32_t id) const;

 private:
  uint64_t word(uint32_t value, uint32_t index) const;
  uint32_t add(Value value, uint64_t name);
  std::vector<Value> values_;
  std::vector<uint64_t> names_ = {0};
  std::vector<Given> given_;
  std::unordered_map<uint64_t, uint32_t> by_name_;       // looked up only, never walked
  std::unordered_map<uint64_t, uint32_t> by_first_word_;
  struct Place { uint32_t given, index; };
  std::unordered_map<uint64_t, Place> words_given_;
};

}  // namespace ps::sim

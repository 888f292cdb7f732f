// SPDX-License-Identifier: Apache-2.0
#include "sim/values.h"

#include <cstring>

#include "sim/rng.h"

namespace ps::sim {
namespace {
uint64_t GivenWord(uint32_t given, uint32_t index) { return Mix(Mix(1000003u + given), index); }
uint64_t WordAt(std::string_view bytes, size_t index) {
  uint64_t word;
  std::memcpy(&word, bytes.data() + 8 * index, 8);
  return word;
}
}  // namespace

std::string Values::give(const Given& given) {
  const auto id = static_cast<uint32_t>(given_.size());
  given_.push_back(given);
  std::string bytes(size_t{8} * given.words, '\0');
  for (uint32_t i = 0; i < given.words; ++i) {
    const uint64_t word = GivenWord(id, i);
    std::memcpy(bytes.data() + 8 * size_t{i}, &word, 8);
    words_given_.emplace(word, Place{id, i});
  }
  return bytes;
}

uint64_t Values::word(uint32_t value, uint32_t index) const {
  const Value& v = values_[value];
  return v.kind == Kind::kGiven ? GivenWord(v.given, v.first + index) : Mix(names_[value], v.first + index);
}

uint32_t Values::add(Value value, uint64_t name) {
  const auto [at, fresh] = by_name_.emplace(name, static_cast<uint32_t>(values_.size()));
  if (!fresh) return at->second;
  values_.push_back(std::move(value));
  names_.push_back(name);
  by_first_word_.emplace(word(at->second, 0), at->second);
  return at->second;
}

uint32_t Values::find(std::string_view bytes, uint32_t key) {
  if (bytes.empty() || bytes.size() % 8 != 0) return 0;
  const auto words = static_cast<uint32_t>(bytes.size() / 8);
  const uint64_t first = WordAt(bytes, 0);
  uint32_t id = 0;
  if (const auto place = words_given_.find(first); place != words_given_.end()) {
    const Given& given = given_[place->second.given];
    if (place->second.index + words > given.words) return 0;
    Value v;
    v.key = given.key, v.first = place->second.index, v.words = words, v.given = place->second.given;
    id = add(std::move(v), Mix(Mix(first, words), 7));
  } else if (const auto at = by_first_word_.find(first); at != by_first_word_.end()) {
    id = at->second;
  }
  if (id == 0 || values_[id].words != words || values_[id].key != key) return 0;
  for (uint32_t i = 0; i < words; ++i)
    if (WordAt(bytes, i) != word(id, i)) return 0;
  return id;
}

uint32_t Values::sum(uint32_t key, std::vector<Part> parts, const std::vector<uint32_t>& values) {
  if (parts.empty()) return 0;
  Value v;
  v.kind = Kind::kSum, v.key = key, v.first = values_[values[0]].first, v.words = values_[values[0]].words;
  uint64_t name = Mix(key, v.first);
  for (size_t i = 0; i < parts.size(); ++i) {
    const Value& part = values_[values[i]];
    if (part.kind != Kind::kGiven || part.key != key || part.first != v.first || part.words != v.words) return 0;
    parts[i].given = part.given;
    name = Mix(name, Mix(names_[values[i]], Mix(parts[i].rank, parts[i].samples)));
  }
  v.parts = std::move(parts);
  return add(std::move(v), Mix(name, 11));
}

uint32_t Values::apply(uint32_t base, uint32_t sum) {
  const Value& b = values_[base];
  const Value& s = values_[sum];
  // A single push is its own sum. A setting may come when there has been a round without one: so the base may be a sum, or a push.
  if (s.kind == Kind::kStored || (s.kind == Kind::kGiven && given_[s.given].step == 0) || b.key != s.key || b.first != s.first || b.words != s.words) return 0;
  Value v;
  v.kind = Kind::kStored, v.key = b.key, v.first = b.first, v.words = b.words, v.base = base, v.sum = sum, v.depth = b.depth + 1;
  return add(std::move(v), Mix(Mix(names_[base], names_[sum]), 13));
}

std::string Values::bytes(uint32_t value) const {
  std::string bytes(size_t{8} * values_[value].words, '\0');
  for (uint32_t i = 0; i < values_[value].words; ++i) {
    const uint64_t w = word(value, i);
    std::memcpy(bytes.data() + 8 * size_t{i}, &w, 8);
  }
  return bytes;
}

std::string Values::text(uint32_t id) const {
  if (id == 0) return "no value";
  const Value& v = values_[id];
  const std::string where = "key " + std::to_string(v.key) + " words " + std::to_string(v.first) + "+" + std::to_string(v.words);
  const auto given = [this](uint32_t g) {
    return "process " + std::to_string(given_[g].process) + "." + std::to_string(given_[g].life) + " step " + std::to_string(given_[g].step);
  };
  if (v.kind == Kind::kGiven) return "given by " + given(v.given) + ", " + where;
  if (v.kind == Kind::kStored) return std::to_string(v.depth) + " sums, the last: " + text(v.sum);
  std::string text = "sum of";
  for (const Part& p : v.parts) text += " [rank " + std::to_string(p.rank) + ": " + given(p.given) + ", " + std::to_string(p.samples) + " samples]";
  return text + ", " + where;
}

}  // namespace ps::sim

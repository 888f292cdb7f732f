// SPDX-License-Identifier: Apache-2.0
// JSON documents from outside, as a tree. The text may be hostile: its size, depth and number of values are bounded, a key may not occur twice, and
// every error says at which byte.
//   Only the parser is nlohmann's, not its values: they cannot be made or freed without memory (a failed allocation ends the process).
#pragma once
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flx {

struct JsonValue {
  enum Type : uint8_t { kNull, kBoolean, kInteger, kNumber, kString, kObject, kArray };
  Type type = kNull;
  bool boolean = false;
  int64_t integer = 0;         // of kInteger: whole numbers that fit
  double number = 0;           // of both kinds of number
  int64_t at = 0;              // the byte at which it ends
  std::string text;            // of a string
  std::vector<std::pair<std::string, JsonValue>> members;
  std::vector<JsonValue> items;
  const JsonValue* Find(std::string_view key) const;
  bool is(Type t) const { return type == t; }
  const char* type_name() const;  // as in messages: "an object"
};

struct JsonLimits { size_t bytes = 16 << 20, depth = 256, values = 2000000; };

// An error of status kFormat names `who` and, if it is not empty, the file.
JsonValue ParseJson(std::string_view text, std::string_view who, const std::string& file = {}, const JsonLimits& limits = {});
[[noreturn]] void FailJson(std::string_view who, const std::string& file, int64_t at, const std::string& what);

// Hands a parser its characters and tells how far it has come, so that an error can say where.
struct CountedText {
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;
  const char* p = nullptr;
  const char** furthest = nullptr;
  reference operator*() const { return *p; }
  CountedText& operator++() { ++p; if (p > *furthest) *furthest = p; return *this; }
  CountedText operator++(int) { CountedText c = *this; ++*this; return c; }
  friend bool operator!=(const CountedText& a, const CountedText& b) { return a.p != b.p; }
};

}  // namespace flx

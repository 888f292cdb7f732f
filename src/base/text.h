// SPDX-License-Identifier: Apache-2.0
// Numbers to text and back, by to_chars and from_chars only: exact, shortest, and the same in every locale.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/error.h"

namespace flx {

void AppendInt(std::string* s, int64_t v);
void AppendUint(std::string* s, uint64_t v);
void AppendDouble(std::string* s, double v);  // shortest text that reads back to the same double; inf, -inf, nan
void AppendFloat(std::string* s, float v);    // the same for float
std::string FixedText(double v, int digits);  // "98.65": for people, not for files

// Whole string or false. Integers accept a leading '+' and a trailing 'L' (MXNet's Python 2 forms).
bool ParseInt(std::string_view s, int64_t* out);
bool ParseDouble(std::string_view s, double* out);
bool ParseBool(std::string_view s, bool* out);  // true false 1 0, any case
std::string_view Trim(std::string_view s);
inline bool EndsWith(std::string_view s, std::string_view end) { return s.size() >= end.size() && s.substr(s.size() - end.size()) == end; }
std::vector<std::string> Split(std::string_view s, char at);
std::string Join(const std::vector<std::string>& parts, std::string_view with);

inline void Append(std::string* s, std::string_view v) { s->append(v); }
inline void Append(std::string* s, const std::string& v) { s->append(v); }
inline void Append(std::string* s, const char* v) { s->append(v ? v : "(null)"); }
inline void Append(std::string* s, char v) { s->push_back(v); }
inline void Append(std::string* s, bool v) { s->append(v ? "True" : "False"); }
inline void Append(std::string* s, double v) { AppendDouble(s, v); }
inline void Append(std::string* s, float v) { AppendFloat(s, v); }
template <class T, std::enable_if_t<std::is_integral_v<T>, int> = 0> void Append(std::string* s, T v) {
  if constexpr (std::is_signed_v<T>) AppendInt(s, v); else AppendUint(s, v);
}
template <class T> void Append(std::string* s, const std::vector<T>& v) {  // (2, 3)
  s->push_back('(');
  for (size_t i = 0; i < v.size(); ++i) { if (i) s->append(", "); Append(s, v[i]); }
  if (v.size() == 1) s->push_back(',');
  s->push_back(')');
}
template <class... A> std::string Text(const A&... a) {
  std::string s;
  (Append(&s, a), ...);
  return s;
}
template <class... A> [[noreturn]] void Fail(Status status, std::string_view who, const A&... a) { FailText(status, who, Text(a...)); }

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"

#include <charconv>
#include <cmath>

namespace flx {
namespace {
template <class T, class... A> void ToChars(std::string* s, T v, A... a) {
  char buffer[400];  // a double in fixed notation may need 309 digits before the point
  auto r = std::to_chars(buffer, buffer + sizeof buffer, v, a...);
  s->append(buffer, r.ptr);
}
template <class T> void Floating(std::string* s, T v) {
  if (std::isnan(v)) s->append("nan");
  else if (std::isinf(v)) s->append(v < 0 ? "-inf" : "inf");
  else ToChars(s, v);
}
bool EqualsNoCase(std::string_view a, std::string_view lower) {
  if (a.size() != lower.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if ((a[i] >= 'A' && a[i] <= 'Z' ? char(a[i] + 32) : a[i]) != lower[i]) return false;
  return true;
}
}  // namespace

void AppendInt(std::string* s, int64_t v) { ToChars(s, v); }
void AppendUint(std::string* s, uint64_t v) { ToChars(s, v); }
void AppendDouble(std::string* s, double v) { Floating(s, v); }
void AppendFloat(std::string* s, float v) { Floating(s, v); }
std::string FixedText(double v, int digits) {
  std::string s;
  if (std::isfinite(v)) ToChars(&s, v, std::chars_format::fixed, digits);
  else Floating(&s, v);
  return s;
}

std::string_view Trim(std::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t' || s.front() == '\n' || s.front() == '\r')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t' || s.back() == '\n' || s.back() == '\r')) s.remove_suffix(1);
  return s;
}
bool ParseInt(std::string_view s, int64_t* out) {
  s = Trim(s);
  if (!s.empty() && s.front() == '+') {
    s.remove_prefix(1);
    if (!s.empty() && s.front() == '-') return false;
  }
  if (s.size() > 1 && (s.back() == 'L' || s.back() == 'l')) s.remove_suffix(1);
  int64_t v;
  auto r = std::from_chars(s.data(), s.data() + s.size(), v);
  if (r.ec != std::errc() || r.ptr != s.data() + s.size() || s.empty()) return false;
  *out = v;
  return true;
}
bool ParseDouble(std::string_view s, double* out) {
  s = Trim(s);
  if (!s.empty() && s.front() == '+') {
    s.remove_prefix(1);
    if (!s.empty() && s.front() == '-') return false;
  }
  double v;
  auto r = std::from_chars(s.data(), s.data() + s.size(), v);
  if (s.empty() || r.ptr != s.data() + s.size()) return false;
  if (r.ec == std::errc::result_out_of_range) {
    // from_chars leaves v alone: decide between overflow and underflow by the exponent's sign.
    auto e = s.find_first_of("eE");
    v = e != std::string_view::npos && e + 1 < s.size() && s[e + 1] == '-' ? 0.0 : HUGE_VAL;
    if (s.front() == '-') v = -v;
  } else if (r.ec != std::errc()) {
    return false;
  }
  *out = v;
  return true;
}
bool ParseBool(std::string_view s, bool* out) {
  s = Trim(s);
  if (s == "1" || EqualsNoCase(s, "true")) return *out = true, true;
  if (s == "0" || EqualsNoCase(s, "false")) return *out = false, true;
  return false;
}
std::vector<std::string> Split(std::string_view s, char at) {
  std::vector<std::string> parts;
  for (size_t begin = 0;;) {
    size_t end = s.find(at, begin);
    parts.emplace_back(s.substr(begin, end == std::string_view::npos ? end : end - begin));
    if (end == std::string_view::npos) return parts;
    begin = end + 1;
  }
}
std::string Join(const std::vector<std::string>& parts, std::string_view with) {
  std::string s;
  for (size_t i = 0; i < parts.size(); ++i) { if (i) s.append(with); s.append(parts[i]); }
  return s;
}

}  // namespace flx

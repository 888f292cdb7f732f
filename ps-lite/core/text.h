// SPDX-License-Identifier: Apache-2.0
// Text out of parts, without a locale.
#pragma once
#include <charconv>
#include <string>
#include <string_view>
#include <type_traits>

namespace ps::core {

template <class T>
void Append(std::string& s, const T& v) {
  if constexpr (std::is_integral_v<T>) {
    char b[24];
    auto r = std::to_chars(b, b + sizeof b, v);
    s.append(b, r.ptr);
  } else {
    s += std::string_view(v);
  }
}
template <class... T>
std::string Join(const T&... parts) {
  std::string s;
  (Append(s, parts), ...);
  return s;
}

}  // namespace ps::core

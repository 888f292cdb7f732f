// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.h"

namespace flx {

namespace {
// The bytes of the character at s[at], or 0 if no UTF-8 character stands there.
size_t CharLength(std::string_view s, size_t at) {
  auto byte = [&](size_t i) { return at + i < s.size() ? static_cast<unsigned char>(s[at + i]) : 0u; };
  unsigned a = byte(0), b = byte(1);
  if (a < 0x80) return 1;
  size_t n = a >= 0xc2 && a < 0xe0 ? 2 : a >= 0xe0 && a < 0xf0 ? 3 : a >= 0xf0 && a < 0xf5 ? 4 : 0;
  // not the longer spellings, nor UTF-16's halves, nor what lies above U+10FFFF
  if ((a == 0xe0 && b < 0xa0) || (a == 0xed && b > 0x9f) || (a == 0xf0 && b < 0x90) || (a == 0xf4 && b > 0x8f)) return 0;
  for (size_t i = 1; i < n; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  return n;
}
}  // namespace
bool IsUtf8(std::string_view s) {
  for (size_t i = 0, n; i < s.size(); i += n)
    if ((n = CharLength(s, i)) == 0) return false;
  return true;
}
std::string ToUtf8(std::string_view s) {
  std::string out;
  out.reserve(s.size());
  for (size_t i = 0; i < s.size();) {
    size_t n = CharLength(s, i);
    if (n) out.append(s.substr(i, n));
    else out.append("\xef\xbf\xbd");
    i += n ? n : 1;
  }
  return out;
}
void AppendQuoted(std::string* s, std::string_view utf8) {
  static constexpr char kHex[] = "0123456789abcdef", kShort[] = "btn?fr";  // 8 to 13
  s->push_back('"');
  for (char c : utf8) {
    auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') s->push_back('\\'), s->push_back(c);
    else if (u >= 0x20) s->push_back(c);
    else if (u >= 8 && u <= 13 && u != 11) s->push_back('\\'), s->push_back(kShort[u - 8]);
    else s->append("\\u00"), s->push_back(kHex[u >> 4]), s->push_back(kHex[u & 15]);
  }
  s->push_back('"');
}

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
#include "base/table.h"

#include <algorithm>

#include "base/text.h"
#include "base/utf8.h"

namespace flx {
namespace {
bool Continues(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }
}  // namespace

std::string GroupedText(int64_t n) {
  std::string s = Text(n);
  for (int at = int(s.size()) - 3, first = n < 0; at > first; at -= 3) s.insert(size_t(at), ",");
  return s;
}
int CharacterCount(std::string_view utf8) { return int(std::count_if(utf8.begin(), utf8.end(), [](char c) { return !Continues(c); })); }
std::string CutText(std::string_view utf8, int most) {
  if (CharacterCount(utf8) <= most) return std::string(utf8);
  size_t end = 0;
  for (int n = 0; end < utf8.size(); ++end)
    if (!Continues(utf8[end]) && n++ == std::max(0, most - 2)) break;
  return std::string(utf8.substr(0, end)) + std::string("..").substr(0, size_t(std::clamp(most, 0, 2)));
}
std::string PlainText(std::string_view text) {
  std::string s, utf8 = ToUtf8(text);
  for (size_t i = 0; i < utf8.size(); ++i) {
    auto c = static_cast<unsigned char>(utf8[i]);
    bool c1 = c == 0xc2 && static_cast<unsigned char>(utf8[i + 1]) < 0xa0;  // U+0080 to U+009F
    if (c >= 0x20 && c != 0x7f && !c1) s.push_back(utf8[i]);
    else s.append("\xef\xbf\xbd"), i += c1;
  }
  return s;
}

std::string TableText(const std::vector<TableColumn>& columns, const std::vector<std::vector<std::string>>& rows, int width) {
  constexpr int kBetween = 2;
  struct Shown { size_t at; int wide, least; };
  std::vector<Shown> shown;
  for (size_t c = 0; c < columns.size(); ++c) {
    int widest = 0;
    for (auto& r : rows) widest = std::max(widest, CharacterCount(r[c]));
    if (!widest && !rows.empty()) continue;
    int wide = std::max(widest, CharacterCount(columns[c].title));
    shown.push_back({c, wide, columns[c].number ? wide : std::min(wide, columns[c].least)});
  }
  auto total = [&](int Shown::*w) {
    int sum = -kBetween;
    for (auto& s : shown) sum += s.*w + kBetween;
    return std::max(sum, 0);
  };
  while (total(&Shown::least) > width) {
    auto worst = std::max_element(shown.begin(), shown.end(), [&](auto& a, auto& b) { return columns[a.at].rank < columns[b.at].rank; });
    if (worst == shown.end() || columns[worst->at].rank == 0) break;
    shown.erase(worst);
  }
  for (size_t i = shown.size(); i-- > 0 && total(&Shown::wide) > width;) shown[i].wide -= std::min(shown[i].wide - shown[i].least, total(&Shown::wide) - width);
  for (size_t i = shown.size(); i-- > 0 && total(&Shown::wide) > width;) shown[i].wide -= std::min(shown[i].wide - 1, total(&Shown::wide) - width);

  std::string text;
  auto line = [&](auto cell) {
    std::string l;
    for (auto& s : shown) {
      std::string t = CutText(PlainText(cell(s.at)), s.wide), fill(size_t(s.wide - CharacterCount(t)), ' ');
      l += (&s == &shown[0] ? "" : "  ") + (columns[s.at].number ? fill + t : t + fill);
    }
    text += l.substr(0, l.find_last_not_of(' ') + 1) + "\n";
  };
  std::string rule(size_t(total(&Shown::wide)), '-');
  line([&](size_t c) -> const std::string& { return columns[c].title; });
  text += rule + "\n";
  for (auto& r : rows) line([&](size_t c) -> const std::string& { return r[c]; });
  return text + rule + "\n";
}

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
#include "base/registry.h"

namespace flx {

std::string PlainName(std::string_view name) {
  std::string s;
  for (char c : name)
    if (c != '_' && c != '-') s.push_back(c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c);
  return s;
}

bool ParseNamed(std::string_view text, std::string* name, Settings* settings) {
  text = Trim(text);
  settings->clear();
  size_t open = text.find('(');
  *name = std::string(Trim(text.substr(0, open)));
  if (name->empty()) return false;
  if (open == std::string_view::npos) return true;
  if (text.back() != ')') return false;
  std::string_view inside = text.substr(open + 1, text.size() - open - 2);
  // commas inside a tuple do not separate settings
  int depth = 0;
  for (size_t begin = 0, i = 0; i <= inside.size(); ++i) {
    char c = i < inside.size() ? inside[i] : ',';
    if (c == '(' || c == '[') ++depth;
    if (c == ')' || c == ']') --depth;
    if (c != ',' || (depth && i < inside.size())) continue;
    std::string_view item = Trim(inside.substr(begin, i - begin));
    begin = i + 1;
    if (item.empty()) continue;
    size_t eq = item.find('=');
    if (eq == std::string_view::npos || eq == 0) return false;
    settings->emplace_back(std::string(Trim(item.substr(0, eq))), std::string(Trim(item.substr(eq + 1))));
  }
  return depth == 0;
}

std::string PrintNamed(const Registered& entry, const void* attrs) {
  std::string s = entry.name;
  auto changed = entry.schema.PrintAll(attrs, true);
  for (size_t i = 0; i < changed.size(); ++i) s += Text(i ? ", " : "(", changed[i].first, "=", changed[i].second);
  return changed.empty() ? s : s + ")";
}

}  // namespace flx

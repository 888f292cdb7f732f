// SPDX-License-Identifier: Apache-2.0
#include "base/registry.h"

namespace flx {

std::string PlainName(std::string_view name) {
  std::string s;
  for (char c : name)
    if (c != '_' && c != '-') s.push_back(c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c);
  return s;
}

std::vector<std::string> SplitNamed(std::string_view text) {
  std::vector<std::string> parts;
  int depth = 0;
  size_t begin = 0;
  for (size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size()) {
      if (text[i] == '(' || text[i] == '[') ++depth;
      if (text[i] == ')' || text[i] == ']') --depth;
      if (text[i] != ',' || depth > 0) continue;  // commas inside a tuple or among settings do not separate
    }
    std::string_view part = Trim(text.substr(begin, i - begin));
    if (!part.empty()) parts.emplace_back(part);
    begin = i + 1;
  }
  return parts;
}

bool ParseNamed(std::string_view text, std::string* name, Settings* settings) {
  text = Trim(text);
  settings->clear();
  size_t open = text.find('(');
  *name = std::string(Trim(text.substr(0, open)));
  if (name->empty()) return false;
  if (open == std::string_view::npos) return true;
  if (text.back() != ')') return false;
  for (auto& item : SplitNamed(text.substr(open + 1, text.size() - open - 2))) {
    size_t eq = item.find('=');
    if (eq == std::string::npos || eq == 0) return false;
    settings->emplace_back(std::string(Trim(item.substr(0, eq))), std::string(Trim(std::string_view(item).substr(eq + 1))));
  }
  return true;
}

std::string PrintNamed(const Registered& entry, const void* attrs) {
  std::string s = entry.name;
  auto changed = entry.schema.PrintAll(attrs, true);
  for (size_t i = 0; i < changed.size(); ++i) s += Text(i ? ", " : "(", changed[i].first, "=", changed[i].second);
  return changed.empty() ? s : s + ")";
}

}  // namespace flx

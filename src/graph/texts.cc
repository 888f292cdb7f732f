// SPDX-License-Identifier: Apache-2.0
#include "graph/texts.h"

namespace flx {

std::vector<NodeText> ListTexts(const Symbol& symbol) {
  std::vector<NodeText> all;
  for (Node* n : symbol.index().nodes) {
    auto s = n->settings();
    for (auto& t : s->texts) {
      all.push_back({n->name, t.first, t.second});
      if (t.first.size() > 4 && t.first.compare(0, 2, "__") == 0 && IsHiddenKey(std::string_view(t.first).substr(2, t.first.size() - 4)))
        all.push_back({n->name, t.first.substr(2, t.first.size() - 4), t.second});
    }
  }
  return all;
}
const std::string* FindText(const NodeSettings& s, const std::string& key) {
  auto it = s.texts.find(key);
  if (it == s.texts.end()) it = s.texts.find("__" + key + "__");
  return it == s.texts.end() ? nullptr : &it->second;
}

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
#include "graph/summary.h"

#include <algorithm>

#include "base/utf8.h"

namespace flx {
namespace {
std::string ShapeJson(const Shape& s) {
  if (!s.rank_known()) return "null";
  std::vector<std::string> sizes;
  for (int64_t n : s) sizes.push_back(n < 0 ? "null" : Text(n));
  return Text("[", Join(sizes, ","), "]");
}
void Quote(std::string* s, std::string_view text) { AppendQuoted(s, ToUtf8(text)); }
}  // namespace

std::string SymbolSummary(const Symbol& symbol, int columns) {
  const GraphIndex& g = symbol.index();
  size_t room = size_t(columns > 0 ? std::max(columns, 30) : 80);
  std::string text;
  for (int i = 0; i < g.size(); ++i) {
    const Node& n = *g.nodes[size_t(i)];
    if (n.variable()) continue;
    std::string line = Text(n.name, " (", n.kind(), ")");
    if (symbol.inferred) line += Text("  ", symbol.inferred->shapes[size_t(g.first_value[size_t(i)])]);
    text += line.substr(0, room) + "\n";
  }
  return text;
}

std::string SymbolTable(const Symbol& symbol) {
  const GraphIndex& g = symbol.index();
  std::string s = "{\"rows\":[";
  const char* before = "";
  for (int i = 0; i < g.size(); ++i) {
    const Node& n = *g.nodes[size_t(i)];
    if (n.variable()) continue;
    auto settings = n.settings();
    s += Text(before, "{\"inputs\":["), before = ",";
    const char* comma = "";
    for (auto& e : n.inputs) s += comma, Quote(&s, OutputName(*e.node, *e.node->settings(), e.output)), comma = ",";
    s += "],\"name\":", Quote(&s, n.name), s += ",\"op\":", Quote(&s, n.kind()), s += ",\"outputs\":[";
    comma = "";
    for (int k = 0, m = n.CountVisible(*settings); k < m; ++k, comma = ",") {
      size_t v = size_t(g.first_value[size_t(i)] + k);
      s += Text(comma, "{\"dtype\":");
      if (symbol.inferred && symbol.inferred->dtypes[v] != DType::kNone) Quote(&s, DTypeName(symbol.inferred->dtypes[v]));
      else s += "null";
      s += ",\"name\":", Quote(&s, OutputName(n, *settings, k));
      s += Text(",\"shape\":", symbol.inferred ? ShapeJson(symbol.inferred->shapes[v]) : std::string("null"), "}");
    }
    s += "]}";
  }
  return s + "]}";
}

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
#include "graph/draw.h"

#include <algorithm>

#include "base/utf8.h"

namespace flx {
namespace {
std::string Escaped(std::string_view text) {
  std::string s;
  for (char c : ToUtf8(text)) {
    if (c == '<') s += "&lt;";
    else if (c == '>') s += "&gt;";
    else if (c == '&') s += "&amp;";
    else if (c == '"') s += "&quot;";
    else s += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return s;
}

std::string Dot(const GraphIndex& g) {
  std::string s = "digraph {\n  node [shape=box];\n";
  for (int i = 0; i < g.size(); ++i) {
    const Node& n = *g.nodes[size_t(i)];
    s += Text("  n", i, " [label=");
    AppendQuoted(&s, ToUtf8(n.variable() ? n.name : Text(n.kind(), " ", n.name)));
    s += "];\n";
    for (int k = 0; k < g.input_count(i); ++k) s += Text("  n", g.NodeOfValue(g.inputs(i)[k]), " -> n", i, ";\n");
  }
  return s + "}\n";
}

std::string Svg(const GraphIndex& g) {
  std::vector<int> layer(g.nodes.size()), place(g.nodes.size()), width;
  for (int i = 0; i < g.size(); ++i) {
    for (int k = 0; k < g.input_count(i); ++k) layer[size_t(i)] = std::max(layer[size_t(i)], layer[size_t(g.NodeOfValue(g.inputs(i)[k]))] + 1);
    width.resize(std::max(width.size(), size_t(layer[size_t(i)]) + 1));
    place[size_t(i)] = width[size_t(layer[size_t(i)])]++;
  }
  int wide = width.empty() ? 1 : *std::max_element(width.begin(), width.end());
  std::string s = Text("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"", wide * 200, "\" height=\"", width.size() * 80, "\" font-family=\"sans-serif\" font-size=\"12\">\n");
  for (int i = 0; i < g.size(); ++i) {
    int x = place[size_t(i)] * 200, y = layer[size_t(i)] * 80;
    for (int k = 0; k < g.input_count(i); ++k) {
      size_t from = size_t(g.NodeOfValue(g.inputs(i)[k]));
      s += Text("<line x1=\"", place[from] * 200 + 90, "\" y1=\"", layer[from] * 80 + 40, "\" x2=\"", x + 90, "\" y2=\"", y, "\" stroke=\"#808080\"/>\n");
    }
    s += Text("<rect x=\"", x, "\" y=\"", y, "\" width=\"180\" height=\"40\" fill=\"#fff\" stroke=\"#808080\"/>\n<text x=\"", x + 6, "\" y=\"", y + 24, "\">",
              Escaped(g.nodes[size_t(i)]->name), "</text>\n");
  }
  return s + "</svg>\n";
}
}  // namespace

std::string DrawSymbol(const Symbol& symbol, std::string_view format) {
  if (format == "dot") return Dot(symbol.index());
  if (format == "svg") return Svg(symbol.index());
  Fail(Status::kArgument, "draw", "`format` must be \"svg\" or \"dot\", given \"", format, "\".");
}

}  // namespace flx

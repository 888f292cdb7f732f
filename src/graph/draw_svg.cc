// SPDX-License-Identifier: Apache-2.0
// A picture as SVG: dark text on pale boxes and middle grey lines on nothing, so that it can be read on light and on dark pages.
#include "base/text.h"
#include "base/utf8.h"
#include "graph/draw_layout.h"

namespace flx {
namespace {

// What XML 1.0 has no character for becomes U+FFFD: control characters, and U+FFFE and U+FFFF.
std::string Escaped(std::string_view text) {
  std::string s, utf8 = ToUtf8(text);
  for (size_t i = 0; i < utf8.size(); ++i) {
    char c = utf8[i];
    bool none = utf8.compare(i, 3, "\xef\xbf\xbe") == 0 || utf8.compare(i, 3, "\xef\xbf\xbf") == 0;
    if (c == '<') s += "&lt;";
    else if (c == '>') s += "&gt;";
    else if (c == '&') s += "&amp;";
    else if (c == '"') s += "&quot;";
    else if (none || (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7f) s += "\xef\xbf\xbd", i += none ? 2 : 0;
    else s.push_back(c);
  }
  return s;
}

void WriteText(const DrawText& t, const char* more, std::string* s) {
  *s += Text("<text x=\"", t.x, "\" y=\"", t.y, "\"", more, ">", Escaped(t.text), "</text>\n");
}

void Write(const DrawLayout& l, std::string* s) {
  const DrawGraph& g = *l.graph;
  if (!l.lines.empty()) *s += "<g fill=\"none\" stroke=\"#808080\">\n";
  for (auto& line : l.lines) {
    *s += "<path d=\"";
    for (size_t k = 0; k < line.points.size(); ++k) *s += Text(k ? "L" : "M", line.points[k].x, " ", line.points[k].y);
    *s += Text("\"/>\n<path fill=\"#808080\" d=\"M", line.points.back().x, " ", line.points.back().y, "l-3 -7h6z\"/>\n");
  }
  if (!l.lines.empty()) *s += "</g>\n";
  for (size_t i = 0; i < l.boxes.size(); ++i) {
    const DrawBox& b = l.boxes[i];
    const DrawNode& n = g.nodes[i];
    *s += Text("<g><title>", Escaped(n.tip), "</title>\n<rect x=\"", b.x, "\" y=\"", b.y, "\" width=\"", b.width, "\" height=\"", b.height, "\" rx=\"", n.variable ? b.height / 2 : 3,
               "\" fill=\"", n.fill, "\" stroke=\"#808080\"", n.output ? " stroke-width=\"2\"" : "", "/>\n");
    for (size_t k = 0; k < b.lines.size(); ++k) WriteText(b.lines[k], k == 0 && !n.variable ? " font-weight=\"bold\"" : "", s);
    *s += "</g>\n";
    for (auto& inner : b.inside) {
      *s += Text("<g transform=\"translate(", b.x + inner.x, " ", b.y + inner.y, ")\">\n");
      Write(inner, s);
      *s += "</g>\n";
    }
  }
  if (l.labels.empty()) return;
  *s += Text("<g fill=\"#7b7b7b\" font-size=\"", kDrawLabelFont, "\">\n");
  for (auto& t : l.labels) WriteText(t, "", s);
  *s += "</g>\n";
}
}  // namespace

std::string SvgOf(const DrawGraph& graph) {
  DrawLayout l = LayOut(graph);
  std::string s = Text("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"", l.width, "\" height=\"", l.height, "\" viewBox=\"0 0 ", l.width, " ", l.height,
                       "\" font-family=\"ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" font-size=\"", kDrawFont, "\" fill=\"#1a1a1a\">\n");
  Write(l, &s);
  return s + "</svg>\n";
}

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// A picture as text for Graphviz.
#include "base/table.h"
#include "base/text.h"
#include "base/utf8.h"
#include "graph/draw_model.h"

namespace flx {
namespace {

// A quoted string. Graphviz reads \N and the like in labels, and entities as HTML does.
std::string Quoted(std::string_view text) {
  std::string s = "\"";
  for (char c : ToUtf8(text)) {
    if (c == '"' || c == '\\') s.push_back('\\'), s.push_back(c);
    else if (c == '&') s += "&amp;";
    else if (c == '\n') s += "\\n";
    else s.push_back(static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c);
  }
  return s + "\"";
}

void Write(const DrawGraph& g, const std::string& prefix, const std::string& indent, std::string* s) {
  for (size_t i = 0; i < g.nodes.size(); ++i) {
    const DrawNode& n = g.nodes[i];
    std::string id = Text(prefix, i);
    std::string node = Text(id, " [label=", Quoted(Join(n.lines, "\n")), ", tooltip=", Quoted(n.tip), ", fillcolor=", Quoted(n.fill), n.variable ? ", shape=oval" : "",
                            n.output ? ", penwidth=2" : "", "];\n");
    if (n.inside.empty()) {
      *s += indent + node;
      continue;
    }
    *s += Text(indent, "subgraph cluster_", id, " {\n", indent, "  label=", Quoted(n.lines[0]), ";\n", indent, "  ", node);
    for (size_t k = 0; k < n.inside.size(); ++k) {
      *s += Text(indent, "  subgraph cluster_", id, "_", k, " {\n", indent, "    label=", Quoted(n.inside[k].title), ";\n");
      Write(n.inside[k], Text(id, "_", k, "_"), indent + "    ", s);
      *s += indent + "  }\n";
    }
    *s += indent + "}\n";
  }
  for (auto& e : g.edges) {
    *s += Text(indent, prefix, e.from, " -> ", prefix, e.to);
    *s += e.label.empty() ? ";\n" : Text(" [label=", Quoted(e.label), "];\n");
  }
}
}  // namespace

std::string DotOf(const DrawGraph& graph) {
  std::string s = "digraph {\n  graph [fontname=\"Helvetica\", fontsize=11, color=\"#808080\"];\n"
                  "  node [shape=box, style=filled, color=\"#808080\", fontname=\"Helvetica\", fontsize=11];\n"
                  "  edge [color=\"#808080\", fontcolor=\"#7b7b7b\", fontname=\"Helvetica\", fontsize=10];\n";
  Write(graph, "n", "  ", &s);
  return s + "}\n";
}

}  // namespace flx

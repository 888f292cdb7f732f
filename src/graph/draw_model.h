// SPDX-License-Identifier: Apache-2.0
// What a picture shows, before anything has a place.
#pragma once
#include <string>
#include <vector>

#include "graph/symbol.h"

namespace flx {

struct DrawGraph;
struct DrawNode {
  std::vector<std::string> lines;  // the text of the box: the name first; UTF-8 of one line each
  std::string tip;                 // all that is known of it: attributes, inputs
  const char* fill = "";           // "#rrggbb"
  bool variable = false, output = false;
  std::vector<DrawGraph> inside;   // of control flow
};
struct DrawEdge {
  int from = 0, to = 0, output = 0;  // `output` of node `from`
  std::string label;                 // its shape; empty: not known
};
struct DrawGraph {
  std::string title;
  std::vector<DrawNode> nodes;       // inputs before use
  std::vector<DrawEdge> edges;       // by `to`, in the order of its inputs
};
DrawGraph ModelOf(const Symbol& symbol);

std::string SvgOf(const DrawGraph& graph);
std::string DotOf(const DrawGraph& graph);

}  // namespace flx

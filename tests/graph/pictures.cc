// SPDX-License-Identifier: Apache-2.0
// pictures FOLDER: pictures of networks, for pictures_test.py to read. Beside each stands how many boxes and lines it must have.
#include <fstream>

#include "graph/draw.h"
#include "graph/draw_model.h"
#include "networks.h"

namespace flx {
namespace {
void Count(const DrawGraph& g, int* boxes, int* lines) {
  *boxes += int(g.nodes.size()), *lines += int(g.edges.size());
  for (auto& n : g.nodes)
    for (auto& inner : n.inside) Count(inner, boxes, lines);
}
void Write(const std::string& file, const std::string& text) { std::ofstream(file, std::ios::binary) << text; }
}  // namespace
}  // namespace flx

int main(int, char** argv) {
  using namespace flx;
  const std::string hostile = std::string("a\"b\\N<g>&lt;]]>\n\r\t\x1b\x7f\xff\xef\xbf\xbe\xe4\xbd\xa0'", 28) + std::string(1, '\0') + "; } subgraph x { \\";
  const std::vector<std::pair<const char*, Ref<Symbol>>> all = {
      {"lenet", Inferred1(LeNetSymbol(), {{"data", {{1, 1, 28, 28}}}})},
      {"residual", Inferred1(ResidualSymbol(4), {{"data", {{1, 3, 32, 32}}}})},
      {"lstm", LstmSymbol(5, 8)},
      {"loop", Inferred1(LoopSymbol(), {{"data", {{5, 2, 3}}}, {"begin", {{2, 3}}}})},
      {"random", RandomSymbol(300, 7)},
      {"hostile", Node1("Flatten", hostile, {Symbol::Variable(hostile, {{"note", hostile}})})},
      {"backslash", Node1("Flatten", "\\", {Symbol::Variable("\\\"")})}};
  for (auto& p : all) {
    int boxes = 0, lines = 0;
    Count(ModelOf(*p.second), &boxes, &lines);
    std::string base = Text(argv[1], "/", p.first);
    Write(base + ".svg", DrawSymbol(*p.second, "svg"));
    Write(base + ".dot", DrawSymbol(*p.second, "dot"));
    Write(base + ".count", Text(boxes, " ", lines, "\n"));
  }
}

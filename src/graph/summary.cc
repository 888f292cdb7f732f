// SPDX-License-Identifier: Apache-2.0
#include "graph/summary.h"

#include <algorithm>

#include "graph/infer.h"
#include "graph/inside.h"
#include "graph/summary_rows.h"
#include "op/cost.h"

namespace flx {
namespace {
Count Sum(const Count& a, const Count& b) { return a && b ? Count(AddCounts(*a, *b)) : Count(); }
void Add(Count* sum, bool known, int64_t n) {
  if (*sum && known) *sum = AddCounts(**sum, n);
  else sum->reset();
}

class Rows {
 public:
  explicit Rows(SummaryTable* table) : table_(table) {}
  // Adds the rows of a graph; returns what they count together.
  SummaryRow Go(const Symbol& symbol, const Inferred& known, const std::string& path, int depth) {
    const GraphIndex& g = symbol.index();
    std::vector<VariableUse> uses = UsesOf(symbol);
    std::vector<bool> counted(g.nodes.size());
    SummaryRow all;
    all.parameters = all.bytes = all.multiply_adds = 0;
    for (int i = 0; i < g.size(); ++i) {
      const Node& n = *g.nodes[size_t(i)];
      if (n.variable()) continue;
      auto s = n.settings();
      SummaryRow r = Described(n, *s, g, i, known, path, depth);
      r.parameters = r.bytes = 0;
      std::vector<Shape> shapes;
      std::vector<DType> types;
      for (int k = 0; k < g.input_count(i); ++k) {
        size_t v = size_t(g.inputs(i)[k]), in = size_t(g.NodeOfValue(int(v)));
        shapes.push_back(known.shapes[v]), types.push_back(known.dtypes[v]);
        if (uses[in] == VariableUse::kData || counted[in]) continue;
        counted[in] = true;
        bool sized = known.shapes[v].known();
        int64_t size = sized ? CountElements(known.shapes[v]) : 0;
        Add(&r.parameters, sized, size);
        Add(&r.bytes, sized && types.back() != DType::kNone, TimesCount(size, DTypeSize(types.back())));
        if (depth == 0 && Trained(g, int(in))) Add(&trained_, sized, size);
      }
      size_t at = table_->rows.size();
      table_->rows.push_back({});
      auto graphs = InnerGraphs(n, *s);
      r.multiply_adds = graphs.empty() ? Called(n, *s, shapes, types) : Inside(n, *s, graphs, shapes, types, path, depth, &r);
      all.parameters = Sum(all.parameters, r.parameters), all.bytes = Sum(all.bytes, r.bytes), all.multiply_adds = Sum(all.multiply_adds, r.multiply_adds);
      table_->rows[at] = std::move(r);
    }
    return all;
  }
  Count trained() const { return trained_; }

 private:
  static bool Trained(const GraphIndex& g, int node) {
    auto s = g.nodes[size_t(node)]->settings();
    auto rate = s->texts.find("__lr_mult__");
    double value;
    bool fixed = rate != s->texts.end() && ParseDouble(rate->second, &value) && value == 0;
    return !fixed && !std::binary_search(g.auxiliaries.begin(), g.auxiliaries.end(), node);
  }
  static SummaryRow Described(const Node& n, const NodeSettings& s, const GraphIndex& g, int i, const Inferred& known, const std::string& path, int depth) {
    SummaryRow r;
    r.depth = depth;
    r.title = Text(n.name, " (", n.kind(), ")");
    r.members = {{"name", n.name}, {"op", n.kind()}, {"graph", path}};
    r.inputs.emplace();
    for (auto& e : n.inputs) r.inputs->push_back(OutputName(*e.node, *e.node->settings(), e.output));
    for (int k = 0, m = n.CountVisible(s); k < m; ++k) {
      size_t v = size_t(g.first_value[size_t(i)] + k);
      r.outputs.push_back({OutputName(n, s, k), known.shapes[v], known.dtypes[v]});
    }
    return r;
  }
  static Count Called(const Node& n, const NodeSettings& s, const std::vector<Shape>& shapes, const std::vector<DType>& types) {
    const OpDef& op = *n.op;
    size_t ports = op.variadic ? shapes.size() : op.inputs.size();
    std::vector<Shape> xs(ports, Shape::Unknown());
    std::vector<DType> xt(ports, DType::kNone);
    for (size_t k = 0; k < shapes.size(); ++k) {
      if (!shapes[k].known()) return {};
      size_t port = size_t(n.PortOf(int(k), s));
      xs[port] = shapes[k], xt[port] = types[k];
    }
    try {
      return MultiplyAdds(op, s.attrs, xs.data(), xt.data(), int(ports));
    } catch (const Error& e) {  // shapes that do not fit, in a graph that cannot run
      if (e.status() == Status::kMemory) throw;
      return {};
    }
  }
  Count Inside(const Node& n, const NodeSettings& s, const std::vector<InnerGraph>& graphs, const std::vector<Shape>& shapes, const std::vector<DType>& types,
               const std::string& path, int depth, SummaryRow* row) {
    std::vector<Count> counts;
    for (auto& graph : graphs) {
      auto sum = Go(*graph.symbol, KnownInside(graph, shapes, types), Text(path, path.empty() ? "" : "/", n.name, "/", graph.role), depth + 1);
      counts.push_back(sum.multiply_adds);
    }
    if (graphs.size() == 3) {  // a condition and two branches
      Count dearer = counts[1] && counts[2] ? Count(std::max(*counts[1], *counts[2])) : Count();
      return Sum(counts[0], dearer);
    }
    int64_t steps = StepsOf(n, s, shapes);
    row->steps.emplace(steps < 0 ? Count() : Count(steps));
    Count once = 0;
    for (auto& c : counts) once = Sum(once, c);
    if (graphs.size() == 2) return once;
    return once && steps >= 0 ? Count(TimesCount(*once, steps)) : Count();
  }

  SummaryTable* table_;
  Count trained_ = 0;
};

SummaryTable TableOf(const Symbol& symbol) {
  SummaryTable t;
  Rows rows(&t);
  SummaryRow all = rows.Go(symbol, symbol.inferred ? *symbol.inferred : NothingKnown(symbol.index()), "", 0);
  t.parameters = all.parameters, t.bytes = all.bytes, t.multiply_adds = all.multiply_adds;
  t.trained = all.parameters ? rows.trained() : Count();
  return t;
}
}  // namespace

std::string SymbolSummary(const Symbol& symbol, int columns) { return SummaryText(TableOf(symbol), columns); }
std::string SymbolTable(const Symbol& symbol) { return SummaryJson(TableOf(symbol)); }

}  // namespace flx

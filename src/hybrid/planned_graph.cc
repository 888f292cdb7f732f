// SPDX-License-Identifier: Apache-2.0
#include "hybrid/planned_graph.h"

#include "exec/symbol_gradient.h"
#include "exec/trace.h"
#include "graph/infer.h"
#include "graph/inside.h"

namespace flx {
namespace {
struct GraphOptions : HybridOptions {
  std::string monitor;
  bool plan = true;
};
}  // namespace

const Registered& GraphOptionsEntry() {
  using G = GraphOptions;
  static const Registered& entry = *[] {
    auto d = Define<Registered, G>("graph").family("hybrid").doc("Options of a graph.")
        .attr(&G::monitor, "monitor", "Internal outputs whose names match become outputs too: `*` any text, `?` any character, `|` between patterns.")
        .attr(&G::plan, "plan", "Run by plans, made once for each signature; False: node by node.");
    return new Registered(AddHybridOptions(d));
  }();
  return entry;
}

Ref<PlannedGraph> PlannedGraph::New(const Ref<Symbol>& symbol, const Settings& settings) {
  Attrs attrs = ParseSettings(GraphOptionsEntry(), settings);
  auto& options = *static_cast<const GraphOptions*>(attrs.get());
  Ref<const Graph> graph = Graph::New(symbol, options.monitor);
  bool plan = options.plan;
  for (auto& s : graph->program().steps) plan &= s.control == Control::kNone && !s.node->op->trait(kDynamic) && !s.node->op->trait(kHost);
  if (!plan) return Ref<PlannedGraph>::Take(new PlannedGraph(graph, nullptr));
  auto trace = [graph](Builder& b, const std::vector<Val>& x) {
    const Program& p = graph->program();
    Inferred known = NothingKnown(p.index);
    for (size_t i = 0; i < x.size(); ++i) {
      size_t v = size_t(p.index.first_value[size_t(p.index.inputs_order[i])]);
      known.shapes[v] = b.shape(x[i]), known.dtypes[v] = b.dtype(x[i]);
    }
    InferMore(*p.symbol, &known);
    return Replay(p, known, x, &b);
  };
  std::vector<bool> fixed;
  auto uses = UsesOf(*graph->symbol);
  for (int i : graph->program().index.inputs_order) fixed.push_back(uses[size_t(i)] == VariableUse::kParameter);
  return Ref<PlannedGraph>::Take(new PlannedGraph(graph, Make<CachedGraph>("graph", trace, std::move(fixed), options)));
}
Ref<PlannedGraph> PlannedGraph::NewTraced(const std::vector<NDArray>& inputs, const std::vector<NDArray>& results, const Settings& options) {
  if (results.empty()) Fail(Status::kArgument, "trace", "the function has no results.");
  TracedGraph t = TracedGraphOf(inputs, results);
  auto g = New(t.symbol, options);
  g->traced_ = int(inputs.size()), g->order_ = std::move(t.order), g->captured_ = std::move(t.captured);
  return g;
}
std::vector<NDArray> PlannedGraph::Arguments(const std::vector<NDArray>& arrays) const {
  if (traced_ < 0) return arrays;
  if (int(arrays.size()) != traced_) Fail(Status::kArgument, "graph", "the traced function has ", traced_, traced_ == 1 ? " input" : " inputs", ", given ", arrays.size(), ".");
  std::vector<NDArray> all;
  for (int32_t i : order_) all.push_back(i < traced_ ? arrays[size_t(i)] : captured_[size_t(i - traced_)]);
  return all;
}
std::vector<NDArray> PlannedGraph::Run(int mode, const std::vector<NDArray>& given) const {
  std::vector<NDArray> arrays = Arguments(given);
  if (cached_) return cached_->Run(mode, graph->InOrder(arrays));
  GraphRun run(graph, mode, arrays);
  run.Go(0);
  return run.outputs();
}

}  // namespace flx

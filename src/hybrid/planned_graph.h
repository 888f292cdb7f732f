// SPDX-License-Identifier: Apache-2.0
// A symbol that runs by plans; one with control flow, or if asked to, node by node.
#pragma once
#include "base/registry.h"
#include "exec/graph.h"
#include "hybrid/cached_graph.h"

namespace flx {

const Registered& GraphOptionsEntry();  // of PlannedGraph::New: names, docs, ranges

class PlannedGraph final : public Object {
 public:
  // options: monitor (see Graph::New), plan (0: node by node), and those of HybridOptions.
  static Ref<PlannedGraph> New(const Ref<Symbol>& symbol, const Settings& options);
  // What was called in mode kTrace between `inputs` and `results`; it then runs on arrays in the place of `inputs`.
  static Ref<PlannedGraph> NewTraced(const std::vector<NDArray>& inputs, const std::vector<NDArray>& results, const Settings& options);
  const Ref<const Graph> graph;
  bool planned() const { return bool(cached_); }
  // For graphs that do not wait: the outputs for arguments, then auxiliary states.
  std::vector<NDArray> Run(int mode, const std::vector<NDArray>& arrays) const;
  // CachedGraph's texts; empty for a graph that runs node by node.
  std::string Text(std::string_view field) const { return cached_ ? cached_->Text(field) : std::string(); }

 private:
  PlannedGraph(Ref<const Graph> g, Ref<const CachedGraph> c) : Object(Kind::kGraph), graph(std::move(g)), cached_(std::move(c)) {}
  std::vector<NDArray> Arguments(const std::vector<NDArray>& arrays) const;
  const Ref<const CachedGraph> cached_;
  int traced_ = -1;                 // how many inputs a traced function has
  std::vector<int32_t> order_;      // TracedGraph's
  std::vector<NDArray> captured_;
};

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
#include "exec/symbol_gradient.h"

#include <algorithm>
#include <map>

#include "exec/trace.h"
#include "graph/infer.h"
#include "op/differentiate.h"

namespace flx {

Ref<Symbol> SymbolGradient(const Symbol& symbol, const std::vector<std::string>& names) {
  constexpr const char* kWho = "gradient";
  if (!symbol.inferred) Fail(Status::kState, kWho, "the symbol knows no shapes yet. Take the gradient of the one that inference gives.");
  if (names.empty()) Fail(Status::kArgument, kWho, "expected the names of the variables, given none.");
  const GraphIndex& g = symbol.index();
  const Inferred& known = *symbol.inferred;
  auto variables = symbol.Names(Part::kInput);
  for (auto& name : names)
    if (std::find(variables.begin(), variables.end(), name) == variables.end())
      Fail(Status::kName, kWho, "no variable is named `", name, "`.", DidYouMean(name, symbol.Names(Part::kArgument)));

  TraceBuilder b("", true);
  std::map<std::string, Known> given;
  std::vector<Val> x, heads;
  std::vector<bool> want;
  for (size_t i = 0; i < variables.size(); ++i) {
    size_t v = size_t(g.first_value[size_t(g.inputs_order[i])]);
    if (!known.shapes[v].known() || known.dtypes[v] == DType::kNone)
      Fail(Status::kShape, kWho, "the shape of `", variables[i], "` must be known, found ", known.shapes[v], ".");
    x.push_back(b.Add({Ref<Node>(g.nodes[size_t(g.inputs_order[i])]), 0}, known.shapes[v], known.dtypes[v]));
    want.push_back(std::find(names.begin(), names.end(), variables[i]) != names.end());
    given[variables[i]] = {known.shapes[v], known.dtypes[v]};
  }
  for (size_t i = 0; i < g.outputs.size(); ++i) {  // those that nothing reads do not become part of the graph
    size_t v = size_t(g.outputs[i]);
    heads.push_back(b.AddVariable(symbol.Name(Part::kOutput, int(i)) + "_head", known.shapes[v], known.dtypes[v]));
  }
  auto dx = GradientsOf([&](const std::vector<Val>& in) { return Replay(symbol, known, in, in[0].b); }, x, heads, want);
  std::vector<Entry> out;
  for (auto& name : names) {
    size_t i = size_t(std::find(variables.begin(), variables.end(), name) - variables.begin());
    out.push_back(b.entry(dx[i] ? dx[i] : ZerosLike(x[i])));
  }
  auto made = Symbol::New(std::move(out));
  // Variables keep what was known of them.
  auto left = made->Names(Part::kInput);
  for (auto it = given.begin(); it != given.end();) it = std::find(left.begin(), left.end(), it->first) == left.end() ? given.erase(it) : std::next(it);
  return Symbol::New(made->outputs, Infer(*made, given, true));
}

}  // namespace flx

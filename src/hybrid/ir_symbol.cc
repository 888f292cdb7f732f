// SPDX-License-Identifier: Apache-2.0
#include "hybrid/ir_symbol.h"

#include <set>

#include "exec/trace.h"
#include "graph/infer.h"
#include "hybrid/pass.h"
#include "hybrid/trace.h"

namespace flx {

Ref<Symbol> IrSymbol(const Ir& ir, const std::vector<Entry>& inputs) {
  std::vector<Entry> entries(ir.values.size());
  auto variable = [&](std::string name, int32_t v) {
    const IrValue& value = ir.values[size_t(v)];
    return Entry{Node::New(nullptr, std::move(name), {{"__shape__", Text(value.shape)}, {"__dtype__", DTypeName(value.dtype)}}), 0};
  };
  for (size_t i = 0; i < ir.inputs.size(); ++i) entries[size_t(ir.inputs[i])] = i < inputs.size() ? inputs[i] : variable(Text("x", i), ir.inputs[i]);
  for (auto& c : ir.constants) entries[size_t(c.first)] = variable(Text("constant", c.first), c.first);
  std::set<std::string> names;
  for (auto& n : ir.nodes) {
    std::vector<Entry> in;
    for (int32_t v : n.in) if (v >= 0) in.push_back(entries[size_t(v)]);
    AttrDict texts;
    for (auto& kv : n.op->schema.PrintAll(n.attrs.get(), true)) texts[kv.first] = kv.second;
    if (n.op->count_attr) texts[n.op->count_attr] = Text(in.size());
    std::string name = n.name.empty() ? std::string(n.op->name) : n.name;
    for (int k = 1; !names.insert(name).second; ++k) name = Text(n.name.empty() ? n.op->name : n.name.c_str(), "_", k);
    auto node = Node::New(n.op, name, std::move(texts), std::move(in));
    for (size_t k = 0; k < n.out.size(); ++k)
      if (n.out[k] >= 0 && !n.updates(int(k))) entries[size_t(n.out[k])] = {node, int32_t(k)};
  }
  std::vector<Entry> out;
  for (int32_t v : ir.outputs) out.push_back(entries[size_t(v)]);
  auto symbol = Symbol::New(std::move(out));
  return Symbol::New(symbol->outputs, Infer(*symbol, {}, true));
}

Ref<Symbol> TransformSymbol(const Symbol& symbol, std::string_view pass, bool training) {
  const PassDef& def = Passes().Find(pass);
  const GraphIndex& g = symbol.index();
  if (!symbol.inferred) Fail(Status::kState, def.name, "the symbol knows no shapes yet, and passes work on shapes. Give the one that inference gives (flx_symbol_infer).");
  const Inferred& known = *symbol.inferred;
  std::vector<TraceInput> inputs;
  std::vector<Entry> variables;
  for (int i : g.inputs_order) {
    size_t v = size_t(g.first_value[size_t(i)]);
    const Node& n = *g.nodes[size_t(i)];
    if (!known.shapes[v].known() || known.dtypes[v] == DType::kNone) Fail(Status::kShape, def.name, "the shape of `", n.name, "` must be known, found ", known.shapes[v], ".");
    inputs.push_back({known.shapes[v], known.dtypes[v], true});
    AttrDict texts = n.settings()->texts;
    texts["__shape__"] = Text(known.shapes[v]), texts["__dtype__"] = DTypeName(known.dtypes[v]);
    variables.push_back({Node::New(nullptr, n.name, std::move(texts)), 0});
  }
  Ir ir = TraceForward([&](Builder& b, const std::vector<Val>& x) { return Replay(symbol, known, x, &b); }, inputs, training);
  def.run(&ir);
  if (!ir.constants.empty()) Fail(Status::kUnsupported, def.name, "computed constants here, which a symbol cannot hold. A graph's plan has them (flx_graph_create).");
  return IrSymbol(ir, variables);
}

}  // namespace flx

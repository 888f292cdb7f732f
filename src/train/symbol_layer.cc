// SPDX-License-Identifier: Apache-2.0
#include "train/symbol_layer.h"

#include <algorithm>

#include "base/json.h"
#include "exec/trace.h"
#include "graph/infer.h"
#include "graph/json.h"

namespace flx {
namespace {

struct SymbolSettings {
  std::string symbol, inputs;
  mutable std::shared_ptr<const Ref<Symbol>> parsed;  // made once, by whoever needs it first
};
std::vector<std::string> InputNames(const SymbolSettings& s) {
  std::vector<std::string> names;
  for (auto& n : Split(s.inputs, ','))
    if (!Trim(n).empty()) names.emplace_back(Trim(n));
  return names;
}
const Symbol& Parsed(const SymbolSettings& s) {
  auto p = std::atomic_load(&s.parsed);
  if (!p) {
    auto fresh = std::make_shared<const Ref<Symbol>>(SymbolFromJson(s.symbol));
    if (std::atomic_compare_exchange_strong(&s.parsed, &p, fresh)) p = fresh;
  }
  return **p;
}
bool Among(const std::vector<std::string>& names, const std::string& n) { return std::find(names.begin(), names.end(), n) != names.end(); }

void Check(const void* settings) {
  auto& s = *static_cast<const SymbolSettings*>(settings);
  const Symbol& symbol = Parsed(s);
  auto names = InputNames(s), there = symbol.Names(Part::kInput);
  if (names.empty()) Fail(Status::kArgument, "Symbol", "needs the names of its inputs, as in inputs=data.");
  for (auto& n : names)
    if (!Among(there, n)) Fail(Status::kName, "Symbol", "the symbol has no variable `", n, "`.", DidYouMean(n, there));
  for (Node* n : symbol.index().nodes)
    if (n->op && n->op->subgraphs) Fail(Status::kUnsupported, n->op->name, "node `", n->name, "` runs graphs of its own; a layer holds none. Run the symbol as a graph (flx_graph_create).");
}

// MXNet's `["xavier", {"magnitude": 2.34}]` as our "xavier(magnitude=2.34)"; what is not of that form stays.
std::string InitText(const std::string& text) {
  if (text.empty() || text[0] != '[') return text;
  JsonValue v = ParseJson(text, "initializer");
  if (v.items.empty() || !v.items[0].is(JsonValue::kString)) return text;
  std::vector<std::string> settings;
  if (v.items.size() > 1)
    for (auto& m : v.items[1].members) {
      const JsonValue& x = m.second;
      if (x.is(JsonValue::kString)) settings.push_back(Text(m.first, "=", x.text));
      else if (x.is(JsonValue::kInteger)) settings.push_back(Text(m.first, "=", x.integer));
      else if (x.is(JsonValue::kNumber)) settings.push_back(Text(m.first, "=", x.number));
      else if (x.is(JsonValue::kBoolean)) settings.push_back(Text(m.first, "=", x.boolean));
    }
  return settings.empty() ? v.items[0].text : Text(v.items[0].text, "(", Join(settings, ", "), ")");
}

std::vector<Val> Forward(LayerContext& c, const Layer& layer, const std::vector<Val>& x) {
  auto& s = layer.as<SymbolSettings>();
  const Symbol& symbol = Parsed(s);
  auto names = InputNames(s);
  if (x.size() != names.size()) Fail(Status::kArgument, "Symbol", "expected ", names.size(), " inputs (", Join(names, ", "), "), given ", x.size(), ".");
  std::map<std::string, Known> given;
  for (size_t i = 0; i < x.size(); ++i) given[names[i]] = {ShapeOf(x[i]), TypeOf(x[i])};
  auto known = Infer(symbol, given, false);

  const GraphIndex& g = symbol.index();
  std::vector<Val> values;
  for (int i : g.inputs_order) {
    const Node& n = *g.nodes[size_t(i)];
    auto at = std::find(names.begin(), names.end(), n.name);
    if (at != names.end()) {
      values.push_back(x[size_t(at - names.begin())]);
      continue;
    }
    size_t v = size_t(g.first_value[size_t(i)]);
    auto texts = n.settings()->texts;
    auto text = [&](const char* key) { auto it = texts.find(key); return it == texts.end() ? std::string() : it->second; };
    double rate;
    bool fixed = ParseDouble(text("__lr_mult__"), &rate) && rate == 0;
    bool aux = std::find(g.auxiliaries.begin(), g.auxiliaries.end(), i) != g.auxiliaries.end();
    std::string init = InitText(text("__init__"));
    values.push_back(aux ? c.Aux(n.name.c_str(), known->shapes[v], init, known->dtypes[v]) : c.Param(n.name.c_str(), known->shapes[v], init, !fixed, known->dtypes[v]));
  }
  return Replay(symbol, *known, values, &c.builder);
}
std::vector<OwnParam> Own(const Layer& layer) {
  auto& s = layer.as<SymbolSettings>();
  const Symbol& symbol = Parsed(s);
  auto inputs = InputNames(s), states = symbol.Names(Part::kAuxiliary);
  std::vector<OwnParam> own;
  for (auto& n : symbol.Names(Part::kInput))
    if (!Among(inputs, n)) own.push_back({n, Among(states, n)});
  return own;
}
int Outputs(const Layer& layer, int) { return int(Parsed(layer.as<SymbolSettings>()).outputs.size()); }

// Parameters as variables that say what they are.
class Variables final : public ParamSource {
 public:
  explicit Variables(const std::string& prefix) : prefix_(prefix) {}
  Val Get(const ParamDecl& d, Builder& b) override {
    AttrDict texts;
    if (!d.init.empty()) texts["__init__"] = d.init;
    if (!d.trainable && !d.aux) texts["__lr_mult__"] = "0";
    return static_cast<TraceBuilder&>(b).AddVariable(prefix_ + d.name, d.shape, d.dtype, std::move(texts));
  }

 private:
  const std::string& prefix_;
};
}  // namespace

Ref<Layer> SymbolLayer(const Symbol& symbol, const std::vector<std::string>& inputs, std::string name) {
  for (auto& n : inputs)
    if (n.find(',') != n.npos || Trim(n) != n) Fail(Status::kArgument, "Symbol", "an input called `", n, "` cannot be one of a layer's. Give its variable a name without commas and spaces.");
  return Layer::New("Symbol", {{"symbol", SymbolToJson(symbol)}, {"inputs", Join(inputs, ",")}}, std::move(name));
}

Ref<Symbol> LayerGraph(const Layer& layer, const std::string& prefix, const std::vector<LayerArgument>& inputs) {
  layer.Freeze();
  TraceBuilder b(prefix, true);
  Variables source(prefix);
  std::vector<Val> x;
  for (auto& a : inputs) {
    if (!a.shape.known() || a.dtype == DType::kNone)
      Fail(Status::kShape, layer.def.name, "the shape of input ", x.size(), " must be known to make a graph of the layer, given ", a.shape, ". Infer its symbol first, or give its variable a shape.");
    x.push_back(b.Add(a.entry, a.shape, a.dtype));
  }
  std::vector<Entry> out;
  for (Val y : LayerContext(b, source).Run(layer, x)) out.push_back(b.entry(y));
  auto symbol = Symbol::New(std::move(out));
  return Symbol::New(symbol->outputs, Infer(*symbol, {}, true));
}
Ref<Symbol> LayerGraph(const Layer& layer, const std::vector<Shape>& inputs, DType dtype) {
  std::vector<LayerArgument> x;
  for (auto& shape : inputs) {
    LayerArgument a;
    a.entry.node = Node::New(nullptr, x.empty() ? std::string("data") : Text("data", x.size()), {{"__shape__", Text(shape)}, {"__dtype__", DTypeName(dtype)}});
    a.shape = shape, a.dtype = dtype;
    x.push_back(std::move(a));
  }
  return LayerGraph(layer, "", x);
}

void AddSymbolLayer(std::vector<LayerDef>* all) {
  using S = SymbolSettings;
  all->push_back(Define<LayerDef, S>("Symbol").alias("SymbolBlock").family("container")
      .doc("A symbol as a layer: some of its variables are the inputs, the others the parameters, under their own names. What MXNet saved becomes a layer so.")
      .example("Symbol(symbol=\"{...}\", inputs=data)")
      .attr(&S::symbol, "symbol", "The symbol, as MXNet's JSON document.").required()
      .attr(&S::inputs, "inputs", "The names of the variables that are inputs, with commas between.").required()
      .with(&LayerDef::inputs, std::vector<LayerInput>{{"data", "One array for each input named."}})
      .with(&LayerDef::any_dtype, true).with(&LayerDef::own, &Own).with(&LayerDef::any_inputs, true)
      .with(&LayerDef::outputs, &Outputs).with(&LayerDef::forward, &Forward).with(&LayerDef::check, &Check));
}

}  // namespace flx

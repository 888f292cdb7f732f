// SPDX-License-Identifier: Apache-2.0
#include "train/symbol_layer.h"

#include <algorithm>
#include <mutex>

#include "base/json.h"
#include "exec/trace.h"
#include "graph/infer.h"
#include "graph/json.h"

namespace flx {
namespace {

class Prepared;
struct SymbolSettings {
  std::string symbol, inputs;
  mutable std::shared_ptr<const Prepared> prepared;  // made once, by whoever needs it first
};
bool Among(const std::vector<std::string>& names, const std::string& n) { return std::find(names.begin(), names.end(), n) != names.end(); }

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

// What a forward pass needs of the settings: the symbol read, what each of its variables is, and the shapes found last.
class Prepared {
 public:
  struct Variable {
    int input = -1;  // of the layer; -1: a parameter
    std::string name, init;
    bool aux = false, fixed = false;
  };
  Prepared(const SymbolSettings& s, Ref<Symbol> of) : symbol(std::move(of)) {
    for (auto& n : Split(s.inputs, ','))
      if (!Trim(n).empty()) inputs.emplace_back(Trim(n));
    auto states = symbol->Names(Part::kAuxiliary);
    const GraphIndex& g = symbol->index();
    for (int i : g.inputs_order) {
      const Node& n = *g.nodes[size_t(i)];
      auto settings = n.settings();
      auto text = [&](const char* key) { auto it = settings->texts.find(key); return it == settings->texts.end() ? std::string() : it->second; };
      Variable v;
      auto at = std::find(inputs.begin(), inputs.end(), n.name);
      if (at != inputs.end()) v.input = int(at - inputs.begin());
      double rate;
      v.name = n.name, v.aux = Among(states, n.name), v.fixed = ParseDouble(text("__lr_mult__"), &rate) && rate == 0;
      if (v.input < 0) v.init = InitText(text("__init__"));
      variables.push_back(std::move(v));
    }
  }
  const Ref<Symbol> symbol;
  std::vector<std::string> inputs;
  std::vector<Variable> variables;  // in the order of index().inputs_order
  // For inputs like these; inference goes over the whole graph, and batches are mostly alike.
  std::shared_ptr<const Inferred> KnownFor(const std::vector<Val>& x) const {
    std::vector<Shape> shapes;
    std::vector<DType> dtypes;
    for (Val v : x) shapes.push_back(ShapeOf(v)), dtypes.push_back(TypeOf(v));
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (known_ && shapes == shapes_ && dtypes == dtypes_) return known_;
    }
    std::map<std::string, Known> given;
    for (size_t i = 0; i < x.size(); ++i) given[inputs[i]] = {shapes[i], dtypes[i]};
    auto known = Infer(*symbol, given, false);
    std::lock_guard<std::mutex> lock(mutex_);
    shapes_ = std::move(shapes), dtypes_ = std::move(dtypes), known_ = known;
    return known;
  }

 private:
  mutable std::mutex mutex_;
  mutable std::vector<Shape> shapes_;
  mutable std::vector<DType> dtypes_;
  mutable std::shared_ptr<const Inferred> known_;
};
const Prepared& PreparedOf(const SymbolSettings& s) {
  auto p = std::atomic_load(&s.prepared);
  if (!p) {
    auto fresh = std::make_shared<const Prepared>(s, SymbolFromJson(s.symbol));
    if (std::atomic_compare_exchange_strong(&s.prepared, &p, std::shared_ptr<const Prepared>(fresh))) p = fresh;
  }
  return *p;
}

void Check(const void* settings) {
  auto& p = PreparedOf(*static_cast<const SymbolSettings*>(settings));
  auto there = p.symbol->Names(Part::kInput);
  if (p.inputs.empty()) Fail(Status::kArgument, "Symbol", "needs the names of its inputs, as in inputs=data.");
  for (auto& n : p.inputs)
    if (!Among(there, n)) Fail(Status::kName, "Symbol", "the symbol has no variable `", n, "`.", DidYouMean(n, there));
  for (Node* n : p.symbol->index().nodes)
    if (n->op && n->op->subgraphs) Fail(Status::kUnsupported, n->op->name, "node `", n->name, "` runs graphs of its own; a layer holds none. Run the symbol as a graph (flx_graph_create).");
}

std::vector<Val> Forward(LayerContext& c, const Layer& layer, const std::vector<Val>& x) {
  const Prepared& p = PreparedOf(layer.as<SymbolSettings>());
  if (x.size() != p.inputs.size()) Fail(Status::kArgument, "Symbol", "expected ", p.inputs.size(), " inputs (", Join(p.inputs, ", "), "), given ", x.size(), ".");
  auto known = p.KnownFor(x);
  const GraphIndex& g = p.symbol->index();
  std::vector<Val> values;
  for (size_t i = 0; i < p.variables.size(); ++i) {
    const Prepared::Variable& v = p.variables[i];
    size_t k = size_t(g.first_value[size_t(g.inputs_order[i])]);
    if (v.input >= 0) values.push_back(x[size_t(v.input)]);
    else values.push_back(v.aux ? c.Aux(v.name.c_str(), known->shapes[k], v.init, known->dtypes[k]) : c.Param(v.name.c_str(), known->shapes[k], v.init, !v.fixed, known->dtypes[k]));
  }
  return Replay(*p.symbol, *known, values, &c.builder);
}
std::vector<OwnParam> Own(const Layer& layer) {
  std::vector<OwnParam> own;
  for (auto& v : PreparedOf(layer.as<SymbolSettings>()).variables)
    if (v.input < 0) own.push_back({v.name, v.aux});
  return own;
}
bool Asks(const Layer& layer) {
  for (Node* n : PreparedOf(layer.as<SymbolSettings>()).symbol->index().nodes)
    if (n->op && n->op->trait(kHost)) return true;
  return false;
}
int Outputs(const Layer& layer, int) { return int(PreparedOf(layer.as<SymbolSettings>()).symbol->outputs.size()); }

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
  auto layer = Layer::New("Symbol", {{"symbol", SymbolToJson(symbol)}, {"inputs", Join(inputs, ",")}}, std::move(name));
  if (layer->AsksHost()) {  // the document has no tokens
    auto& s = layer->as<SymbolSettings>();
    std::atomic_store(&s.prepared, std::make_shared<const Prepared>(s, SymbolFromJson(SymbolToJson(symbol, true))));
  }
  return layer;
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
      .with(&LayerDef::outputs, &Outputs).with(&LayerDef::asks_host, &Asks).with(&LayerDef::forward, &Forward).with(&LayerDef::check, &Check));
}

}  // namespace flx

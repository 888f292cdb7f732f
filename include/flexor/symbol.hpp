// SPDX-License-Identifier: Apache-2.0
// flexor/symbol.hpp: networks as graphs, composed before there is data.
//
//   Symbol x = variable("data"), fc = compose("FullyConnected", {x}, {{"num_hidden", 10}}, "fc1");   // fc1_weight and fc1_bias are variables made for it
//   Symbol net = compose("SoftmaxOutput", {fc}, {}, "softmax");
//   Symbol known = net.infer({{"data", {64, 784}}});
//   std::cout << known.summary();
//
// Symbols are immutable and share their nodes; copies of a Symbol are the same one. flexor/executor.hpp binds one to arrays and trains it.
#ifndef FLEXOR_SYMBOL_HPP_
#define FLEXOR_SYMBOL_HPP_
#include <map>

#include "flexor/model.hpp"

namespace flexor {

enum class Part : int32_t { argument = FLX_ARGUMENT, auxiliary = FLX_AUXILIARY, output = FLX_OUTPUT, internal = FLX_INTERNAL, input = FLX_INPUT };

// Gives names to nodes that are composed without one: "fullyconnected0", "fullyconnected1" ... A scope puts its prefix before every name made or given while
// it is the innermost one of its thread, and counts afresh.
class NameScope {
 public:
  explicit NameScope(std::string prefix) : prefix_(std::move(prefix)), outer_(current()) { current() = this; }
  ~NameScope() { current() = outer_; }
  NameScope(const NameScope&) = delete;
  NameScope& operator=(const NameScope&) = delete;
  static std::string name(const std::string& given, const std::string& op) {
    NameScope* scope = current();
    static thread_local std::map<std::string, int> outside;
    auto& counts = scope ? scope->counts_ : outside;
    std::string name = given;
    if (name.empty()) {
      for (char c : op) name += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
      int64_t number = counts[name]++;
      detail::append(&name, number);
    }
    for (; scope; scope = scope->outer_) name = scope->prefix_ + name;
    return name;
  }

 private:
  static NameScope*& current() {
    static thread_local NameScope* scope = nullptr;
    return scope;
  }
  std::string prefix_;
  std::map<std::string, int> counts_;
  NameScope* outer_;
};

class Symbol : public detail::Shared<flx_symbol> {
 public:
  Symbol() = default;
  static Symbol adopt(flx_symbol handle) {
    Symbol s;
    s.reset(handle);
    return s;
  }
  // MXNet's -symbol.json.
  static Symbol load(const std::string& path) {
    require_library();
    flx_symbol s = nullptr;
    check(flx_symbol_load(path.c_str(), &s));
    return adopt(s);
  }
  static Symbol from_json(const std::string& text) {
    require_library();
    flx_symbol s = nullptr;
    check(flx_symbol_from_json(text.c_str(), &s));
    return adopt(s);
  }
  void save(const std::string& path) const { check(flx_symbol_save(handle(), path.c_str())); }
  std::string to_json() const {
    char* t = nullptr;
    check(flx_symbol_to_json(handle(), &t));
    return detail::take_text(t);
  }

  // ---- its parts
  int count(Part part) const {
    int32_t n = 0;
    check(flx_symbol_count(handle(), static_cast<int32_t>(part), &n));
    return n;
  }
  std::string name(Part part, int index) const {
    const char* s = "";
    check(flx_symbol_name(handle(), static_cast<int32_t>(part), index, &s));
    return s;
  }
  std::vector<std::string> names(Part part) const {
    std::vector<std::string> all;
    for (int i = 0, n = count(part); i < n; ++i) all.push_back(name(part, i));
    return all;
  }
  std::vector<std::string> arguments() const { return names(Part::argument); }
  std::vector<std::string> auxiliaries() const { return names(Part::auxiliary); }
  std::vector<std::string> outputs() const { return names(Part::output); }
  Symbol at(Part part, int index) const {
    flx_symbol s = nullptr;
    check(flx_symbol_at(handle(), static_cast<int32_t>(part), index, &s));
    return adopt(s);
  }
  Symbol operator[](int output) const { return at(Part::output, output); }
  // The internal called "fc1_output", say, or the variable "data".
  Symbol internal(const std::string& wanted) const {
    for (int i = 0, n = count(Part::internal); i < n; ++i)
      if (name(Part::internal, i) == wanted) return at(Part::internal, i);
    throw NameError(FLX_ERROR_NAME, "[symbol] has no internal called `" + wanted + "`; names(Part::internal) lists them.");
  }
  Symbol internal(const char* wanted) const { return internal(std::string(wanted)); }
  Symbol substitute(const std::map<std::string, Symbol>& variables) const {
    std::vector<flx_symbol> raw;
    std::vector<const char*> names;
    for (auto& v : variables) names.push_back(v.first.c_str()), raw.push_back(v.second.handle());
    flx_symbol s = nullptr;
    check(flx_symbol_substitute(handle(), raw.data(), static_cast<int32_t>(raw.size()), names.data(), static_cast<int32_t>(names.size()), &s));
    return adopt(s);
  }

  // ---- attributes of the node of its first output
  std::optional<std::string> attr(const std::string& key) const {
    char* t = nullptr;
    check(flx_symbol_attr_get(handle(), key.c_str(), &t));
    if (!t) return std::nullopt;
    return detail::take_text(t);
  }
  void set_attr(const std::string& key, const OptionValue& value) { check(flx_symbol_attr_set(handle(), key.c_str(), value.text().c_str())); }
  // Of all its nodes: node -> key -> value.
  std::map<std::string, std::map<std::string, std::string>> attrs() const {
    std::map<std::string, std::map<std::string, std::string>> all;
    int32_t n = 0;
    check(flx_symbol_attr_count(handle(), &n));
    for (int32_t i = 0; i < n; ++i) {
      const char *node = "", *key = "", *value = "";
      check(flx_symbol_attr_at(handle(), i, &node, &key, &value));
      all[node][key] = value;
    }
    return all;
  }

  // ---- shapes
  // known: {{"data", {64, 1, 28, 28}}, {"data.dtype", "float16"}}; a size of -1 is unknown. The result knows its shapes.
  Symbol infer(const Options& known, bool partial = false) const {
    detail::RawOptions o(known);
    flx_symbol s = nullptr;
    check(flx_symbol_infer(handle(), o.keys(), o.values(), o.size(), partial, &s));
    return adopt(s);
  }
  // Of an inferred symbol; none if not even the number of axes is known. Unknown sizes are -1.
  std::optional<Shape> shape(Part part, int index) const {
    int32_t dtype = 0, known = 0, n = 0;
    int64_t dims[FLX_MAX_NDIM];
    check(flx_symbol_shape(handle(), static_cast<int32_t>(part), index, &dtype, &known, dims, FLX_MAX_NDIM, &n));
    if (!known) return std::nullopt;
    return Shape(std::vector<int64_t>(dims, dims + n));
  }
  std::optional<DType> dtype(Part part, int index) const {
    int32_t dtype = 0, known = 0, n = 0;
    int64_t dims[FLX_MAX_NDIM];
    check(flx_symbol_shape(handle(), static_cast<int32_t>(part), index, &dtype, &known, dims, FLX_MAX_NDIM, &n));
    if (dtype < 0) return std::nullopt;
    return static_cast<DType>(dtype);
  }

  // After the pass `name` (merge, fuse, layout ...); the symbol must know its shapes. Options: training.
  Symbol transform(const std::string& name, const Options& options = {}) const {
    detail::RawOptions o(options);
    flx_symbol s = nullptr;
    check(flx_symbol_transform(handle(), name.c_str(), o.keys(), o.values(), o.size(), &s));
    return adopt(s);
  }
  // The gradients of these variables as a graph, one output for each; the symbol must be inferred. Its variables are this one's, and `<output>_head` for each
  // output that is no loss.
  Symbol gradient(const std::vector<std::string>& names) const {
    auto raw = detail::raw_names(names);
    flx_symbol s = nullptr;
    check(flx_symbol_gradient(handle(), raw.data(), static_cast<int32_t>(raw.size()), &s));
    return adopt(s);
  }

  // ---- for people
  std::string summary(int columns = 100) const {
    char* t = nullptr;
    check(flx_symbol_summary(handle(), columns, &t));
    return detail::take_text(t);
  }
  // The same as a JSON document.
  std::string table() const {
    char* t = nullptr;
    check(flx_symbol_table(handle(), &t));
    return detail::take_text(t);
  }
  // format: svg or dot.
  std::string draw(const std::string& format = "svg") const {
    char* t = nullptr;
    check(flx_symbol_draw(handle(), format.c_str(), &t));
    return detail::take_text(t);
  }
};

namespace detail {
inline std::vector<flx_symbol> raw_symbols(const std::vector<Symbol>& symbols) {
  std::vector<flx_symbol> raw;
  for (auto& s : symbols) raw.push_back(s.handle());
  return raw;
}
}  // namespace detail

// What a symbol is of: data, a weight. attributes: shape, dtype, init, lr_mult, wd_mult, ctx_group.
inline Symbol variable(const std::string& name, const Options& attributes = {}) {
  require_library();
  detail::RawOptions o(attributes);
  flx_symbol s = nullptr;
  check(flx_symbol_variable(NameScope::name(name, "var").c_str(), o.keys(), o.values(), o.size(), &s));
  return Symbol::adopt(s);
}
using NamedSymbols = std::vector<std::pair<std::string, Symbol>>;
// An operator on symbols. Inputs that are missing become variables called after the node. Without a name it gets one (NameScope).
inline Symbol compose(const std::string& op, const NamedSymbols& inputs, const Options& attributes = {}, const std::string& name = "") {
  require_library();
  detail::RawOptions o(attributes);
  std::vector<flx_symbol> raw;
  std::vector<const char*> names;
  bool any = false;
  for (auto& i : inputs) raw.push_back(i.second.handle()), names.push_back(i.first.c_str()), any |= !i.first.empty();
  flx_symbol s = nullptr;
  check(flx_symbol_compose(op.c_str(), NameScope::name(name, op).c_str(), raw.data(), static_cast<int32_t>(raw.size()), names.data(),
                           any ? static_cast<int32_t>(names.size()) : 0, o.keys(), o.values(), o.size(), &s));
  return Symbol::adopt(s);
}
inline Symbol compose(const std::string& op, const std::vector<Symbol>& inputs, const Options& attributes = {}, const std::string& name = "") {
  NamedSymbols named;
  for (auto& i : inputs) named.emplace_back("", i);
  return compose(op, named, attributes, name);
}
inline Symbol compose(const std::string& op, std::initializer_list<Symbol> inputs, const Options& attributes = {}, const std::string& name = "") {
  return compose(op, std::vector<Symbol>(inputs), attributes, name);
}
// What an array was computed by while recording; what it began with are variables x0, x1 ...
inline Symbol history(const NDArray& array) {
  flx_symbol s = nullptr;
  check(flx_autograd_symbol(array.handle(), &s));
  return Symbol::adopt(s);
}
// All their outputs as one symbol.
inline Symbol group(const std::vector<Symbol>& symbols) {
  auto raw = detail::raw_symbols(symbols);
  flx_symbol s = nullptr;
  check(flx_symbol_group(raw.data(), static_cast<int32_t>(raw.size()), &s));
  return Symbol::adopt(s);
}

// Signs mean what they mean for arrays: shapes broadcast.
#define FLEXOR_SYMBOL_SIGN(sign, both, right, left)                                                                               \
  inline Symbol operator sign(const Symbol& a, const Symbol& b) { return compose(both, {a, b}); }                                 \
  inline Symbol operator sign(const Symbol& a, double v) { return compose(right, {a}, {{"scalar", v}}); }                         \
  inline Symbol operator sign(double v, const Symbol& a) { return compose(left, {a}, {{"scalar", v}}); }
FLEXOR_SYMBOL_SIGN(+, "broadcast_add", "_plus_scalar", "_plus_scalar")
FLEXOR_SYMBOL_SIGN(-, "broadcast_sub", "_minus_scalar", "_rminus_scalar")
FLEXOR_SYMBOL_SIGN(*, "broadcast_mul", "_mul_scalar", "_mul_scalar")
FLEXOR_SYMBOL_SIGN(/, "broadcast_div", "_div_scalar", "_rdiv_scalar")
FLEXOR_SYMBOL_SIGN(>, "broadcast_greater", "_greater_scalar", "_lesser_scalar")
FLEXOR_SYMBOL_SIGN(<, "broadcast_lesser", "_lesser_scalar", "_greater_scalar")
FLEXOR_SYMBOL_SIGN(>=, "broadcast_greater_equal", "_greater_equal_scalar", "_lesser_equal_scalar")
FLEXOR_SYMBOL_SIGN(<=, "broadcast_lesser_equal", "_lesser_equal_scalar", "_greater_equal_scalar")
#undef FLEXOR_SYMBOL_SIGN
inline Symbol operator-(const Symbol& a) { return compose("negative", {a}); }

// ---- control flow: the functions get placeholders and give symbols over them -----------------------------------------------------------------------
// What a step of a loop gives: outputs, which are stacked along a new axis 0, and the new states or variables.
struct Step { std::vector<Symbol> outputs, states; };
namespace detail {
inline std::vector<Symbol> placeholders(const std::string& node, const char* what, size_t n, std::vector<std::string>* names) {
  std::vector<Symbol> all;
  for (size_t i = 0; i < n; ++i) {
    std::string name = node + "_" + what;
    append(&name, static_cast<int64_t>(i));
    names->push_back(name);
    flx_symbol s = nullptr;
    check(flx_symbol_variable(name.c_str(), nullptr, nullptr, 0, &s));
    all.push_back(Symbol::adopt(s));
  }
  return all;
}
inline Symbol grouped(const Step& step) {
  std::vector<Symbol> all = step.outputs;
  all.insert(all.end(), step.states.begin(), step.states.end());
  return group(all);
}
// The outputs of a loop, split as the step's were.
inline Step split(const Symbol& s, size_t outputs) {
  Step r;
  for (int i = 0, n = s.count(Part::output); i < n; ++i) (static_cast<size_t>(i) < outputs ? r.outputs : r.states).push_back(s[i]);
  return r;
}
}  // namespace detail
// body(elements of data along axis 0, states) -> Step, for each element in turn.
template <class F> Step foreach(F body, const std::vector<Symbol>& data, const std::vector<Symbol>& states, const std::string& name = "") {
  require_library();
  std::string node = NameScope::name(name, "foreach");
  std::vector<std::string> names;
  auto elements = detail::placeholders(node, "data", data.size(), &names), held = detail::placeholders(node, "state", states.size(), &names);
  Step step = body(elements, held);
  std::vector<Symbol> with = data;
  with.insert(with.end(), states.begin(), states.end());
  auto raw = detail::raw_symbols(with);
  auto raw_names = detail::raw_names(names);
  flx_symbol s = nullptr;
  check(flx_symbol_foreach(node.c_str(), detail::grouped(step).handle(), static_cast<int32_t>(step.outputs.size()), raw_names.data(), static_cast<int32_t>(names.size()),
                           raw.data(), static_cast<int32_t>(raw.size()), &s));
  return detail::split(Symbol::adopt(s), step.outputs.size());
}
// While condition(variables) is not 0, and at most max_iterations times: body(variables) -> Step.
template <class C, class F>
Step while_loop(C condition, F body, const std::vector<Symbol>& variables, int64_t max_iterations, const std::string& name = "") {
  require_library();
  std::string node = NameScope::name(name, "while_loop");
  std::vector<std::string> names;
  auto held = detail::placeholders(node, "var", variables.size(), &names);
  Symbol test = condition(held);
  Step step = body(held);
  auto raw = detail::raw_symbols(variables);
  auto raw_names = detail::raw_names(names);
  flx_symbol s = nullptr;
  check(flx_symbol_while_loop(node.c_str(), test.handle(), detail::grouped(step).handle(), static_cast<int32_t>(step.outputs.size()), max_iterations, raw_names.data(),
                              static_cast<int32_t>(names.size()), raw.data(), static_cast<int32_t>(raw.size()), &s));
  return detail::split(Symbol::adopt(s), step.outputs.size());
}
// yes(inputs) if condition(inputs) is not 0, else no(inputs).
template <class C, class Y, class N>
Symbol cond(C condition, Y yes, N no, const std::vector<Symbol>& inputs, const std::string& name = "") {
  require_library();
  std::string node = NameScope::name(name, "cond");
  std::vector<std::string> names;
  auto held = detail::placeholders(node, "input", inputs.size(), &names);
  Symbol test = condition(held), a = yes(held), b = no(held);
  auto raw = detail::raw_symbols(inputs);
  auto raw_names = detail::raw_names(names);
  flx_symbol s = nullptr;
  check(flx_symbol_cond(node.c_str(), test.handle(), a.handle(), b.handle(), raw_names.data(), static_cast<int32_t>(names.size()), raw.data(), static_cast<int32_t>(raw.size()), &s));
  return Symbol::adopt(s);
}

// ---- symbols, layers and checkpoints -----------------------------------------------------------------------------------------------------------------
// Variables `inputs` become the layer's inputs, the others its parameters, under their own names.
inline Layer to_layer(const Symbol& symbol, const std::vector<std::string>& inputs, const std::string& name = "") {
  auto raw = detail::raw_names(inputs);
  flx_layer l = nullptr;
  check(flx_layer_from_symbol(symbol.handle(), detail::text_or_null(name), raw.data(), static_cast<int32_t>(raw.size()), &l));
  return Layer::adopt(l);
}
// The layer as a graph over these symbols, whose shapes must be known; its parameters are variables `prefix` and their names.
inline Symbol to_symbol(const Layer& layer, const std::vector<Symbol>& inputs, const std::string& prefix = "") {
  auto raw = detail::raw_symbols(inputs);
  flx_symbol s = nullptr;
  check(flx_layer_apply(layer.handle(), prefix.c_str(), raw.data(), static_cast<int32_t>(raw.size()), &s));
  return Symbol::adopt(s);
}
// MXNet's prefix-symbol.json and prefix-0000.params.
struct Checkpoint {
  Symbol symbol;
  Params params;
  static Checkpoint load(const std::string& prefix, int epoch) {
    require_library();
    flx_symbol s = nullptr;
    flx_params p = nullptr;
    check(flx_checkpoint_load(prefix.c_str(), epoch, &s, &p));
    return {Symbol::adopt(s), Params::adopt(p)};
  }
  void save(const std::string& prefix, int epoch) const {
    int32_t ready = 0;
    check(flx_checkpoint_save(symbol.handle(), params.handle(), prefix.c_str(), epoch, -1, &ready));
  }
};

}  // namespace flexor
#endif  // FLEXOR_SYMBOL_HPP_

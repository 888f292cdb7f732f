// SPDX-License-Identifier: Apache-2.0
// A symbol as MXNet 1.9.1 writes it, to the space: two spaces a level, ", " before the end of a line, lists of numbers in one line up to ten.
#include "base/utf8.h"
#include "graph/json.h"
#include "graph/json_tree.h"

namespace flx {
namespace graph_json {
namespace {

class Writer {
 public:
  explicit Writer(bool tokens) : tokens_(tokens) {}
  std::string out;

  void Graph(const Symbol& symbol, int depth) {
    if (depth == 0) np_shape_ = SaysZero(symbol);
    const GraphIndex& g = symbol.index();
    std::unordered_map<const Node*, int> written;  // how often a variable has been changed by the nodes before
    Open('{');
    Key("nodes"), Open('[');
    for (Node* n : g.nodes) Item(true), WriteNode(*n, g, &written, depth);
    Close(']', !g.nodes.empty());
    Key("arg_nodes"), List(g.inputs_order, [&](int i) { Append(&out, i); });
    Key("node_row_ptr"), List(RowPointers(g), [&](int i) { Append(&out, i); });
    Key("heads"), List(symbol.outputs, [&](const Entry& e) { WriteEntry(g, e, 0); });
    if (depth == 0) {
      Key("attrs"), Open('{');
      if (np_shape_) Key("is_np_shape", true), out += "[\"int\", 1]";
      Key("mxnet_version", np_shape_), Append(&out, Text("[\"int\", ", kWritten, "]"));
      Close('}', np_shape_);
    }
    Close('}', true);
  }

 private:
  void Line() { out.push_back('\n'), out.append(2 * first_.size(), ' '); }
  void Open(char c) { out.push_back(c), first_.push_back(true); }
  void Close(char c, bool line) {
    first_.pop_back();
    if (line) Line();
    out.push_back(c);
  }
  void Item(bool line) {
    if (!first_.back()) out += ", ";
    first_.back() = false;
    if (line) Line();
  }
  void Key(std::string_view key, bool line = true) { Item(line), Quoted(key), out += ": "; }
  void Quoted(std::string_view s) {
    if (!IsUtf8(s)) Fail(Status::kUnsupported, "symbol", "names and attributes must be UTF-8 to be written, given `", ToUtf8(s), "`.");
    AppendQuoted(&out, s);
  }
  template <class L, class F> void List(const L& list, F&& one) {
    bool lines = list.size() > 10;
    Open('[');
    for (auto& item : list) Item(lines), one(item);
    Close(']', lines);
  }
  void WriteEntry(const GraphIndex& g, const Entry& e, int version) {
    Append(&out, Text("[", g.numbers.at(e.node.get()), ", ", e.output, ", ", version, "]"));
  }

  void WriteNode(const Node& n, const GraphIndex& g, std::unordered_map<const Node*, int>* written, int depth) {
    auto s = n.settings();
    if (n.op && n.op->trait(kInternal))
      Fail(Status::kUnsupported, n.op->name, "node `", n.name, "` is an operator of the library's own, as gradients are made of; the graph runs and is drawn, but no file can hold it.");
    Open('{');
    Key("op"), Quoted(n.kind());
    Key("name"), Quoted(n.name);
    const AttrDict own = Local(n) ? WithoutToken(s->texts) : AttrDict();
    const AttrDict& texts = Local(n) ? own : s->texts;
    if (!texts.empty()) {
      bool lines = texts.size() > 1;
      const char* shape = ShapeKey(n.op);
      Key("attrs"), Open('{');
      for (auto& [key, value] : texts) {
        std::string text = value;
        if (shape && key == shape && !np_shape_) ToLegacyShape(&text);
        Key(key, lines), Quoted(text);
      }
      Close('}', lines);
    }
    // Changing an auxiliary state gives it a new version, counted from 1.
    std::vector<int> versions;
    for (size_t i = 0; i < n.inputs.size(); ++i) {
      const Entry& e = n.inputs[i];
      bool aux = !n.op->variadic && n.op->inputs[size_t(n.PortOf(int(i), *s))].aux;
      versions.push_back(!e.node->variable() ? 0 : aux ? ++(*written)[e.node.get()] : (*written)[e.node.get()]);
    }
    size_t at = 0;
    Key("inputs"), List(n.inputs, [&](const Entry& e) { WriteEntry(g, e, versions[at++]); });
    if (!n.subgraphs.empty()) {
      Key("subgraphs"), Open('[');
      for (auto& sub : n.subgraphs) Item(true), Graph(*sub, depth + 1);
      Close(']', true);
    }
    Close('}', true);
  }
  // Where each node's outputs begin. Outputs that stand for a change of an input are ours alone.
  static std::vector<int> RowPointers(const GraphIndex& g) {
    std::vector<int> rows{0};
    for (Node* n : g.nodes) {
      int count = n->CountOutputs(*n->settings());
      if (n->op && !n->op->outputs_fn)
        for (auto& port : n->op->outputs) count -= port.updates >= 0;
      rows.push_back(rows.back() + count);
    }
    return rows;
  }
  static bool SaysZero(const Symbol& symbol) {
    for (Node* n : symbol.index().nodes) {
      auto s = n->settings();
      const char* key = ShapeKey(n->op);
      auto it = key ? s->texts.find(key) : s->texts.end();
      if (it != s->texts.end() && NeedsNpShape(it->second)) return true;
      for (auto& sub : n->subgraphs)
        if (SaysZero(*sub)) return true;
    }
    return false;
  }

  // A host function's token means something in this process alone.
  bool Local(const Node& n) const { return !tokens_ && n.op && n.op->trait(kHost); }
  static AttrDict WithoutToken(AttrDict texts) { return texts.erase("token"), texts; }

  const bool tokens_;
  bool np_shape_ = false;
  std::vector<bool> first_;
};
}  // namespace
}  // namespace graph_json

std::string SymbolToJson(const Symbol& symbol, bool tokens) {
  graph_json::Writer writer(tokens);
  writer.Graph(symbol, 0);
  return std::move(writer.out);
}

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// A symbol from its file. The text may be hostile: every number is checked before it is used, and nothing is made that the text does not vouch for.
#include "base/json.h"
#include "base/log.h"
#include "graph/infer.h"
#include "graph/json.h"
#include "graph/json_tree.h"

namespace flx {
namespace graph_json {
namespace {
constexpr int64_t kMostValues = 1 << 20;  // outputs of all nodes: an attribute may ask for more than the text has bytes

class Reader {
 public:
  explicit Reader(const std::string& file) : file_(file) {}

  Ref<Symbol> Read(const JsonValue& root) {
    FileGraph g = ReadGraph(root, 0);
    int64_t version = kUnversioned;
    bool np_shape = false;
    if (auto* attrs = root.Find("attrs")) {
      if (!attrs->is(JsonValue::kObject)) Refuse(*attrs, "`attrs` of the graph must be an object, given ", attrs->type_name(), ".");
      version = Typed(*attrs, "mxnet_version", kUnversioned);
      np_shape = Typed(*attrs, "is_np_shape", 0) != 0;
    }
    if (version > kWritten)
      Log(LogLevel::kWarning, file_.empty() ? "symbol" : file_, ": written by MXNet ", version / 10000, ".", version / 100 % 100, ".", version % 100,
          ", newer than 1.9.1, whose files are known here.");
    return Make(&g, int(std::min<int64_t>(version, kWritten)), np_shape);
  }

 private:
  template <class... A> [[noreturn]] void RefuseAt(int64_t at, const A&... a) const { FailJson("symbol", file_, at, Text(a...)); }
  template <class... A> [[noreturn]] void Refuse(const JsonValue& v, const A&... a) const { RefuseAt(v.at, a...); }
  // What made the node impossible, with its place.
  [[noreturn]] void RefuseNode(const FileNode& n, const Error& e) const {
    try {
      RefuseAt(n.at, e.message(), e.message().find(Text("`", n.name, "`")) == std::string::npos ? Text(" [node `", n.name, "`]") : "");
    } catch (Error& placed) {
      placed.op = e.op.empty() && n.op ? n.op->name : e.op, placed.node = n.name, placed.hint = e.hint;
      throw;
    }
  }

  const JsonValue& Need(const JsonValue& of, const char* what, const char* key, JsonValue::Type type, const char* type_name) const {
    const JsonValue* v = of.Find(key);
    if (!v) Refuse(of, what, " has no `", key, "`.");
    if (!v->is(type)) Refuse(*v, "`", key, "` of ", what, " must be ", type_name, ", given ", v->type_name(), ".");
    return *v;
  }
  // Names and texts go through C, where a zero ends them.
  const std::string& Plain(const std::string& s, const JsonValue& at, const char* what) const {
    if (s.find('\0') != std::string::npos) Refuse(at, what, " contains the character \\u0000.");
    return s;
  }
  // A whole number in [0, most].
  int64_t Number(const JsonValue& v, const char* what, int64_t most) const {
    if (!v.is(JsonValue::kInteger) || v.integer < 0 || v.integer > most) {
      if (v.is(JsonValue::kInteger) || v.is(JsonValue::kNumber)) Refuse(v, what, " must be a whole number in [0, ", most, "], given ", v.number, ".");
      Refuse(v, what, " must be a number, given ", v.type_name(), ".");
    }
    return v.integer;
  }
  // ["int", 10901]
  int64_t Typed(const JsonValue& attrs, const char* key, int64_t otherwise) const {
    const JsonValue* v = attrs.Find(key);
    if (!v) return otherwise;
    if (!v->is(JsonValue::kArray) || v->items.size() != 2 || !v->items[0].is(JsonValue::kString) || v->items[0].text != "int")
      Refuse(*v, "`", key, "` must be [\"int\", number].");
    return Number(v->items[1], key, 1 << 30);
  }

  // [node, output] or [node, output, version]; nodes below `count`.
  FileEntry ReadEntry(const JsonValue& v, const char* what, size_t count, const char* which) const {
    if (!v.is(JsonValue::kArray) || (v.items.size() != 2 && v.items.size() != 3))
      Refuse(v, what, " must be [node, output] or [node, output, version], given ", v.is(JsonValue::kArray) ? Text(v.items.size(), " values") : v.type_name(), ".");
    FileEntry e;
    e.at = v.at;
    if (count == 0) Refuse(v, what, " names a node, and there is none", which, ".");
    e.node = size_t(Number(v.items[0], Text("the node of ", what).c_str(), int64_t(count) - 1));
    e.output = int32_t(Number(v.items[1], Text("the output of ", what).c_str(), kMostValues));
    if (v.items.size() == 3) Number(v.items[2], Text("the version of ", what).c_str(), INT64_MAX);
    return e;
  }

  FileGraph ReadGraph(const JsonValue& v, int depth) const {
    if (!v.is(JsonValue::kObject)) Refuse(v, "a graph must be an object, given ", v.type_name(), ".");
    if (depth > kMostNested) Refuse(v, "graphs are nested deeper than ", kMostNested, ".");
    FileGraph g;
    auto& nodes = Need(v, "the graph", "nodes", JsonValue::kArray, "an array");
    for (auto& n : nodes.items) ReadNode(n, depth, &g);
    if (auto* args = v.Find("arg_nodes")) {
      if (!args->is(JsonValue::kArray)) Refuse(*args, "`arg_nodes` must be an array, given ", args->type_name(), ".");
      for (auto& a : args->items)
        if (g.nodes.empty() || g.nodes[size_t(Number(a, "a number of `arg_nodes`", int64_t(g.nodes.size()) - 1))].op)
          Refuse(a, "`arg_nodes` must name variables.");
    }
    auto& heads = Need(v, "the graph", "heads", JsonValue::kArray, "an array");
    if (heads.items.empty()) Refuse(heads, "the graph has no outputs: `heads` is empty.");
    for (auto& h : heads.items) g.heads.push_back(ReadEntry(h, "a head", g.nodes.size(), ""));
    return g;
  }

  void ReadNode(const JsonValue& v, int depth, FileGraph* g) const {
    if (!v.is(JsonValue::kObject)) Refuse(v, "a node must be an object, given ", v.type_name(), ".");
    FileNode n;
    n.at = v.at;
    auto& name = Need(v, "a node", "name", JsonValue::kString, "a string");
    n.name = Plain(name.text, name, "the name of a node");
    if (n.name.empty()) Refuse(name, "a node needs a name.");
    std::string who = Text("node `", n.name, "`");
    auto& op = Need(v, who.c_str(), "op", JsonValue::kString, "a string");
    if (op.text != "null") n.op = &Operator(n, op);
    for (const char* key : {"attrs", "attr", "param"}) {  // 1.0 and later; before; an operator's before 0.9
      auto* texts = v.Find(key);
      if (!texts) continue;
      if (!texts->is(JsonValue::kObject)) Refuse(*texts, "`", key, "` of ", who, " must be an object, given ", texts->type_name(), ".");
      n.at = texts->at;
      for (auto& [k, value] : texts->members) {
        if (!value.is(JsonValue::kString)) Refuse(value, "attribute `", k, "` of ", who, " must be a string, given ", value.type_name(), ".");
        n.texts.emplace(Plain(k, value, "the name of an attribute"), Plain(value.text, value, "an attribute"));
      }
    }
    auto& inputs = Need(v, who.c_str(), "inputs", JsonValue::kArray, "an array");
    if (!n.op && !inputs.items.empty()) Refuse(inputs, who, " is a variable and has no inputs, given ", inputs.items.size(), ".");
    for (auto& in : inputs.items) n.inputs.push_back(ReadEntry(in, Text("an input of ", who).c_str(), g->nodes.size(), " before it"));
    if (auto* subs = v.Find("subgraphs")) {
      if (!subs->is(JsonValue::kArray)) Refuse(*subs, "`subgraphs` of ", who, " must be an array, given ", subs->type_name(), ".");
      for (auto& s : subs->items) n.subgraphs.push_back(ReadGraph(s, depth + 1));
    }
    size_t want = n.op ? size_t(n.op->subgraphs) : 0;
    if (n.subgraphs.size() != want) Refuse(v, who, " needs ", want, " graphs of its own, given ", n.subgraphs.size(), ".");
    g->nodes.push_back(std::move(n));
  }
  const OpDef& Operator(const FileNode& n, const JsonValue& name) const {
    try {
      const OpDef& op = FindOp(name.text);
      if (!op.trait(kInternal)) return op;
      Fail(Status::kName, op.name, "this operator is internal and cannot stand in files.");
    } catch (const Error& e) {
      FileNode at;
      at.name = n.name, at.at = name.at;
      Error named(e.status(), e.message());
      named.op = name.text, named.hint = e.hint;
      RefuseNode(at, named);
    }
  }

  // ---- nodes --------------------------------------------------------------------------------------------------------------------------
  Ref<Symbol> Make(FileGraph* g, int version, bool np_shape) {
    for (size_t i = 0, count = g->nodes.size(); i < count; ++i) {
      try {
        UpgradeNode(g, i, version);
      } catch (const Error& e) {
        if (e.status() == Status::kMemory) throw;
        RefuseNode(g->nodes[i], e);
      }
    }
    std::vector<Ref<Node>> made(g->nodes.size());
    for (bool variables : {true, false})  // those that were added stand last
      for (size_t i = 0; i < g->nodes.size(); ++i)
        if ((g->nodes[i].op == nullptr) == variables) made[i] = MakeNode(&g->nodes[i], made, version, np_shape);
    std::vector<Entry> heads;
    for (auto& h : g->heads) heads.push_back(Output(h, made));
    return Symbol::New(std::move(heads));
  }
  Entry Output(const FileEntry& e, const std::vector<Ref<Node>>& made) const {
    const Ref<Node>& n = made[e.node];
    int count = n->CountOutputs(*n->settings());
    bool update = !n->variable() && !n->op->outputs_fn && e.output < count && n->op->outputs[size_t(e.output)].updates >= 0;
    if (e.output >= count || update) RefuseAt(e.at, "node `", n->name, "` (", n->kind(), ") has no output ", e.output, ".");
    return {n, e.output};
  }
  Ref<Node> MakeNode(FileNode* n, const std::vector<Ref<Node>>& made, int version, bool np_shape) {
    if (const char* key = ShapeKey(n->op))
      if (auto it = n->texts.find(key); it != n->texts.end() && (!n->op || !np_shape)) {
        // A variable of which nothing is known says nothing.
        bool known = np_shape ? it->second != "None" : FromLegacyShape(&it->second);
        if (!known && !n->op) n->texts.erase(it);
      }
    std::vector<Entry> inputs;
    for (auto& e : n->inputs) inputs.push_back(Output(e, made));
    std::vector<Ref<Symbol>> subgraphs;
    for (auto& s : n->subgraphs) subgraphs.push_back(Make(&s, version, np_shape));
    try {
      if (!n->op) CheckVariable(n->name, n->texts);
      auto node = Node::New(n->op, n->name, std::move(n->texts), std::move(inputs), std::move(subgraphs));
      if (n->op) CheckCounts(*node);
      return node;
    } catch (const Error& e) {
      if (e.status() == Status::kMemory) throw;
      RefuseNode(*n, e);
    }
  }
  void CheckCounts(const Node& n) {
    auto s = n.settings();
    const OpDef& op = *n.op;
    size_t given = n.inputs.size(), want = 0;
    if (op.variadic) {
      if (int(given) < op.list_min) Fail(Status::kArgument, op.name, "expected at least ", op.list_min, " inputs, given ", given, ".");
      // Loops count their graphs too, and UpSampling does not count its weight.
      auto count = op.count_attr && !op.subgraphs ? s->texts.find(op.count_attr) : s->texts.end();
      int64_t said, uncounted = std::string_view(op.name) == "UpSampling" ? 1 : 0;
      if (count != s->texts.end() && (!ParseInt(count->second, &said) || said > int64_t(given) || said + uncounted < int64_t(given)))
        Fail(Status::kArgument, op.name, "`", op.count_attr, "` is ", count->second, ", given ", given, given == 1 ? " input." : " inputs.");
    } else {
      for (int p = 0; p < int(op.inputs.size()); ++p) want += op.Present(p, s->attrs.get());
      if (given != want) Fail(Status::kArgument, op.name, "expected ", want, want == 1 ? " input" : " inputs", ", given ", given, ".");
    }
    int outputs = n.CountOutputs(*s);
    if (outputs > kMostValues - values_) Fail(Status::kArgument, op.name, "has ", outputs, " outputs; a file may have ", kMostValues, " together.");
    values_ += outputs;
  }

  const std::string& file_;
  int64_t values_ = 0;
};
}  // namespace
}  // namespace graph_json

Ref<Symbol> SymbolFromJson(std::string_view text, const std::string& file) {
  return graph_json::Reader(file).Read(ParseJson(text, "symbol", file));
}

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// Layers as JSON and back. The text may be hostile: its size, depth and number of layers are bounded, and what is not known is refused.
//   Only the parser is nlohmann's, not its values: they cannot be made or freed without memory (a failed allocation ends the process).
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/utf8.h"
#include "train/layer.h"

namespace flx {
namespace {

constexpr size_t kMaxText = 16 << 20;
constexpr int kMaxLayers = 100000;
constexpr size_t kMaxDepth = 256;  // of the document: a layer takes two levels

template <class... A> [[noreturn]] void Refuse(const A&... a) { Fail(Status::kFormat, "layer JSON", a...); }

// {"children":[...],"kind":"Dense","name":"...","settings":{...}}: sorted keys; what is empty is left out
void Print(const Layer& layer, std::string* s) {
  auto quoted = [&](std::string_view text) {
    if (!IsUtf8(text)) Fail(Status::kArgument, layer.def.name, "a name or setting is not valid UTF-8 and cannot be written.");
    AppendQuoted(s, text);
  };
  s->push_back('{');
  auto children = layer.children();
  for (size_t i = 0; i < children.size(); ++i) {
    s->append(i ? "," : "\"children\":[");
    Print(*children[i], s);
  }
  if (!children.empty()) s->append("],");
  s->append("\"kind\":"), quoted(layer.def.name);
  if (!layer.name.empty()) s->append(",\"name\":"), quoted(layer.name);
  auto settings = layer.def.schema.PrintAll(layer.settings.get(), true);
  std::sort(settings.begin(), settings.end());
  const char* before = ",\"settings\":{";
  for (auto& kv : settings) {
    s->append(before), quoted(kv.first), s->push_back(':'), quoted(kv.second);
    before = ",";
  }
  s->append(settings.empty() ? "}" : "}}");
}

struct Node {
  const char* type = "null";  // as in messages
  std::string text;           // of a string
  std::vector<std::pair<std::string, Node>> members;
  std::vector<Node> items;
  const Node* Find(std::string_view key) const {
    for (auto& m : members)
      if (m.first == key) return &m.second;
    return nullptr;
  }
  bool is(std::string_view what) const { return type == what; }
};

class Reader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  Node root;

  bool null() override { return AddPlain("null"); }
  bool boolean(bool) override { return AddPlain("boolean"); }
  bool number_integer(number_integer_t) override { return AddPlain("number"); }
  bool number_unsigned(number_unsigned_t) override { return AddPlain("number"); }
  bool number_float(number_float_t, const string_t&) override { return AddPlain("number"); }
  bool binary(binary_t&) override { return AddPlain("binary"); }
  bool string(string_t& v) override { return Add({"string", std::move(v), {}, {}}); }
  bool start_object(size_t) override { return Start("object"); }
  bool start_array(size_t) override { return Start("array"); }
  bool end_object() override { return End(); }
  bool end_array() override { return End(); }
  bool key(string_t& k) override {
    if (!open_.back().keys.insert(k).second) Refuse("the key `", k, "` occurs twice.");
    open_.back().key = std::move(k);
    return true;
  }
  bool parse_error(size_t at, const std::string&, const nlohmann::detail::exception&) override { Refuse("not valid JSON at byte ", at, "."); }

 private:
  struct Open { Node node; std::set<std::string> keys; std::string key; };
  std::vector<Open> open_;
  bool Add(Node n) {
    if (open_.empty()) root = std::move(n);
    else if (open_.back().node.is("object")) open_.back().node.members.emplace_back(std::move(open_.back().key), std::move(n));
    else open_.back().node.items.push_back(std::move(n));
    return true;
  }
  bool AddPlain(const char* type) { return Add({type, {}, {}, {}}); }
  bool Start(const char* type) {
    if (open_.size() >= kMaxDepth) Refuse("nested deeper than ", kMaxDepth, ".");
    open_.push_back({{type, {}, {}, {}}, {}, {}});
    return true;
  }
  bool End() {
    Node n = std::move(open_.back().node);
    open_.pop_back();
    return Add(std::move(n));
  }
};

Ref<Layer> FromNode(const Node& node, int* left) {
  if (--*left < 0) Refuse("more than ", kMaxLayers, " layers.");
  if (!node.is("object")) Refuse("expected an object for a layer, given ", node.type, ".");
  for (auto& m : node.members)
    if (m.first != "kind" && m.first != "name" && m.first != "settings" && m.first != "children") Refuse("a layer has no key `", m.first, "`.");
  const Node* kind = node.Find("kind");
  if (!kind || !kind->is("string")) Refuse("a layer needs the key `kind` with a name.");
  const Node* name = node.Find("name");
  if (name && !name->is("string")) Refuse("`name` must be a string, given ", name->type, ".");
  Settings settings;
  if (const Node* s = node.Find("settings")) {
    if (!s->is("object")) Refuse("`settings` must be an object, given ", s->type, ".");
    for (auto& m : s->members) {
      if (!m.second.is("string")) Refuse("setting `", m.first, "` must be a string, given ", m.second.type, ".");
      settings.emplace_back(m.first, m.second.text);
    }
  }
  Ref<Layer> layer;
  try {
    layer = Layer::New(kind->text, settings, name ? name->text : "");
  } catch (const Error& e) {
    if (e.status() == Status::kMemory) throw;
    throw Error(Status::kFormat, Text("[layer JSON] ", e.message()));
  }
  if (const Node* c = node.Find("children")) {
    if (!c->is("array")) Refuse("`children` must be an array, given ", c->type, ".");
    if (!c->items.empty() && !layer->def.container) Refuse(layer->def.name, " takes no children.");
    for (auto& child : c->items) layer->Add(FromNode(child, left));
  }
  return layer;
}
}  // namespace

std::string Layer::ToJson() const {
  std::string s;
  Print(*this, &s);
  return s;
}

Ref<Layer> Layer::FromJson(std::string_view text) {
  if (text.size() > kMaxText) Refuse("the text has ", text.size(), " bytes, more than ", kMaxText, ".");
  Reader reader;
  nlohmann::json::sax_parse(text.begin(), text.end(), &reader);
  int left = kMaxLayers;
  return FromNode(reader.root, &left);
}

}  // namespace flx

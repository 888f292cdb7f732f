// SPDX-License-Identifier: Apache-2.0
// Layers as JSON and back. The text may be hostile: its size, depth and number of layers are bounded, and what is not known is refused.
#include <algorithm>

#include "base/json.h"
#include "base/utf8.h"
#include "train/layer.h"

namespace flx {
namespace {

constexpr int kMaxLayers = 100000;
constexpr const char* kWho = "layer JSON";

template <class... A> [[noreturn]] void Refuse(const A&... a) { Fail(Status::kFormat, kWho, a...); }

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

Ref<Layer> FromNode(const JsonValue& node, int* left) {
  if (--*left < 0) Refuse("more than ", kMaxLayers, " layers.");
  if (!node.is(JsonValue::kObject)) Refuse("expected an object for a layer, given ", node.type_name(), ".");
  for (auto& m : node.members)
    if (m.first != "kind" && m.first != "name" && m.first != "settings" && m.first != "children") Refuse("a layer has no key `", m.first, "`.");
  const JsonValue* kind = node.Find("kind");
  if (!kind || !kind->is(JsonValue::kString)) Refuse("a layer needs the key `kind` with a name.");
  const JsonValue* name = node.Find("name");
  if (name && !name->is(JsonValue::kString)) Refuse("`name` must be a string, given ", name->type_name(), ".");
  Settings settings;
  if (const JsonValue* s = node.Find("settings")) {
    if (!s->is(JsonValue::kObject)) Refuse("`settings` must be an object, given ", s->type_name(), ".");
    for (auto& m : s->members) {
      if (!m.second.is(JsonValue::kString)) Refuse("setting `", m.first, "` must be a string, given ", m.second.type_name(), ".");
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
  if (const JsonValue* c = node.Find("children")) {
    if (!c->is(JsonValue::kArray)) Refuse("`children` must be an array, given ", c->type_name(), ".");
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
  int left = kMaxLayers;
  return FromNode(ParseJson(text, kWho), &left);
}

}  // namespace flx

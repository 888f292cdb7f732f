// SPDX-License-Identifier: Apache-2.0
// Layers as JSON and back. The text may be hostile: its size, depth and number of layers are bounded, and what is not known is refused.
#include <nlohmann/json.hpp>
#include <set>

#include "train/layer.h"

namespace flx {
namespace {

using Json = nlohmann::json;  // objects keep their keys sorted

constexpr size_t kMaxText = 16 << 20;
constexpr int kMaxLayers = 100000;
constexpr int kMaxDepth = 256;  // of the document: a layer takes two levels

Json ToNode(const Layer& layer) {
  Json node;
  node["kind"] = layer.def.name;
  if (!layer.name.empty()) node["name"] = layer.name;
  for (auto& kv : layer.def.schema.PrintAll(layer.settings.get(), true)) node["settings"][kv.first] = kv.second;
  for (auto& child : layer.children()) node["children"].push_back(ToNode(*child));
  return node;
}

template <class... A> [[noreturn]] void Refuse(const A&... a) { Fail(Status::kFormat, "layer JSON", a...); }

Ref<Layer> FromNode(const Json& node, int* left) {
  if (--*left < 0) Refuse("more than ", kMaxLayers, " layers.");
  if (!node.is_object()) Refuse("expected an object for a layer, given ", node.type_name(), ".");
  for (auto& item : node.items())
    if (item.key() != "kind" && item.key() != "name" && item.key() != "settings" && item.key() != "children") Refuse("a layer has no key `", item.key(), "`.");
  auto kind = node.find("kind");
  if (kind == node.end() || !kind->is_string()) Refuse("a layer needs the key `kind` with a name.");
  std::string name;
  if (auto n = node.find("name"); n != node.end()) {
    if (!n->is_string()) Refuse("`name` must be a string, given ", n->type_name(), ".");
    name = n->get<std::string>();
  }
  Settings settings;
  if (auto s = node.find("settings"); s != node.end()) {
    if (!s->is_object()) Refuse("`settings` must be an object, given ", s->type_name(), ".");
    for (auto& item : s->items()) {
      if (!item.value().is_string()) Refuse("setting `", item.key(), "` must be a string, given ", item.value().type_name(), ".");
      settings.emplace_back(item.key(), item.value().get<std::string>());
    }
  }
  Ref<Layer> layer;
  try {
    layer = Layer::New(kind->get<std::string>(), settings, std::move(name));
  } catch (const Error& e) {
    throw Error(Status::kFormat, Text("[layer JSON] ", e.message()));
  }
  if (auto c = node.find("children"); c != node.end()) {
    if (!c->is_array()) Refuse("`children` must be an array, given ", c->type_name(), ".");
    if (!c->empty() && !layer->def.container) Refuse(layer->def.name, " takes no children.");
    for (auto& child : *c) layer->Add(FromNode(child, left));
  }
  return layer;
}
}  // namespace

std::string Layer::ToJson() const {
  try {
    return ToNode(*this).dump();
  } catch (const Json::exception&) {
    Fail(Status::kArgument, def.name, "a name or setting is not valid UTF-8 and cannot be written.");
  }
}

Ref<Layer> Layer::FromJson(std::string_view text) {
  if (text.size() > kMaxText) Refuse("the text has ", text.size(), " bytes, more than ", kMaxText, ".");
  std::vector<std::set<std::string>> keys;  // of the objects that are open
  auto watch = [&](int depth, Json::parse_event_t event, Json& value) {
    if (depth > kMaxDepth) Refuse("nested deeper than ", kMaxDepth, ".");
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    else if (event == Json::parse_event_t::object_end) keys.pop_back();
    else if (event == Json::parse_event_t::key && !keys.back().insert(value.get<std::string>()).second) Refuse("the key `", value.get<std::string>(), "` occurs twice.");
    return true;
  };
  Json root;
  try {
    root = Json::parse(text.begin(), text.end(), watch);
  } catch (const Json::parse_error& e) {
    Refuse("not valid JSON at byte ", e.byte, ".");
  } catch (const Json::exception&) {
    Refuse("not valid JSON.");
  }
  int left = kMaxLayers;
  return FromNode(root, &left);
}

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// Old files brought up to date, and shapes between MXNet's meaning and ours.
#include "graph/json_tree.h"

namespace flx::graph_json {
namespace {

// The ports an operator's inputs have, in the file's order; none for those that take a list.
std::vector<int> PresentPorts(const OpDef& op, const void* attrs) {
  std::vector<int> ports;
  if (op.variadic) return ports;
  for (int p = 0; p < int(op.inputs.size()); ++p)
    if (op.Present(p, attrs)) ports.push_back(p);
  return ports;
}

// Before 1.9.1 `lr_mult` stood among an operator's attributes, and `weight_lr_mult` was meant for its input.
void HideKeys(FileGraph* g, FileNode* n) {
  AttrDict plain;
  std::vector<std::pair<std::string, std::string>> meant;  // for an input: to be moved
  for (auto& [key, value] : n->texts) {
    std::string_view k = key;
    if (IsHiddenKey(k)) continue;
    bool ends = false;
    for (auto* hidden : kHiddenKeys) ends |= n->op && EndsWith(k, Text("_", hidden));
    if (ends) meant.emplace_back(key, value);
    else plain.emplace(key, value);
  }
  for (auto& [key, value] : n->texts)
    if (IsHiddenKey(key)) plain[StoredKey(key)] = value;
  if (!meant.empty()) {
    Attrs attrs = ParseTexts(*n->op, n->name, plain);
    auto ports = PresentPorts(*n->op, attrs.get());
    for (auto& [key, value] : meant) {
      bool moved = false;
      for (size_t i = 0; i < ports.size() && i < n->inputs.size(); ++i)
        for (auto* hidden : kHiddenKeys)
          if (key == Text(n->op->inputs[size_t(ports[i])].name, "_", hidden)) g->nodes[n->inputs[i].node].texts[StoredKey(hidden)] = value, moved = true;
      if (!moved) plain.emplace(key, value);  // then it must be an attribute of the operator's own
    }
  }
  n->texts = std::move(plain);
}

// Before 0.9 files left out auxiliary states, and whatever else was made when an operator was composed.
void AddInputs(FileGraph* g, size_t node) {
  const OpDef& op = *g->nodes[node].op;
  Attrs attrs = ParseTexts(op, g->nodes[node].name, g->nodes[node].texts);
  auto ports = PresentPorts(op, attrs.get());
  for (size_t i = g->nodes[node].inputs.size(); i < ports.size(); ++i) {
    FileNode v;
    v.name = Text(g->nodes[node].name, "_", op.inputs[size_t(ports[i])].name);
    v.texts = g->nodes[node].texts;
    v.at = g->nodes[node].at;
    g->nodes[node].inputs.push_back({g->nodes.size(), 0, v.at});
    g->nodes.push_back(std::move(v));
  }
}

// Before 0.9.4 variables did not say how they begin.
void AddInits(FileGraph* g, const FileNode& n) {
  Attrs attrs = ParseTexts(*n.op, n.name, n.texts);
  auto ports = PresentPorts(*n.op, attrs.get());
  for (size_t i = 0; i < n.inputs.size(); ++i) {
    FileNode& v = g->nodes[n.inputs[i].node];
    int port = n.op->variadic ? int(i) : i < ports.size() ? ports[i] : -1;
    std::string init = v.op || port < 0 ? "" : InitText(*n.op, n.texts, port);
    if (!init.empty()) v.texts.emplace("__init__", init);
  }
}

// The items of a shape's text as numbers, -1 for None; false if it is none.
bool Sizes(const std::string& text, Ints* sizes) {
  std::vector<std::string_view> items;
  if (!attrs_detail::ParseItems(text, &items)) return false;
  for (auto item : items) {
    int64_t n = -1;
    if (item != "None" && item != "?" && !ParseInt(item, &n)) return false;
    sizes->push_back(n);
  }
  return true;
}
}  // namespace

void UpgradeNode(FileGraph* g, size_t node, int version) {
  auto n = [&]() -> FileNode& { return g->nodes[node]; };  // by number: nodes are added
  if (version < kWritten) HideKeys(g, &n());
  if (!n().op) return;
  if (version < Version(0, 9, 0)) AddInputs(g, node);
  if (version < Version(0, 9, 4)) AddInits(g, n());
  if (version < Version(0, 9, 5)) {  // there -1 meant "over everything"
    std::string_view name = n().op->name;
    auto axis = n().texts.find("axis");
    if ((name == "argmin" || name == "argmax") && axis != n().texts.end() && axis->second == "-1") n().texts.erase(axis);
  }
}

const char* ShapeKey(const OpDef* op) {
  if (!op) return "__shape__";
  const Field* f = op->inputs.empty() ? op->schema.Find("shape") : nullptr;
  return f && f->type == FieldTypeOf<Ints>() ? "shape" : nullptr;
}
bool FromLegacyShape(std::string* text) {
  Ints sizes;
  if (*text == "None") return false;
  if (!Sizes(*text, &sizes)) return true;
  if (sizes.empty()) return false;
  bool unknown = false;
  for (auto& s : sizes)
    if (s == 0) s = -1, unknown = true;
  if (unknown) *text = Text(sizes);
  return true;
}
void ToLegacyShape(std::string* text) {
  Ints sizes;
  if (!Sizes(*text, &sizes)) return;
  bool unknown = false;
  for (auto& s : sizes)
    if (s == -1) s = 0, unknown = true;
  if (unknown) *text = Text(sizes);
}
bool NeedsNpShape(const std::string& text) {
  Ints sizes;
  if (!Sizes(text, &sizes)) return false;
  for (auto s : sizes)
    if (s == 0) return true;
  return sizes.empty();
}

}  // namespace flx::graph_json

// SPDX-License-Identifier: Apache-2.0
#include "graph/node.h"

#include "base/text.h"
#include "graph/infer.h"

namespace flx {
namespace {
std::atomic<uint64_t> g_text_version{1};

bool Dunder(std::string_view key) { return key.size() > 4 && key.substr(0, 2) == "__" && EndsWith(key, "__"); }

uint64_t PresentPorts(const OpDef& op, const void* attrs) {
  uint64_t present = 0;
  for (int i = 0; i < int(op.inputs.size()); ++i) present |= uint64_t(op.Present(i, attrs)) << i;
  return present;
}
}  // namespace

bool IsHiddenKey(std::string_view key) {
  for (auto* k : kHiddenKeys)
    if (key == k) return true;
  return false;
}
std::string StoredKey(const std::string& key) { return IsHiddenKey(key) ? "__" + key + "__" : key; }

Attrs ParseTexts(const OpDef& op, const std::string& node, const AttrDict& texts) {
  std::vector<KeyValue> kv;
  for (auto& t : texts) {
    if (Dunder(t.first) || IsHiddenKey(t.first)) continue;
    if (op.count_attr && t.first == op.count_attr && !op.schema.Find(t.first)) continue;  // the number of inputs tells
    kv.emplace_back(t.first, t.second);
  }
  try {
    return op.schema.Parse(op.name, kv.data(), kv.size());
  } catch (Error& e) {
    if (e.status() == Status::kMemory) throw;
    Error named(e.status(), Text(e.message(), " [node `", node, "`]"));
    named.op = op.name, named.node = node, named.hint = e.hint;
    throw named;
  }
}

Node::Node(const OpDef* o, std::string n, std::vector<Entry> in, std::vector<Ref<Symbol>> sub)
    : op(o), name(std::move(n)), inputs(std::move(in)), subgraphs(std::move(sub)) {}
Node::~Node() = default;
Ref<Node> Node::New(const OpDef* op, std::string name, AttrDict texts, std::vector<Entry> inputs, std::vector<Ref<Symbol>> subgraphs) {
  auto s = std::make_shared<NodeSettings>();
  if (op) {
    s->attrs = ParseTexts(*op, name, texts);
    int outputs = op->CountOutputs(s->attrs.get());
    if (outputs < 1 || outputs > kMostOutputs) Fail(Status::kArgument, op->name, "node `", name, "` would have ", outputs, " outputs; it may have 1 to ", kMostOutputs, ".");
  }
  s->texts = std::move(texts);
  auto n = Ref<Node>::Take(new Node(op, std::move(name), std::move(inputs), std::move(subgraphs)));
  n->settings_ = s;
  if (op && op->subgraphs) CheckControl(*n, *s);
  return n;
}

void Node::SetText(const std::string& key, const std::string* value) {
  auto old = settings();
  for (;;) {
    auto s = std::make_shared<NodeSettings>(*old);
    if (value) s->texts[StoredKey(key)] = *value;
    else s->texts.erase(StoredKey(key));
    if (op) {
      s->attrs = ParseTexts(*op, name, s->texts);
      bool same = CountOutputs(*s) == CountOutputs(*old) && CountVisible(*s) == CountVisible(*old) &&
                  (op->variadic || PresentPorts(*op, s->attrs.get()) == PresentPorts(*op, old->attrs.get()));
      if (!same) Fail(Status::kArgument, op->name, "`", key, "` of node `", name, "` cannot change: the node would have other inputs or outputs. Compose it anew.");
      if (op->subgraphs) CheckControl(*this, *s);
    }
    if (!std::atomic_compare_exchange_strong(&settings_, &old, std::shared_ptr<const NodeSettings>(s))) continue;
    g_text_version.fetch_add(1, std::memory_order_release);
    return;
  }
}

uint64_t Node::TextVersion() { return g_text_version.load(std::memory_order_acquire); }

int Node::PortOf(int i, const NodeSettings& s) const {
  if (!op || op->variadic) return i;
  for (int p = 0; p < int(op->inputs.size()); ++p)
    if (op->Present(p, s.attrs.get()) && i-- == 0) return p;
  return -1;
}

void Node::Unref() const {
  if (refs_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  // Whatever only this node held goes with it, one after the other, in a list through the nodes themselves: freeing must not need memory.
  auto* dead = const_cast<Node*>(this);
  dead->next_ = nullptr;
  while (dead) {
    Node* n = std::exchange(dead, dead->next_);
    for (auto& e : const_cast<std::vector<Entry>&>(n->inputs)) {
      Node* in = e.node.Leak();
      if (in && in->refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) in->next_ = std::exchange(dead, in);
    }
    delete n;
  }
}

std::string OutputName(const Node& node, const NodeSettings& s, int output) {
  if (node.variable()) return node.name;
  const OpDef& op = *node.op;
  // An operator whose first output is called `output` names the others too (BatchNorm's mean and var); the rest is counted.
  if (!op.outputs_fn && std::string_view(op.outputs[0].name) == "output") return Text(node.name, "_", op.outputs[size_t(output)].name);
  return node.CountVisible(s) == 1 ? node.name + "_output" : Text(node.name, "_output", output);
}
std::string InitText(const OpDef& op, const AttrDict& texts, int port) {
  auto said = [&](const char* key, std::string_view value) {
    auto it = texts.find(key);
    return it != texts.end() && it->second == value;
  };
  if (!op.variadic && op.inputs[size_t(port)].aux) return Text("[\"", op.inputs[size_t(port)].aux, "\", {}]");
  // The only arguments that MXNet says this of.
  std::string_view name = op.name;
  if (port == 1 && name == "LeakyReLU" && said("act_type", "prelu")) return "[\"Constant\", {\"value\": 0.25}]";
  if (port == 1 && name == "UpSampling" && said("sample_type", "bilinear")) return "[\"bilinear\", {}]";
  return {};
}
std::string InputName(const Node& node, const NodeSettings& s, int input) {
  if (node.variable()) return {};
  if (node.op->variadic) return Text(node.op->inputs[0].name, "[", input, "]");
  return node.op->inputs[size_t(node.PortOf(input, s))].name;
}

}  // namespace flx

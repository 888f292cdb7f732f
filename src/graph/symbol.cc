// SPDX-License-Identifier: Apache-2.0
#include "graph/symbol.h"

#include <algorithm>
#include <unordered_set>

#include "graph/infer.h"
#include "graph/texts.h"

namespace flx {
namespace {
const char* PartName(Part p) {
  static constexpr const char* names[] = {"argument", "auxiliary", "output", "internal", "input"};
  return names[int(p)];
}
// The variable that stands for an input nobody gave. MXNet lets it carry its operator's texts, and files are to be the same.
Entry Missing(const OpDef& op, int port, const std::string& node, const AttrDict& texts) {
  AttrDict own = texts;
  if (auto init = InitText(op, texts, port); !init.empty()) own.emplace("__init__", init);
  return {Node::New(nullptr, Text(node, "_", op.inputs[size_t(port)].name), std::move(own)), 0};
}
}  // namespace

const Entry& Symbol::Single(std::string_view who, size_t i) const {
  if (outputs.size() != 1)
    Fail(Status::kArgument, who, "input ", i, " must be a symbol of one output, given one of ", outputs.size(), " (", Join(Names(Part::kOutput), ", "), "). Choose one of them.");
  return outputs[0];
}

Ref<Symbol> Symbol::New(std::vector<Entry> outputs, std::shared_ptr<const Inferred> known) {
  return Ref<Symbol>::Take(new Symbol(std::move(outputs), std::move(known)));
}

Ref<Symbol> Symbol::Variable(std::string name, const Texts& texts) {
  if (name.empty()) Fail(Status::kArgument, "variable", "needs a name.");
  AttrDict dict;
  for (auto& t : texts) {
    // The keys a variable is known by; others stay as they are given.
    bool own = t.first == "shape" || t.first == "dtype" || t.first == "init" || t.first == "storage_type" || t.first == "layout";
    dict[own ? Text("__", t.first, "__") : StoredKey(t.first)] = t.second;
  }
  CheckVariable(name, dict);
  return New({{Node::New(nullptr, std::move(name), std::move(dict)), 0}});
}

Ref<Symbol> Symbol::Compose(const OpDef& op, const std::string& name, const std::vector<Ref<Symbol>>& inputs, const std::vector<std::string>& names,
                            const Texts& texts, std::vector<Ref<Symbol>> subgraphs) {
  if (name.empty()) Fail(Status::kArgument, op.name, "the node needs a name.");
  if (!names.empty() && names.size() != inputs.size())
    Fail(Status::kArgument, op.name, "expected no names of inputs or one for each of ", inputs.size(), ", given ", names.size(), ".");
  AttrDict dict;
  for (auto& t : texts) dict[StoredKey(t.first)] = t.second;
  Attrs attrs = ParseTexts(op, name, dict);
  std::vector<Entry> in;
  if (op.variadic) {
    for (auto& n : names)
      if (!n.empty()) Fail(Status::kArgument, op.name, "takes a list, whose inputs have no names; given `", n, "`.");
    for (size_t i = 0; i < inputs.size(); ++i) in.push_back(inputs[i]->Single(op.name, i));
    if (int(in.size()) < op.list_min) Fail(Status::kArgument, op.name, "expected at least ", op.list_min, " inputs, given ", in.size(), ".");
    if (op.count_attr) dict[op.count_attr] = Text(in.size());
  } else {
    std::vector<Entry> given(op.inputs.size());
    std::vector<std::string> there;
    for (size_t p = 0; p < op.inputs.size(); ++p)
      if (op.Present(int(p), attrs.get())) there.emplace_back(op.inputs[p].name);
    size_t next = 0;
    for (size_t i = 0; i < inputs.size(); ++i) {
      size_t p = 0;
      bool by_name = !names.empty() && !names[i].empty();
      if (by_name) {
        while (p < op.inputs.size() && (names[i] != op.inputs[p].name || !op.Present(int(p), attrs.get()))) ++p;
        if (p == op.inputs.size()) Fail(Status::kName, op.name, "has no input `", names[i], "`.", DidYouMean(names[i], there), " It has: ", Join(there, ", "), ".");
        if (given[p].node) Fail(Status::kArgument, op.name, "input `", names[i], "` is given twice.");
      } else {
        while (next < op.inputs.size() && (given[next].node || !op.Present(int(next), attrs.get()))) ++next;
        if (next == op.inputs.size())
          Fail(Status::kArgument, op.name, "expected ", there.size(), there.size() == 1 ? " input" : " inputs", there.empty() ? "" : " (", Join(there, ", "),
               there.empty() ? "" : ")", ", given ", inputs.size(), ".");
        p = next++;
      }
      given[p] = inputs[i]->Single(op.name, i);
    }
    for (size_t p = 0; p < op.inputs.size(); ++p)
      if (op.Present(int(p), attrs.get())) in.push_back(given[p].node ? std::move(given[p]) : Missing(op, int(p), name, dict));
  }
  if (int(subgraphs.size()) != op.subgraphs)
    Fail(Status::kArgument, op.name, "needs ", op.subgraphs, " graphs of its own, given ", subgraphs.size(), ".");
  auto node = Node::New(&op, name, std::move(dict), std::move(in), std::move(subgraphs));
  auto s = node->settings();
  std::vector<Entry> out;
  for (int i = 0; i < node->CountVisible(*s); ++i) out.push_back({node, i});
  return New(std::move(out));
}

Ref<Symbol> Symbol::Group(const std::vector<Ref<Symbol>>& parts) {
  if (parts.empty()) Fail(Status::kArgument, "group", "expected at least one symbol, given none.");
  std::vector<Entry> out;
  for (auto& p : parts) out.insert(out.end(), p->outputs.begin(), p->outputs.end());
  return New(std::move(out));
}

Ref<Symbol> Symbol::Substitute(const std::vector<std::string>& names, const std::vector<Ref<Symbol>>& with) const {
  if (names.size() != with.size()) Fail(Status::kArgument, "substitute", "expected one name for each of ", with.size(), " symbols, given ", names.size(), ".");
  const GraphIndex& g = index();
  std::vector<Entry> fresh(g.nodes.size());  // null: the node stays
  for (size_t k = 0; k < names.size(); ++k) {
    bool found = false;
    for (int i : g.inputs_order)
      if (g.nodes[size_t(i)]->name == names[k]) fresh[size_t(i)] = with[k]->Single("substitute", k), found = true;
    if (!found) Fail(Status::kName, "substitute", "no variable is named `", names[k], "`.", DidYouMean(names[k], Names(Part::kInput)));
  }
  auto moved = [&](const Entry& e) -> Entry {
    const Entry& f = fresh[size_t(g.numbers.at(e.node.get()))];
    if (!f.node) return e;
    return e.node->variable() ? f : Entry{f.node, e.output};
  };
  for (int i = 0; i < g.size(); ++i) {
    Node* n = g.nodes[size_t(i)];
    bool any = false;
    for (auto& e : n->inputs) any |= bool(fresh[size_t(g.numbers.at(e.node.get()))].node);
    if (!any) continue;
    std::vector<Entry> in;
    for (auto& e : n->inputs) in.push_back(moved(e));
    fresh[size_t(i)] = {Node::New(n->op, n->name, n->settings()->texts, std::move(in), n->subgraphs), 0};
  }
  std::vector<Entry> out;
  for (auto& e : outputs) out.push_back(moved(e));
  return New(std::move(out));
}

const GraphIndex& Symbol::index() const {
  std::call_once(indexed_, [&] { index_ = std::make_unique<const GraphIndex>(outputs); });
  return *index_;
}

const Symbol::Listed& Symbol::List(Part part) const {
  std::call_once(listed_[int(part)], [&] {
    Listed& l = lists_[int(part)];
    auto add = [&](const Ref<Node>& n, int output) {
      l.names.push_back(OutputName(*n, *n->settings(), output));
      l.entries.push_back({n, output});
    };
    if (part == Part::kOutput) {
      for (auto& e : outputs) add(e.node, e.output);
      return;
    }
    const GraphIndex& g = index();
    if (part == Part::kInternal) {
      for (Node* n : g.nodes)
        for (int i = 0, m = n->CountVisible(*n->settings()); i < m; ++i) add(Ref<Node>(n), i);
      return;
    }
    for (int i : part == Part::kArgument ? g.arguments : part == Part::kAuxiliary ? g.auxiliaries : g.inputs_order) add(Ref<Node>(g.nodes[size_t(i)]), 0);
  });
  return lists_[int(part)];
}
int Symbol::Count(Part part) const { return int(List(part).entries.size()); }
std::vector<std::string> Symbol::Names(Part part) const { return List(part).names; }
Entry Symbol::At(Part part, int i) const {
  auto& l = List(part);
  if (i < 0 || i >= int(l.entries.size())) Fail(Status::kIndex, "symbol", "`index` must be in [0, ", l.entries.size(), "), the number of its ", PartName(part), "s, given ", i, ".");
  return l.entries[size_t(i)];
}
const std::string& Symbol::Name(Part part, int i) const {
  At(part, i);
  return List(part).names[size_t(i)];
}

const std::vector<NodeText>& Symbol::AllTexts() const {
  std::lock_guard<std::mutex> lock(texts_mutex_);
  uint64_t now = Node::TextVersion();
  if (texts_.empty() || texts_version_ != now) {
    auto fresh = std::make_unique<const std::vector<NodeText>>(ListTexts(*this));
    texts_.push_back(std::move(fresh));
    texts_version_ = now;
  }
  return *texts_.back();
}

}  // namespace flx

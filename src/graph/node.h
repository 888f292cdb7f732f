// SPDX-License-Identifier: Apache-2.0
// A node of a graph: an operator with its attributes and inputs, or a variable. Nodes are shared by the symbols that were composed from them and
// unchangeable but for their attributes, which are replaced as a whole, so that one thread may read while another sets.
#pragma once
#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/ref.h"
#include "op/op.h"

namespace flx {

class Node;
class Symbol;

// One output of a node.
struct Entry {
  Ref<Node> node;
  int32_t output = 0;
};

using AttrDict = std::map<std::string, std::string>;  // sorted, as MXNet writes them

// What may change of a node. The texts are what files hold: the operator's attributes as they were given, and keys of other meaning (`__shape__`,
// `__lr_mult__`, `__init__` ...), which operators ignore.
struct NodeSettings {
  AttrDict texts;
  Attrs attrs;  // of an operator: the texts parsed
};

constexpr int kMostOutputs = 1 << 16;  // of one node; an attribute may ask for any number

class Node final {
 public:
  // op null: a variable. inputs: those present, in the order of the operator's ports.
  static Ref<Node> New(const OpDef* op, std::string name, AttrDict texts, std::vector<Entry> inputs = {}, std::vector<Ref<Symbol>> subgraphs = {});
  const OpDef* const op;
  const std::string name;
  const std::vector<Entry> inputs;
  const std::vector<Ref<Symbol>> subgraphs;  // of control flow
  bool variable() const { return op == nullptr; }
  std::shared_ptr<const NodeSettings> settings() const { return std::atomic_load(&settings_); }
  // Sets or (null) removes one. An operator's own attribute is parsed again; what would change the number of inputs or outputs is an error.
  void SetText(const std::string& key, const std::string* value);
  static uint64_t TextVersion();  // grows with every attribute set, of whatever node; begins at 1
  int CountOutputs(const NodeSettings& s) const { return op ? op->CountOutputs(s.attrs.get()) : 1; }
  int CountVisible(const NodeSettings& s) const { return op ? op->CountVisible(s.attrs.get()) : 1; }
  const char* kind() const { return op ? op->name : "null"; }
  // By port: its number for input i of this node (variadic operators: i).
  int PortOf(int i, const NodeSettings& s) const;

  void AddRef() const { refs_.fetch_add(1, std::memory_order_relaxed); }
  void Unref() const;  // without recursion: graphs may be as deep as they are long

 private:
  Node(const OpDef* o, std::string n, std::vector<Entry> in, std::vector<Ref<Symbol>> sub);
  ~Node();
  std::shared_ptr<const NodeSettings> settings_;
  mutable std::atomic<int32_t> refs_{1};
  Node* next_ = nullptr;  // in Unref's list
};

// Keys that MXNet's users set by these names and that files hold as `__name__`.
constexpr const char* kHiddenKeys[] = {"ctx_group", "lr_mult", "wd_mult", "force_mirroring", "mirror_stage"};
bool IsHiddenKey(std::string_view key);
std::string StoredKey(const std::string& key);   // "lr_mult" to "__lr_mult__", others unchanged
// `output` of a node as MXNet names it: "fc1_output", "split0_output2", "bn_mean".
std::string OutputName(const Node& node, const NodeSettings& settings, int output);
std::string InputName(const Node& node, const NodeSettings& settings, int input);  // its port's name: "weight", "data[2]"
// How the variable that stands for an input begins, as its `__init__`: `["zero", {}]`; empty: nothing says. texts: the operator's.
std::string InitText(const OpDef& op, const AttrDict& texts, int port);
// Parses the attributes among `texts` that are the operator's; keys `__x__`, hidden keys and the count of inputs are left out.
Attrs ParseTexts(const OpDef& op, const std::string& node, const AttrDict& texts);

}  // namespace flx

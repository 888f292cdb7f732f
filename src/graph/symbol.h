// SPDX-License-Identifier: Apache-2.0
// A symbol: one or more outputs of a graph of nodes. Composing makes new symbols over shared nodes; nothing is ever changed but nodes' attributes.
#pragma once
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include "graph/index.h"

namespace flx {

enum class Part : int { kArgument = 0, kAuxiliary = 1, kOutput = 2, kInternal = 3, kInput = 4 };  // the ABI's numbers

// What is known of each value of a graph: shapes and dtypes by value number. Made by Infer (graph/infer.h).
struct Inferred {
  std::vector<Shape> shapes;
  std::vector<DType> dtypes;
};

struct NodeText { std::string node, key, value; };

class Symbol final : public Object {
 public:
  using Texts = std::vector<std::pair<std::string, std::string>>;
  static Ref<Symbol> New(std::vector<Entry> outputs, std::shared_ptr<const Inferred> inferred = nullptr);
  static Ref<Symbol> Variable(std::string name, const Texts& texts = {});
  // inputs: single outputs; `names` says which input each is (none: in order). Inputs that are missing become variables `<name>_<input>`.
  static Ref<Symbol> Compose(const OpDef& op, const std::string& name, const std::vector<Ref<Symbol>>& inputs, const std::vector<std::string>& names,
                             const Texts& texts, std::vector<Ref<Symbol>> subgraphs = {});
  static Ref<Symbol> Group(const std::vector<Ref<Symbol>>& parts);
  // The same graph with its variables `names` replaced by single outputs.
  Ref<Symbol> Substitute(const std::vector<std::string>& names, const std::vector<Ref<Symbol>>& with) const;

  const std::vector<Entry> outputs;
  const std::shared_ptr<const Inferred> inferred;  // null: nothing was
  const GraphIndex& index() const;
  const Entry& Single(std::string_view who, size_t i) const;  // the one output; an error for input i of `who` if there are others
  int Count(Part part) const;
  Entry At(Part part, int index) const;            // an index error if there is none
  const std::string& Name(Part part, int index) const;
  std::vector<std::string> Names(Part part) const;
  // All nodes' attributes as ListTexts gives them (graph/texts.h), as they are now; what was given before lives on as long as the symbol.
  const std::vector<NodeText>& AllTexts() const;

 private:
  Symbol(std::vector<Entry> out, std::shared_ptr<const Inferred> known) : Object(Kind::kSymbol), outputs(std::move(out)), inferred(std::move(known)) {}
  struct Listed { std::vector<Entry> entries; std::vector<std::string> names; };
  const Listed& List(Part part) const;
  mutable std::once_flag indexed_, listed_[5];
  mutable std::unique_ptr<const GraphIndex> index_;
  mutable Listed lists_[5];
  mutable std::mutex texts_mutex_;
  mutable uint64_t texts_version_ = 0;  // Node::TextVersion() when they were listed
  mutable std::vector<std::unique_ptr<const std::vector<NodeText>>> texts_;
};

}  // namespace flx

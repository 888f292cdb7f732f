// SPDX-License-Identifier: Apache-2.0
// A builder that makes a graph: what is called becomes nodes. Shapes are known throughout, as Builder promises.
#pragma once
#include <deque>
#include <map>

#include "exec/program.h"
#include "graph/symbol.h"

namespace flx {

class TraceBuilder final : public Builder {
 public:
  // prefix: of the nodes' names.
  TraceBuilder(std::string prefix, bool training) : prefix_(std::move(prefix)), training_(training) {}
  Val Add(const Entry& e, const Shape& shape, DType dtype);
  Val AddVariable(const std::string& name, const Shape& shape, DType dtype, AttrDict texts = {});
  const Entry& entry(Val v) const { return values_[size_t(v.id)].entry; }
  void Call(const OpDef& op, const Attrs& attrs, const Val* in, int nin, Val* out, int nout) override;
  const Shape& shape(Val v) override { return values_[size_t(v.id)].shape; }
  DType dtype(Val v) override { return values_[size_t(v.id)].dtype; }
  bool training() const override { return training_; }

 private:
  struct Value { Entry entry; Shape shape; DType dtype; };
  std::string NameOf(const OpDef& op);
  static const OpDef* Public(const OpDef& op, const void* attrs, const Shape& x, Attrs* known);
  std::string prefix_;
  bool training_;
  std::deque<Value> values_;  // shape() gives references, which must last
  std::map<std::string, int> counts_;
};

// Calls the symbol's operators in the builder at work. inputs: its variables' values, in the order of index().inputs_order; `known`: its shapes, for what is
// made in the shape of its use. Control flow is kUnsupported. Gives the symbol's outputs.
std::vector<Val> Replay(const Symbol& symbol, const Inferred& known, const std::vector<Val>& inputs, Builder* b);
// The same with the attributes that the nodes had when the program was made.
std::vector<Val> Replay(const Program& program, const Inferred& known, const std::vector<Val>& inputs, Builder* b);

}  // namespace flx

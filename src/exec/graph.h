// SPDX-License-Identifier: Apache-2.0
// A symbol that runs: node by node, as if its operators had been called by hand. Immutable; any number of runs may be under way at once.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "exec/program.h"

namespace flx {

class Graph final : public Object {
 public:
  // monitor: internals whose names match the pattern (`*` any text, `?` any character, `|` between patterns) become outputs after the symbol's own; empty: none.
  static Ref<Graph> New(const Ref<Symbol>& symbol, std::string_view monitor = {});
  const Ref<Symbol> symbol;  // with the monitored outputs
  bool waits() const { return program_.waits; }
  int inputs() const { return int(program_.index.arguments.size() + program_.index.auxiliaries.size()); }
  int outputs() const { return int(program_.index.outputs.size()); }
  const Program& program() const { return program_; }
  // The arguments, then the auxiliary states, as arrays in the order of program().index.inputs_order; their number is checked.
  std::vector<NDArray> InOrder(const std::vector<NDArray>& arrays) const;

 private:
  explicit Graph(Ref<Symbol> s) : Object(Kind::kGraph), symbol(s), program_(std::move(s)) {}
  Program program_;
};

// One run. arrays: the arguments, then the auxiliary states, in the symbol's order; states are changed in place in training. mode: kRecord, kTrain.
class GraphRun {
 public:
  GraphRun(Ref<const Graph> graph, int mode, const std::vector<NDArray>& arrays);
  ~GraphRun();
  // Goes on until the outputs are there (true; they share no memory with the arrays given), or a condition that must be read is not ready when the time is up
  // (false), or the host is wanted (false, and asked()). timeout as in Engine.
  bool Go(int64_t timeout_ms);
  // A node that the host computes: which function, and its inputs, without history.
  struct Asked { int64_t token = -1; std::vector<NDArray> inputs; };
  const Asked* asked() const { return asked_.get(); }
  // The host's outputs. What is wrong with them is an error, and they are wanted still.
  void Reply(const std::vector<NDArray>& outputs);
  const std::vector<NDArray>& outputs() const { return outputs_; }

  struct Loop;
  struct Frame {
    const Program* program;
    std::vector<NDArray> values;  // by value number
    std::shared_ptr<const Program::Shaped> shaped;
    size_t at = 0;                // the next step
    std::unique_ptr<Loop> loop;   // of the control flow at work
  };

 private:
  void Enter(const Program& p, std::vector<NDArray> inputs);  // in the order of index().inputs_order
  void RunStep(Frame* f);
  void Ask(Frame* f);
  void Leave(Frame* f);                                       // the step is done
  void Finish(Frame* f, std::vector<NDArray> results);        // of the control flow at work
  bool GoLoop(Frame* f, int64_t timeout_ms);                  // false: waits
  bool GoForeach(Frame* f);
  bool GoWhile(Frame* f, int64_t timeout_ms);
  bool GoCond(Frame* f, int64_t timeout_ms);
  Ref<const Graph> graph_;
  int mode_;
  const Device* device_;          // of the arrays; null: the CPU
  std::vector<std::unique_ptr<Frame>> frames_;
  std::vector<NDArray> results_;  // of the sub-graph that ended last
  std::vector<NDArray> outputs_;
  std::vector<Ref<Storage>> inputs_;
  std::unique_ptr<Asked> asked_;
  bool done_ = false;
};

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// A graph of known shapes that passes change, on its way from a trace to a plan.
//   Rules:
//   - Nodes stand in the order they run. It begins as program order; a pass may leave nodes out and put new ones in, and moves nothing across a node that
//     updates an input it reads.
//   - A value has one writer: a node, or the caller (an input), or it is a constant. The exception are updates: where an operator's port updates an
//     input (Port::updates), the node's output *is* that input's value, and nodes behind it see what it wrote. Such a value is always an input of the graph.
//   - Random operators have their places in the stream from the start (`ticket`), so that passes change nothing about them.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "exec/invoke.h"
#include "op/op.h"

namespace flx {

struct IrValue { Shape shape; DType dtype = DType::kNone; };
struct IrNode {
  const OpDef* op = nullptr;
  Attrs attrs;
  std::string name;               // for errors and pictures
  std::vector<int32_t> in;        // values by port (of a variadic operator: all of them); -1: an optional input that is absent
  std::vector<int32_t> out;       // all outputs, hidden ones too; -1: not wanted
  int32_t ticket = -1;            // of a random operator: how many tickets the run took before it
  bool backward = false;          // made by differentiation
  bool updates(int output) const { return op->outputs[op->outputs_fn ? 0 : size_t(output)].updates >= 0; }
};

class Ir {
 public:
  std::vector<IrValue> values;
  std::vector<IrNode> nodes;
  std::vector<int32_t> inputs;           // what a run is given, in this order
  std::vector<bool> fixed;               // by input: it changes seldom (a parameter at inference), so that what only depends on such may be kept between runs
  std::vector<Shape> strides;            // by input, in elements; empty: contiguous, as all are if the list is
  std::vector<int32_t> outputs;          // what a run gives: results, then gradients
  size_t results = 0;                    // how many of them are results
  std::map<int32_t, NDArray> constants;  // by value
  int32_t tickets = 0;                   // that a run takes
  bool training = false;                 // the mode of its operators
  const Device* device = nullptr;        // where it runs, and its constants are; null: the CPU

  int32_t NewValue(const Shape& shape, DType dtype);
  // A node whose outputs are inferred; hidden outputs that update an input are that input, or -1 if they do so in training only and this is not.
  // It is not put into `nodes`: where it runs is the caller's to say.
  IrNode NewNode(const OpDef& op, Attrs attrs, std::vector<int32_t> in, std::string name = {});
  std::vector<int32_t> Writers() const;                 // by value: the place of the node that makes it (the first, for updated inputs: -1); -1: input or constant
  std::vector<std::vector<int32_t>> Readers() const;    // by value: places of the nodes that read it, rising, each once
  std::vector<bool> Updated() const;                    // by value: some node writes it in place
  std::vector<bool> Kept() const;                       // by value: it is an output of the graph
  // One line a node: "y = Convolution(x, w, b) kernel=(3, 3) f32 (8, 16, 26, 26)".
  std::string Print() const;
};

// A builder whose values are an Ir's: calls become nodes at its end.
class IrBuilder final : public Builder {
 public:
  explicit IrBuilder(Ir* ir) : ir_(*ir) {}
  Val Wrap(int32_t value) { return {this, value}; }
  int32_t Input(const Shape& shape, DType dtype, bool fixed);
  void Call(const OpDef& op, const Attrs& attrs, const Val* in, int nin, Val* out, int nout) override;
  const Shape& shape(Val v) override;
  DType dtype(Val v) override { return ir_.values[size_t(v.id)].dtype; }
  bool training() const override { return ir_.training; }
  bool backward = false;   // mark what comes

 private:
  Ir& ir_;
  std::map<int32_t, Shape> shapes_;  // shape() gives references, which must last
};

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// A graph ready to run, node by node: prepared calls in order, where their inputs come from, and which values nobody needs any more.
#pragma once
#include <mutex>

#include "exec/invoke.h"
#include "graph/symbol.h"
#include "op/control/control.h"

namespace flx {

// Makes an array whose shape is not all said: `shape=(-1, 5)`.
bool ShapeOpen(const OpDef& op, const void* attrs);
// Its attributes with the shape that was found for it; those of other operators stay.
Attrs WithShape(const OpDef& op, const Attrs& attrs, const Shape& found);

class Program {
 public:
  explicit Program(Ref<Symbol> symbol);
  ~Program();
  struct Step {
    Node* node;
    std::shared_ptr<const NodeSettings> settings;
    Ref<Call> call;                       // null: control flow, or known by shapes only
    Control control = Control::kNone;
    bool host = false;                    // the host computes it
    int32_t first = 0;                    // its outputs are values first, first + 1, ...
    const int32_t* inputs = nullptr;
    int32_t ninputs = 0, shaped = -1;     // shaped: its place among the calls that shapes decide
    std::vector<int32_t> last;            // values whose last use this is
    std::vector<std::unique_ptr<const Program>> graphs;
  };
  const Ref<Symbol> symbol;
  const GraphIndex& index;
  std::vector<Step> steps;
  bool waits = false;                     // a condition is read on the way, or the host is asked
  // The calls of steps that make arrays whose shape their user decides (`_zeros` with an unknown size), for inputs of these shapes: in order of `shaped`.
  using Shaped = std::vector<Ref<Call>>;
  std::shared_ptr<const Shaped> CallsFor(const std::vector<NDArray>& values) const;

 private:
  struct Kept { std::vector<Shape> shapes; std::vector<DType> dtypes; std::shared_ptr<const Shaped> calls; };
  std::vector<int32_t> shaped_;           // steps
  mutable std::mutex mutex_;
  mutable std::vector<Kept> kept_;        // of the last few signatures
};

}  // namespace flx

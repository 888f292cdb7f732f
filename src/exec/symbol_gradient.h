// SPDX-License-Identifier: Apache-2.0
// Graphs made from other things: gradients of a graph, and the history of an array.
#pragma once
#include "graph/symbol.h"
#include "tensor/array.h"

namespace flx {

// The gradients of the variables `names`, in their order, as a graph over the symbol's variables and one variable `<output>_head` for each output whose head
// gradient is read. The symbol must know its shapes (Infer): gradients are written on shapes. The result knows them too. A variable that no output depends
// on has a gradient of zeros.
Ref<Symbol> SymbolGradient(const Symbol& symbol, const std::vector<std::string>& names);

// What `array` was computed by, as far back as it was recorded; what the history begins with are variables x0, x1 ... in the order of their use.
// kState without a history; kUnsupported if the host's functions are in it.
Ref<Symbol> HistorySymbol(const NDArray& array);

// What was called in mode kTrace between `inputs` and `results`. Arrays that no traced call made and that are no inputs are captured.
struct TracedGraph {
  Ref<Symbol> symbol;
  std::vector<int32_t> order;      // by argument, then auxiliary state: which input, or behind them, which captured array
  std::vector<NDArray> captured;
};
TracedGraph TracedGraphOf(const std::vector<NDArray>& inputs, const std::vector<NDArray>& results);
bool IsTraced(const Array& a);
// kUnsupported if the array was made in mode kTrace: reading it (`what`: "read") is what a graph cannot hold.
void RefuseTraced(const Array& a, const char* what);

}  // namespace flx

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

}  // namespace flx

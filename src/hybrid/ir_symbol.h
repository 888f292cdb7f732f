// SPDX-License-Identifier: Apache-2.0
// An Ir as a symbol, to be printed, drawn and run; and passes on symbols.
#pragma once
#include "graph/symbol.h"
#include "hybrid/ir.h"

namespace flx {

// inputs: variables for the graph's inputs, in their order; empty: x0, x1 ... Constants become variables constant0 ...
Ref<Symbol> IrSymbol(const Ir& ir, const std::vector<Entry>& inputs = {});
// The symbol after one pass (Passes()). It must know its shapes (Infer), and so does the result. kUnsupported where a pass made constants: a symbol holds
// no arrays.
Ref<Symbol> TransformSymbol(const Symbol& symbol, std::string_view pass, bool training);

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// A symbol as a table: one row for each operator node, with its outputs, parameters and multiply-adds.
#pragma once
#include <string>

#include "graph/symbol.h"

namespace flx {

// At most `columns` characters wide (0: 80). Shapes and what follows from them stand there if the symbol was inferred.
std::string SymbolSummary(const Symbol& symbol, int columns);
// The same as a JSON document: {"rows":[...],"totals":{...}}, keys sorted, null for what is not known.
std::string SymbolTable(const Symbol& symbol);

}  // namespace flx

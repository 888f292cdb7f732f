// SPDX-License-Identifier: Apache-2.0
// A symbol as a table: one row for each operator node, with its outputs, parameters and multiply-adds.
//   - Parameters are the variables that are not data; graph/inside.h says how that is decided. One that several nodes use counts once, at the first of them.
//     Bytes are theirs.
//   - Multiply-adds are for the shapes the symbol was inferred with; op/cost.h says what counts.
//   - Below a node of control flow stand those of its graphs, per step. Its own row counts all of them: a loop along data as often as it runs, a loop with a
//     condition once, since nobody knows where it ends, of two branches the dearer one. Totals count the node's row only.
#pragma once
#include <string>

#include "graph/symbol.h"

namespace flx {

// At most `columns` characters wide (0: 80). What follows from shapes stands there if the symbol was inferred; where there is no room, columns are left out.
std::string SymbolSummary(const Symbol& symbol, int columns);
// The same as a JSON document: {"rows":[...],"totals":{...}}, keys sorted, null for what is not known. `graph` of a row is "" or names the graph inside a
// node that it belongs to ("loop0/body"); only rows of loops have `steps`.
std::string SymbolTable(const Symbol& symbol);

}  // namespace flx

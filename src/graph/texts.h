// SPDX-License-Identifier: Apache-2.0
// Nodes' attributes as text, as MXNet lists them.
#pragma once
#include "graph/symbol.h"

namespace flx {

// All nodes', by node in the graph's order; keys that are stored as `__lr_mult__` stand there as `lr_mult` too.
std::vector<NodeText> ListTexts(const Symbol& symbol);
// One of a node, found by either name; null if it is not set.
const std::string* FindText(const NodeSettings& s, const std::string& key);

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// Composing control flow. A body is a symbol over placeholders, variables that stand for what changes. Whatever in it does not depend on a placeholder
// is computed once, outside: it becomes an input of the node, as free variables do.
#pragma once
#include "graph/symbol.h"

namespace flx {

// body: `stacked` outputs that are collected along a new axis 0, then the new states. placeholders: of the data (one element each), then of the states; `with`:
// what goes in for them.
Ref<Symbol> ComposeForeach(const std::string& name, const Symbol& body, int stacked, const std::vector<std::string>& placeholders, const std::vector<Ref<Symbol>>& with);
// condition: one number. body: `stacked` outputs, then the new variables. All placeholders are variables of the loop.
Ref<Symbol> ComposeWhileLoop(const std::string& name, const Symbol& condition, const Symbol& body, int stacked, int64_t max_iterations,
                             const std::vector<std::string>& placeholders, const std::vector<Ref<Symbol>>& with);
// condition: one number; what runs if it holds and if it does not have equally many outputs.
Ref<Symbol> ComposeCond(const std::string& name, const Symbol& condition, const Symbol& then, const Symbol& otherwise, const std::vector<std::string>& placeholders,
                        const std::vector<Ref<Symbol>>& with);

}  // namespace flx

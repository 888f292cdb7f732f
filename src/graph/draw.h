// SPDX-License-Identifier: Apache-2.0
// A symbol as a picture.
#pragma once
#include <string>
#include <string_view>

#include "graph/symbol.h"

namespace flx {

// format: "svg" (a picture that any browser shows) or "dot" (text for Graphviz). The same symbol gives the same bytes.
std::string DrawSymbol(const Symbol& symbol, std::string_view format);

}  // namespace flx

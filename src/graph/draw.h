// SPDX-License-Identifier: Apache-2.0
// A symbol as a picture: a box for each operator, in the colours of MXNet's plot_network, its main attributes in it, shapes beside the lines. Data and labels
// are round boxes; parameters, and operators that read nothing else, are not shown. A loop or branch is a frame around the pictures of its graphs.
//   The work is in steps: what is shown (draw_model), where it stands (draw_layout; Graphviz does that for "dot"), and the text (draw_svg, draw_dot).
#pragma once
#include <string>
#include <string_view>

#include "graph/symbol.h"

namespace flx {

// format: "svg" (a picture that any browser shows) or "dot" (text for Graphviz). The same symbol gives the same bytes.
std::string DrawSymbol(const Symbol& symbol, std::string_view format);

}  // namespace flx

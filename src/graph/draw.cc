// SPDX-License-Identifier: Apache-2.0
#include "graph/draw.h"

#include "graph/draw_model.h"

namespace flx {

std::string DrawSymbol(const Symbol& symbol, std::string_view format) {
  if (format == "svg") return SvgOf(ModelOf(symbol));
  if (format == "dot") return DotOf(ModelOf(symbol));
  Fail(Status::kArgument, "draw", "`format` must be \"svg\" or \"dot\", given \"", format, "\".");
}

}  // namespace flx

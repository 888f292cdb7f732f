// SPDX-License-Identifier: Apache-2.0
// Symbols as files: MXNet's `-symbol.json`. Read: what MXNet 0.8 to 1.9 wrote, brought up to date as its loader does. Written: what 1.9.1 writes, in its
// very layout.
//   In these files a size of 0, and a shape without axes, means "unknown", unless they say `is_np_shape`; here an unknown size is -1 and 0 is a size.
//   The two are turned into each other here and nowhere else: in what variables say of themselves (`__shape__`) and in the `shape` of operators that make
//   an array of nothing. A symbol that holds such a 0, or a scalar's shape, is written with `is_np_shape`.
#pragma once
#include <string>
#include <string_view>

#include "graph/symbol.h"

namespace flx {

// Whatever is wrong with the text, an operator that nobody knows too, is an error of status kFormat with the file and the byte; it names the node where
// there is one. The node's operator (Error::op) and a hint are there where they are known. `file` is for messages only.
Ref<Symbol> SymbolFromJson(std::string_view text, const std::string& file = {});
// A kUnsupported error for what no file can hold: names that are not UTF-8.
// tokens: with those of host functions (operator `_host`), which only this process understands.
std::string SymbolToJson(const Symbol& symbol, bool tokens = false);

}  // namespace flx

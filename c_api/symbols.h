// SPDX-License-Identifier: Apache-2.0
// Common arguments of the functions about symbols.
#pragma once
#include "pins.h"

namespace flx::capi {

struct SymbolList : std::vector<Ref<Symbol>> {
  SymbolList(const char* who, const flx_symbol* symbols, int32_t n);
};
Part NeedPart(const char* who, int32_t part);

}  // namespace flx::capi

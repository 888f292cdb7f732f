// SPDX-License-Identifier: Apache-2.0
// The definitions that iter.cc lists.
#pragma once
#include "io/iter.h"

namespace flx {

IterDef ArrayIterDef();
IterDef CsvIterDef();
IterDef MnistIterDef();

}  // namespace flx

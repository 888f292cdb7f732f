// SPDX-License-Identifier: Apache-2.0
// Multiply-adds, as summaries count them: x * w + y is one. They are half of what an operator's cost rule gives (OpDef::cost counts arithmetic operations, a
// multiplication and an addition each) for the operators that are sums of products: convolutions, matrix products, recurrent layers, attention. Biases,
// activations, pooling, normalisation and losses count none. Nor do searches and comparisons (boxes, CTC), whose cost rules say only how long they take.
#pragma once
#include <cstdint>

#include "op/op.h"

namespace flx {

// Of one call on inputs of these shapes and dtypes, all known, by port. An operator that is run as its composition counts what that counts.
int64_t MultiplyAdds(const OpDef& op, const Attrs& attrs, const Shape* xs, const DType* xt, int nin);

// Counts pile up: sums and products that do not fit stay at the largest number.
int64_t CountElements(const Shape& s);  // of a known one
int64_t AddCounts(int64_t a, int64_t b);
int64_t TimesCount(int64_t a, int64_t b);

}  // namespace flx

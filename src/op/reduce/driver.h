// SPDX-License-Identifier: Apache-2.0
// Reductions over any set of axes of a strided array: one driver for all formulas and dtypes.
//   The input's axes are collapsed into the fewest loops; the innermost runs over contiguous tiles, either along a reduced axis (rows) or across
//   kept elements (columns). float32 and narrower are added in float32 over short blocks and in float64 across blocks; float64 in float64;
//   integers in 64 bits, modulo 2^64. Work is split by shape only, so the result has the same bits on any number of threads.
#pragma once
#include <cstdint>
#include <optional>

#include "op/op.h"

namespace flx {

enum class ReduceKind { kSum, kNanSum, kProd, kNanProd, kMax, kMin, kAbsSum, kSquareSum };
constexpr int kReduceKinds = 8;

struct ReduceSpec {
  ReduceKind kind = ReduceKind::kSum;
  uint32_t axes = 0;              // bit i: axis i of x is reduced
  bool mean = false;              // divide by the number of reduced elements
  bool root = false;              // take the square root
  std::optional<double> initial;  // takes part in the reduction as one more element
};
// y has one element for each kept index of x, in row-major order, whatever its shape says (kept axes of size 1 or none); its dtype may differ.
void Reduce(const ReduceSpec& spec, const TensorView& x, const TensorView& y);
// A reduction over nothing gives: 0, 1, the lowest or the highest value of x's dtype (infinities for floats); a mean is NaN.

// Contiguous x and y only. The first index of the extreme value along the reduced axes (all of them, or one), NaN counting as extreme: NumPy's rule.
void ArgReduce(bool max, const TensorView& x, int axis, const TensorView& y);  // axis -1: the flat array

}  // namespace flx

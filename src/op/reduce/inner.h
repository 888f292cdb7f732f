// SPDX-License-Identifier: Apache-2.0
// The inner loops of reductions, over contiguous elements of one type: float, double, int64_t, uint64_t.
#pragma once
#include <cstdint>
#include <type_traits>

#include "op/reduce/driver.h"

namespace flx {

template <class C> struct Wide { using Type = C; };
template <> struct Wide<float> { using Type = double; };
template <class C> using WideOf = typename Wide<C>::Type;
template <class C> using IndexOf = std::conditional_t<sizeof(C) == 4, int32_t, int64_t>;  // as wide as C, for vectors of both

constexpr int kUnroll = 8;  // rows that a step over columns takes at a time: each accumulator is loaded and stored once for all of them

template <class C> struct InnerLoops {
  WideOf<C> (*run)(const C* p, int64_t n);                                     // n elements into one
  void (*columns)(C* acc, const C* const* rows, int count, int64_t n);         // up to kUnroll rows into n accumulators
};
template <class C> struct ArgLoops {
  // The first place of the extreme among n > 0 elements, NaN counting as extreme.
  int64_t (*run)(const C* p, int64_t n, C* best);
  // The same for `rows` > 0 rows of n columns, side by side; rows < 2^31.
  void (*columns)(const C* p, int64_t stride, int64_t rows, int64_t n, C* best, IndexOf<C>* at);
};
// For this machine.
template <class C> const InnerLoops<C>& Inner(ReduceKind kind);
template <class C> const ArgLoops<C>& ArgInner(bool max);

}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// Batches of rows of arrays in memory: what the iterators over arrays, MNIST and CSV files have in common.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "io/iter.h"

namespace flx {

// One array of the batch: rows of `from` (its first axis), each seen as `row`.
struct RowField {
  std::string name;
  NDArray from;
  Shape row;           // as many elements as a row of `from` has
  double scale = 0;    // not 0: uint8 rows become float32 and are multiplied by it
};
enum class LastBatch { kKeep, kDrop, kPad };
template <> struct EnumNames<LastBatch> { static constexpr const char* names[] = {"keep", "drop", "pad"}; };

struct RowPlan {
  int64_t batch_size = 1;
  bool shuffle = false;
  uint64_t seed = 0;
  LastBatch last = LastBatch::kKeep;
  int64_t part = 0, parts = 1;  // of the epoch's order: the parts share no row, and together have all
};

// Next never blocks: what cannot be copied at once is an operation of the engine behind those that write the rows.
Ref<Iter> MakeRowIter(const char* who, std::vector<RowField> fields, const RowPlan& plan);

}  // namespace flx

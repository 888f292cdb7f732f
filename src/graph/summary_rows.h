// SPDX-License-Identifier: Apache-2.0
// What both tables share, that of a symbol's nodes and that of layers: their rows, as text and as a JSON document.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "tensor/shape.h"

namespace flx {

using Count = std::optional<int64_t>;  // nothing: not known

struct SummaryOutput {
  std::string name;
  Shape shape = Shape::Unknown();  // -1: follows an unknown size
  DType dtype = DType::kNone;
};
struct SummaryRow {
  int depth = 0;                                              // how far the text is indented
  std::string title;                                          // of the text
  std::vector<std::pair<std::string, std::string>> members;   // of the JSON row, beside those below: name, op ...
  std::optional<std::vector<std::string>> inputs;
  std::vector<SummaryOutput> outputs;
  Count parameters, bytes, multiply_adds;                     // of the row itself
  std::optional<Count> steps;                                 // of a loop
  bool blank = false;                                         // the text shows no counts: a container, whose children have them
};
struct SummaryTable {
  std::vector<SummaryRow> rows;
  Count parameters, trained, bytes, multiply_adds;            // totals
};
std::string SummaryText(const SummaryTable& table, int columns);  // 0: 80
std::string SummaryJson(const SummaryTable& table);

}  // namespace flx

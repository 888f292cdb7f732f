// SPDX-License-Identifier: Apache-2.0
// Sequences of unequal length, and attention over them.
#include "cases.h"

namespace flx::cases {

void AddSequenceCases(std::vector<Case>* c) {
  auto length = [] { return Integers({3}, {2, 4, 1}, DType::kInt32); };
  const std::pair<std::string, std::string> use{"use_sequence_length", "True"}, second{"axis", "1"};
  for (const char* op : {"SequenceMask", "SequenceLast", "SequenceReverse"}) {
    c->push_back({op, {Uniform({4, 3, 2}, -2, 2)}, {}});
    c->push_back(Case{op, {Uniform({4, 3, 2}, -2, 2), length()}, {use}}.name("lengths"));
    c->push_back(Case{op, {Uniform({3, 4}, -2, 2), length()}, {use, second}}.name("batch_first"));
    c->push_back(Case{op, {Uniform({4, 3, 0}, 0, 1), length()}, {use}}.name("empty"));
  }
  c->push_back(Case{"SequenceMask", {Uniform({4, 3, 2}, -2, 2), Integers({3}, {0, 9, -1})}, {use, {"value", "-7"}}}.name("out_of_range"));
  c->push_back(Case{"SequenceReverse", {Uniform({4, 3, 2}, -2, 2), Constant(Values({0, 4, 3}))}, {use}}.name("float_lengths"));

  const std::pair<std::string, std::string> heads{"heads", "2"};
  c->push_back({"_contrib_interleaved_matmul_selfatt_qk", {Uniform({3, 2, 12}, -1, 1)}, {heads}});
  c->push_back({"_contrib_interleaved_matmul_selfatt_valatt", {Uniform({3, 2, 12}, -1, 1), Uniform({4, 3, 3}, 0, 1)}, {heads}});
  c->push_back({"_contrib_interleaved_matmul_encdec_qk", {Uniform({3, 2, 4}, -1, 1), Uniform({5, 2, 8}, -1, 1)}, {heads}});
  c->push_back(Case{"_contrib_interleaved_matmul_encdec_qk", {Uniform({4, 2, 4}, -1, 1), Uniform({2, 2, 8}, -1, 1)}, {heads}}.name("fewer_keys"));
  c->push_back({"_contrib_interleaved_matmul_encdec_valatt", {Uniform({5, 2, 8}, -1, 1), Uniform({4, 3, 5}, 0, 1)}, {heads}});
  c->push_back(Case{"_contrib_interleaved_matmul_encdec_qk", {Uniform({3, 2, 4}, -1, 1), Uniform({0, 2, 8}, -1, 1)}, {heads}}.name("empty"));
  c->push_back({"_contrib_div_sqrt_dim", {Uniform({2, 3}, -1, 1)}, {}});
}

}  // namespace flx::cases

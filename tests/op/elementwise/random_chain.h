// SPDX-License-Identifier: Apache-2.0
// Random chains, for tests of what runs them.
#pragma once
#include <random>
#include <string>
#include <vector>

#include "op/elementwise/chain.h"

namespace flx {

inline constexpr DType kEveryDType[] = {DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kBfloat16, DType::kInt8, DType::kUint8, DType::kInt16,
                          DType::kUint16, DType::kInt32, DType::kUint32, DType::kInt64, DType::kUint64, DType::kBool};

// Steps on random earlier values; `floats`: also those that integers have not.
inline Chain RandomChain(std::mt19937* g, int nin, bool floats) {
  const char* unary[] = {"relu", "_plus_scalar", "_rminus_scalar", "abs", "square", "clip", "negative", "sigmoid", "tanh", "exp"};
  const char* binary[] = {"broadcast_add", "broadcast_mul", "broadcast_sub", "broadcast_maximum", "broadcast_lesser", "broadcast_minimum"};
  std::vector<ChainStep> steps;
  std::vector<int> outputs;
  int n = 1 + int((*g)() % 9);
  for (int s = 0; s < n; ++s) {  // the first step has the whole shape, and so has every other, whose first input is a step
    bool two = s == 0 ? nin > 1 : (*g)() % 2;
    ChainStep step;
    step.op = &FindOp(two ? binary[(*g)() % 6] : unary[(*g)() % (floats ? 10 : 7)]);
    if (s == 0 && two) step.op = &FindOp("broadcast_sub");
    std::string scalar = std::to_string(int((*g)() % 5) - 2);
    std::vector<KeyValue> options;
    if (step.op->schema.Find("scalar")) options.emplace_back("scalar", scalar);
    if (step.op->schema.Find("a_max")) options.emplace_back("a_min", "-1"), options.emplace_back("a_max", "3");
    step.attrs = step.op->schema.Parse(step.op->name, options.data(), options.size());
    auto earlier = [&] { return ~int((*g)() % unsigned(s)); };
    step.in.push_back(s == 0 ? 0 : earlier());
    if (two) step.in.push_back(s == 0 ? 1 : (*g)() % 2 ? int((*g)() % unsigned(nin)) : earlier());
    steps.push_back(step);
    if (s == n - 1 || (*g)() % 4 == 0) outputs.push_back(s);
  }
  for (int i = 2; i < nin; ++i) {  // every input is read
    steps.push_back({&FindOp("broadcast_add"), FindOp("broadcast_add").schema.defaults(), {~int(steps.size() - 1), i}});
    outputs.back() = int(steps.size()) - 1;
  }
  return Chain(steps, outputs);
}

}  // namespace flx

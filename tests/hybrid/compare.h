// SPDX-License-Identifier: Apache-2.0
// The same function run imperatively and planned: results, gradients, and what it changed, byte by byte.
#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "exec/autograd.h"
#include "exec/tape.h"
#include "hybrid/cached_graph.h"

namespace flx {

inline std::string BytesOf(const NDArray& a) {
  if (!a) return "none";
  std::string b(size_t(a->bytes()), '\0');
  ReadArray(*a, b.data(), a->bytes(), a->dtype, false);
  return b;
}
struct Outcome {
  std::vector<NDArray> results, gradients, inputs;  // gradients by input; null: none
};
// Backward from all recorded results, with ones.
inline void GoBackward(Outcome* o, int mode) {
  std::vector<NDArray> heads;
  for (auto& y : o->results) if (mode & kRecord && IsRecorded(*y)) heads.push_back(y);
  if (!heads.empty()) Backward(heads, {}, mode & kTrain);
  for (auto& x : o->inputs) o->gradients.push_back(heads.empty() ? nullptr : GradOf(*x));
}
inline Outcome RunImperatively(const TraceFunction& f, int mode, std::vector<NDArray> inputs, uint64_t seed = 17) {
  SeedRandom(seed);
  Outcome o;
  EagerBuilder b(mode, inputs.empty() ? nullptr : inputs[0]->device());
  std::vector<Val> x;
  for (auto& a : inputs) x.push_back(b.Add(a));
  for (Val v : f(b, x)) o.results.push_back(b.array(v));
  o.inputs = std::move(inputs);
  GoBackward(&o, mode);
  return o;
}
inline Outcome RunPlanned(const CachedGraph& g, int mode, std::vector<NDArray> inputs, uint64_t seed = 17) {
  SeedRandom(seed);
  Outcome o;
  o.results = g.Run(mode, inputs);
  o.inputs = std::move(inputs);
  GoBackward(&o, mode);
  return o;
}
// "" or the first difference. tolerance 0: every byte; else relative to the larger of 1 and the largest element.
inline std::string Difference(const char* what, const std::vector<NDArray>& got, const std::vector<NDArray>& want, double tolerance) {
  if (got.size() != want.size()) return Text(what, "s: ", got.size(), ", expected ", want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    if (bool(got[i]) != bool(want[i])) return Text(what, " ", i, got[i] ? " is there" : " is missing");
    if (!got[i]) continue;
    if (got[i]->shape != want[i]->shape || got[i]->dtype != want[i]->dtype) return Text(what, " ", i, " is ", Describe(*got[i]), ", expected ", Describe(*want[i]));
    if (BytesOf(got[i]) == BytesOf(want[i])) continue;
    std::vector<double> a(size_t(got[i]->size())), b(a.size());
    ReadArray(*got[i], a.data(), int64_t(a.size() * 8), DType::kFloat64, false);
    ReadArray(*want[i], b.data(), int64_t(b.size() * 8), DType::kFloat64, false);
    double most = 0, scale = 1;
    size_t at = 0;
    for (size_t k = 0; k < a.size(); ++k) {
      double d = std::isnan(a[k]) && std::isnan(b[k]) ? 0 : a[k] == b[k] ? 0 : std::abs(a[k] - b[k]);
      if (std::isfinite(b[k])) scale = std::max(scale, std::abs(b[k]));
      if (!(d <= most)) most = d, at = k;
    }
    if (tolerance == 0 || !(most <= tolerance * scale)) return Text(what, " ", i, " (", Describe(*got[i]), ") differs at ", at, ": ", a[at], ", expected ", b[at]);
  }
  return "";
}
inline std::string Difference(const Outcome& got, const Outcome& want, double tolerance = 0) {
  std::string d = Difference("result", got.results, want.results, tolerance);
  if (d.empty()) d = Difference("gradient", got.gradients, want.gradients, tolerance);
  return d.empty() ? Difference("input", got.inputs, want.inputs, tolerance) : d;
}

}  // namespace flx

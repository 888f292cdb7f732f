// SPDX-License-Identifier: Apache-2.0
// Cases of the registry-wide suite: one line per operator and situation. An operator whose inputs may be anything of shape (2, 3) needs none.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "base/dtype.h"
#include "tensor/shape.h"

namespace flx::cases {

// One input: floating values (differentiated) or integers (never).
struct In {
  Shape shape;
  double low = 0.3, high = 0.9;
  std::vector<double> values;           // if given, these and not random ones
  DType dtype = DType::kFloat64;        // floating inputs take the dtype the check wants; others keep this one
  bool differentiate = true;
  bool is_float() const { return dtype == DType::kFloat64; }
};
inline In Uniform(Shape s, double low, double high) { return {std::move(s), low, high, {}, DType::kFloat64, true}; }
inline In Values(std::vector<double> v) { Shape s{int64_t(v.size())}; return {s, 0, 0, std::move(v), DType::kFloat64, true}; }
inline In Values(Shape s, std::vector<double> v) { return {std::move(s), 0, 0, std::move(v), DType::kFloat64, true}; }
inline In Integers(Shape s, std::vector<double> v, DType t = DType::kInt64) { return {std::move(s), 0, 0, std::move(v), t, false}; }
inline In Constant(In in) { in.differentiate = false; return in; }  // floating, but no gradient is asked (labels, indices, states)

struct Case {
  const char* op;
  std::vector<In> inputs;
  std::vector<std::pair<std::string, std::string>> attrs;
  const char* what = "";
  bool train = true, no_gradient = false, no_second = false, no_float32 = false, no_strides = false, only_runs = false, other_shapes = false;
  double tolerance = 1;
  Case&& name(const char* s) && { what = s; return std::move(*this); }
  Case&& predict() && { train = false; return std::move(*this); }
  Case&& NoGradient() && { no_gradient = true; return std::move(*this); }   // the values are kinks, poles or not finite
  Case&& NoSecond() && { no_second = true; return std::move(*this); }
  Case&& NoFloat32() && { no_float32 = true; return std::move(*this); }     // rounding changes the result by more than rounding
  Case&& NoStrides() && { no_strides = true; return std::move(*this); }     // the result depends on memory order by design (none so far)
  // An input's shape is not the one that inference takes when only the first input is known (a single slope for all channels).
  Case&& OtherShapes() && { other_shapes = true; return std::move(*this); }
  Case&& Tolerance(double factor) && { tolerance = factor; return std::move(*this); }
  // Inputs at which two dtypes or two runs need not agree: only shapes, dtypes and the absence of errors are checked.
  Case&& OnlyRuns() && { only_runs = true; return std::move(*this); }
};

// All of them, and one for each operator without any: shape (2, 3) for each input that the default attributes ask for.
std::vector<Case> AllCases();
// Each family's list, in cases_<family>.cc.
void AddElementwiseCases(std::vector<Case>* c);
void AddReduceCases(std::vector<Case>* c);
void AddMatrixCases(std::vector<Case>* c);
void AddIndexingCases(std::vector<Case>* c);
void AddRandomCases(std::vector<Case>* c);
void AddInitCases(std::vector<Case>* c);
void AddNnCases(std::vector<Case>* c);
void AddRnnCases(std::vector<Case>* c);
void AddLossCases(std::vector<Case>* c);
void AddOptimCases(std::vector<Case>* c);
void AddSequenceCases(std::vector<Case>* c);
void AddVisionCases(std::vector<Case>* c);
void AddInternalCases(std::vector<Case>* c);

}  // namespace flx::cases

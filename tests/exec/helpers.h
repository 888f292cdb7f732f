// SPDX-License-Identifier: Apache-2.0
// What the tests of exec share.
#pragma once
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "../base/failing.h"
#include "exec/autograd.h"

namespace flx {

inline NDArray Of(std::vector<double> v, Shape s = {}, DType t = DType::kFloat64) {
  if (s.ndim() == 0) s = Shape{int64_t(v.size())};
  return FromHost(v.data(), int64_t(v.size()) * 8, DType::kFloat64, false, s, t);
}
inline std::vector<double> Read(const NDArray& a) {
  std::vector<double> v(size_t(a->size()));
  ReadArray(*a, v.data(), a->size() * 8, DType::kFloat64, false);
  return v;
}

}  // namespace flx

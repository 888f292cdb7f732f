// SPDX-License-Identifier: Apache-2.0
// Arrays of numbers, on any device, for tests.
#pragma once
#include <gtest/gtest.h>

#include <vector>

#include "../device/under_test.h"
#include "tensor/device_array.h"

namespace flx {

using Values = std::vector<double>;
inline Values Read(const NDArray& a) {
  Values v(size_t(a->size()), 0);
  EXPECT_TRUE(ReadArray(*a, v.data(), int64_t(v.size() * 8), DType::kFloat64, false, kLong));
  return v;
}
inline NDArray Make(const Values& v, const Shape& s, const Device* d, DType t = DType::kFloat32) {
  return FromHost(v.data(), int64_t(v.size() * 8), DType::kFloat64, false, s, t, d);
}

}  // namespace flx

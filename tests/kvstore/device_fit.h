// SPDX-License-Identifier: Apache-2.0
// For tests of fits on devices: their names, and parameters that are to be near each other.
#pragma once
#include <gtest/gtest.h>

#include "../device/under_test.h"
#include "helpers.h"
#include "store_helpers.h"

namespace flx::kvstore_tests {

struct OnDevices : testing::Test {
  static void SetUpTestSuite() { PrepareDevice(); }
  const std::string one = NameOf(DeviceUnderTest()), second = SecondDeviceUnderTest() ? NameOf(SecondDeviceUnderTest()) : "", both = second.empty() ? "" : one + ", " + second;
  void TearDown() override {
    ASSERT_TRUE(Engine::Get().WaitAll(60000));
    while (auto p = Engine::Get().NextUnseen()) ADD_FAILURE() << p->error.message();
  }
};
inline void NearParams(const Params& a, const Params& b, double tolerance) {
  ASSERT_EQ(a.count(), b.count());
  for (int i = 0; i < a.count(); ++i) {
    ASSERT_EQ(a.at(i).name, b.at(i).name);
    const auto x = fit_tests::Read(a.at(i).array), y = fit_tests::Read(b.at(i).array);
    ASSERT_EQ(x.size(), y.size());
    for (size_t k = 0; k < x.size(); ++k) ASSERT_NEAR(x[k], y[k], tolerance * std::max(1.0, std::abs(y[k]))) << a.at(i).name << ", element " << k;
  }
}

}  // namespace flx::kvstore_tests

// SPDX-License-Identifier: Apache-2.0
// The C++ API: arrays and networks on a device, the emulated one of tests/device.
#include <gtest/gtest.h>

#include "flexor/flexor.hpp"
#include "flexor/nn.hpp"
#include "flexor/op.hpp"

using namespace flexor;

namespace {
const char* const kEmu = "emu(0)";
void Load() { check(flx_config_set("FLEXOR_TEST_DEVICE", FLEXOR_EMULATED_DEVICE)); }
}  // namespace

TEST(CppDevice, ArraysAreMadeComputedWithAndCopied) {
  Load();
  NDArray x = full({2, 3}, 2, DType::float32, kEmu), host = array({{1, 2, 3}, {4, 5, 6}}), y = host.copy(kEmu);
  NDArray drawn = op::random_normal(op::RandomNormalOptions().shape({4}).device(kEmu));
  for (const NDArray& a : {x, y, drawn, x + y, op::relu(x), zeros({3}, DType::int64, kEmu), x.copy()}) EXPECT_EQ(a.device(), kEmu);
  EXPECT_EQ((x * y).to_vector<float>(), (std::vector<float>{2, 4, 6, 8, 10, 12}));
  NDArray there = y.copy("emu(1)");
  EXPECT_EQ(there.device(), "emu(1)");
  EXPECT_EQ(there.copy("cpu").to_vector<float>(), host.to_vector<float>());
  EXPECT_THROW(x + host, DeviceError);
  EXPECT_THROW(ones({2}, DType::float32, "gpu(99)"), DeviceError);
  EXPECT_THROW(op::random_normal(op::RandomNormalOptions().device("gpu(99)")), DeviceError);
}
TEST(CppDevice, ANetworkIsTrainedAndMoved) {
  Load();
  Layer net = nn::Sequential().add(nn::Dense(8).activation("tanh")).add(nn::Dense(3)), loss = nn::SoftmaxCrossEntropyLoss();
  std::vector<float> weights[2];
  for (const char* device : {"cpu", kEmu}) {
    Params params = Params::init(net, {{"data", {4, 2}}, {"device", device}}, 1);
    params.attach_grad();
    Optimizer adam = optimizer::Adam();
    NDArray x = full({4, 2}, 0.5, DType::float32, device), y = zeros({4}, DType::float32, device);
    for (int i = 0; i < 2; ++i) {
      {
        autograd::Record record;
        op::mean(loss(net.run(params, {x})[0], y)).backward();
      }
      adam.step(params);
    }
    weights[device == kEmu] = params.get("0.weight").to_vector<float>();
    EXPECT_EQ(params.copy("emu(1)").get("0.weight").device(), "emu(1)");
    params.move_to("cpu");
    EXPECT_EQ(params.get("1.bias").device(), "cpu(0)");
  }
  for (size_t i = 0; i < weights[0].size(); ++i) EXPECT_NEAR(weights[0][i], weights[1][i], 1e-5);
}

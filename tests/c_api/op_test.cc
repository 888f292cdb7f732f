// SPDX-License-Identifier: Apache-2.0
// The generated functions of operators, and prepared calls.
#include "flexor/op.hpp"

#include <gtest/gtest.h>

using namespace flexor;
using Floats = std::vector<float>;

TEST(CppOp, InputsAttributesOptions) {
  NDArray x = array({{-1, 2}, {3, -4}});
  EXPECT_EQ(op::relu(x).to_vector<float>(), (Floats{0, 2, 3, 0}));
  EXPECT_EQ(op::broadcast_maximum(x, NDArray{0, 0}).to_vector<float>(), (Floats{0, 2, 3, 0}));
  EXPECT_EQ(op::clip(x, -1, 1).to_vector<float>(), (Floats{-1, 1, 1, -1}));
  EXPECT_EQ(op::activation(x, "relu").to_vector<float>(), (Floats{0, 2, 3, 0}));
  EXPECT_EQ(op::transpose(x, op::TransposeOptions().axes({1, 0})).to_vector<float>(), (Floats{-1, 3, 2, -4}));
  EXPECT_EQ(op::expand_dims(x, 0).shape(), (Shape{1, 2, 2}));
  EXPECT_EQ(op::slice(x, {0, 1}, {std::nullopt, 2}).to_vector<float>(), (Floats{2, -4}));
  EXPECT_EQ(op::cast(x, DType::int32).dtype(), DType::int32);
}

TEST(CppOp, OptionalInputsAreLeftOut) {
  NDArray x = ones({1, 1, 4, 4}), w = ones({2, 1, 3, 3});
  NDArray y = op::convolution(x, w, {}, {3, 3}, 2, op::ConvolutionOptions().no_bias(true));
  EXPECT_EQ(y.shape(), (Shape{1, 2, 2, 2}));
  EXPECT_EQ(y.to_vector<float>(), Floats(8, 9));
  EXPECT_EQ(op::convolution(x, w, NDArray{1, 2}, {3, 3}, 2).to_vector<float>()[7], 11);
  EXPECT_THROW(op::convolution(x, w, {}, {3, 3}, 2), Error);  // the bias is wanted
}

TEST(CppOp, ListsAndSeveralResults) {
  NDArray a = ones({2, 2}), b = zeros({2, 1});
  EXPECT_EQ(op::concat({a, b}).shape(), (Shape{2, 3}));
  EXPECT_EQ(op::concat({a, a, a}, op::ConcatOptions().dim(0)).shape(), (Shape{6, 2}));
  Outputs parts = op::slice_channel(array({{1, 2, 3}}), 3);
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(parts[2].to_vector<float>(), (Floats{3}));
  // more than collect()'s first guess
  EXPECT_EQ(op::slice_channel(zeros({1, 20}), 20).size(), 20u);
}

TEST(CppOp, ChoicesAreChecked) {
  try {
    op::pooling(ones({1, 1, 4, 4}), op::PoolingOptions().kernel({2, 2}).pool_type("maxx"));
    FAIL();
  } catch (const ArgumentError& e) {
    EXPECT_NE(std::string(e.what()).find("must be one of max, avg, sum, lp"), std::string::npos) << e.what();
  }
}

TEST(CppOp, PreparedCalls) {
  Call softmax("softmax", {{"axis", 1}}), scale("_mul_scalar");
  NDArray x = array({{0, 0}});
  EXPECT_EQ(softmax(x).to_vector<float>(), (Floats{0.5, 0.5}));
  EXPECT_EQ(scale.scalar(softmax(x), 8).to_vector<float>(), (Floats{4, 4}));
  EXPECT_EQ(scale.run({softmax(x)}, {2})[0].to_vector<float>(), (Floats{1, 1}));
  NDArray y = zeros({1, 2});
  softmax.run_into({x}, {y});
  EXPECT_EQ(y.to_vector<float>(), (Floats{0.5, 0.5}));
  EXPECT_THROW(Call("softmax", {{"axes", 1}}), Error);
}

TEST(CppOp, RandomNumbersFollowTheSeed) {
  seed(7);
  Floats a = op::random_normal(op::RandomNormalOptions().shape({100})).to_vector<float>();
  seed(7);
  EXPECT_EQ(op::random_normal(op::RandomNormalOptions().shape({100})).to_vector<float>(), a);
  seed(8);
  EXPECT_NE(op::random_normal(op::RandomNormalOptions().shape({100})).to_vector<float>(), a);
}

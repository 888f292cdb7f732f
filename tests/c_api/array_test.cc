// SPDX-License-Identifier: Apache-2.0
// The C++ API: arrays, signs, views, gradients.
#include <gtest/gtest.h>

#include <cmath>

#include "flexor/flexor.hpp"

using namespace flexor;
using Floats = std::vector<float>;

namespace {
Floats ToFloats(const NDArray& a) { return a.to_vector<float>(); }
int64_t Live() {
  int64_t n = 0;
  check(flx_handle_live("ndarray", &n));
  return n;
}
}  // namespace

TEST(CppArray, IsMadeFromWhatThereIs) {
  EXPECT_EQ(ToFloats(NDArray{1, 2, 3}), (Floats{1, 2, 3}));
  NDArray m = array({{1, 2}, {3, 4}, {5, 6}});
  EXPECT_EQ(m.shape(), (Shape{3, 2}));
  EXPECT_EQ(m.dtype(), DType::float32);
  EXPECT_EQ(ToFloats(m), (Floats{1, 2, 3, 4, 5, 6}));
  // a typed source keeps its dtype
  EXPECT_EQ(array(std::vector<int64_t>{1, 2}).dtype(), DType::int64);
  EXPECT_EQ(array(std::vector<double>{1, 2}).dtype(), DType::float64);
  EXPECT_EQ(array(std::vector<uint8_t>{1, 255}).to_vector<int>(), (std::vector<int>{1, 255}));
  double memory[4] = {1, 2, 3, 4};
  NDArray by_column(memory, Shape{2, 2}, DType::float32, Order::column_major);
  EXPECT_EQ(ToFloats(by_column), (Floats{1, 3, 2, 4}));
  EXPECT_EQ(by_column.to_vector<double>(Order::column_major), (std::vector<double>{1, 2, 3, 4}));
  EXPECT_EQ(ToFloats(zeros({2})), (Floats{0, 0}));
  EXPECT_EQ(ToFloats(ones(3)), (Floats{1, 1, 1}));
  EXPECT_EQ(full({}, 7).item(), 7);
  EXPECT_EQ(full({}, 7).ndim(), 0);
  EXPECT_EQ(zeros({0, 3}).size(), 0);
  EXPECT_TRUE(ToFloats(zeros({0, 3})).empty());
  EXPECT_THROW(NDArray(Floats{1, 2, 3}, Shape{2, 2}), ArgumentError);
  EXPECT_FALSE(NDArray());
}

TEST(CppArray, CopiesShareAndAreFreed) {
  int64_t before = Live();
  {
    NDArray a{1, 2, 3}, b = a, c = a.copy();
    EXPECT_EQ(Live(), before + 3);
    a += 1;
    EXPECT_EQ(ToFloats(b), (Floats{2, 3, 4}));
    EXPECT_EQ(ToFloats(c), (Floats{1, 2, 3}));
    NDArray d = std::move(b);
    EXPECT_FALSE(b);  // NOLINT: what a move leaves is none
    EXPECT_EQ(ToFloats(d), (Floats{2, 3, 4}));
    d = d;
    d = c;
    EXPECT_EQ(ToFloats(d), (Floats{1, 2, 3}));
    EXPECT_EQ(Live(), before + 3);
  }
  EXPECT_EQ(Live(), before);
}

TEST(CppArray, SignsBroadcastAndCompare) {
  NDArray a = array({{1, 2}, {3, 4}}), b{10, 20};
  EXPECT_EQ(ToFloats(a + b), (Floats{11, 22, 13, 24}));
  EXPECT_EQ(ToFloats(a - b), (Floats{-9, -18, -7, -16}));
  EXPECT_EQ(ToFloats(a * a), (Floats{1, 4, 9, 16}));
  EXPECT_EQ(ToFloats(b / a), (Floats{10, 10, 10 / 3.f, 5}));
  EXPECT_EQ(ToFloats(2 - a), (Floats{1, 0, -1, -2}));
  EXPECT_EQ(ToFloats(a - 2), (Floats{-1, 0, 1, 2}));
  EXPECT_EQ(ToFloats(12 / a), (Floats{12, 6, 4, 3}));
  EXPECT_EQ(ToFloats(a * 0.5 + 1), (Floats{1.5, 2, 2.5, 3}));
  EXPECT_EQ(ToFloats(-a), (Floats{-1, -2, -3, -4}));
  EXPECT_EQ(ToFloats(a == 2), (Floats{0, 1, 0, 0}));
  EXPECT_EQ(ToFloats(a != 2), (Floats{1, 0, 1, 1}));
  EXPECT_EQ(ToFloats(a < 2), (Floats{1, 0, 0, 0}));
  EXPECT_EQ(ToFloats(2 < a), (Floats{0, 0, 1, 1}));
  EXPECT_EQ(ToFloats(a >= 2), (Floats{0, 1, 1, 1}));
  EXPECT_EQ(ToFloats(2 >= a), (Floats{1, 1, 0, 0}));
  EXPECT_EQ(ToFloats(a > b), (Floats{0, 0, 0, 0}));
  EXPECT_EQ(ToFloats(a <= a), (Floats{1, 1, 1, 1}));
  NDArray i = array(std::vector<int32_t>{1, 2});
  EXPECT_EQ((i + 1).dtype(), DType::int32);
  EXPECT_EQ((i + 0.5).to_vector<double>(), (std::vector<double>{1.5, 2.5}));
  a += b, a *= 2, a -= 1, a /= NDArray{1, 3};
  EXPECT_EQ(ToFloats(a), (Floats{21, 43 / 3.f, 25, 47 / 3.f}));
}

TEST(CppArray, ViewsShareMemory) {
  NDArray a = array({{1, 2, 3}, {4, 5, 6}, {7, 8, 9}});
  EXPECT_EQ(ToFloats(a[1]), (Floats{4, 5, 6}));
  EXPECT_EQ(a[1].shape(), (Shape{3}));
  EXPECT_EQ(ToFloats(a[-1]), (Floats{7, 8, 9}));
  EXPECT_EQ(ToFloats(a.slice(1, 3)), (Floats{4, 5, 6, 7, 8, 9}));
  EXPECT_EQ(a.slice(0, -1).shape(), (Shape{2, 3}));
  EXPECT_EQ(a.reshape({-1}).shape(), (Shape{9}));
  EXPECT_EQ(a.transpose().shape(), (Shape{3, 3}));
  EXPECT_EQ(ToFloats(a.transpose()[0]), (Floats{1, 4, 7}));
  NDArray row = a[1];
  row += 10;
  EXPECT_EQ(ToFloats(a), (Floats{1, 2, 3, 14, 15, 16, 7, 8, 9}));
  row.write(Floats{0, 0, 0});
  EXPECT_EQ(ToFloats(a[1]), (Floats{0, 0, 0}));
  EXPECT_THROW(a[3], IndexError);
  EXPECT_THROW(a.slice(2, 5), IndexError);
  EXPECT_THROW(a.reshape({4}), ShapeError);
}

TEST(CppArray, MethodsThatAreOperators) {
  NDArray a = array({{1, 2}, {3, 4}});
  EXPECT_EQ(a.sum().item(), 10);
  EXPECT_EQ(a.sum().ndim(), 0);
  EXPECT_EQ(ToFloats(a.sum(0)), (Floats{4, 6}));
  EXPECT_EQ(a.sum(1, true).shape(), (Shape{2, 1}));
  EXPECT_EQ(a.mean().item(), 2.5);
  EXPECT_EQ(ToFloats(a.mean({0, 1})), (Floats{2.5}));
  EXPECT_EQ(a.max().item(), 4);
  EXPECT_EQ(ToFloats(a.argmax(1)), (Floats{1, 1}));
  EXPECT_EQ(ToFloats(a.dot(a)), (Floats{7, 10, 15, 22}));
  EXPECT_EQ(a.astype(DType::int8).dtype(), DType::int8);
  EXPECT_NE(a.text().find("3"), std::string::npos);
  EXPECT_EQ(a.nbytes(), 16);
  EXPECT_EQ(a.device(), "cpu(0)");
  EXPECT_TRUE(a.wait());
  int64_t version = a.version();
  a += 1;
  EXPECT_GT(a.version(), version);
}

TEST(CppGradient, OfASquare) {
  NDArray x{1, 2, 3};
  x.attach_grad();
  EXPECT_FALSE(autograd::is_recording());
  NDArray y;
  {
    autograd::Record record;
    EXPECT_TRUE(autograd::is_recording());
    EXPECT_TRUE(autograd::is_training());
    {
      autograd::Pause pause;
      EXPECT_FALSE(autograd::is_recording());
    }
    y = (x * x).sum();
  }
  EXPECT_FALSE(autograd::is_recording());
  y.backward();
  EXPECT_EQ(ToFloats(x.grad()), (Floats{2, 4, 6}));
  EXPECT_THROW(y.backward(), StateError);  // its history is gone
  EXPECT_FALSE(NDArray{1}.grad());
}

TEST(CppGradient, HeadsRetainedAndHigher) {
  NDArray x{1, 2, 3}, y, z;
  x.attach_grad(GradReq::add);
  {
    autograd::Record record;
    y = x * x * x;
  }
  y.backward(NDArray{1, 10, 100}, true);
  y.backward(NDArray{1, 10, 100});
  EXPECT_EQ(ToFloats(x.grad()), (Floats{6, 240, 5400}));
  {
    autograd::Record record;
    y = x * x * x;
    z = autograd::gradients({y}, {x}, {}, true, true)[0];  // 3 x^2
  }
  EXPECT_EQ(ToFloats(autograd::gradients({z}, {x})[0]), (Floats{6, 12, 18}));
}

TEST(CppGradient, ThroughViewsAndNumbers) {
  NDArray x = array({{1, 2}, {3, 4}});
  x.attach_grad();
  NDArray y;
  {
    autograd::Record record(false);
    EXPECT_FALSE(autograd::is_training());
    y = (2 / x[1] + x.slice(0, 1).reshape({2}) * 3).sum();
  }
  y.backward();
  Floats g = ToFloats(x.grad());
  EXPECT_FLOAT_EQ(g[0], 3);
  EXPECT_FLOAT_EQ(g[1], 3);
  EXPECT_FLOAT_EQ(g[2], -2 / 9.f);
  EXPECT_FLOAT_EQ(g[3], -2 / 16.f);
}

TEST(CppGradient, AnOverwrittenInputIsSeen) {
  NDArray x{1, 2}, w{3, 4}, y;
  x.attach_grad(), w.attach_grad();
  {
    autograd::Record record;
    y = (x * w).sum();
  }
  w.write(Floats{0, 0});
  EXPECT_THROW(y.backward(), StateError);
}

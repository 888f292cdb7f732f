// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/sysinfo.h>

#include <cmath>
#include <limits>
#include <thread>

#include "storage/pool.h"
#include "tensor/array.h"
#include "tensor/promised.h"

namespace flx {
namespace {

TEST(Shape, HoldsUpTo32Sizes) {
  Shape s;
  for (int i = 0; i < 32; ++i) s.push_back(i % 3 + 1);
  EXPECT_EQ(s.ndim(), 32);
  Shape t = s, u = std::move(s);
  EXPECT_EQ(t, u);
  t = Shape{2, 3};
  EXPECT_EQ(t.size(), 6);
  u.Resize(2);
  EXPECT_EQ(u, (Shape{1, 2}));
  EXPECT_THROW(Shape::Filled(33, 1), Error);
}
TEST(Shape, ScalarsEmptyAndUnknown) {
  EXPECT_EQ(Shape().size(), 1);
  EXPECT_EQ((Shape{3, 0}).size(), 0);
  EXPECT_FALSE(Shape::Unknown().rank_known());
  EXPECT_FALSE((Shape{2, -1}).known());
  std::string text;
  Append(&text, Shape{2});
  EXPECT_EQ(text, "(2,)");
}
TEST(Shape, SizeThatOverflowsIsAnError) {
  EXPECT_THROW((Shape{int64_t(1) << 40, int64_t(1) << 40}).CheckedSize("t", 4), Error);
  EXPECT_EQ((Shape{int64_t(1) << 40, int64_t(1) << 40, 0}).CheckedSize("t", 4), 0);
  EXPECT_THROW((Shape{-1}).CheckedSize("t", 4), Error);
  auto huge = Array::New(Shape{int64_t(1) << 62, 9310, 0}, DType::kFloat32);
  EXPECT_EQ(huge->size(), 0);
  EXPECT_EQ(huge->View().strides.ndim(), 3);
}

TEST(Array, HostOrdersAndConversion) {
  float row[6] = {0, 1, 2, 3, 4, 5};
  auto a = FromHost(row, sizeof row, DType::kFloat32, false, Shape{2, 3}, DType::kFloat64);
  double column[6];
  ASSERT_TRUE(ReadArray(*a, column, sizeof column, DType::kFloat64, true));
  const double want[6] = {0, 3, 1, 4, 2, 5};
  for (int i = 0; i < 6; ++i) EXPECT_EQ(column[i], want[i]);
  auto b = FromHost(column, sizeof column, DType::kFloat64, true, Shape{2, 3}, DType::kInt16);
  int16_t back[6];
  ReadArray(*b, back, sizeof back, DType::kInt16, false);
  for (int i = 0; i < 6; ++i) EXPECT_EQ(back[i], i);
  EXPECT_THROW(ReadArray(*b, back, 5, DType::kInt16, false), Error);
}
TEST(Array, PromisesEndWithMemoryOrWithTheArray) {
  int64_t before = PromisedBytes();
  auto made = Array::New({1000, 10}, DType::kFloat32), dropped = Array::New({1000, 10}, DType::kFloat32), small = Array::New({4}, DType::kFloat32);
  EXPECT_EQ(PromisedBytes() - before, 80000);
  made->View();
  EXPECT_EQ(PromisedBytes() - before, 40000);
  dropped = nullptr;
  EXPECT_EQ(PromisedBytes() - before, 0);
  made->View();
  made = nullptr;
  std::vector<char> memory(20000);
  int64_t foreign = Storage::ForeignBytes();
  auto shared = Array::NewForeign(memory.data(), {20000}, DType::kInt8, nullptr, nullptr);
  EXPECT_EQ(Storage::ForeignBytes() - foreign, 20000);
  shared = nullptr;
  EXPECT_EQ(Storage::ForeignBytes() - foreign, 0);
  EXPECT_EQ(PromisedBytes() - before, 0);
}
TEST(Array, EveryPairOfDtypesConverts) {
  for (int f = 0; f < kDTypeCount; ++f)
    for (int t = 0; t < kDTypeCount; ++t) {
      auto a = Array::Filled(Shape{7}, DType(f), 1);
      auto b = Array::New(Shape{7}, DType(t));
      CopyStrided(a->View(), b->View());
      double v[7];
      ReadArray(*b, v, sizeof v, DType::kFloat64, false);
      for (double x : v) EXPECT_EQ(x, 1) << DTypeName(DType(f)) << " to " << DTypeName(DType(t));
    }
}
TEST(Array, FloatsToIntegersSaturate) {
  double v[5] = {1e30, -1e30, NAN, -2.7, 300};
  auto a = FromHost(v, sizeof v, DType::kFloat64, false, Shape{5}, DType::kInt32);
  int32_t i[5];
  ReadArray(*a, i, sizeof i, DType::kInt32, false);
  EXPECT_EQ(i[0], std::numeric_limits<int32_t>::max());
  EXPECT_EQ(i[1], std::numeric_limits<int32_t>::min());
  EXPECT_EQ(i[2], 0);
  EXPECT_EQ(i[3], -2);
  auto b = FromHost(v, sizeof v, DType::kFloat64, false, Shape{5}, DType::kUint8);
  uint8_t u[5];
  ReadArray(*b, u, sizeof u, DType::kUint8, false);
  EXPECT_EQ(u[4], 255);
}
TEST(Array, SixteenBitFloatsRoundToNearestEven) {
  EXPECT_EQ(ToFloat(ToHalf(65504.f)), 65504.f);
  EXPECT_TRUE(std::isinf(ToFloat(ToHalf(65520.f))));
  EXPECT_EQ(ToFloat(ToHalf(2049.f)), 2048.f);
  EXPECT_EQ(ToFloat(ToHalf(5.9604645e-8f)), 5.9604645e-8f);  // the smallest denormal
  EXPECT_TRUE(std::isnan(ToFloat(ToBfloat16(NAN))));
  EXPECT_EQ(ToBfloat16(1.00390625f).bits, 0x3f80);  // a tie goes to even
  EXPECT_EQ(ToBfloat16(1.01171875f).bits, 0x3f82);
}
TEST(Array, ViewsShareMemoryVersionAndStorage) {
  auto a = Array::Filled(Shape{3, 4}, DType::kFloat32, 0);
  auto t = Array::NewView(a, Shape{4, 3}, Shape{1, 4}, 0);
  EXPECT_FALSE(t->contiguous);
  float v[12];
  for (int i = 0; i < 12; ++i) v[i] = float(i);
  WriteArray(a, v, sizeof v, DType::kFloat32, false);
  float r[12];
  ReadArray(*t, r, sizeof r, DType::kFloat32, false);
  EXPECT_EQ(r[1], 4);
  EXPECT_EQ(t->storage->var.version.load(), 1u);
  EXPECT_TRUE(a->whole());
  EXPECT_FALSE(t->whole());
  auto row = Array::NewView(a, Shape{1, 4}, Shape{9, 1}, 16);
  EXPECT_TRUE(row->contiguous) << "an axis of one element may have any stride";
}
TEST(Array, BlockedTransposeMatchesPlain) {
  const int64_t m = 131, n = 77, k = 3;
  std::vector<float> x(size_t(m * n * k));
  for (size_t i = 0; i < x.size(); ++i) x[i] = float(i);
  auto a = FromHost(x.data(), int64_t(x.size()) * 4, DType::kFloat32, false, Shape{k, m, n}, DType::kFloat32);
  auto t = Array::NewView(a, Shape{k, n, m}, Shape{m * n, 1, n}, 0);
  auto c = Array::New(Shape{k, n, m}, DType::kFloat32);
  CopyStrided(t->View(), c->View());
  std::vector<float> y(x.size());
  ReadArray(*c, y.data(), int64_t(y.size()) * 4, DType::kFloat32, false);
  for (int64_t q = 0; q < k; ++q)
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < m; ++j) ASSERT_EQ(y[size_t((q * n + i) * m + j)], x[size_t((q * m + j) * n + i)]);
}
TEST(Array, TextIsShortened) {
  EXPECT_EQ(ToText(*Array::Filled(Shape{2, 2}, DType::kFloat32, 0.1)), "[[0.1, 0.1],\n [0.1, 0.1]]\nfloat32 (2, 2)");
  EXPECT_NE(ToText(*Array::Filled(Shape{2000}, DType::kInt32, 7)).find("7, 7, 7, ..., 7, 7, 7"), std::string::npos);
  EXPECT_EQ(ToText(*Array::Filled(Shape{0}, DType::kInt32, 7)), "[]\nint32 (0,)");
  EXPECT_EQ(ToText(*Array::Scalar(2.5)), "2.5\nfloat32 ()");
}
TEST(Array, DroppedInAnotherThread) {
  for (int i = 0; i < 200; ++i) {
    auto a = Array::Filled(Shape{100}, DType::kFloat32, i);
    std::thread([b = a] {}).join();
    EXPECT_EQ(a->storage->bytes(), 400);
  }
}
TEST(Array, MoreThanTwoToThe31Elements) {
  struct sysinfo info;
  sysinfo(&info);
  if (info.freeram + info.bufferram < (8ull << 30)) GTEST_SKIP() << "needs 8 GiB of free memory";
  const int64_t n = (int64_t(1) << 31) + 5;
  auto a = Array::Filled(Shape{n}, DType::kInt8, 3);
  auto tail = Array::NewView(a, Shape{5}, Shape{1}, n - 5);
  int8_t seven[5] = {7, 7, 7, 7, 7};
  WriteArray(tail, seven, 5, DType::kInt8, false);
  auto b = Array::New(Shape{n}, DType::kInt8);
  CopyStrided(a->View(), b->View());
  auto last = Array::NewView(b, Shape{6}, Shape{1}, n - 6);
  int8_t v[6];
  ReadArray(*last, v, 6, DType::kInt8, false);
  EXPECT_EQ(v[0], 3);
  for (int i = 1; i < 6; ++i) EXPECT_EQ(v[i], 7);
}

}  // namespace
}  // namespace flx

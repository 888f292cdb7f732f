// SPDX-License-Identifier: Apache-2.0
// The reduction driver against sums made element by element, for every set of axes, memory order, dtype and length that takes another path.
#include "op/reduce/driver.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "base/thread_pool.h"

namespace flx {
namespace {

template <class T> struct Data {
  std::vector<T> memory;
  TensorView view;
};
// A contiguous array, then seen with its axes in another order.
template <class T> Data<T> Random(const Shape& s, const std::vector<int>& order, int seed) {
  Data<T> d;
  std::mt19937 r{unsigned(seed)};
  d.memory.resize(size_t(s.size()));
  for (auto& x : d.memory) x = T(int(r() % 9) - 4);
  d.view = MakeView(d.memory.data(), kDTypeOf<T>, s);
  TensorView v = d.view;
  for (int i = 0; i < s.ndim(); ++i) v.shape[i] = d.view.shape[order[size_t(i)]], v.strides[i] = d.view.strides[order[size_t(i)]];
  v.contiguous = v.strides == ContiguousStrides(v.shape);
  d.view = v;
  return d;
}
template <class T> std::vector<double> Want(ReduceKind kind, uint32_t axes, const TensorView& x) {
  int64_t outputs = 1;
  for (int i = 0; i < x.ndim(); ++i) if (!(axes >> i & 1)) outputs *= x.dim(i);
  double start = kind == ReduceKind::kMax ? -INFINITY : kind == ReduceKind::kMin ? INFINITY : 0;
  std::vector<double> y(size_t(outputs), start);
  for (int64_t f = 0; f < x.size(); ++f) {
    int64_t q = f, offset = 0, at = 0, width = 1;
    for (int i = x.ndim() - 1; i >= 0; --i) {
      int64_t k = q % x.dim(i);
      q /= x.dim(i), offset += k * x.strides[i];
      if (!(axes >> i & 1)) at += k * width, width *= x.dim(i);
    }
    double v = double(x.data<T>()[offset]), &to = y[size_t(at)];
    if (kind == ReduceKind::kSum) to += v;
    if (kind == ReduceKind::kAbsSum) to += std::abs(v);
    if (kind == ReduceKind::kSquareSum) to += v * v;
    if (kind == ReduceKind::kMax) to = std::max(to, v);
    if (kind == ReduceKind::kMin) to = std::min(to, v);
  }
  return y;
}
template <class T> void CheckShape(const Shape& s, const std::vector<int>& order) {
  auto d = Random<T>(s, order, 1);
  for (uint32_t axes = 0; axes < 1u << s.ndim(); ++axes)
    for (ReduceKind kind : {ReduceKind::kSum, ReduceKind::kAbsSum, ReduceKind::kSquareSum, ReduceKind::kMax, ReduceKind::kMin}) {
      auto want = Want<T>(kind, axes, d.view);
      std::vector<T> got(want.size(), T(77));
      ReduceSpec spec;
      spec.kind = kind, spec.axes = axes;
      Reduce(spec, d.view, MakeView(got.data(), kDTypeOf<T>, Shape{int64_t(got.size())}));
      for (size_t i = 0; i < want.size(); ++i)
        ASSERT_EQ(want[i], double(got[i])) << "axes " << axes << " kind " << int(kind) << " element " << i << " of shape " << s[0] << "," << s.back();
    }
}
const std::vector<std::vector<int>> kOrders = {{0, 1, 2}, {2, 1, 0}, {1, 2, 0}, {0, 2, 1}};

TEST(Reduce, EveryAxesAndOrder) {  // whole numbers: the sums are exact in any order
  for (auto& order : kOrders)
    for (const Shape& s : {Shape{2, 3, 4}, Shape{5, 1, 70}, Shape{40, 3, 33}, Shape{300, 2, 9}}) CheckShape<float>(s, order);
  CheckShape<double>({7, 40, 50}, {1, 0, 2});
  CheckShape<int32_t>({7, 40, 50}, {1, 0, 2});
}
TEST(Reduce, LongReductionsInParts) {
  CheckShape<float>({3, 200000}, {0, 1});
  CheckShape<float>({200000, 3}, {0, 1});
  CheckShape<float>({70000, 20}, {0, 1});
  CheckShape<float>({400, 2, 600}, {0, 1, 2});
  CheckShape<int64_t>({2, 150000}, {1, 0});
}
TEST(Reduce, Broadcast) {  // strides of 0
  std::vector<float> m{1, 2, 3};
  TensorView x = MakeView(m.data(), DType::kFloat32, {1000, 3});
  x.strides[0] = 0, x.strides[1] = 1, x.contiguous = false;
  std::vector<float> rows(1000), columns(3);
  ReduceSpec spec;
  spec.axes = 2;
  Reduce(spec, x, MakeView(rows.data(), DType::kFloat32, {1000}));
  spec.axes = 1;
  Reduce(spec, x, MakeView(columns.data(), DType::kFloat32, {3}));
  for (float v : rows) ASSERT_EQ(6.f, v);
  EXPECT_EQ((std::vector<float>{1000, 2000, 3000}), columns);
}
TEST(Reduce, KeepsPrecision) {
  std::vector<float> x(1 << 20, 0.1f);
  float y = 0;
  ReduceSpec spec;
  spec.axes = 3;
  Reduce(spec, MakeView(x.data(), DType::kFloat32, {1 << 10, 1 << 10}), MakeView(&y, DType::kFloat32, {}));
  EXPECT_NEAR(0.1f * double(1 << 20), y, 0.2);  // one after another in float32 it would be off by hundreds
  std::vector<float> columns(1 << 10);
  spec.axes = 1;
  Reduce(spec, MakeView(x.data(), DType::kFloat32, {1 << 10, 1 << 10}), MakeView(columns.data(), DType::kFloat32, {1 << 10}));
  EXPECT_NEAR(double(0.1f) * (1 << 10), columns[5], 1e-4);
  float big[2] = {3e30f, 4e30f}, norm = 0;
  spec = {};
  spec.kind = ReduceKind::kSquareSum, spec.root = true, spec.axes = 1;
  Reduce(spec, MakeView(big, DType::kFloat32, {2}), MakeView(&norm, DType::kFloat32, {}));
  EXPECT_FLOAT_EQ(5e30f, norm);
}
TEST(Reduce, Narrow) {
  std::vector<Half> h(3000, ToHalf(1));
  Half y;
  ReduceSpec spec;
  spec.axes = 1;
  Reduce(spec, MakeView(h.data(), DType::kFloat16, {3000}), MakeView(&y, DType::kFloat16, {}));
  EXPECT_EQ(3000.f, ToFloat(y));  // added in float16 it would stop at 2048
  std::vector<uint8_t> u(10, 30);
  uint8_t v;
  Reduce(spec, MakeView(u.data(), DType::kUint8, {10}), MakeView(&v, DType::kUint8, {}));
  EXPECT_EQ(uint8_t(300), v);
  spec.mean = true;
  Reduce(spec, MakeView(u.data(), DType::kUint8, {10}), MakeView(&v, DType::kUint8, {}));
  EXPECT_EQ(30, v);  // the sum is divided before it is narrowed
}
TEST(Reduce, NothingToReduce) {
  auto of = [](ReduceKind kind, auto zero) {
    decltype(zero) y[2] = {5, 5};
    ReduceSpec spec;
    spec.kind = kind, spec.axes = 2;
    Reduce(spec, MakeView(&spec, kDTypeOf<decltype(zero)>, {2, 0}), MakeView(y, kDTypeOf<decltype(zero)>, {2}));
    EXPECT_EQ(y[0], y[1]);
    return y[0];
  };
  EXPECT_EQ(0, of(ReduceKind::kSum, 0.f));
  EXPECT_EQ(1, of(ReduceKind::kProd, 0.f));
  EXPECT_EQ(-INFINITY, of(ReduceKind::kMax, 0.f));
  EXPECT_EQ(std::numeric_limits<int32_t>::lowest(), of(ReduceKind::kMax, int32_t{}));
  EXPECT_EQ(255, of(ReduceKind::kMin, uint8_t{}));
}
TEST(Reduce, NotANumber) {
  const float n = NAN;
  float x[2][5] = {{1, n, 3, n, 2}, {4, 5, 6, 7, 8}}, y[2];
  ReduceSpec spec;
  spec.axes = 2;
  auto run = [&](ReduceKind k) { spec.kind = k, Reduce(spec, MakeView(x, DType::kFloat32, {2, 5}), MakeView(y, DType::kFloat32, {2})); };
  for (ReduceKind k : {ReduceKind::kSum, ReduceKind::kMax, ReduceKind::kMin}) {
    run(k);
    EXPECT_TRUE(std::isnan(y[0]));
    EXPECT_FALSE(std::isnan(y[1]));
  }
  run(ReduceKind::kNanSum);
  EXPECT_EQ(6, y[0]);
  run(ReduceKind::kNanProd);
  EXPECT_EQ(6, y[0]);
  ArgReduce(true, MakeView(x, DType::kFloat32, {2, 5}), 1, MakeView(y, DType::kFloat32, {2}));
  EXPECT_EQ(1, y[0]);
  EXPECT_EQ(4, y[1]);
}
TEST(Reduce, SameBitsInsideALoop) {
  std::mt19937 r{5};
  std::uniform_real_distribution<float> u(-1, 1);
  std::vector<float> x(600000);
  for (auto& v : x) v = u(r);
  for (const Shape& s : {Shape{2, 300000}, Shape{300000, 2}, Shape{20000, 30}})
    for (uint32_t axes : {1u, 2u, 3u}) {
      std::vector<float> outside(300000), inside(300000);
      ReduceSpec spec;
      spec.axes = axes;
      int64_t n = (axes & 1 ? 1 : s[0]) * (axes & 2 ? 1 : s[1]);
      Reduce(spec, MakeView(x.data(), DType::kFloat32, s), MakeView(outside.data(), DType::kFloat32, {n}));
      ParallelFor(2, 1, [&](int64_t i, int64_t) {
        if (i == 0) Reduce(spec, MakeView(x.data(), DType::kFloat32, s), MakeView(inside.data(), DType::kFloat32, {n}));
      });
      EXPECT_EQ(outside, inside);
    }
}

// In whole vectors, in what is left of them, and side by side: NaN is the extreme, and the first one is where it is.
TEST(Reduce, NanWhereverItStands) {
  for (int64_t n : {1, 7, 16, 129, 600, 5000})
    for (int64_t at : {int64_t(0), n / 2, n - 1})
      for (bool max : {false, true}) {
        std::vector<float> x(size_t(n), max ? -std::numeric_limits<float>::infinity() : std::numeric_limits<float>::infinity());
        x[size_t(at)] = x[size_t(n - 1)] = std::numeric_limits<float>::quiet_NaN();
        float y = 0;
        int64_t index = -1;
        ReduceSpec spec;
        spec.kind = max ? ReduceKind::kMax : ReduceKind::kMin, spec.axes = 1;
        Reduce(spec, MakeView(x.data(), DType::kFloat32, Shape{n}), MakeView(&y, DType::kFloat32, Shape{}));
        EXPECT_NE(y, y) << n << " " << at;
        ArgReduce(max, MakeView(x.data(), DType::kFloat32, Shape{n}), 0, MakeView(&index, DType::kInt64, Shape{}));
        EXPECT_EQ(at, index) << n;
        std::vector<float> rows(size_t(3 * n), 0.f), of(static_cast<size_t>(n));
        std::copy(x.begin(), x.end(), rows.begin() + n);
        std::vector<int64_t> found(static_cast<size_t>(n));
        Reduce(spec, MakeView(rows.data(), DType::kFloat32, Shape{3, n}), MakeView(of.data(), DType::kFloat32, Shape{n}));
        ArgReduce(max, MakeView(rows.data(), DType::kFloat32, Shape{3, n}), 0, MakeView(found.data(), DType::kInt64, Shape{n}));
        EXPECT_NE(of[size_t(at)], of[size_t(at)]) << n;
        EXPECT_EQ(1, found[size_t(at)]) << n;
      }
}

}  // namespace
}  // namespace flx

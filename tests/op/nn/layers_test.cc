// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/random.h"
#include "base/thread_pool.h"
#include "exec/autograd.h"
#include "exec/invoke.h"
#include "op/nn/batch_norm.h"
#include "op/nn/dropout.h"
#include "op/nn/spans.h"

namespace flx {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
NDArray Make(Shape s, const std::vector<double>& v, DType t = DType::kFloat32) { return FromHost(v.data(), int64_t(v.size()) * 8, DType::kFloat64, false, s, t); }
std::vector<double> Read(const NDArray& a) {
  std::vector<double> v(size_t(a->size()));
  ReadArray(*a, v.data(), a->size() * 8, DType::kFloat64, false);
  return v;
}
std::vector<double> Ramp(int64_t n, double from, double step) {
  std::vector<double> v;
  for (int64_t i = 0; i < n; ++i) v.push_back(from + step * double((i * 7919) % 1009));
  return v;
}

TEST(Softmax, KeepsNaNAndInfinities) {
  std::vector<double> y = Read(Invoke1("softmax", {Make({3, 3}, {1, NAN, 2, -kInf, 0, 0, 1000, 0, -1000})}));
  EXPECT_TRUE(std::isnan(y[0]) && std::isnan(y[1]) && std::isnan(y[2]));
  EXPECT_EQ(y[3], 0);
  EXPECT_NEAR(y[4], 0.5, 1e-6);
  EXPECT_EQ(y[6], 1);
}
TEST(Softmax, EveryAxisAgreesWithTheDefinition) {
  Shape s{5, 37, 300};  // 300: more than one block of columns
  std::vector<double> x = Ramp(s.size(), -3, 0.006);
  for (bool log : {false, true})
    for (int axis : {0, 1, 2}) {
      std::vector<double> got = Read(Invoke1(log ? "log_softmax" : "softmax", {Make(s, x)}, {{"axis", std::string(1, char('0' + axis))}, {"temperature", "0.5"}}));
      int64_t n = s[axis], inner = s.Product(axis + 1, 3);
      for (int64_t r = 0; r < s.size() / n; ++r) {
        int64_t at = r / inner * n * inner + r % inner;
        double sum = 0;
        for (int64_t i = 0; i < n; ++i) sum += std::exp(2 * x[size_t(at + i * inner)]);
        for (int64_t i = 0; i < n; ++i) {
          double want = 2 * x[size_t(at + i * inner)] - std::log(sum);
          ASSERT_NEAR(got[size_t(at + i * inner)], log ? want : std::exp(want), 1e-5);
        }
      }
    }
}
TEST(Spans, TailsOfEveryLength) {
  for (int64_t n = 0; n <= 70; ++n) {
    std::vector<double> v = Ramp(n, -2, 0.004);
    std::vector<float> x(v.begin(), v.end()), y(v.rbegin(), v.rend()), e(size_t(n) + 1, -1.f);
    double sum = 0, dot = 0, exps = 0, most = -kInf;
    for (int64_t i = 0; i < n; ++i) {
      sum += v[size_t(i)], dot += v[size_t(i)] * v[size_t(n - 1 - i)], exps += std::exp(2 * (v[size_t(i)] - 1)), most = std::max(most, double(x[size_t(i)]));
    }
    const auto& f = FloatSpans();
    float both[2], moments[2];
    EXPECT_NEAR(f.sum(x.data(), n), sum, 1e-4);
    EXPECT_NEAR(f.dot(x.data(), y.data(), n), dot, 1e-4);
    EXPECT_EQ(f.max(x.data(), n), float(most));
    EXPECT_NEAR(f.exp_sum(x.data(), 1, 2, n, e.data()), exps, 1e-4 * (1 + exps));
    EXPECT_EQ(e[size_t(n)], -1.f) << "written behind the end";
    f.sum_and_dot(x.data(), y.data(), 0, n, both);
    EXPECT_NEAR(both[0], sum, 1e-4);
    EXPECT_NEAR(both[1], dot, 1e-4);
    f.moments(x.data(), n, moments);
    double m2 = 0;
    for (int64_t i = 0; i < n; ++i) m2 += (v[size_t(i)] - sum / double(n)) * (v[size_t(i)] - sum / double(n));
    EXPECT_NEAR(moments[1], m2, 1e-3);
  }
}

std::vector<NDArray> Norm(const NDArray& x, int64_t c, int mode, const char* axis = "1") {
  std::vector<double> zero(size_t(c), 0), one(size_t(c), 1);
  return Invoke("BatchNorm", {x, Make({c}, one), Make({c}, zero), Make({c}, zero), Make({c}, one)}, {{"axis", axis}, {"eps", "0"}, {"output_mean_var", "True"}}, mode);
}
TEST(BatchNorm, AFarMeanDoesNotDrownTheVariance) {
  for (const char* axis : {"1", "-1"}) {
    bool last = axis[0] == '-';
    std::vector<double> x;
    for (int64_t i = 0; i < 300 * 2 * 50; ++i) x.push_back(10000 + double(i % 7 - 3) / 4);
    Shape s = last ? Shape{300, 50, 2} : Shape{300, 2, 50};
    std::vector<NDArray> out = Norm(Make(s, x), 2, kTrain, axis);
    for (int64_t c = 0; c < 2; ++c) {
      double mean = 0, var = 0;
      auto of = [&](int64_t i) { return last ? i % 2 == c : i / 50 % 2 == c; };
      for (int64_t i = 0; i < s.size(); ++i) if (of(i)) mean += x[size_t(i)] / 15000;
      for (int64_t i = 0; i < s.size(); ++i) if (of(i)) var += (x[size_t(i)] - mean) * (x[size_t(i)] - mean) / 15000;
      EXPECT_NEAR(Read(out[1])[size_t(c)], mean, 2e-3);
      EXPECT_NEAR(Read(out[2])[size_t(c)], 1 / std::sqrt(var), 2e-3 / std::sqrt(var));
    }
  }
}
TEST(BatchNorm, SameBitsInParallelAndInSeries) {
  const Shape s{64, 20, 12, 12};
  std::vector<double> ramp = Ramp(s.size(), -1, 0.002);
  std::vector<float> x(ramp.begin(), ramp.end()), one(20, 1.f), zero(20, 0.f);
  auto run = [&] {
    std::vector<float> y(x.size()), stats(20 * 4);
    auto of = [](std::vector<float>& v, const Shape& t, int64_t at = 0) { return MakeView(v.data(), DType::kFloat32, t, at * 4); };
    KernelContext ctx;
    ctx.training = true;
    TensorView vy = of(y, s), mean = of(stats, {20}), inv = of(stats, {20}, 20), new_mean = of(stats, {20}, 40), new_var = of(stats, {20}, 60);
    BatchNormCpu(ctx, {}, of(x, s), of(one, {20}), of(zero, {20}), of(zero, {20}), of(one, {20}), vy, mean, inv, new_mean, new_var);
    y.insert(y.end(), stats.begin(), stats.end());
    return y;
  };
  std::vector<float> parallel = run(), series;
  ParallelFor(2, 1, [&](int64_t b, int64_t) { if (b == 0) series = run(); });  // nested loops run serially
  EXPECT_EQ(parallel, series);
}
TEST(BatchNorm, AnEmptyBatchLeavesTheAveragesAlone) {
  NDArray mean = Make({2}, {3, 4}), var = Make({2}, {5, 6}), one = Make({2}, {1, 1});
  NDArray y = Invoke1("BatchNorm", {Array::Filled({0, 2, 3}, DType::kFloat32, 0), one, one, mean, var}, {}, kTrain);
  EXPECT_EQ(y->shape, Shape({0, 2, 3}));
  EXPECT_EQ(Read(mean), (std::vector<double>{3, 4}));
  EXPECT_EQ(Read(var), (std::vector<double>{5, 6}));
}
TEST(BatchNorm, AveragesMoveInTrainingOnly) {
  NDArray mean = Make({1}, {0}), var = Make({1}, {1}), one = Make({1}, {1}), zero = Make({1}, {0}), x = Make({4, 1}, {1, 3, 5, 7});
  Invoke("BatchNorm", {x, one, zero, mean, var}, {{"momentum", "0.5"}}, kPlain);
  EXPECT_EQ(Read(mean)[0], 0);
  Invoke("BatchNorm", {x, one, zero, mean, var}, {{"momentum", "0.5"}}, kTrain);
  EXPECT_EQ(Read(mean)[0], 2);
  EXPECT_EQ(Read(var)[0], 3);  // 1 / 2 + 5 / 2
  Invoke("BatchNorm", {x, one, zero, mean, var}, {{"momentum", "0.5"}, {"use_global_stats", "True"}}, kTrain);
  EXPECT_EQ(Read(mean)[0], 2);
}

std::vector<float> Mask(Ticket ticket, float p, int64_t n) {
  KernelContext ctx;
  ctx.training = true, ctx.random = ticket;
  DropoutAttrs a;
  a.p = p;
  std::vector<float> x(static_cast<size_t>(n), 1.f), y(x), mask(x);
  TensorView vx = MakeView(x.data(), DType::kFloat32, {n}), vy = MakeView(y.data(), DType::kFloat32, {n}), vm = MakeView(mask.data(), DType::kFloat32, {n});
  DropoutCpu(ctx, a, vx, vy, vm);
  EXPECT_EQ(y, mask);  // of ones
  return mask;
}
TEST(Dropout, TheMaskIsAFunctionOfTheTicket) {
  const int64_t n = 5003;
  std::vector<float> mask = Mask({7, 11}, 0.3f, n);
  Philox philox(Ticket{7, 11});
  for (int64_t i = 0; i < n; ++i) {
    uint32_t words[4];
    philox(uint64_t(i / 4), 0, words);
    ASSERT_EQ(mask[size_t(i)], ToUnitFloat(words[i % 4]) >= 0.3f ? float(1 / 0.7) : 0.f) << i;
  }
  EXPECT_EQ(mask, Mask({7, 11}, 0.3f, n));
  EXPECT_NE(mask, Mask({7, 12}, 0.3f, n));
}
TEST(Dropout, DropsSoManyAndTheEndsOfP) {
  std::vector<float> mask = Mask({1, 1}, 0.25f, 100000);
  double kept = 0;
  for (float m : mask) kept += m != 0;
  EXPECT_NEAR(kept / 100000, 0.75, 0.01);
  EXPECT_EQ(Mask({1, 2}, 0.f, 9), std::vector<float>(9, 1.f));
  EXPECT_EQ(Mask({1, 3}, 1.f, 9), std::vector<float>(9, 0.f));
}
TEST(Dropout, WholeRowsAndDroppedInfinities) {
  NDArray x = Array::Filled({40, 50}, DType::kFloat32, kInf);
  std::vector<double> y = Read(Invoke1("Dropout", {x}, {{"p", "0.5"}, {"axes", "(1,)"}}, kTrain));
  int rows = 0;
  for (int64_t r = 0; r < 40; ++r) {
    rows += y[size_t(r * 50)] == 0;
    for (int64_t i = 0; i < 50; ++i) ASSERT_EQ(y[size_t(r * 50 + i)], y[size_t(r * 50)]);
  }
  EXPECT_GT(rows, 5);
  EXPECT_LT(rows, 35);
  EXPECT_EQ(Read(Invoke1("Dropout", {x}, {{"p", "0.5"}}, kPlain)), Read(x));
}

TEST(Pooling, TheFirstOfEqualElementsGetsTheGradient) {
  NDArray x = Make({1, 1, 2, 4}, {5, 5, -kInf, -kInf, 5, 5, -kInf, -kInf});
  AttachGrad(x, GradReq::kWrite);
  NDArray y = Invoke("Pooling", {x}, {{"kernel", "(2, 2)"}, {"stride", "(2, 2)"}}, kRecord)[0];
  EXPECT_EQ(Read(y), (std::vector<double>{5, -kInf}));
  Backward({y}, {}, kPlain);
  EXPECT_EQ(Read(GradOf(*x)), (std::vector<double>{1, 0, 1, 0, 0, 0, 0, 0}));
}
TEST(Pooling, HalvingIsTheGeneralCase) {  // by two it takes a path of its own; in channels-last order it does not
  for (int64_t w : {2, 3, 5, 9, 16, 23, 24, 50})
    for (DType t : {DType::kFloat32, DType::kFloat64}) {
      Shape s{2, 3, 5, w};
      std::vector<double> v;
      for (int64_t i = 0; i < s.size(); ++i) v.push_back(double((i * 7919) % 5));  // many equal ones
      v[1] = NAN, v[size_t(w)] = NAN;
      NDArray first = Make(s, v, t), last = Invoke1("_copy", {Invoke1("transpose", {first}, {{"axes", "(0, 2, 3, 1)"}})});
      std::vector<std::pair<std::string, std::string>> attrs = {{"kernel", "(2, 2)"}, {"stride", "(2, 2)"}};
      AttachGrad(first, GradReq::kWrite);
      AttachGrad(last, GradReq::kWrite);
      NDArray y1 = Invoke("Pooling", {first}, attrs, kRecord)[0];
      attrs.emplace_back("layout", "NHWC");
      NDArray y2 = Invoke("Pooling", {last}, attrs, kRecord)[0];
      std::vector<double> head;
      for (int64_t i = 0; i < y1->size(); ++i) head.push_back(double(i + 1));
      NDArray h1 = Make(y1->shape, head, t), h2 = Invoke1("_copy", {Invoke1("transpose", {h1}, {{"axes", "(0, 2, 3, 1)"}})});
      Backward({y1}, {h1}, kPlain);
      Backward({y2}, {h2}, kPlain);
      auto same = [](const NDArray& a, const NDArray& b) {  // b in the order of a
        std::vector<double> p = Read(a), q = Read(Invoke1("transpose", {b}, {{"axes", "(0, 3, 1, 2)"}}));
        for (size_t i = 0; i < p.size(); ++i) ASSERT_TRUE(p[i] == q[i] || (p[i] != p[i] && q[i] != q[i])) << i << ": " << p[i] << " and " << q[i];
      };
      same(y1, y2);
      same(GradOf(*first), GradOf(*last));
    }
}
TEST(Pooling, AveragesCountPaddingOrNot) {
  NDArray x = Make({1, 1, 2, 2}, {1, 2, 3, 4});
  std::vector<std::pair<std::string, std::string>> attrs = {{"kernel", "(2, 2)"}, {"stride", "(2, 2)"}, {"pad", "(1, 1)"}, {"pool_type", "avg"}};
  EXPECT_EQ(Read(Invoke1("Pooling", {x}, attrs)), (std::vector<double>{0.25, 0.5, 0.75, 1}));
  attrs.emplace_back("count_include_pad", "False");
  EXPECT_EQ(Read(Invoke1("Pooling", {x}, attrs)), (std::vector<double>{1, 2, 3, 4}));
}
TEST(SoftmaxCrossEntropy, NamesALabelOutOfRange) {
  try {
    Read(Invoke1("softmax_cross_entropy", {Make({2, 3}, {0, 0, 0, 0, 0, 0}), Make({2}, {1, 3})}));
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_NE(e.message().find("[softmax_cross_entropy] a label must be a class in [0, 3), given 3"), std::string::npos) << e.message();
  }
  EXPECT_NEAR(Read(Invoke1("softmax_cross_entropy", {Make({1, 2}, {0, 2000}), Make({1}, {0})}))[0], 2000, 1e-3);
}

}  // namespace
}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// Our own convolution and the library's against the definition, in double, for every kind of geometry.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <random>

#include "base/thread_pool.h"
#include "exec/autograd.h"
#include "exec/invoke.h"
#include "op/nn/convolution.h"

namespace flx {
namespace {

struct Geometry { const char* name; Shape x; ConvWindow window; };
ConvWindow Window(Ints kernel, int64_t filters, Ints stride = {}, Ints pad = {}, Ints dilate = {}, int64_t groups = 1, bool last = false) {
  ConvWindow w;
  w.kernel = std::move(kernel), w.stride = std::move(stride), w.pad = std::move(pad), w.dilate = std::move(dilate), w.num_filter = filters, w.num_group = groups;
  if (last) w.layout = w.kernel.size() == 1 ? ConvLayout::kNWC : w.kernel.size() == 2 ? ConvLayout::kNHWC : ConvLayout::kNDHWC;
  return w;
}
const std::vector<Geometry>& Geometries() {
  static const std::vector<Geometry> list = {
      {"plain", {2, 3, 7, 6}, Window({3, 2}, 4)},
      {"lenet1", {8, 1, 28, 28}, Window({5, 5}, 20)},
      {"lenet2", {9, 20, 12, 12}, Window({5, 5}, 50)},
      {"lenet2_one_image", {1, 20, 12, 12}, Window({5, 5}, 50)},
      {"few_channels", {3, 3, 17, 19}, Window({3, 3}, 20, {}, {1, 1})},
      {"few_channels_strided", {2, 4, 23, 21}, Window({5, 4}, 27, {2, 3}, {2, 3}, {2, 1})},
      {"one_channel_padded", {5, 1, 9, 70}, Window({3, 5}, 13, {}, {4, 6})},
      {"one_image", {1, 32, 14, 14}, Window({3, 3}, 64, {}, {1, 1})},
      {"one_large_image", {1, 3, 64, 64}, Window({7, 7}, 16, {2, 2}, {3, 3})},
      {"pointwise", {3, 17, 5, 5}, Window({1, 1}, 33)},
      {"pointwise_strided", {2, 8, 7, 7}, Window({1, 1}, 5, {2, 2})},
      {"groups", {2, 6, 8, 8}, Window({3, 3}, 9, {}, {1, 1}, {}, 3)},
      {"depthwise", {2, 16, 9, 9}, Window({3, 3}, 16, {2, 2}, {1, 1}, {}, 16)},
      {"depthwise_by_one", {2, 16, 21, 37}, Window({3, 3}, 16, {}, {1, 1}, {}, 16)},
      {"depthwise_dilated", {3, 5, 13, 18}, Window({5, 2}, 5, {}, {4, 3}, {2, 3}, 5)},
      {"depthwise_one_axis", {2, 4, 33}, Window({4}, 4, {}, {2}, {}, 4)},
      {"blocks_of_channels", {8, 32, 15, 17}, Window({3, 3}, 16, {}, {1, 1})},
      {"dilated", {2, 3, 11, 12}, Window({3, 2}, 4, {1, 2}, {2, 0}, {2, 3})},
      {"wide_pad", {1, 2, 3, 3}, Window({2, 2}, 3, {3, 3}, {4, 5})},
      {"window_is_all", {4, 3, 5, 5}, Window({5, 5}, 7)},
      {"single", {1, 1, 1, 1}, Window({1, 1}, 1)},
      {"one_axis", {3, 4, 20}, Window({5}, 6, {2}, {2})},
      {"three_axes", {2, 3, 5, 6, 7}, Window({2, 3, 2}, 4, {1, 2, 1}, {1, 0, 1})},
      {"last", {3, 8, 7, 5}, Window({3, 3}, 6, {2, 1}, {1, 1}, {}, 1, true)},
      {"last_groups", {2, 6, 6, 4}, Window({3, 3}, 6, {}, {}, {}, 2, true)},
      {"last_one_axis", {2, 9, 3}, Window({3}, 4, {}, {}, {}, 1, true)},
      {"last_three_axes", {1, 4, 5, 6, 2}, Window({2, 2, 3}, 3, {}, {}, {}, 1, true)},
  };
  return list;
}
Shape OutShape(const Geometry& g) {
  Shape y = g.x;
  int nd = int(g.window.kernel.size()), first = g.window.ChannelsLast() ? 1 : 2;
  auto at = [](const Ints& v, int i, int64_t d) { return v.empty() ? d : v[size_t(i)]; };
  for (int i = 0; i < nd; ++i)
    y[first + i] = (g.x[first + i] + 2 * at(g.window.pad, i, 0) - at(g.window.dilate, i, 1) * (g.window.kernel[size_t(i)] - 1) - 1) / at(g.window.stride, i, 1) + 1;
  y[g.window.ChannelsLast() ? nd + 1 : 1] = g.window.num_filter;
  return y;
}
// f(index in x, in w, in y) for each product of the definition.
template <class F> void ForProducts(const ConvGeometry& g, const F& f) {
  int64_t cg = g.c / g.g, og = g.o / g.g, in = g.InSize(), out = g.OutSize(), k = g.KernelSize();
  for (int64_t n = 0; n < g.n; ++n)
    for (int64_t o = 0; o < g.o; ++o)
      for (int64_t p = 0; p < out; ++p)
        for (int64_t c = 0; c < cg; ++c)
          for (int64_t q = 0; q < k; ++q) {
            int64_t at[3], po[3] = {p / (g.out[1] * g.out[2]), p / g.out[2] % g.out[1], p % g.out[2]}, pk[3] = {q / (g.k[1] * g.k[2]), q / g.k[2] % g.k[1], q % g.k[2]};
            bool inside = true;
            for (int i = 0; i < 3; ++i) at[i] = po[i] * g.s[i] - g.p[i] + pk[i] * g.d[i], inside &= at[i] >= 0 && at[i] < g.in[i];
            if (!inside) continue;
            int64_t channel = o / og * cg + c, place = (at[0] * g.in[1] + at[1]) * g.in[2] + at[2];
            if (g.last) f((n * in + place) * g.c + channel, (o * k + q) * cg + c, (n * out + p) * g.o + o);
            else f((n * g.c + channel) * in + place, (o * cg + c) * k + q, (n * g.o + o) * out + p);
          }
}
std::vector<double> Random(int64_t n, int seed) {
  std::mt19937 r{uint32_t(seed)};
  std::vector<double> v(static_cast<size_t>(n));
  for (auto& x : v) x = double(int(r() % 17) - 8) / 4;  // exact in every dtype used here
  return v;
}
template <class T> std::vector<T> As(const std::vector<double>& v) { return {v.begin(), v.end()}; }
template <class T> void ExpectNear(const std::vector<T>& got, const std::vector<double>& want, const char* what) {
  for (size_t i = 0; i < want.size(); ++i) ASSERT_NEAR(double(got[i]), want[i], 1e-5 * (1 + std::abs(want[i]))) << what << ", element " << i;
}

class Convolutions : public testing::TestWithParam<Geometry> {
 protected:
  void SetUp() override {
    const Geometry& p = GetParam();
    g = GeometryOf(p.window, p.x, OutShape(p));
    x = Random(p.x.size(), 1), w = Random(g.WeightSize(), 2), dy = Random(OutShape(p).size(), 3), bias = Random(g.o, 4);
    y.assign(dy.size(), 0), dx.assign(x.size(), 0), dw.assign(w.size(), 0);
    ForProducts(g, [&](int64_t i, int64_t j, int64_t k) {
      y[size_t(k)] += x[size_t(i)] * w[size_t(j)], dx[size_t(i)] += dy[size_t(k)] * w[size_t(j)], dw[size_t(j)] += dy[size_t(k)] * x[size_t(i)];
    });
    for (size_t i = 0; i < y.size(); ++i) y[i] += bias[g.last ? i % size_t(g.o) : i / size_t(g.OutSize()) % size_t(g.o)];
  }
  template <class T> void Own() {
    KernelContext ctx;
    auto tx = As<T>(x), tw = As<T>(w), tb = As<T>(bias), td = As<T>(dy);
    std::vector<T> ry(y.size(), T(7)), rx(x.size(), T(7)), rw(w.size(), T(7));
    OwnConvolution(ctx, g, kDTypeOf<T>, tx.data(), tw.data(), tb.data(), ry.data());
    OwnConvolutionGradData(ctx, g, kDTypeOf<T>, tw.data(), td.data(), rx.data());
    OwnConvolutionGradWeight(ctx, g, kDTypeOf<T>, tx.data(), td.data(), rw.data());
    ExpectNear(ry, y, "output"), ExpectNear(rx, dx, "gradient of data"), ExpectNear(rw, dw, "gradient of weight");
  }
  // The registered kernels: a library's where one is built in and takes the case, else our own.
  struct Results { std::vector<float> y, dx, dw; };
  Results Kernels() {
    const Geometry& p = GetParam();
    KernelContext ctx;
    ConvolutionAttrs a;
    static_cast<ConvWindow&>(a) = p.window;
    ConvGradAttrs grad;
    static_cast<ConvWindow&>(grad) = p.window;
    auto tx = As<float>(x), tw = As<float>(w), tb = As<float>(bias), td = As<float>(dy);
    Results r{std::vector<float>(y.size(), 7), std::vector<float>(dx.size(), 7), std::vector<float>(dw.size(), 7)};
    auto of = [](std::vector<float>& v, const Shape& s) { return MakeView(v.data(), DType::kFloat32, s); };
    Shape ys = OutShape(p), ws{int64_t(w.size())};  // the kernels take a weight's sizes from the attributes
    TensorView vy = of(r.y, ys), vx = of(r.dx, p.x), vw = of(r.dw, ws);
    ConvolutionCpu(ctx, a, of(tx, p.x), of(tw, ws), of(tb, {g.o}), vy);
    ConvolutionGradDataCpu(ctx, grad, of(tw, ws), of(td, ys), vx);
    ConvolutionGradWeightCpu(ctx, grad, of(tx, p.x), of(td, ys), vw);
    return r;
  }
  ConvGeometry g;
  std::vector<double> x, w, bias, dy, y, dx, dw;
};
TEST_P(Convolutions, OurOwnKernelInFloat32) { Own<float>(); }
TEST_P(Convolutions, OurOwnKernelInFloat64) { Own<double>(); }
TEST_P(Convolutions, OurOwnKernelInInt32) {
  for (auto* v : {&x, &w, &bias, &dy, &y, &dx, &dw})
    for (auto& e : *v) e *= v == &y || v == &dx || v == &dw ? 16 : 4;
  for (auto& e : bias) e *= 4;  // the output counts in sixteenths
  Own<int32_t>();
}
TEST_P(Convolutions, TheRegisteredKernel) {
  Results r = Kernels();
  ExpectNear(r.y, y, "output"), ExpectNear(r.dx, dx, "gradient of data"), ExpectNear(r.dw, dw, "gradient of weight");
}
TEST_P(Convolutions, SameBitsInParallelAndInSeries) {
  Results parallel = Kernels(), series;
  ParallelFor(2, 1, [&](int64_t b, int64_t) { if (b == 0) series = Kernels(); });  // nested loops run serially
  EXPECT_EQ(parallel.y, series.y);
  EXPECT_EQ(parallel.dx, series.dx);
  EXPECT_EQ(parallel.dw, series.dw);
}
INSTANTIATE_TEST_SUITE_P(All, Convolutions, testing::ValuesIn(Geometries()), [](const auto& i) { return std::string(i.param.name); });

NDArray Ones(Shape s, DType t = DType::kFloat32) { return Array::Filled(s, t, 1); }
std::vector<double> Read(const NDArray& a) {
  std::vector<double> v(size_t(a->size()));
  ReadArray(*a, v.data(), a->size() * 8, DType::kFloat64, false);
  return v;
}
std::string ErrorOf(const char* op, const std::vector<NDArray>& in, const std::vector<std::pair<std::string, std::string>>& attrs) {
  try {
    Invoke(op, in, attrs);
  } catch (const Error& e) {
    return e.message();
  }
  return "no error";
}

TEST(ConvolutionOp, NothingInTheBatch) {
  NDArray x = Ones({0, 2, 5, 5}), w = Ones({3, 2, 3, 3}), b = Ones({3});
  AttachGrad(w, GradReq::kWrite);
  NDArray y = Invoke("Convolution", {x, w, b}, {{"kernel", "(3, 3)"}, {"num_filter", "3"}}, kRecord | kTrain)[0];
  EXPECT_EQ(y->shape, Shape({0, 3, 3, 3}));
  Backward({y}, {}, kTrain);
  EXPECT_EQ(Read(GradOf(*w)), std::vector<double>(54, 0.0));
}
TEST(ConvolutionOp, ErrorsSayWhatToDo) {
  std::string text = ErrorOf("Convolution", {Ones({1, 2, 3, 3}), Ones({4, 2, 5, 5}), Ones({4})}, {{"kernel", "(5, 5)"}, {"num_filter", "4"}});
  EXPECT_NE(text.find("[Convolution] the window must not be larger than the padded data"), std::string::npos) << text;
  text = ErrorOf("Convolution", {Ones({1, 2, 7, 7}), Ones({4, 3, 5, 5}), Ones({4})}, {{"kernel", "(5, 5)"}, {"num_filter", "4"}});
  EXPECT_NE(text.find("`weight` was expected to have shape (4, 2, 5, 5)"), std::string::npos) << text;
  text = ErrorOf("Convolution", {Ones({1, 3, 7, 7}), Ones({4, 1, 3, 3}), Ones({4})}, {{"kernel", "(3, 3)"}, {"num_filter", "4"}, {"num_group", "2"}});
  EXPECT_NE(text.find("multiple of num_group"), std::string::npos) << text;
  text = ErrorOf("Convolution", {Ones({1, 2, 7, 7}, DType::kInt8), Ones({4, 2, 5, 5}, DType::kInt8), Ones({4}, DType::kInt8)}, {{"kernel", "(5, 5)"}, {"num_filter", "4"}});
  EXPECT_NE(text.find("int8"), std::string::npos) << text;
  text = ErrorOf("Pooling", {Ones({1, 2, 3, 3})}, {{"kernel", "(5, 5)"}});
  EXPECT_NE(text.find("[Pooling] the window must not be larger"), std::string::npos) << text;
}
TEST(ConvolutionOp, NarrowFloatsAreComputedInFloat32) {
  for (DType t : {DType::kFloat16, DType::kBfloat16}) {
    NDArray y = Invoke1("Convolution", {Ones({1, 64, 4, 4}, t), Ones({2, 64, 3, 3}, t), Ones({2}, t)}, {{"kernel", "(3, 3)"}, {"num_filter", "2"}});
    EXPECT_EQ(y->dtype, t);
    EXPECT_EQ(Read(y)[0], t == DType::kFloat16 ? 577 : 576);  // 1 + 576 ones, rounded once
  }
}
TEST(ConvolutionOp, RunsInAForkedChild) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "ThreadSanitizer allows no new threads in a forked child";
#endif
  NDArray x = Ones({4, 8, 16, 16}), w = Ones({16, 8, 3, 3}), b = Ones({16});
  auto run = [&] { return Read(Invoke1("Convolution", {x, w, b}, {{"kernel", "(3, 3)"}, {"num_filter", "16"}}))[0]; };
  ASSERT_EQ(run(), 73);
  pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(60);  // a hang is a failure
    _exit(run() == 73 ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "status " << status;
  EXPECT_EQ(run(), 73);
}

}  // namespace
}  // namespace flx

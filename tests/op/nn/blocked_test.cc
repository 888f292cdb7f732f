// SPDX-License-Identifier: Apache-2.0
// Operators on blocked arrays against the plain ones, in the blocks that this CPU's library takes and in others.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "base/thread_pool.h"
#include "exec/invoke.h"
#include "op/nn/blocked.h"

namespace flx {
namespace {

using Options = std::vector<std::pair<std::string, std::string>>;

NDArray Random(const Shape& s, int seed) {
  std::mt19937 r{uint32_t(seed)};
  std::vector<float> v(size_t(s.size()));
  for (auto& x : v) x = float(int(r() % 17) - 8) / 4;
  return FromHost(v.data(), s.size() * 4, DType::kFloat32, false, s, DType::kFloat32);
}
std::vector<float> Read(const NDArray& a) {
  std::vector<float> v(size_t(a->size()));
  ReadArray(*a, v.data(), a->size() * 4, DType::kFloat32, false);
  return v;
}
NDArray Blocked(const NDArray& x, int64_t block) { return Invoke1("_to_blocked", {x}, {{"block", Text(block)}}); }
NDArray Plain(const NDArray& x) { return Invoke1("_from_blocked", {x}); }
NDArray Packed(const NDArray& w, int64_t block, const char* use) { return Invoke1("_pack_conv_weight", {w}, {{"block", Text(block)}, {"use", use}}); }
void ExpectNear(const NDArray& got, const NDArray& want, const char* what) {
  ASSERT_EQ(got->shape, want->shape) << what;
  auto a = Read(got), b = Read(want);
  for (size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 2e-5f * (1 + std::abs(b[i]))) << what << ", element " << i;
}

// The kernel itself, in the calling thread.
std::vector<float> RunKernel(const char* name, const Options& options, const std::vector<NDArray>& in, const Shape& out) {
  auto call = Call::New(name, options);
  KernelContext ctx;
  std::vector<TensorView> views;
  for (auto& a : in) views.push_back(a->View());
  std::vector<float> r(size_t(out.size()));
  TensorView y = MakeView(r.data(), DType::kFloat32, out);
  if (out.size()) call->op.run_kernel(call->op.kernel->fn[0], ctx, call->attrs.get(), views.data(), int(views.size()), &y, 1);
  return r;
}
// channels in and out are in blocks; channels 0: plain data of so many channels.
struct Geometry {
  const char* name;
  int64_t n, c, plain, h, w, o;
  Ints kernel, stride, pad, dilate;
};
void PrintTo(const Geometry& g, std::ostream* o) { *o << g.name; }
class BlockedConvolutions : public testing::TestWithParam<std::tuple<Geometry, int>> {
 protected:
  void SetUp() override {
    g = std::get<0>(GetParam());
    block = std::get<1>(GetParam()) ? std::get<1>(GetParam()) : BestBlock();
    if (!block) GTEST_SKIP() << "this build or CPU has no library for blocked arrays";
    is_plain = g.c == 0;
    channels = is_plain ? g.plain : g.c * block, filters = g.o * block;
    window = {{"kernel", TextOf(g.kernel)}, {"num_filter", Text(filters)}, {"stride", TextOf(g.stride)}, {"pad", TextOf(g.pad)}, {"dilate", TextOf(g.dilate)}};
    x = Random({g.n, channels, g.h, g.w}, 1), w = Random({filters, channels, g.kernel[0], g.kernel[1]}, 2), bias = Random({filters}, 3);
    bx = is_plain ? x : Blocked(x, block);
  }
  static std::string TextOf(const Ints& v) { return v.empty() ? "()" : Text("(", v[0], ", ", v[1], ")"); }
  Options With(Options more) const {
    more.insert(more.end(), window.begin(), window.end());
    return more;
  }
  NDArray PackedWeight() const { return Packed(w, block, is_plain ? "plain_data" : "forward"); }
  Geometry g;
  int64_t block = 16, channels = 0, filters = 0;
  bool is_plain = false;
  Options window;
  NDArray x, w, bias, bx;
};
TEST_P(BlockedConvolutions, Forward) {
  NDArray y = Invoke1("Convolution", {x, w}, With({{"no_bias", "True"}})), yb = Invoke1("Convolution", {x, w, bias}, window), pw = PackedWeight();
  ExpectNear(Plain(Invoke1("_blocked_convolution", {bx, pw}, With({{"no_bias", "True"}}))), y, "without bias");
  ExpectNear(Plain(Invoke1("_blocked_convolution", {bx, pw, bias}, window)), yb, "with bias");
  ExpectNear(Plain(Invoke1("_blocked_convolution", {bx, pw, bias}, With({{"relu", "True"}}))), Invoke1("relu", {yb}), "with relu");
  NDArray addend = Random(y->shape, 5), sum = Invoke1("broadcast_add", {yb, addend});
  ExpectNear(Plain(Invoke1("_blocked_convolution_add", {Blocked(addend, block), bx, pw, bias}, window)), sum, "with an addend");
  NDArray target = Blocked(addend, block);
  ExpectNear(Plain(Invoke1("_blocked_convolution_add", {target, bx, pw, bias}, With({{"relu", "True"}}))), Invoke1("relu", {sum}), "with an addend and relu");
  auto call = Call::New("_blocked_convolution_add", With({{"relu", "True"}}));  // over the addend
  Array *in[] = {target.get(), bx.get(), pw.get(), bias.get()}, *to[] = {target.get()};
  InvokeInto(*call, kPlain, in, 4, nullptr, 0, to, 1);
  ExpectNear(Plain(target), Invoke1("relu", {sum}), "over the addend");
}
TEST_P(BlockedConvolutions, Gradients) {
  NDArray y = Invoke1("Convolution", {x, w}, With({{"no_bias", "True"}})), dy = Random(y->shape, 4), bdy = Blocked(dy, block);
  ExpectNear(Invoke1("_blocked_convolution_grad_weight", {bx, bdy}, With({{"shape", Text(w->shape)}})),
             Invoke1("_convolution_grad_weight", {x, dy}, With({{"shape", Text(w->shape)}})), "gradient of the weight");
  if (is_plain) return;
  ExpectNear(Plain(Invoke1("_blocked_convolution_grad_data", {Packed(w, block, "grad_data"), bdy}, With({{"shape", Text(bx->shape)}}))),
             Invoke1("_convolution_grad_data", {w, dy}, With({{"shape", Text(x->shape)}})), "gradient of the data");
}
TEST_P(BlockedConvolutions, SameBitsInParallelAndInSeries) {
  NDArray pw = PackedWeight(), y = Invoke1("_blocked_convolution", {bx, pw, bias}, window), dy = Random(y->shape, 4), gw = is_plain ? NDArray() : Packed(w, block, "grad_data");
  auto run = [&] {
    std::vector<std::vector<float>> r{RunKernel("_blocked_convolution", window, {bx, pw, bias}, y->shape),
                                      RunKernel("_blocked_convolution_grad_weight", With({{"shape", Text(w->shape)}}), {bx, dy}, w->shape)};
    if (!is_plain) r.push_back(RunKernel("_blocked_convolution_grad_data", With({{"shape", Text(bx->shape)}}), {gw, dy}, bx->shape));
    return r;
  };
  for (auto& a : {bx, pw, bias, dy}) Read(a);  // they are there
  if (gw) Read(gw);
  auto parallel = run();
  decltype(parallel) series;
  ParallelFor(2, 1, [&](int64_t b, int64_t) { if (b == 0) series = run(); });  // nested loops run serially
  EXPECT_EQ(parallel, series);
}
const Geometry kGeometries[] = {
    {"one_image", 1, 4, 0, 14, 14, 8, {3, 3}, {}, {1, 1}, {}},
    {"two_images_strided", 2, 2, 0, 15, 13, 3, {3, 3}, {2, 2}, {1, 1}, {}},
    {"batch", 9, 2, 0, 9, 8, 2, {3, 3}, {}, {1, 1}, {}},
    {"pointwise", 3, 3, 0, 7, 7, 5, {1, 1}, {}, {}, {}},
    {"pointwise_one_image", 1, 16, 0, 14, 14, 32, {1, 1}, {}, {}, {}},
    {"pointwise_strided", 2, 2, 0, 9, 9, 4, {1, 1}, {2, 2}, {}, {}},
    {"pointwise_padded", 2, 1, 0, 5, 5, 1, {1, 1}, {}, {1, 1}, {}},
    {"dilated", 2, 1, 0, 11, 12, 2, {3, 2}, {1, 2}, {2, 0}, {2, 3}},
    {"small_planes", 16, 8, 0, 2, 2, 8, {3, 3}, {}, {1, 1}, {}},
    {"first_layer", 2, 0, 3, 32, 32, 4, {7, 7}, {2, 2}, {3, 3}, {}},
    {"first_layer_grey", 5, 0, 1, 28, 28, 2, {5, 5}, {}, {}, {}},
    {"odd_channels", 2, 0, 5, 9, 9, 1, {3, 3}, {}, {1, 1}, {}},
    {"nothing", 0, 2, 0, 7, 7, 2, {3, 3}, {}, {1, 1}, {}},
};
INSTANTIATE_TEST_SUITE_P(All, BlockedConvolutions, testing::Combine(testing::ValuesIn(kGeometries), testing::Values(0, 8, 16, 3)), [](const auto& i) {
  int b = std::get<1>(i.param);
  return std::string(std::get<0>(i.param).name) + (b ? "_by" + Text(b) : "_best");
});

TEST(Blocked, ReluKeepsNaN) {
  for (int64_t block : {int64_t(16), int64_t(8), int64_t(4)}) {
    NDArray x = Random({1, block, 5, 5}, 1), w = Random({block, block, 3, 3}, 2), nan = Array::Filled({1, block, 5, 5}, DType::kFloat32, std::nan(""));
    Options o{{"kernel", "(3, 3)"}, {"pad", "(1, 1)"}, {"num_filter", Text(block)}, {"no_bias", "True"}, {"relu", "True"}};
    for (float v : Read(Invoke1("_blocked_convolution", {Blocked(nan, block), Packed(w, block, "forward")}, o))) EXPECT_TRUE(std::isnan(v));
    for (float v : Read(Invoke1("_blocked_convolution_add", {Blocked(nan, block), Blocked(x, block), Packed(w, block, "forward")}, o))) EXPECT_TRUE(std::isnan(v));
  }
}
TEST(Blocked, ThereAndBack) {
  for (int64_t block : {1, 2, 8, 16, 64})
    for (Shape s : {Shape{2, 64, 3, 5}, Shape{1, 128, 9, 9}, Shape{3, 64, 1, 1}}) {
      NDArray x = Random(s, 1), b = Blocked(x, block);
      EXPECT_EQ(b->shape, BlockedOf(s, block));
      EXPECT_EQ(Read(Plain(b)), Read(x));
    }
}
struct Pool { const char* name; int64_t h, w; Options options; };
void PrintTo(const Pool& p, std::ostream* o) { *o << p.name; }
class BlockedPools : public testing::TestWithParam<Pool> {};
TEST_P(BlockedPools, AreThePlainOnes) {
  const Pool& p = GetParam();
  for (int64_t block : {16, 8, 3}) {
    NDArray x = Random({2, 2 * block, p.h, p.w}, 1), y = Invoke1("Pooling", {x}, p.options), bx = Blocked(x, block);
    ExpectNear(Plain(Invoke1("_blocked_pooling", {bx}, p.options)), y, "output");
    bool max = true, lp = false;
    for (auto& o : p.options) if (o.first == "pool_type") max = o.second == "max", lp = o.second == "lp";
    if (lp) continue;
    NDArray dy = Random(y->shape, 2);
    Options plain = p.options, blocked = p.options;
    plain.emplace_back("shape", Text(x->shape)), blocked.emplace_back("shape", Text(bx->shape));
    std::vector<NDArray> in{dy}, bin{Blocked(dy, block)};
    if (max) in.push_back(x), bin.push_back(bx);
    ExpectNear(Plain(Invoke1("_blocked_pooling_grad", bin, blocked)), Invoke1("_pooling_grad", in, plain), "gradient");
  }
}
INSTANTIATE_TEST_SUITE_P(All, BlockedPools, testing::Values(
    Pool{"max3", 13, 10, {{"kernel", "(3, 3)"}, {"stride", "(2, 2)"}, {"pad", "(1, 1)"}}},
    Pool{"max2", 8, 7, {{"kernel", "(2, 2)"}, {"stride", "(2, 2)"}}},
    Pool{"max_full", 9, 8, {{"kernel", "(3, 2)"}, {"stride", "(2, 2)"}, {"pooling_convention", "full"}}},
    Pool{"avg", 9, 9, {{"kernel", "(3, 3)"}, {"pad", "(1, 1)"}, {"pool_type", "avg"}}},
    Pool{"avg_inside", 9, 9, {{"kernel", "(3, 3)"}, {"stride", "(2, 2)"}, {"pad", "(1, 1)"}, {"pool_type", "avg"}, {"count_include_pad", "False"}}},
    Pool{"avg_global", 7, 7, {{"kernel", "(7, 7)"}, {"pool_type", "avg"}, {"global_pool", "True"}}},
    Pool{"sum", 6, 5, {{"kernel", "(2, 3)"}, {"pool_type", "sum"}}},
    Pool{"lp", 6, 5, {{"kernel", "(2, 3)"}, {"pool_type", "lp"}, {"p_value", "2"}}}), [](const auto& i) { return std::string(i.param.name); });

TEST(Blocked, BatchNorm) {
  for (int64_t block : {16, 8, 3})
    for (int mode : {int(kPlain), int(kTrain)})
      for (const char* fix : {"True", "False"}) {
        int64_t c = 2 * block;
        NDArray x = Random({3, c, 5, 7}, 1), gamma = Random({c}, 2), beta = Random({c}, 3);
        Options o{{"fix_gamma", fix}, {"output_mean_var", "True"}};
        NDArray mean = Random({c}, 4), var = Array::Filled({c}, DType::kFloat32, 2), mean2 = CopyOf(mean), var2 = CopyOf(var);
        auto want = Invoke("BatchNorm", {x, gamma, beta, mean, var}, o, mode), got = Invoke("_blocked_batch_norm", {Blocked(x, block), gamma, beta, mean2, var2}, o, mode);
        ExpectNear(Plain(got[0]), want[0], "output"), ExpectNear(got[1], want[1], "mean"), ExpectNear(got[2], want[2], "inv");
        ExpectNear(mean2, mean, "moving mean"), ExpectNear(var2, var, "moving var");
        NDArray dy = Random(x->shape, 5);
        Options grad{{"fix_gamma", fix}, {"batch_stats", mode == kTrain ? "True" : "False"}};
        auto d = Invoke("_batch_norm_grad", {x, gamma, want[1], want[2], dy}, grad), bd = Invoke("_blocked_batch_norm_grad", {Blocked(x, block), gamma, want[1], want[2], Blocked(dy, block)}, grad);
        ExpectNear(Plain(bd[0]), d[0], "dx"), ExpectNear(bd[1], d[1], "dgamma"), ExpectNear(bd[2], d[2], "dbeta");
      }
}

}  // namespace
}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// Chains against their operators run one by one: the same bits, for every dtype, shape, stride and aliasing. And their text.
#include "op/elementwise/chain.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "base/error.h"
#include "exec/autograd.h"
#include "random_chain.h"

namespace flx {
namespace {

Chain Parse(std::string_view text) {
  Chain c;
  EXPECT_TRUE(Chain::Parse(text, &c)) << text;
  return c;
}
NDArray Random(const Shape& s, DType t, std::mt19937* g) {
  std::vector<double> v(size_t(s.size()));
  for (auto& x : v) x = IsFloat(t) ? double(int((*g)() % 4001) - 2000) / 500 : double((*g)() % 7);
  return FromHost(v.data(), s.size() * 8, DType::kFloat64, false, s, t);
}
std::vector<char> BytesOf(const NDArray& a) {
  std::vector<char> v(size_t(a->bytes()));
  ReadArray(*a, v.data(), a->bytes(), a->dtype, false);
  return v;
}
// Both ways; the operators one by one are the reference.
void Compare(const Chain& chain, const std::vector<NDArray>& in, const std::string& what) {
  auto call = Call::New("_fused", {{"chain", chain.Print()}});
  auto got = Invoke(*call, kPlain, in);
  EagerBuilder b(kPlain);
  std::vector<Val> x;
  for (auto& a : in) x.push_back(b.Add(a));
  auto want = call->op.run_compose(call->op.compose_fn, x, call->attrs.get());
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_EQ(got[i]->shape, b.array(want[i])->shape) << what;
    ASSERT_EQ(BytesOf(got[i]), BytesOf(b.array(want[i]))) << what << ", output " << i << " of " << chain.Print();
  }
}
class ChainOf : public testing::TestWithParam<DType> {};

TEST_P(ChainOf, SameBitsAsOneByOne) {
  std::mt19937 g(5);
  const DType t = GetParam();
  // the first two broadcast to the whole shape
  const std::vector<std::vector<Shape>> shapes = {{{7}}, {{3000}}, {{40, 50}, {50}}, {{700, 3}, {3}, {1}}, {{3, 5, 7, 7}, {1, 5, 1, 1}, {}}, {{2, 3, 40, 40}, {3, 1, 1}, {40}},
                                                  {{6, 1}, {1, 900}, {900}, {6, 900}}, {{50, 1, 40, 1}, {1, 30, 1, 2}}, {{300000}, {300000}}, {{1}, {1}}, {{}, {}}, {{20, 600}, {600}, {20, 1}}};
  for (int round = 0; round < 36; ++round) {
    auto& s = shapes[size_t(round) % shapes.size()];
    std::vector<NDArray> in;
    for (auto& each : s) in.push_back(Random(each, t, &g));
    Chain c = RandomChain(&g, int(in.size()), IsFloat(t));
    if (c.ninputs() == int(in.size())) Compare(c, in, DTypeName(t));
  }
}
TEST_P(ChainOf, Strided) {
  std::mt19937 g(6);
  const DType t = GetParam();
  for (int round = 0; round < 8; ++round) {
    NDArray a = Invoke1("transpose", {Random({30, 70}, t, &g)}), b = Random({70, 30}, t, &g), c = Invoke1("slice", {Random({70, 60}, t, &g)}, {{"begin", "(0, 0)"}, {"end", "(70, 60)"}, {"step", "(1, 2)"}});
    Compare(Parse("t0 = broadcast_add(x0, x1); relu(_plus_scalar(t0, scalar=-2)); broadcast_mul(t0, x2)"), {a, b, c}, DTypeName(t));
  }
}
INSTANTIATE_TEST_SUITE_P(Chain, ChainOf, testing::ValuesIn(kEveryDType), [](const auto& i) { return std::string(DTypeName(i.param)); });

// Results in the memory of inputs, also of one that a later step reads.
TEST(Chain, InPlace) {
  std::mt19937 g(7);
  for (int64_t n : {5, 3000, 200000}) {
    auto call = Call::New("_fused", {{"chain", "t0 = exp(x0); broadcast_sub(broadcast_mul(t0, x1), x0); t0"}});
    NDArray x = Random({n}, DType::kFloat32, &g), w = Random({n}, DType::kFloat32, &g), x2 = CopyOf(x), w2 = CopyOf(w);
    auto want = Invoke(*call, kPlain, {x, w});
    Array* in[] = {x.get(), w.get()};
    Array* swapped[] = {w.get(), x.get()};  // exp(x0) lands on x0, which is subtracted after
    InvokeInto(*call, kPlain, in, 2, nullptr, 0, swapped, 2);
    EXPECT_EQ(BytesOf(w), BytesOf(want[0]));
    EXPECT_EQ(BytesOf(x), BytesOf(want[1]));
    Array* in2[] = {x2.get(), w2.get()};
    InvokeInto(*call, kPlain, in2, 2, nullptr, 0, in2, 2);
    EXPECT_EQ(BytesOf(x2), BytesOf(want[0]));
    EXPECT_EQ(BytesOf(w2), BytesOf(want[1]));
  }
}
TEST(Chain, PastTheCaches) {
  std::mt19937 g(8);
  const int64_t n = (16 << 20) + 37;
  NDArray x = Invoke1("_random_uniform", {}, {{"shape", "(" + std::to_string(n) + ",)"}, {"low", "-1"}});
  Compare(Parse("t0 = relu(_plus_scalar(x0, scalar=0.25)); _mul_scalar(t0, scalar=3); t0"), {x}, "large");
}
TEST(Chain, Text) {
  for (const char* text : {"relu(_plus_scalar(x0))", "relu(_plus_scalar(x0, scalar=2.5))", "t0 = exp(x0); broadcast_mul(t0, x1); t0", "clip(broadcast_add(x0, x1), a_min=-1, a_max=1)",
                           "t0 = tanh(x1); broadcast_add(exp(x0), broadcast_mul(t0, t0))"}) {
    Chain c = Parse(text);
    EXPECT_EQ(c.Print(), text);
    EXPECT_TRUE(Parse(c.Print()) == c) << text;
  }
  std::mt19937 g(9);
  for (int round = 0; round < 200; ++round) {
    Chain c = RandomChain(&g, 1 + round % 4, true);
    EXPECT_TRUE(Parse(c.Print()) == c) << c.Print();
  }
  EXPECT_FALSE(Parse("relu(x0)") == Parse("abs(x0)"));
  EXPECT_FALSE(Parse("_plus_scalar(x0, scalar=1)") == Parse("_plus_scalar(x0, scalar=2)"));
  for (const char* bad : {"", "x0", "relu", "relu(", "relu()", "relu(x0", "relu(x0))", "relu(x0, x1)", "dot(x0, x1)", "nothing(x0)", "t0 = relu(x0)", "relu(x99)", "relu(scalar=1, x0)", "relu(x0); ",
                          "t0 = relu(x0); t0; t0", "relu(t0)"}) {
    Chain c;
    EXPECT_FALSE(Chain::Parse(bad, &c)) << bad;
  }
}
TEST(Chain, SlotsAreReused) {
  EXPECT_EQ(Parse("relu(exp(tanh(abs(square(x0)))))").program().nslots, 1);
  EXPECT_EQ(Parse("broadcast_add(exp(x0), tanh(x0))").program().nslots, 2);
  EXPECT_EQ(Parse("relu(x0)").program().nslots, 0);
}
TEST(Chain, Refuses) {
  auto call = Call::New("_fused", {{"chain", "exp(_plus_scalar(x0))"}});
  std::mt19937 g(1);
  try {
    Invoke(*call, kPlain, {Random({3}, DType::kInt32, &g)});
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.status(), Status::kType);
    EXPECT_NE(e.message().find("`exp`"), std::string::npos) << e.message();
  }
  EXPECT_THROW(Call::New("_fused", {{"chain", "dot(x0, x1)"}}), Error);
  EXPECT_THROW(Invoke(*call, kPlain, {Random({3}, DType::kFloat32, &g), Random({3}, DType::kFloat32, &g)}), Error);
}

}  // namespace
}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// Inference from partial knowledge: whatever is hidden of what is true of a call, rules must not fail, must find nothing untrue, and must find what they can.
#include <gtest/gtest.h>

#include <random>

#include "base/text.h"
#include "cases.h"
#include "exec/invoke.h"
#include "op/op.h"

namespace flx::cases {
namespace {

const Shape kNone = Shape::Unknown();

// What is known of a call's inputs and outputs, by port.
struct Knowledge {
  std::vector<Shape> xs, ys;
  std::vector<DType> xt, yt;
  void Ask(const Call& call, bool guess) {
    for (int round = 0; round < 10; ++round) {
      Knowledge was = *this;
      InferAll(call.op, call.attrs.get(), xs.data(), xt.data(), int(xs.size()), ys.data(), yt.data(), int(ys.size()), call.present, guess);
      if (was.xs == xs && was.ys == ys && was.xt == xt && was.yt == yt) return;
    }
    ADD_FAILURE() << call.op.name << " never comes to rest";
  }
  std::string ToString() const {
    std::string s;
    auto add = [&](const std::vector<Shape>& shapes, const std::vector<DType>& types) {
      for (size_t i = 0; i < shapes.size(); ++i) s += Text(i ? ", " : "", types[i] == DType::kNone ? "?" : DTypeName(types[i]), " ", shapes[i]);
    };
    add(xs, xt);
    s += " -> ";
    add(ys, yt);
    return s;
  }
};
// "" if all that k knows is true.
std::string Untrue(const Knowledge& k, const Knowledge& truth) {
  std::string text;
  auto compare = [&](const char* what, const std::vector<Shape>& a, const std::vector<DType>& at, const std::vector<Shape>& b, const std::vector<DType>& bt) {
    for (size_t i = 0; i < a.size(); ++i) {
      bool ok = at[i] == DType::kNone || bt[i] == DType::kNone || at[i] == bt[i];
      if (a[i].rank_known() && b[i].rank_known()) {
        ok &= a[i].ndim() == b[i].ndim();
        for (int d = 0; ok && d < a[i].ndim(); ++d) ok = a[i][d] < 0 || b[i][d] < 0 || a[i][d] == b[i][d];
      }
      if (!ok) text += Text(what, " ", i, " is ", at[i], " ", a[i], ", in truth ", bt[i], " ", b[i], ". ");
    }
  };
  compare("input", k.xs, k.xt, truth.xs, truth.xt);
  compare("output", k.ys, k.yt, truth.ys, truth.yt);
  return text;
}

// All that is true of a case, its floating inputs being of dtype t.
Knowledge TruthOf(const Case& c, const Call& call, DType t) {
  Knowledge k;
  size_t ports = call.op.variadic ? c.inputs.size() : call.op.inputs.size(), next = 0;
  for (size_t port = 0; port < ports; ++port) {
    bool present = call.op.variadic || (call.present >> port & 1);
    k.xs.push_back(present ? c.inputs[next].shape : kNone);
    k.xt.push_back(!present ? DType::kNone : c.inputs[next].is_float() ? t : c.inputs[next].dtype);
    next += present;
  }
  k.ys.assign(size_t(call.noutputs), kNone), k.yt.assign(size_t(call.noutputs), DType::kNone);
  k.Ask(call, true);
  return k;
}
std::string Title(const Case& c, const Call& call, const Knowledge& given) {
  std::string s = Text(call.op.name, " ", c.what, " (");
  for (auto& kv : c.attrs) s += Text(kv.first, "=", kv.second, " ");
  return s + ") given " + given.ToString();
}
template <class F> void EachCase(const F& f) {
  for (auto& c : AllCases()) {
    auto call = Call::New(c.op, c.attrs);
    if (!call->op.trait(kDynamic)) f(c, *call);
  }
}

// Hides some of what is known: whole shapes, single sizes, dtypes.
void Hide(std::mt19937* random, std::vector<Shape>* shapes, std::vector<DType>* types) {
  auto one_in = [&](unsigned n) { return (*random)() % n == 0; };
  for (size_t i = 0; i < shapes->size(); ++i) {
    Shape& s = (*shapes)[i];
    if (one_in(3)) (*types)[i] = DType::kNone;
    if (one_in(3)) s = kNone;
    else if (one_in(2)) for (int d = 0; d < s.ndim(); ++d) if (one_in(2)) s[d] = -1;
  }
}
void HideAll(std::vector<Shape>* shapes, std::vector<DType>* types) {
  for (auto& s : *shapes) s = kNone;
  for (auto& t : *types) t = DType::kNone;
}

class Inference : public testing::TestWithParam<DType> {};
INSTANTIATE_TEST_SUITE_P(Types, Inference, testing::Values(DType::kFloat64, DType::kFloat32, DType::kFloat16), [](auto& i) { return DTypeName(i.param); });

TEST_P(Inference, FindsNothingUntrue) {
  std::mt19937 random(7);
  int skipped = 0;
  EachCase([&](const Case& c, const Call& call) {
    Knowledge truth;
    try {
      truth = TruthOf(c, call, GetParam());
    } catch (const Error&) {  // float16 with parameters that must be float32
      EXPECT_EQ(GetParam(), DType::kFloat16) << call.op.name;
      ++skipped;
      return;
    }
    for (int round = 0; round < 40; ++round) {
      Knowledge k = truth;
      if (round > 0) Hide(&random, &k.xs, &k.xt);
      else HideAll(&k.xs, &k.xt);
      if (round > 1 && round % 2) Hide(&random, &k.ys, &k.yt);
      else HideAll(&k.ys, &k.yt);
      Knowledge given = k;
      std::string text;
      try {
        k.Ask(call, false);
        text = Untrue(k, truth);
      } catch (const std::exception& e) {
        text = e.what();
      }
      if (text.empty()) continue;
      ADD_FAILURE() << Title(c, call, given) << "\n" << text;
      return;  // one for each case will do
    }
  });
  EXPECT_LT(skipped, 30);
}
// Guesses may be wrong, but they come last and fit what is known: they fail nothing.
TEST(Guesses, FitWhatIsKnown) {
  EachCase([&](const Case& c, const Call& call) {
    Knowledge truth = TruthOf(c, call, DType::kFloat32), k = truth;
    k.ys.assign(k.ys.size(), kNone), k.yt.assign(k.yt.size(), DType::kNone);
    for (size_t i = 1; i < k.xs.size(); ++i) k.xs[i] = kNone, k.xt[i] = DType::kNone;
    try {
      k.Ask(call, true);
    } catch (const std::exception& e) {
      ADD_FAILURE() << Title(c, call, k) << "\n" << e.what();
    }
  });
}

// A size of the first input that is not known leaves all known that does not depend on it: what is the same for three values of it.
// Where other inputs have the same size, that of the batch for instance, it is hidden there too.
bool DependsOnSizes(const Case& c) {
  for (const char* op : {"slice", "diag", "topk"}) if (c.op == std::string_view(op)) return true;  // limits that are reached, or not
  return c.op == std::string_view("squeeze") && c.attrs.empty();                                   // even the rank
}
TEST(Unknown, SizesHideOnlyWhatDependsOnThem) {
  int compared = 0;
  EachCase([&](const Case& c, const Call& call) {
    Knowledge truth = TruthOf(c, call, DType::kFloat32);
    if (truth.xs.empty() || DependsOnSizes(c)) return;
    for (int axis = 0; axis < truth.xs[0].ndim(); ++axis) {
      int64_t size = truth.xs[0][axis];
      if (size <= 1) continue;
      auto with = [&](int64_t n) {
        Knowledge k = truth;
        for (auto& x : k.xs)
          for (int d = 0; d < x.ndim(); ++d) if (x[d] == size && (d == axis || &x == &k.xs[0])) x[d] = &x == &k.xs[0] && d != axis ? size : n;
        for (auto& y : k.ys) y = kNone;
        return k;
      };
      std::vector<Knowledge> results;
      for (int64_t n : {size, 2 * size, 6 * size}) {
        Knowledge k = with(n);
        try {
          k.Ask(call, true);
          results.push_back(k);
        } catch (const Error&) {  // other sizes do not fit
        }
      }
      if (results.size() < 3) continue;
      Knowledge k = with(-1), given = k;
      k.Ask(call, false);
      for (size_t i = 0; i < k.ys.size(); ++i) {
        if (!call.op.outputs_fn && call.op.outputs[i].hidden) continue;  // only its kernels know what these depend on
        const Shape &y = results[0].ys[i], &other = results[1].ys[i], &third = results[2].ys[i];
        if (!y.rank_known() || y.ndim() != other.ndim()) continue;
        ASSERT_EQ(k.ys[i].ndim(), y.ndim()) << Title(c, call, given) << " axis " << axis;
        for (int d = 0; d < y.ndim(); ++d) {
          if (y[d] != other[d] || y[d] != third[d]) continue;
          EXPECT_EQ(k.ys[i][d], y[d]) << Title(c, call, given) << "\noutput " << i << " axis " << d;
          ++compared;
        }
      }
    }
  });
  EXPECT_GT(compared, 500);
}

// ---- what must be learnt from what
struct Expectation {
  const char* op;
  std::vector<std::pair<std::string, std::string>> attrs;
  std::vector<Shape> xs, ys, want_xs, want_ys;  // ys may be shorter than the outputs: the rest is unknown, or not compared
};
void PrintTo(const Expectation& e, std::ostream* os) { *os << e.op; }
class Learns : public testing::TestWithParam<Expectation> {};
TEST_P(Learns, WhatFollows) {
  const Expectation& e = GetParam();
  auto call = Call::New(e.op, e.attrs);
  Knowledge k;
  size_t ports = call->op.variadic ? e.xs.size() : call->op.inputs.size(), next = 0;
  std::vector<size_t> at;
  for (size_t port = 0; port < ports; ++port) {
    bool present = call->op.variadic || (call->present >> port & 1);
    k.xs.push_back(present ? e.xs[next++] : kNone);
    if (present) at.push_back(port);
  }
  ASSERT_EQ(next, e.xs.size());
  k.xt.assign(ports, DType::kFloat32), k.ys.assign(size_t(call->noutputs), kNone), k.yt.assign(size_t(call->noutputs), DType::kNone);
  for (size_t i = 0; i < e.ys.size(); ++i) k.ys[i] = e.ys[i];
  k.Ask(*call, true);
  for (size_t i = 0; i < e.want_xs.size(); ++i) EXPECT_EQ(k.xs[at[i]], e.want_xs[i]) << "input " << i << ": " << k.ToString();
  for (size_t i = 0; i < e.want_ys.size(); ++i) EXPECT_EQ(k.ys[i], e.want_ys[i]) << "output " << i << ": " << k.ToString();
}
using Attributes = std::vector<std::pair<std::string, std::string>>;
const Attributes kWindow = {{"kernel", "(3, 3)"}, {"pad", "(1, 1)"}, {"num_filter", "8"}};
const Attributes kSteps = {{"kernel", "(3, 3)"}, {"stride", "(2, 2)"}, {"num_filter", "8"}};
const Shape kBatch{-1, 3, 28, 28};
INSTANTIATE_TEST_SUITE_P(Parameters, Learns, testing::Values(
    Expectation{"FullyConnected", {{"num_hidden", "5"}}, {{-1, 3, 4}, kNone, kNone}, {}, {{-1, 3, 4}, {5, 12}, {5}}, {{-1, 5}}},
    Expectation{"FullyConnected", {{"num_hidden", "5"}, {"flatten", "False"}}, {{-1, 3, 4}, kNone, kNone}, {}, {{-1, 3, 4}, {5, 4}, {5}}, {{-1, 3, 5}}},
    Expectation{"Convolution", kWindow, {kBatch, kNone, kNone}, {}, {kBatch, {8, 3, 3, 3}, {8}}, {{-1, 8, 28, 28}}},
    Expectation{"Convolution", {{"kernel", "(3,)"}, {"num_filter", "8"}, {"num_group", "2"}, {"layout", "NWC"}, {"no_bias", "True"}}, {{-1, -1, 6}, kNone}, {}, {{-1, -1, 6}, {8, 3, 3}}, {{-1, -1, 8}}},
    Expectation{"Deconvolution", kSteps, {kBatch, kNone}, {}, {kBatch, {3, 8, 3, 3}}, {{-1, 8, 57, 57}}},
    Expectation{"BatchNorm", {}, {kBatch, kNone, kNone, kNone, kNone}, {}, {kBatch, {3}, {3}, {3}, {3}}, {kBatch, {3}, {3}}},
    Expectation{"LayerNorm", {}, {{-1, 5}, kNone, kNone}, {}, {{-1, 5}, {5}, {5}}, {{-1, 5}, {-1, 1}}},
    Expectation{"InstanceNorm", {}, {kBatch, kNone, kNone}, {}, {kBatch, {3}, {3}}, {kBatch}},
    Expectation{"GroupNorm", {{"num_groups", "3"}}, {kBatch, kNone, kNone}, {}, {kBatch, {3}, {3}}, {kBatch, {-1, 3}}},
    Expectation{"Embedding", {{"input_dim", "10"}, {"output_dim", "4"}}, {{-1, 7}, kNone}, {}, {{-1, 7}, {10, 4}}, {{-1, 7, 4}}},
    Expectation{"LeakyReLU", {{"act_type", "prelu"}}, {kBatch, kNone}, {}, {kBatch, {3}}, {kBatch}},
    Expectation{"SoftmaxOutput", {}, {{6, 10}, kNone}, {}, {{6, 10}, {6}}, {{6, 10}}},
    Expectation{"SoftmaxOutput", {{"multi_output", "True"}}, {{6, 10, 4}, kNone}, {}, {{6, 10, 4}, {6, 4}}, {{6, 10, 4}}},
    Expectation{"LinearRegressionOutput", {}, {{6, 1}, kNone}, {}, {{6, 1}, {6}}, {{6, 1}}},
    Expectation{"LogisticRegressionOutput", {}, {{6, 2}, kNone}, {}, {{6, 2}, {6, 2}}, {{6, 2}}},
    Expectation{"SequenceMask", {{"use_sequence_length", "True"}}, {{5, 2, 3}, kNone}, {}, {{5, 2, 3}, {2}}, {{5, 2, 3}}},
    Expectation{"CTCLoss", {{"use_data_lengths", "True"}}, {{-1, 4, 6}, {-1, 3}, kNone}, {}, {{-1, 4, 6}, {4, 3}, {4}}, {{4}, {-1, 4, 6}}},
    Expectation{"UpSampling", {{"scale", "2"}, {"sample_type", "bilinear"}, {"num_args", "2"}}, {kBatch, kNone}, {}, {kBatch, {3, 1, 4, 4}}, {{-1, 3, 56, 56}}}));
INSTANTIATE_TEST_SUITE_P(UnknownBatch, Learns, testing::Values(
    Expectation{"Pooling", {{"kernel", "(2, 2)"}, {"stride", "(2, 2)"}}, {kBatch}, {}, {}, {{-1, 3, 14, 14}}},
    Expectation{"Pooling", {{"global_pool", "True"}}, {kBatch}, {}, {}, {{-1, 3, 1, 1}}},
    Expectation{"Flatten", {}, {kBatch}, {}, {}, {{-1, 2352}}},
    Expectation{"Reshape", {{"shape", "(0, -1)"}}, {kBatch}, {}, {}, {{-1, 2352}}},
    Expectation{"Reshape", {{"shape", "(0, -1, 7)"}}, {kBatch}, {}, {}, {{-1, 336, 7}}},
    Expectation{"Reshape", {{"shape", "(-1, 28)"}}, {kBatch}, {}, {}, {{-1, 28}}},
    Expectation{"Reshape", {{"shape", "(-1, 0)"}, {"reverse", "True"}}, {kBatch}, {}, {}, {{-1, 28}}},
    Expectation{"Reshape", {{"shape", "(-3, -2)"}}, {kBatch}, {}, {}, {{-1, 28, 28}}},
    Expectation{"Reshape", {{"shape", "(0, 0, -4, 4, -1, 0)"}}, {kBatch}, {}, {}, {{-1, 3, 4, 7, 28}}},
    Expectation{"Reshape", {{"shape", "(0, -1)"}}, {{0, 3}}, {}, {}, {{0, 3}}},
    Expectation{"SliceChannel", {{"num_outputs", "3"}, {"squeeze_axis", "True"}}, {kBatch}, {}, {}, {{-1, 28, 28}, {-1, 28, 28}, {-1, 28, 28}}},
    Expectation{"Concat", {}, {kBatch, {-1, 5, -1, 28}}, {}, {kBatch, {-1, 5, 28, 28}}, {{-1, 8, 28, 28}}},
    Expectation{"Concat", {}, {kBatch, {6, 5, -1, 28}}, {}, {{6, 3, 28, 28}, {6, 5, 28, 28}}, {{6, 8, 28, 28}}},
    Expectation{"transpose", {{"axes", "(1, 0, 2, 3)"}}, {kBatch}, {}, {}, {{3, -1, 28, 28}}},
    Expectation{"mean", {{"axis", "(2, 3)"}}, {kBatch}, {}, {}, {{-1, 3}}},
    Expectation{"slice_axis", {{"axis", "1"}, {"begin", "1"}, {"end", "3"}}, {kBatch}, {}, {}, {{-1, 2, 28, 28}}},
    Expectation{"slice_axis", {{"axis", "0"}, {"begin", "1"}, {"end", "3"}}, {kBatch}, {}, {}, {{2, 3, 28, 28}}},
    Expectation{"slice", {{"begin", "(None, 1)"}, {"end", "(None, 3)"}}, {kBatch}, {}, {}, {{-1, 2, 28, 28}}},
    Expectation{"batch_dot", {}, {{-1, 3, 4}, {-1, 4, 5}}, {}, {}, {{-1, 3, 5}}},
    Expectation{"dot", {}, {{-1, 4}, {4, 5}}, {}, {}, {{-1, 5}}},
    Expectation{"broadcast_add", {}, {{-1, 4}, {1, 4}}, {}, {}, {{-1, 4}}},
    Expectation{"topk", {{"k", "2"}}, {{-1, 4}}, {}, {}, {{-1, 2}}},
    Expectation{"argmax", {{"axis", "1"}}, {{-1, 4}}, {}, {}, {{-1}}},
    Expectation{"_contrib_interleaved_matmul_selfatt_qk", {{"heads", "2"}}, {{5, -1, 12}}, {}, {}, {{-1, 5, 5}}},
    Expectation{"_contrib_MultiBoxPrior", {}, {{-1, 3, 4, 5}}, {}, {}, {{1, 20, 4}}}));
INSTANTIATE_TEST_SUITE_P(Backwards, Learns, testing::Values(
    Expectation{"_zeros", {{"shape", "(-1, 5)"}}, {}, {}, {}, {{-1, 5}}},
    Expectation{"_zeros", {{"shape", "(-1, 5)"}}, {}, {{4, 5}}, {}, {{4, 5}}},
    Expectation{"_ones", {{"shape", "(-1, 5)"}}, {}, {{4, -1}}, {}, {{4, 5}}},
    Expectation{"_full", {{"shape", "(-1, 5)"}, {"value", "2"}}, {}, {{4, 5}}, {}, {{4, 5}}},
    Expectation{"elemwise_add", {}, {{-1, 5}, {4, -1}}, {}, {{4, 5}, {4, 5}}, {{4, 5}}},
    Expectation{"elemwise_add", {}, {{-1, 5}, kNone}, {{4, -1}}, {{4, 5}, {4, 5}}, {{4, 5}}},
    Expectation{"add_n", {}, {{-1, 5}, kNone, {4, -1}}, {}, {{4, 5}, {4, 5}, {4, 5}}, {{4, 5}}},
    Expectation{"broadcast_add", {}, {{-1, 5}, {1, 5}}, {{4, 5}}, {{4, 5}, {1, 5}}, {{4, 5}}},
    Expectation{"Activation", {{"act_type", "tanh"}}, {kNone}, {{4, 5}}, {{4, 5}}, {}},
    Expectation{"Dropout", {}, {kNone}, {{4, 5}}, {{4, 5}}, {{4, 5}, {4, 5}}},
    Expectation{"softmax", {}, {kNone}, {{4, 5}}, {{4, 5}}, {}},
    Expectation{"Cast", {{"dtype", "int32"}}, {kNone}, {{4, 5}}, {{4, 5}}, {}},
    Expectation{"_plus_scalar", {}, {kNone}, {{4, 5}}, {{4, 5}}, {}},
    Expectation{"FullyConnected", {{"num_hidden", "6"}}, {{-1, 5}, kNone, kNone}, {{4, 6}}, {{4, 5}, {6, 5}, {6}}, {{4, 6}}},
    Expectation{"FullyConnected", {{"num_hidden", "6"}}, {{4, -1}, {6, 5}, kNone}, {}, {{4, 5}}, {}},
    Expectation{"FullyConnected", {{"num_hidden", "6"}, {"flatten", "False"}}, {kNone, {6, 5}, kNone}, {{2, 3, 6}}, {{2, 3, 5}}, {}},
    Expectation{"SoftmaxOutput", {}, {{-1, 10}, {6}}, {}, {{6, 10}, {6}}, {{6, 10}}},
    Expectation{"SoftmaxOutput", {}, {{-1, 10}, kNone}, {{6, 10}}, {{6, 10}, {6}}, {}},
    Expectation{"LinearRegressionOutput", {}, {{-1, 1}, {6}}, {}, {{6, 1}, {6}}, {{6, 1}}},
    Expectation{"softmax_cross_entropy", {}, {{-1, 4}, {6}}, {}, {{6, 4}}, {{1}}},
    Expectation{"Convolution", kWindow, {{-1, 3, -1, -1}, kNone, kNone}, {{2, 8, 28, 28}}, {{2, 3, 28, 28}, {8, 3, 3, 3}, {8}}, {}},
    Expectation{"Convolution", kSteps, {{-1, -1, 9, 9}, {8, 3, 3, 3}, kNone}, {{2, 8, -1, -1}}, {{2, 3, 9, 9}}, {{2, 8, 4, 4}}},
    Expectation{"Deconvolution", kSteps, {kNone, {3, 8, 3, 3}}, {{2, 8, 7, 7}}, {{2, 3, 3, 3}}, {}},
    Expectation{"Pooling", {{"kernel", "(2, 2)"}}, {{-1, -1, 4, 4}}, {{2, 3, -1, -1}}, {{2, 3, 4, 4}}, {{2, 3, 3, 3}}},
    Expectation{"BatchNorm", {}, {{2, -1, 4}, kNone, {3}, kNone, kNone}, {}, {{2, 3, 4}, {3}, {3}, {3}, {3}}, {{2, 3, 4}}},
    Expectation{"Concat", {}, {{-1, 3}, {-1, -1}}, {{4, 8}}, {{4, 3}, {4, 5}}, {{4, 8}}},
    Expectation{"stack", {{"axis", "1"}}, {{-1, 3}, kNone}, {{4, 2, 3}}, {{4, 3}, {4, 3}}, {}},
    Expectation{"SliceChannel", {{"num_outputs", "4"}}, {kNone}, {{6, 5}}, {{6, 20}}, {{6, 5}, {6, 5}, {6, 5}, {6, 5}}},
    Expectation{"SliceChannel", {{"num_outputs", "4"}, {"squeeze_axis", "True"}}, {{-1, -1, 5}}, {{6, 5}}, {{6, 4, 5}}, {}},
    Expectation{"_split_v2", {{"indices", "(0, 2)"}}, {kNone}, {{6, 2}}, {{6, -1}}, {{6, 2}, {6, -1}}},
    Expectation{"transpose", {}, {kNone}, {{2, 3, -1}}, {{-1, 3, 2}}, {}},
    Expectation{"SwapAxis", {{"dim1", "0"}, {"dim2", "2"}}, {kNone}, {{2, 3, 4}}, {{4, 3, 2}}, {}},
    Expectation{"expand_dims", {{"axis", "1"}}, {kNone}, {{2, 1, 3}}, {{2, 3}}, {}},
    Expectation{"squeeze", {{"axis", "1"}}, {{-1, -1, 3}}, {{2, 3}}, {{2, 1, 3}}, {}},
    Expectation{"Reshape", {{"shape", "(0, -1)"}}, {{-1, 3, 4}}, {{5, 12}}, {{5, 3, 4}}, {}},
    Expectation{"Reshape", {{"shape", "(-1, 4)"}}, {{-1, 3, 4}}, {{15, 4}}, {{5, 3, 4}}, {}},
    Expectation{"Flatten", {}, {{-1, 3, 4}}, {{5, -1}}, {{5, 3, 4}}, {{5, 12}}},
    Expectation{"reshape_like", {}, {{-1, 6}, kNone}, {{4, 3}}, {{2, 6}, {4, 3}}, {}},
    Expectation{"slice_axis", {{"axis", "1"}, {"begin", "0"}, {"end", "2"}}, {{-1, 5}}, {{4, -1}}, {{4, 5}}, {{4, 2}}},
    Expectation{"slice", {{"begin", "(None, 1)"}, {"end", "(None, 3)"}}, {{-1, 5}}, {{4, -1}}, {{4, 5}}, {{4, 2}}},
    Expectation{"mean", {{"axis", "1"}, {"keepdims", "True"}}, {{-1, 5}}, {{4, -1}}, {{4, 5}}, {{4, 1}}},
    Expectation{"dot", {}, {{-1, 4}, {-1, -1}}, {{3, 5}}, {{3, 4}, {4, 5}}, {}},
    Expectation{"batch_dot", {{"transpose_b", "True"}}, {{-1, -1, 4}, kNone}, {{2, 3, 5}}, {{2, 3, 4}, {2, 5, 4}}, {}},
    Expectation{"Embedding", {{"input_dim", "10"}, {"output_dim", "4"}}, {kNone, kNone}, {{6, 7, 4}}, {{6, 7}, {10, 4}}, {}},
    Expectation{"one_hot", {{"depth", "4"}}, {kNone}, {{6, 4}}, {{6}}, {}},
    Expectation{"where", {}, {{6, 2}, kNone, kNone}, {}, {{6, 2}, {6, 2}, {6, 2}}, {{6, 2}}},
    Expectation{"_contrib_interleaved_matmul_selfatt_valatt", {{"heads", "2"}}, {kNone, kNone}, {{5, 3, 4}}, {{5, 3, 12}, {6, 5, 5}}, {}}));

// What contradicts itself is an error all the same, also where sizes are unknown.
TEST(Conflicts, AreErrors) {
  auto fails = [](const char* op, const Attributes& attrs, std::vector<Shape> xs, std::vector<Shape> ys) {
    auto call = Call::New(op, attrs);
    std::vector<DType> xt(xs.size(), DType::kFloat32), yt(ys.size(), DType::kNone);
    EXPECT_THROW(InferAll(call->op, call->attrs.get(), xs.data(), xt.data(), int(xs.size()), ys.data(), yt.data(), int(ys.size()), call->present), Error) << op;
  };
  fails("elemwise_add", {}, {{-1, 5}, {4, 6}}, {kNone});
  fails("broadcast_add", {}, {{-1, 5}, {4, 6}}, {kNone});
  fails("_zeros", {{"shape", "(-1, 5)"}}, {}, {{4, 6}});
  fails("dot", {}, {{-1, 4}, {5, -1}}, {kNone});
  fails("batch_dot", {}, {{2, -1, 4}, {3, 4, -1}}, {kNone});
  fails("Concat", {}, {{-1, 5, 2}, {4, -1, 3}}, {kNone});
  fails("Reshape", {{"shape", "(0, 7)"}}, {{2, 3}}, {kNone});
  fails("squeeze", {{"axis", "1"}}, {{-1, 2}}, {kNone});
  fails("slice_axis", {{"axis", "1"}, {"begin", "0"}, {"end", "9"}}, {{-1, 5}}, {kNone});
  fails("FullyConnected", {{"num_hidden", "5"}, {"no_bias", "True"}}, {{-1, 4}, {5, 3}, kNone}, {kNone});
  fails("SliceChannel", {{"num_outputs", "2"}}, {{-1, 5}}, {kNone, kNone});
}

}  // namespace
}  // namespace flx::cases

// SPDX-License-Identifier: Apache-2.0
// Operators that choose, on a device: random choices, orders, boxes and paths of labels, at sizes that the sweep's cases have not, against the CPU.
#include <algorithm>

#include "device_run.h"

namespace flx::cases {
namespace {

constexpr DType kFloats[] = {DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kBfloat16};
struct Choices : OnDeviceTest {
  Numbers random{11};
  int64_t Of(int64_t low, int64_t high) { return low + int64_t(random.Next() * double(high - low + 1)); }
  double Real(double low, double high) { return low + (high - low) * random.Next(); }
  Vector Reals(int64_t n, double low, double high) {
    Vector v(size_t(n), 0);
    for (auto& x : v) x = Real(low, high);
    return v;
  }
  void Same(const Case& c, DType t, const std::string& what = "") {
    const Outcome o = RunCase(c, t, false);
    EXPECT_EQ(o.wrong + o.missing, "") << c.op << " " << what << " " << DTypeName(t);
  }
  // The outputs on the device, where the CPU says that an input is wrong.
  std::vector<Vector> WhereTheCpuFails(const Case& c) {
    cases::Setup s(c);
    auto cpu = s.Inputs(Start(c), DType::kFloat32);
    std::vector<NDArray> in;
    for (auto& a : cpu) in.push_back(OnDevice(a));
    EXPECT_THROW(ToVector(*RunOn(s, cpu, kPlain, nullptr)[0]), Error);
    std::vector<Vector> out;
    for (auto& y : RunOn(s, in, kPlain, DeviceUnderTest())) out.push_back(ToVector(*y));
    return out;
  }
};

TEST_F(Choices, DrawsOfManyDistributionsAreTheCpus) {
  for (DType t : kFloats)
    for (const char* op : {"uniform", "normal", "gamma", "exponential", "poisson", "negative_binomial", "generalized_negative_binomial"}) {
      const std::string name = std::string("_sample_") + op, dtype = DTypeName(t);
      const bool one = name == "_sample_exponential" || name == "_sample_poisson", unit = name == "_sample_negative_binomial";
      Case c{name.c_str(), {Constant(Values({2, 3}, Reals(6, 0.5, 20)))}, {{"shape", "(7,)"}, {"dtype", dtype}}};
      c.inputs[0].values[2] = unit ? 3 : -1;  // no number comes of it
      if (!one) c.inputs.push_back(Constant(Values({2, 3}, Reals(6, unit ? 0.1 : 20, unit ? 1 : 30))));
      Same(c, t);
    }
}
TEST_F(Choices, ChosenIndices) {
  for (int i = 0; i < 20; ++i) {
    const int64_t rows = Of(1, 4), n = Of(1, 23);
    Vector p = Reals(rows * n, 0, 2);
    for (auto& v : p) if (Of(0, 3) == 0) v = 0;
    for (int64_t r = 0; r < rows; ++r) p[size_t(r * n + Of(0, n - 1))] = 1;  // each row has one
    Case c{"_sample_multinomial", {Values({rows, n}, p)}, {{"shape", Text("(", Of(0, 40), ",)")}, {"get_prob", "True"}, {"dtype", i % 2 ? "int64" : "float32"}}};
    Same(c, kFloats[i % 4], Text(i));
  }
}
TEST_F(Choices, ARowThatIsNoDistributionChoosesNothing) {
  const Case c{"_sample_multinomial", {Constant(Values({4, 3}, {0, 0, 0, 1, -1, 2, 1, 2, INFINITY, 0, 1, 0}))}, {{"shape", "(2,)"}, {"get_prob", "True"}}};
  const auto y = WhereTheCpuFails(c);
  EXPECT_EQ(y[0], (Vector{-1, -1, -1, -1, -1, -1, 1, 1}));
  for (size_t i = 0; i < 8; ++i) EXPECT_EQ(std::isnan(y[1][i]), i < 6) << i;
}
TEST_F(Choices, ShufflesOfEverySize) {
  for (int64_t n = 1; n <= 130; n += n < 20 ? 1 : 11) {
    Vector v(size_t(2 * n), 0);
    for (size_t i = 0; i < v.size(); ++i) v[i] = double(i);
    Same({"_shuffle", {Values({n, 2}, v)}, {}}, kFloats[n % 2], Text(n));
  }
  Same(Case{"_shuffle", {Values({5, 0}, {})}, {}}.NoGradient(), DType::kFloat32, "of nothing");
}
TEST_F(Choices, SlopesOfRrelu) {
  for (DType t : kFloats)
    for (bool train : {true, false}) {
      Case c{"LeakyReLU", {Uniform({7, 9}, -1, 1)}, {{"act_type", "rrelu"}, {"lower_bound", "0.1"}, {"upper_bound", "0.7"}}};
      c.train = train;
      Same(c, t, train ? "training" : "predicting");
    }
}
TEST_F(Choices, Counts) {
  for (int i = 0; i < 16; ++i) {
    const int64_t n = Of(0, 300), bins = Of(1, 40);
    Vector v = Reals(n, -1, 6), edges = Reals(bins + 1, 0, 5);
    for (auto& x : v) x = i % 4 == 3 ? std::floor(x) : Of(0, 9) ? x : Of(0, 1) ? std::nan("") : 5;
    std::sort(edges.begin(), edges.end());
    const In data = i % 4 == 3 ? Integers({n}, v) : Values({n}, v);
    if (i % 2) Same({"_histogram", {data}, {{"bin_cnt", Text(bins)}, {"range", "(0, 5)"}}}, kFloats[i / 2 % 4], Text(i));
    else Same({"_histogram", {data, Values(edges)}, {}}, kFloats[i / 2 % 4], Text(i));
  }
}
TEST_F(Choices, ShapesOfManyAxes) {
  Shape s = Shape::Filled(11, 1);
  s[3] = 2, s[10] = 3;
  Same({"shape_array", {Uniform(s, 0, 1)}, {}}, DType::kFloat32);
  Same({"size_array", {Uniform(s, 0, 1)}, {}}, DType::kFloat32);
}

TEST_F(Choices, PathsOfLabels) {
  for (int i = 0; i < 24; ++i) {
    const int64_t steps = Of(0, 12), batch = Of(1, 4), classes = Of(2, 5), length = Of(0, 5);
    const bool first = i % 2, steps_given = i / 2 % 2, lengths_given = i / 4 % 2;
    Vector label, n, m;
    for (int64_t b = 0; b < batch; ++b) {
      n.push_back(double(Of(0, steps))), m.push_back(double(Of(0, length)));
      for (int64_t k = 0; k < length; ++k) label.push_back(double(!lengths_given && Of(0, 4) == 0 ? (first ? 0 : -1) : Of(first, classes - 2 + first)));
    }
    Case c{"CTCLoss", {Uniform({steps, batch, classes}, -2, 2), Constant(Values({batch, length}, label))},
           {{"use_data_lengths", steps_given ? "True" : "False"}, {"use_label_lengths", lengths_given ? "True" : "False"}, {"blank_label", first ? "first" : "last"}}};
    if (steps_given) c.inputs.push_back(Integers({batch}, n, DType::kInt32));
    if (lengths_given) c.inputs.push_back(Integers({batch}, m));
    c.tolerance = 4;
    Same(c, kFloats[i % 4], Text(i));
  }
}
TEST_F(Choices, ALabelOrLengthThatIsWrong) {
  const In x = Constant(Uniform({4, 3, 3}, -1, 1));
  const auto y = WhereTheCpuFails({"CTCLoss", {x, Constant(Values({3, 2}, {1, 2, 1, 3, 2, 1}))}, {}});
  EXPECT_FALSE(std::isnan(y[0][0]));
  EXPECT_TRUE(std::isnan(y[0][1])) << "3 is no class";
  EXPECT_FALSE(std::isnan(y[0][2]));
  const In label = Constant(Values({3, 1}, {1, 2, 1}));
  const std::vector<std::pair<std::string, std::string>> given{{"use_data_lengths", "True"}};
  const auto cut = WhereTheCpuFails({"CTCLoss", {x, label, Integers({3}, {9, 4, 2})}, given});
  Case right{"CTCLoss", {x, label, Integers({3}, {4, 4, 2})}, given};
  cases::Setup s(right);
  EXPECT_EQ(cut[0].size(), 3u);
  const Vector want = ToVector(*RunOn(s, s.Inputs(Start(right), DType::kFloat32), kPlain, nullptr)[0]);
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(cut[0][i], want[i], 1e-5) << "steps are cut to those there are";
}

TEST_F(Choices, BoxesThatOverlap) {
  for (int i = 0; i < 40; ++i) {
    const int64_t images = Of(1, 3), n = Of(1, 30);
    Vector rows;
    for (int64_t k = 0; k < images * n; ++k) {
      const double x = double(Of(0, 6)), y = double(Of(0, 6));
      for (double v : {double(Of(0, 2)), double(Of(-2, 6)) / 8, x, y, x + double(Of(0, 4)), y + double(Of(1, 4))}) rows.push_back(v);
    }
    const char* const formats[] = {"corner", "center"};
    Case c{"_contrib_box_nms", {Values({images, n, 6}, rows)}, {{"overlap_thresh", Text(double(Of(1, 9)) / 10)}, {"in_format", formats[i % 2]}, {"out_format", formats[i / 2 % 2]}}};
    if (i % 3) c.attrs.push_back({"id_index", "0"}), c.attrs.push_back({"background_id", Text(Of(-1, 2))}), c.attrs.push_back({"force_suppress", i % 5 ? "False" : "True"});
    if (i % 4 == 3) c.attrs.push_back({"topk", Text(Of(1, 12))});
    Same(c, kFloats[i % 4], Text(i));
  }
}
TEST_F(Choices, AnchorsOfManyKinds) {
  for (int i = 0; i < 8; ++i) {
    std::string sizes = "(0.9", ratios = "(1";
    for (int64_t k = i < 6 ? Of(0, 3) : 40; k > 0; --k) sizes += Text(", ", Real(0.05, 1.5));
    for (int64_t k = Of(0, 3); k > 0; --k) ratios += Text(", ", Real(0.3, 3));
    Case c{"_contrib_MultiBoxPrior", {Uniform({1, 1, Of(1, 4), Of(1, 4)}, 0, 1)}, {{"sizes", sizes + ")"}, {"ratios", ratios + ")"}, {"clip", i % 2 ? "True" : "False"}}};
    if (i % 3 == 1) c.attrs.push_back({"steps", "(0.3, 0.2)"}), c.attrs.push_back({"offsets", "(0.25, 0.75)"});
    Same(c, kFloats[i % 4], Text(i));
  }
}
TEST_F(Choices, WhatAnchorsLearnAndSay) {
  for (int i = 0; i < 30; ++i) {
    const int64_t images = Of(1, 3), n = Of(1, 25), objects = Of(0, 5), classes = Of(2, 4);
    const auto box = [&](Vector* to) {
      const double x = Real(0, 0.7), y = Real(0, 0.7);
      for (double v : {x, y, x + Real(0.1, 0.5), y + Real(0.1, 0.5)}) to->push_back(v);
    };
    Vector anchors, label;
    for (int64_t k = 0; k < n; ++k) box(&anchors);
    for (int64_t b = 0; b < images; ++b)
      for (int64_t k = 0, there = Of(0, objects); k < objects; ++k) {
        label.push_back(k < there ? double(Of(0, classes - 2)) : -1);
        if (k < there) box(&label); else label.insert(label.end(), 4, -1);
      }
    const In given = Constant(Values({1, n, 4}, anchors));
    Case target{"_contrib_MultiBoxTarget", {given, Constant(Values({images, objects, 5}, label)), Constant(Uniform({images, classes, n}, -2, 2))},
                {{"overlap_threshold", Text(double(Of(0, 6)) / 10)}, {"ignore_label", "-2"}}};
    if (i % 2) target.attrs.push_back({"negative_mining_ratio", Text(Of(1, 3))}), target.attrs.push_back({"minimum_negative_samples", Text(Of(0, 2))});
    Same(target, kFloats[i / 2 % 2], Text(i));
    Vector scores = Reals(images * classes * n, 0, 1);
    if (i % 3 == 0) for (auto& v : scores) v = double(Of(0, 4)) / 4;  // equal ones
    Case found{"_contrib_MultiBoxDetection", {Constant(Values({images, classes, n}, scores)), Constant(Uniform({images, 4 * n}, -1, 1)), given},
               {{"threshold", Text(double(Of(0, 8)) / 10)}, {"nms_threshold", Text(double(Of(0, 9)) / 10)}, {"background_id", Text(Of(0, 1))},
                {"force_suppress", i % 4 ? "False" : "True"}, {"clip", i % 2 ? "False" : "True"}}};
    if (i % 3 == 2) found.attrs.push_back({"nms_topk", Text(Of(1, 9))});
    Same(found, kFloats[i / 2 % 2], Text(i));
  }
}

}  // namespace
}  // namespace flx::cases

// SPDX-License-Identifier: Apache-2.0
// A fit finds mean and deviation of its training data before the first epoch, for layers Standardize that see the data and have no states yet.
#include <gtest/gtest.h>

#include <limits>

#include "../base/failing.h"
#include "base/config.h"
#include "helpers.h"

namespace flx {
namespace {

using namespace fit_tests;

// A table of four columns: far from zero, tiny, always the same, and plain. 103 rows, so that the last batch is smaller.
constexpr int64_t kRows = 103, kColumns = 4;
std::vector<double> Table() {
  std::vector<double> x;
  Philox random({5, 5});
  for (int64_t i = 0; i < kRows; ++i) {
    uint32_t u[4];
    double z[2];
    random(uint64_t(i), 0, u);
    ToNormal(u, z);
    x.insert(x.end(), {1e6 + z[0], 1e-6 * z[1], 0.1, 3 * z[0] - z[1]});
  }
  return x;
}
struct Wanted { std::vector<double> mean, deviation; };
// In two passes, by the definition. `v` has `inner` values of each feature side by side.
Wanted MomentsOf(const std::vector<double>& v, int64_t features, int64_t inner, DType t) {
  Wanted w{std::vector<double>(size_t(features)), std::vector<double>(size_t(features))};
  std::vector<double> n(size_t(features), 0);
  auto feature = [&](size_t i) { return i / size_t(inner) % size_t(features); };
  auto value = [&](size_t i) { return t == DType::kFloat32 ? double(float(v[i])) : v[i]; };
  for (size_t i = 0; i < v.size(); ++i) w.mean[feature(i)] += value(i), ++n[feature(i)];
  for (size_t f = 0; f < w.mean.size(); ++f) w.mean[f] /= n[f];
  for (size_t i = 0; i < v.size(); ++i) w.deviation[feature(i)] += std::pow(value(i) - w.mean[feature(i)], 2);
  for (size_t f = 0; f < w.mean.size(); ++f) w.deviation[f] = std::sqrt(w.deviation[f] / n[f]);
  return w;
}
NDArray Of(const std::vector<double>& v, const Shape& s, DType t) { return FromHost(v.data(), int64_t(v.size()) * 8, DType::kFloat64, false, s, t); }
Ref<Iter> Batches(const NDArray& x, const char* batch_size = "10", const char* last = "keep") {
  return CreateIter("ArrayIter", {{"batch_size", batch_size}, {"shuffle", "True"}, {"seed", "3"}, {"last", last}}, {x, Array::Filled({x->shape[0], 1}, DType::kFloat32, 1)}, {"data", "label"});
}
Ref<Layer> Net(const Settings& settings = {}, bool flatten = true) {
  auto net = Layer::New("Sequential");
  net->Add(Layer::New("Standardize", settings));
  net->Add(Layer::New("Dense", {{"units", "1"}, {"flatten", Text(flatten)}}));
  return net;
}
void Fit(const Ref<Model>& model, const Ref<Iter>& data, Settings options = {}) {
  options.emplace_back("seed", "1");
  auto task = StartFit(model, Layer::New("L2Loss"), Optimizer::New("SGD", {{"learning_rate", "0.01"}}), data, nullptr, options);
  Drive(*task, 1);  // in slices
}

TEST(FitStandardize, FindsTheColumnsMoments) {
  for (DType t : {DType::kFloat32, DType::kFloat64})
    for (const char* last : {"keep", "pad"})
      for (const char* hybridize : {"True", "False"}) {
        auto v = Table();
        auto model = Make<Model>(Net());
        Fit(model, Batches(Of(v, {kRows, kColumns}, t), "10", last), {{"hybridize", hybridize}});
        Wanted w = MomentsOf(v, kColumns, 1, t);
        NDArray mean = model->params()->Get("0.mean"), deviation = model->params()->Get("0.deviation");
        EXPECT_EQ(mean->dtype, t);
        auto m = Read(mean), d = Read(deviation);
        for (size_t f = 0; f < size_t(kColumns); ++f) {
          EXPECT_NEAR(m[f], w.mean[f], (t == DType::kFloat32 ? 6e-8 : 1e-14) * (std::abs(w.mean[f]) + w.deviation[f])) << f;
          EXPECT_NEAR(d[f] / (f == 2 ? 1 : w.deviation[f]), 1, t == DType::kFloat32 ? 1e-7 : 1e-9) << f;
        }
        EXPECT_EQ(m[2], t == DType::kFloat32 ? double(0.1f) : 0.1) << "a constant is met exactly";
        EXPECT_EQ(d[2], 1);
        EXPECT_TRUE(model->params()->at(0).aux);
      }
}

TEST(FitStandardize, MakesTrainingWorkWhereRawDataDoesNot) {
  auto v = Table();
  std::vector<double> labels;
  for (size_t i = 0; i < v.size(); i += size_t(kColumns)) labels.push_back(v[i] - 1e6 + 1e6 * v[i + 1]);
  auto run = [&](const Ref<Layer>& net) {
    auto data = CreateIter("ArrayIter", {{"batch_size", "20"}, {"shuffle", "True"}, {"seed", "1"}}, {Of(v, {kRows, kColumns}, DType::kFloat64), Of(labels, {kRows, 1}, DType::kFloat64)}, {"data", "label"});
    auto task = StartFit(Make<Model>(net), Layer::New("L2Loss"), Optimizer::New("SGD", {{"learning_rate", "0.1"}}), data, nullptr, {{"epochs", "40"}, {"seed", "1"}});
    Drive(*task);
    return task->Number("loss");
  };
  EXPECT_LT(run(Net()), 1e-3);
  auto raw = Layer::New("Sequential");
  raw->Add(Layer::New("Dense", {{"units", "1"}}));
  EXPECT_FALSE(run(raw) < 1e6);  // NaN, mostly
}

TEST(FitStandardize, AlongOtherAxesAndInsideOtherLayers) {
  std::vector<double> v;
  for (int64_t i = 0; i < 30 * 3 * 4; ++i) v.push_back(double(i * 7919 % 101) + 50 * double(i / 4 % 3));
  auto inner = Layer::New("Sequential"), outer = Layer::New("Sequential");
  inner->Add(Net({}, true));
  outer->Add(inner);
  auto channels = Make<Model>(outer);
  Fit(channels, Batches(Of(v, {30, 3, 4}, DType::kFloat64)));
  Wanted w = MomentsOf(v, 3, 4, DType::kFloat64);
  auto m = Read(channels->params()->Get("0.0.0.mean")), d = Read(channels->params()->Get("0.0.0.deviation"));
  for (size_t f = 0; f < 3; ++f) EXPECT_LT(std::abs(m[f] - w.mean[f]) + std::abs(d[f] - w.deviation[f]), 1e-11) << f;

  auto both = Layer::New("Concurrent", {{"combine", "add"}});
  both->Add(Net({{"axis", "-1"}}));
  both->Add(Net());
  auto last = Make<Model>(both);
  Fit(last, Batches(Of(v, {30, 3, 4}, DType::kFloat64)));
  w = MomentsOf(v, 4, 1, DType::kFloat64);
  m = Read(last->params()->Get("0.0.mean")), d = Read(last->params()->Get("0.0.deviation"));
  for (size_t f = 0; f < 4; ++f) EXPECT_LT(std::abs(m[f] - w.mean[f]) + std::abs(d[f] - w.deviation[f]), 1e-11) << f;
  EXPECT_EQ(last->params()->Get("1.0.mean")->shape, Shape{3});
}

TEST(FitStandardize, SameBitsOnAnyNumberOfThreads) {
  std::vector<double> v;
  for (int64_t i = 0; i < 400 * 300; ++i) v.push_back(std::sin(double(i)) * 1e3);
  auto run = [&](const char* threads, const char* engine) {
    SetOption("FLEXOR_NUM_THREADS", threads), SetOption("FLEXOR_ENGINE", engine);
    auto model = Make<Model>(Net());
    Fit(model, Batches(Of(v, {400, 300}, DType::kFloat64), "150"));
    SetOption("FLEXOR_NUM_THREADS", ""), SetOption("FLEXOR_ENGINE", "");
    return Bits(*model->params());
  };
  std::string one = run("1", "auto");
  EXPECT_EQ(run("3", "auto"), one);
  EXPECT_EQ(run("4", "threaded"), one);
}

TEST(FitStandardize, StatesThatAreThereStay) {
  auto v = Table();
  auto x = Of(v, {kRows, kColumns}, DType::kFloat32);
  auto model = Make<Model>(Net());
  Fit(model, Batches(x));
  std::string before = Text(Read(model->params()->Get("0.mean")));
  for (size_t i = 3; i < v.size(); i += size_t(kColumns)) v[i] += 5;
  Fit(model, Batches(Of(v, {kRows, kColumns}, DType::kFloat32)));
  EXPECT_EQ(Text(Read(model->params()->Get("0.mean"))), before);
  // they are the model's, also in its file
  auto loaded = Model::FromBytes(model->ToBytes());
  EXPECT_EQ(Bits(*loaded->params()), Bits(*model->params()));
  EXPECT_EQ(Read(loaded->Run(kPlain, {x})[0]), Read(model->Run(kPlain, {x})[0]));
  EXPECT_EQ(loaded->ToBytes(), model->ToBytes());
  // one that is given is kept, the other is found
  auto half = Make<Model>(Net());
  half->params()->Set("0.mean", Array::Filled({kColumns}, DType::kFloat32, 7), true);
  Fit(half, Batches(x));
  EXPECT_EQ(Read(half->params()->Get("0.mean")), std::vector<double>(size_t(kColumns), 7));
  EXPECT_NE(Read(half->params()->Get("0.deviation"))[3], 1);
}

TEST(FitStandardize, StopsAndResumes) {
  auto x = Of(Table(), {kRows, kColumns}, DType::kFloat32);
  auto stopped = Make<Model>(Net());
  auto task = StartFit(stopped, Layer::New("L2Loss"), Optimizer::New("SGD"), Batches(x), nullptr, {});
  task->Stop();
  EXPECT_EQ(Drive(*task), std::vector<Event>{Event::kDone});
  EXPECT_FALSE(stopped->params()->Get("0.mean"));

  Settings options = {{"checkpoint", TempPath("standardize.flx")}, {"resume", "True"}};
  auto whole = Make<Model>(Net()), first = Make<Model>(Net()), second = Make<Model>(Net());
  Fit(whole, Batches(x), {{"epochs", "3"}});
  options.emplace_back("epochs", "1");
  Fit(first, Batches(x), options);
  options.back().second = "3";
  Fit(second, Batches(x), options);
  EXPECT_EQ(Bits(*second->params()), Bits(*whole->params()));
}

TEST(FitStandardize, WhatCannotBeFoundIsTold) {
  auto v = Table();
  auto late = Layer::New("Sequential");
  late->Add(Layer::New("Dense", {{"units", "3"}}));
  late->Add(Layer::New("Standardize"));
  late->Add(Layer::New("Dense", {{"units", "1"}}));
  std::string text = MessageOf([&] { Fit(Make<Model>(late), Batches(Of(v, {kRows, kColumns}, DType::kFloat32))); }, Status::kState);
  EXPECT_NE(text.find("`1` (Standardize) is not the first"), text.npos) << text;
  auto given = Make<Model>(late);
  given->params()->Set("1.mean", Array::Filled({3}, DType::kFloat32, 0), true), given->params()->Set("1.deviation", Array::Filled({3}, DType::kFloat32, 1), true);
  Fit(given, Batches(Of(v, {kRows, kColumns}, DType::kFloat32)));

  v[5] = std::numeric_limits<double>::quiet_NaN();
  text = MessageOf([&] { Fit(Make<Model>(Net()), Batches(Of(v, {kRows, kColumns}, DType::kFloat32))); }, Status::kArgument);
  EXPECT_NE(text.find("feature 1 "), text.npos) << text;
  text = MessageOf([&] { Fit(Make<Model>(Net()), Batches(Array::Filled({20}, DType::kFloat32, 1))); }, Status::kShape);
  EXPECT_NE(text.find("(10,)"), text.npos) << text;
  text = MessageOf([&] { Fit(Make<Model>(Net()), Batches(Array::Filled({20, 4}, DType::kInt32, 1))); }, Status::kType);
  EXPECT_NE(text.find("Cast"), text.npos) << text;
}

}  // namespace
}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// Whole networks trained 50 steps, operator by operator and by plans: the same losses bit for bit while every pass that is on is exact, and on any number of
// threads; near ones with all passes.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/config.h"
#include "benchmarks/hybrid/models.h"
#include "exec/autograd.h"
#include "helpers.h"
#include "train/hybrid_layer.h"

namespace flx {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kSteps = 5;  // sanitizers look for other faults, at a tenth of the speed
#else
constexpr int kSteps = 50;
#endif

struct Case {
  const char* name;
  models::Net net;
  Shape data;
  bool each;        // a label for each step of a sequence, else for each sample
  double bound;     // of a loss's relative deviation with all passes on
};
std::vector<Case> Cases() {
  using namespace models;
  return {{"LeNet", LeNet(), {8, 1, 28, 28}, false, 1e-4},
          {"small ResNet", SmallResNet(), {4, 3, 16, 16}, false, 1e-3},
          {"two LSTM layers", Sequential({models::Lstm(24, 2), DenseEach(10)}), {7, 4, 12}, true, 1e-4},
          {"transformer block", Sequential({TransformerBlock(32, 4), DenseEach(10)}), {3, 9, 32}, true, 1e-4}};
}
// passes: null, operator by operator.
std::vector<float> Losses(const Case& c, const char* passes) {
  auto net = Layer::FromJson(c.net.json()), loss = Layer::New("SoftmaxCrossEntropyLoss");
  auto params = InitParams(*net, {c.data}, DType::kFloat32, nullptr, 7);
  for (auto& p : params->all())
    if (!Has(p.name, "running")) AttachGrad(p.array, GradReq::kWrite);
  auto sgd = Optimizer::New("SGD", {{"learning_rate", "0.02"}, {"momentum", "0.9"}});
  SeedRandom(11);
  NDArray x = Random(c.data, DType::kFloat32);
  Shape of = c.each ? Shape{c.data[0], c.data[1]} : Shape{c.data[0]};
  std::vector<double> classes;
  for (int64_t i = 0; i < of.size(); ++i) classes.push_back(double(i * 7 % 10));
  NDArray labels = FromHost(classes.data(), of.size() * 8, DType::kFloat64, false, of, DType::kInt32);
  HybridOptions o;
  if (passes) o.passes = passes;
  HybridLayer hybrid(net, loss, o);
  const Params none;
  std::vector<float> losses;
  for (int step = 0; step < kSteps; ++step) {
    NDArray l;
    if (passes) {
      l = hybrid.Step(*params, {x, labels}, 1)[0];
    } else {
      l = RunLayer(*loss, kRecord | kTrain, none, {RunLayer(*net, kRecord | kTrain, *params, {x})[0], labels})[0];
      Backward({l}, {Array::Filled(l->shape, l->dtype, 1.0 / double(l->size()))}, kTrain);
    }
    sgd->Step(*params);
    for (double v : Read(l)) losses.push_back(float(v));
  }
  return losses;
}
std::string ExactPasses() {
  std::string names;
  for (auto& p : Passes().all())
    if (p.exact) names += (names.empty() ? "" : ",") + std::string(p.name);
  return names;
}

TEST(HybridTraining, GivesTheSameLosses) {
  const std::string exact = ExactPasses();
  for (auto& c : Cases()) {
    SCOPED_TRACE(c.name);
    SetOption("FLEXOR_NUM_THREADS", "1");
    const auto alone = Losses(c, nullptr), all = Losses(c, "");
    const auto each = std::ptrdiff_t(alone.size()) / kSteps;
    EXPECT_LT(std::accumulate(alone.end() - each, alone.end(), 0.0), std::accumulate(alone.begin(), alone.begin() + each, 0.0)) << "it does not learn";
    EXPECT_EQ(Losses(c, "none"), alone);
    for (const char* threads : {"1", "2", "4"}) {
      SetOption("FLEXOR_NUM_THREADS", threads);
      EXPECT_EQ(Losses(c, nullptr), alone) << "imperative, " << threads << " threads";
      EXPECT_EQ(Losses(c, exact.c_str()), alone) << "exact passes, " << threads << " threads";
      EXPECT_EQ(Losses(c, ""), all) << "all passes, " << threads << " threads";
    }
    SetOption("FLEXOR_NUM_THREADS", "");
    double worst = 0;
    for (size_t i = 0; i < all.size(); ++i) worst = std::max(worst, std::abs(double(all[i]) - double(alone[i])) / std::max(1e-2, std::abs(double(alone[i]))));
    EXPECT_LT(worst, c.bound);
  }
}

}  // namespace
}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// Networks trained fifty steps imperatively and hybridized: the same bits where no pass reorders arithmetic, within a bound where passes do, and on any
// number of threads.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <tuple>

#include "base/config.h"
#include "benchmarks/hybrid/models.h"
#include "exec/autograd.h"
#include "fit/task.h"
#include "helpers.h"
#include "train/hybrid_layer.h"

namespace flx::fit_tests {
namespace {

constexpr int kBatches = 5;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kSteps = 5;  // sanitizers look for other faults, at a tenth of the speed
#else
constexpr int kSteps = 50;
#endif

struct Job {
  const char* name;
  models::Net net;
  std::vector<int64_t> input;
  bool words;              // inputs and labels are words; else an image each, and a label for each
  int classes;
  const char* optimizer;
  Settings settings;
  double bound = 1e-4;     // how far losses may go apart in these steps, relative to the larger of 1 and the loss, where passes reorder arithmetic
};
models::Net WithDropout(models::Net net, const char* rate) {  // before the last layer
  net.children.insert(net.children.end() - 1, {"Dropout", {{"rate", rate}}, {}});
  return net;
}
std::vector<Job> Jobs() {
  models::Net transformer = models::Transformer(30, 32, 4, 1);
  transformer.children[1].children[0].children[1].settings.emplace_back("dropout", "0.1");
  return {{"LeNet", WithDropout(models::LeNet(), "0.3"), {8, 1, 28, 28}, false, 10, "SGD", {{"learning_rate", "0.01"}, {"momentum", "0.9"}}},
          {"ResNet", models::SmallResNet(), {8, 3, 16, 16}, false, 10, "SGD", {{"learning_rate", "0.02"}, {"momentum", "0.9"}, {"wd", "0.0001"}}, 1e-3},
          {"LSTM", models::LanguageModel(30, 32), {10, 8}, true, 30, "Adam", {{"learning_rate", "0.005"}}},
          {"transformer", transformer, {8, 16}, true, 30, "Adam", {{"learning_rate", "0.003"}}}};
}
struct Batch { NDArray data, labels; };
std::vector<Batch> BatchesOf(const Job& j) {
  std::vector<Batch> all;
  Shape shape;
  for (int64_t n : j.input) shape.push_back(n);
  for (int i = 0; i < kBatches; ++i) {
    Philox random({11, uint64_t(i)});
    auto fill = [&](int64_t n, auto* to) {
      for (int64_t k = 0; k < n; ++k) {
        uint32_t u[4];
        random(uint64_t(k), 0, u);
        using T = std::decay_t<decltype((*to)[0])>;
        to->push_back(std::is_floating_point_v<T> ? T(double(u[0]) / 4294967296.0) : T(u[1] % uint32_t(j.classes)));
      }
    };
    std::vector<float> x;
    std::vector<int32_t> words, labels;
    fill(j.words ? shape.size() : j.input[0], &labels);
    if (j.words) words = labels, std::rotate(words.begin(), words.begin() + 1, words.end());
    else fill(shape.size(), &x);
    Batch b;
    b.data = j.words ? FromHost(words.data(), int64_t(words.size() * 4), DType::kInt32, false, shape, DType::kInt32)
                     : FromHost(x.data(), int64_t(x.size() * 4), DType::kFloat32, false, shape, DType::kFloat32);
    b.labels = FromHost(labels.data(), int64_t(labels.size() * 4), DType::kInt32, false, j.words ? shape : Shape({j.input[0]}), DType::kInt32);
    all.push_back(b);
  }
  return all;
}
std::string ExactPasses(bool with_all) {
  std::string names;
  for (auto& p : Passes().all())
    if (p.exact && (with_all || p.by_default)) names += Text(names.empty() ? "" : ", ", p.name);
  return names;
}

enum class Way { kImperative, kTape, kStep };  // the tape over operators, over a planned forward pass; forward and backward as one plan
struct Course {
  std::vector<double> losses;  // mean of each step
  std::string bits;            // of each sample's loss in each step, and of the parameters at the end
};
Course Train(const Job& j, Way way, const std::string& passes = {}) {
  auto layer = Layer::FromJson(j.net.json());
  auto loss = CrossEntropy();
  HybridOptions options;
  options.passes = passes;
  auto hybrid = Make<HybridLayer>(layer, loss, options);
  auto batches = BatchesOf(j);
  auto params = InitParams(*layer, {batches[0].data->shape}, DType::kFloat32, nullptr, 5);
  for (auto& p : params->all()) if (!p.aux) AttachGrad(p.array, GradReq::kWrite);
  auto optimizer = Optimizer::New(j.optimizer, j.settings);
  SeedRandom(23);
  Course c;
  for (int step = 0; step < kSteps; ++step) {
    const Batch& batch = batches[size_t(step % kBatches)];
    NDArray l;
    if (way == Way::kStep) {
      l = hybrid->Step(*params, {batch.data, batch.labels}, 1)[0];
    } else {
      if (way == Way::kTape) {
        l = hybrid->Run(kRecord | kTrain, *params, {batch.data, batch.labels}, 1)[0];
      } else {
        EagerBuilder b(kRecord | kTrain);
        ParamReader reader(*params);
        auto y = LayerContext(b, reader).Run(*layer, {b.Add(batch.data)});
        y.push_back(b.Add(batch.labels));
        l = b.array(LayerContext(b, reader).Run(*loss, y)[0]);
      }
      Backward({l}, {Array::Filled(l->shape, l->dtype, 1.0 / double(l->size()))}, 0);
    }
    optimizer->Step(*params);
    std::vector<float> each(size_t(l->size()));
    ReadArray(*l, each.data(), l->bytes(), DType::kFloat32, false);
    c.bits.append(reinterpret_cast<const char*>(each.data()), each.size() * 4);
    double sum = 0;
    for (float v : each) sum += v;
    c.losses.push_back(sum / double(each.size()));
  }
  c.bits += Bits(*params);
  return c;
}
// "" or where two courses part.
std::string Parting(const Course& got, const Course& want) {
  if (got.bits == want.bits) return "";
  for (size_t i = 0; i < want.losses.size(); ++i)
    if (got.losses[i] != want.losses[i]) return Text("the mean loss of step ", i, " is ", got.losses[i], ", expected ", want.losses[i]);
  return "the mean losses are the same, their parts or the parameters are not";
}

class HybridTraining : public testing::TestWithParam<size_t> {
 protected:
  const Job job_ = Jobs()[GetParam()];
};

TEST_P(HybridTraining, SameBitsWhereNoPassReordersArithmetic) {
  Course want = Train(job_, Way::kImperative);
  for (Way way : {Way::kTape, Way::kStep})
    for (auto& passes : {std::string("none"), ExactPasses(way == Way::kStep)})
      EXPECT_EQ(Parting(Train(job_, way, passes), want), "") << (way == Way::kStep ? "as a step" : "with the tape") << ", passes `" << passes << "`";
}
TEST_P(HybridTraining, LearnsAndStaysWithinABoundWithAllPasses) {
  Course want = Train(job_, Way::kImperative);
  if (kSteps >= 50) {
    EXPECT_LT(want.losses.back(), 0.9 * want.losses.front());
  }
  for (Way way : {Way::kTape, Way::kStep}) {
    Course got = Train(job_, way);
    double most = 0;
    for (size_t i = 0; i < want.losses.size(); ++i) most = std::max(most, std::abs(got.losses[i] - want.losses[i]) / std::max(1.0, want.losses[i]));
    EXPECT_LE(most, job_.bound);
    std::printf("the losses of %s are %.2g apart at most, %g after %g\n", job_.name, most, want.losses.back(), want.losses.front());
  }
}
TEST_P(HybridTraining, FitsTheSameBits) {
  std::string history[2], bits[2];
  for (int planned : {0, 1}) {
    const Job& j = job_;
    auto batches = BatchesOf(j);
    auto model = Make<Model>(Layer::FromJson(j.net.json()));
    auto join = [&](bool labels) {
      std::vector<NDArray> parts;
      for (auto& b : batches) parts.push_back(labels ? b.labels : b.data);
      return Invoke1("Concat", parts, {{"dim", "0"}});
    };
    auto train = CreateIter("ArrayIter", {{"batch_size", Text(j.input[0])}, {"shuffle", "True"}, {"seed", "3"}}, {join(false), join(true)}, {"data", "label"});
    auto task = StartFit(model, CrossEntropy(), Optimizer::New(j.optimizer, j.settings), train, Ref<Iter>(),
                         {{"epochs", Text(kSteps / kBatches)}, {"seed", "1"}, {"hybridize", planned ? "True" : "False"}, {"passes", ExactPasses(true)}});
    Drive(*task);
    auto rows = Read(task->History());
    for (size_t i = 0; i < rows.size(); i += 3) history[planned] += Text(rows[i], ": ", rows[i + 1], "\n");  // without the seconds
    bits[planned] = Bits(*model->params());
  }
  EXPECT_EQ(history[1], history[0]);
  EXPECT_EQ(bits[1], bits[0]);
}
TEST_P(HybridTraining, SameBitsOnAnyThreads) {
  const std::string exact = ExactPasses(true);
  std::string imperative, step, all;
  for (const char* threads : {"1", "2", "4"}) {
    SetOption("FLEXOR_NUM_THREADS", threads);
    for (auto [bits, way, passes] : {std::tuple{&imperative, Way::kImperative, ""}, {&step, Way::kStep, exact.c_str()}, {&all, Way::kTape, ""}}) {
      std::string got = Train(job_, way, passes).bits;
      if (bits->empty()) *bits = got;
      EXPECT_TRUE(got == *bits) << threads << " threads, passes `" << passes << "`, way " << int(way);
    }
  }
  SetOption("FLEXOR_NUM_THREADS", "");
}
INSTANTIATE_TEST_SUITE_P(Networks, HybridTraining, testing::Range(size_t(0), Jobs().size()), [](auto& i) { return std::string(Jobs()[i.param].name); });

}  // namespace
}  // namespace flx::fit_tests

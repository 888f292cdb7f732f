// SPDX-License-Identifier: Apache-2.0
// Networks on a device (the emulated one, or a GPU): parameters, layers, optimizers, metrics, fits, by plans and without, against the CPU.
#include <gtest/gtest.h>

#include <thread>

#include "../base/failing.h"
#include "../device/under_test.h"
#include "helpers.h"
#include "base/text.h"
#include "benchmarks/hybrid/models.h"
#include "exec/autograd.h"
#include "fit/files.h"
#include "fit/model.h"
#include "train/all.h"

namespace flx::fit_tests {
namespace {

using Values = std::vector<double>;

NDArray Random(const Shape& s, uint64_t seed, const Device* device = nullptr, DType t = DType::kFloat32) {
  Values v(size_t(s.size()));
  Philox random({seed, 3});
  for (size_t i = 0; i < v.size(); ++i) {
    uint32_t u[4];
    random(uint64_t(i), 0, u);
    v[i] = 2 * ToUnitDouble(u[0], u[1]) - 1;
  }
  return FromHost(v.data(), int64_t(v.size() * 8), DType::kFloat64, false, s, t, device);
}
void Near(const NDArray& a, const NDArray& b, double tolerance, const std::string& what) {
  ASSERT_EQ(a->shape, b->shape) << what;
  ASSERT_EQ(a->dtype, b->dtype) << what;
  Values x = Read(a), y = Read(b);
  for (size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(x[i], y[i], tolerance * std::max(1.0, std::abs(y[i]))) << what << ", element " << i;
}
void Near(const Params& a, const Params& b, double tolerance) {
  ASSERT_EQ(a.count(), b.count());
  for (int i = 0; i < a.count(); ++i) {
    ASSERT_EQ(a.at(i).name, b.at(i).name);
    Near(a.at(i).array, b.at(i).array, tolerance, a.at(i).name);
  }
}
Ref<Layer> Stack(std::initializer_list<Ref<Layer>> layers) {
  auto net = Layer::New("Sequential");
  for (auto& l : layers) net->Add(l);
  return net;
}
Ref<Layer> Net() {
  return Stack({Layer::New("Dense", {{"units", "16"}, {"activation", "tanh"}}), Layer::New("LayerNorm"), Layer::New("Dropout", {{"rate", "0.25"}}), Layer::New("Dense", {{"units", "8"}}),
                Layer::New("Activation", {{"activation", "relu"}}), Layer::New("Dense", {{"units", "3"}})});
}

struct DeviceTraining : testing::Test {
  static void SetUpTestSuite() { PrepareDevice(); }
  const Device* d = DeviceUnderTest();
  const std::string name = NameOf(d);
  void TearDown() override { ExpectAllDone({d}); }
};

TEST_F(DeviceTraining, ParametersAreMadeMovedCopiedSavedAndLoaded) {
  auto net = Net();
  auto host = InitParams(*net, {{-1, 5}}, DType::kFloat32, nullptr, 7), there = InitParams(*net, {{-1, 5}}, DType::kFloat32, nullptr, 7, d);
  EXPECT_EQ(there->device(), d);
  EXPECT_EQ(Bits(*there), Bits(*host)) << "a value depends on seed, name and shape only";
  auto copy = there->CopyTo(nullptr);
  EXPECT_EQ(copy->device(), nullptr);
  EXPECT_EQ(Bits(*copy), Bits(*host));
  auto shared = Make<Params>();  // one array of two names, with a gradient that is added to
  NDArray w = Random({3}, 1);
  AttachGrad(w, GradReq::kAdd);
  shared->Set("a", w), shared->Set("b", w);
  shared->MoveTo(d);
  EXPECT_EQ(shared->Get("a"), shared->Get("b"));
  EXPECT_EQ(shared->Get("a")->device(), d);
  ASSERT_TRUE(GradOf(*shared->Get("a")));
  EXPECT_EQ(GradOf(*shared->Get("a"))->device(), d);
  EXPECT_EQ(Read(shared->Get("a")), Read(w));
  std::string path = TempPath("device.safetensors");
  SaveParams(*there, path, "");
  auto loaded = LoadParams(path);
  loaded->MoveTo(d);
  EXPECT_EQ(loaded->device(), d);
  EXPECT_EQ(Bits(*loaded), Bits(*host));
}
TEST_F(DeviceTraining, ALayerRunsWhereItsParametersAreAndSaysWhereTheyAreNot) {
  if (GpuModule()) GTEST_SKIP() << "the texts have the emulated device's name";
  auto net = Net();
  auto params = InitParams(*net, {{-1, 5}}, DType::kFloat32, nullptr, 7, d);
  const char* text = "[params] parameter `0.weight` is on emu(0), the data on cpu(0). Copy the parameters to the data (flx_params_move) or the data to them (flx_ndarray_copy).";
  EXPECT_EQ(MessageOf([&] { RunLayer(*net, kPlain, *params, {Random({4, 5}, 1)}); }), std::string(text) + " [in layer 0 (Dense)]");
  HybridOptions options;
  HybridizeLayer(*net, &options);
  EXPECT_EQ(MessageOf([&] { RunLayer(*net, kPlain, *params, {Random({4, 5}, 1)}); }), text);
  NDArray grad = Random({3}, 1), weight = Random({3}, 2, d);
  EXPECT_EQ(MessageOf([&] { Optimizer::New("SGD")->Update("w", weight, grad); }),
            "[SGD] the gradient of `w` must be where it is, on emu(0), given one on cpu(0). Copy it there (flx_ndarray_copy).");
}

// Forward and backward of a network, by plans and without.
void CompareRuns(const Ref<Layer>& net, const NDArray& x, const Device* d, bool hybrid, double tolerance) {
  const Shape& shape = x->shape;
  auto host = InitParams(*net, {shape}, DType::kFloat32, nullptr, 7), there = InitParams(*net, {shape}, DType::kFloat32, nullptr, 7, d);
  NDArray dx = CopyOf(x, d);
  auto planned = net->Copy();
  HybridOptions options;
  if (hybrid) HybridizeLayer(*planned, &options);
  Near(RunLayer(*planned, kPlain, *there, {dx})[0], RunLayer(*net, kPlain, *host, {x})[0], tolerance, "inference");
  for (int again = 0; again < 2; ++again) {
    NDArray loss[2];
    for (int k = 0; k < 2; ++k) {
      Params& p = k ? *there : *host;
      for (auto& a : p.all()) if (!a.aux && !GradOf(*a.array)) AttachGrad(a.array, GradReq::kWrite);
      Ticket tickets{11, uint64_t(again)};
      TicketScope scope(&tickets);
      NDArray y = RunLayer(k ? *planned : *net, kRecord | kTrain, p, {k ? dx : x})[0];
      loss[k] = Invoke1("sum", {Invoke1("square", {y}, {}, kRecord | kTrain)}, {}, kRecord | kTrain);
      Backward({loss[k]}, {}, again ? 0 : kRetain);
      if (!again) Backward({loss[k]}, {}, 0);  // once more, over what is kept
    }
    Near(loss[1], loss[0], tolerance, "loss");
    for (auto& a : host->all())
      if (!a.aux) Near(GradOf(*there->Get(a.name)), GradOf(*a.array), tolerance, "gradient of " + a.name);
    Near(*there, *host, tolerance);  // states
  }
}
TEST_F(DeviceTraining, ForwardAndBackwardAreTheCpus) {
  for (bool hybrid : {false, true}) CompareRuns(Net(), Random({6, 5}, 2), d, hybrid, 1e-5);
}
TEST_F(DeviceTraining, RecurrentNetworks) {
  for (bool hybrid : {false, true}) {
    CompareRuns(Stack({Layer::New("LSTM", {{"units", "4"}, {"layout", "NTC"}}), Layer::New("Dense", {{"units", "2"}})}), Random({3, 5, 2}, 2), d, hybrid, 1e-5);
    CompareRuns(Stack({Layer::New("GRUCell", {{"units", "4"}})}), Random({3, 2}, 2), d, hybrid, 1e-5);
  }
}

TEST_F(DeviceTraining, TheBenchmarksNetworks) {
  int32_t words[] = {3, 0, 29, 7, 7, 12, 1, 28, 5, 6, 2, 11};
  NDArray text = FromHost(words, sizeof words, DType::kInt32, false, {3, 4}, DType::kInt32);
  for (bool hybrid : {false, true}) {
    SCOPED_TRACE(hybrid ? "hybridized" : "operator by operator");
    CompareRuns(Layer::FromJson(models::SmallResNet().json()), Random({2, 3, 8, 8}, 2), d, hybrid, 1e-3);
    CompareRuns(Layer::FromJson(models::LanguageModel(30, 8).json()), text, d, hybrid, 1e-4);
    CompareRuns(Layer::FromJson(models::Transformer(30, 8, 2, 1).json()), text, d, hybrid, 1e-4);
  }
}

TEST_F(DeviceTraining, EveryOptimizerStepsAsOnTheCpu) {
  for (auto& def : Optimizers().all()) {
    SCOPED_TRACE(def.name);
    for (DType t : {DType::kFloat32, DType::kFloat16}) {
      Settings settings;
      if (t == DType::kFloat16) settings.emplace_back("multi_precision", "True");
      auto host = Optimizer::New(def.name, settings), there = Optimizer::New(def.name, settings);
      NDArray w = Random({3, 4}, 1, nullptr, t), dw = CopyOf(w, d);
      try {
        for (int step = 0; step < 3; ++step) {
          NDArray g = Random({3, 4}, uint64_t(10 + step), nullptr, t);
          Ticket a{5, uint64_t(step)}, b = a;  // SGLD draws noise
          { TicketScope scope(&a); host->Update("w", w, g); }
          { TicketScope scope(&b); there->Update("w", dw, CopyOf(g, d)); }
        }
      } catch (const Error& e) {
        ADD_FAILURE() << e.message();
        break;
      }
      Near(dw, w, t == DType::kFloat16 ? 2e-3 : 1e-5, def.name);
      // its states go along when the parameter moves, and through a file
      auto again = Optimizer::Restore(there->Save());
      NDArray back = CopyOf(dw, nullptr), g = Random({3, 4}, 20, nullptr, t);
      Ticket a{5, 9}, b = a;
      { TicketScope scope(&a); host->Update("w", w, g); }
      { TicketScope scope(&b); again->Update("w", back, g); }
      Near(back, w, t == DType::kFloat16 ? 2e-3 : 1e-5, def.name);
    }
  }
}
TEST_F(DeviceTraining, EveryMetricAndLossIsTheCpus) {
  NDArray scores = Invoke1("softmax", {Random({6, 3}, 4)}), dscores = CopyOf(scores, d);
  int64_t classes[] = {0, 2, 1, 1, 0, 2};
  NDArray labels = FromHost(classes, sizeof classes, DType::kInt64, false, {6}, DType::kInt64);
  for (auto& def : Metrics().all()) {
    SCOPED_TRACE(def.name);
    if (def.host || def.composite) continue;
    bool like = std::string(def.name) == "MAE" || std::string(def.name) == "MSE" || std::string(def.name) == "RMSE" || std::string(def.name) == "PearsonCorrelation";
    bool two = std::string(def.name) == "F1" || std::string(def.name) == "MCC";
    NDArray p = two ? Invoke1("slice_axis", {scores}, {{"axis", "1"}, {"begin", "0"}, {"end", "2"}}) : scores;
    NDArray l = like ? Random({6, 3}, 6) : two ? Invoke1("_greater_scalar", {labels}, {{"scalar", "0.5"}}) : labels;
    auto host = Metric::New(def.name, {}), there = Metric::New(def.name, {});
    for (int i = 0; i < 2; ++i) host->Update({l}, {p}), there->Update({l}, {CopyOf(p, d)});
    double a = 0, b = 1;
    ASSERT_TRUE(host->Value(0, -1, &a) && there->Value(0, -1, &b));
    EXPECT_NEAR(a, b, 1e-6 * std::max(1.0, std::abs(a)));
    there->Update({l}, {p});  // from elsewhere
    host->Update({l}, {p});
    ASSERT_TRUE(host->Value(0, -1, &a) && there->Value(0, -1, &b));
    EXPECT_NEAR(a, b, 1e-6 * std::max(1.0, std::abs(a)));
  }
  for (auto& def : Layers().all()) {
    if (!def.loss) continue;
    SCOPED_TRACE(def.name);
    Params none;
    std::vector<NDArray> in, there;
    bool sparse = std::string(def.name) == "SoftmaxCrossEntropyLoss", paths = std::string(def.name) == "CTCLoss";
    for (size_t i = 0; i < def.inputs.size(); ++i) {
      if (def.inputs[i].optional) break;
      if (paths) in.push_back(i == 0 ? Random({3, 6, 4}, 30) : Invoke1("Reshape", {Invoke1("_arange", {}, {{"start", "0"}, {"stop", "3"}, {"repeat", "2"}})}, {{"shape", "(3, 2)"}}));
      else in.push_back(i == 1 && sparse ? labels : Invoke1("abs", {Random({6, 3}, 30 + i)}));
      if (std::string(def.name) == "CosineEmbeddingLoss" && i == 2) in.back() = Invoke1("sign", {Random({6}, 40)});
    }
    try {
      for (auto& a : in) there.push_back(CopyOf(a, d));
      NDArray want = RunLayer(*Layer::New(def.name), kPlain, none, in)[0];
      Near(RunLayer(*Layer::New(def.name), kPlain, none, there)[0], want, 1e-5, def.name);
    } catch (const Error& e) {
      ADD_FAILURE() << e.message();
    }
  }
}

struct Fitted { Ref<Model> model; Values history; double accuracy = 0; NDArray predicted; };
Fitted Fit(const Ref<Layer>& net, const Settings& options, const char* optimizer = "Adam") {
  Fitted f;
  f.model = Make<Model>(net);
  Settings all = {{"epochs", "4"}, {"seed", "5"}, {"metrics", "accuracy"}};
  all.insert(all.end(), options.begin(), options.end());
  auto task = StartFit(f.model, CrossEntropy(), Optimizer::New(optimizer, {{"learning_rate", "0.02"}}), IterOf(Spirals(300, 1), {{"batch_size", "32"}, {"shuffle", "True"}, {"seed", "3"}}),
                       IterOf(Spirals(90, 2), {{"batch_size", "40"}}), all);
  Drive(*task);
  f.history = Read(task->History());
  size_t width = task->columns().size();
  for (size_t i = width - 1; i < f.history.size(); i += width) f.history[i] = 0;  // seconds
  auto evaluate = StartEvaluate(f.model, IterOf(Spirals(90, 2), {{"batch_size", "40"}}), {"accuracy"});
  Drive(*evaluate);
  f.accuracy = evaluate->Number("accuracy");
  auto predict = StartPredict(f.model, IterOf(Spirals(90, 2), {{"batch_size", "40"}}));
  Drive(*predict);
  f.predicted = predict->arrays()[0];
  return f;
}
TEST_F(DeviceTraining, AFitIsTheCpusByPlansAndWithout) {
  Fitted host = Fit(Net(), {});
  EXPECT_GT(host.accuracy, 0.5);
  for (const char* hybridize : {"False", "True"}) {
    SCOPED_TRACE(hybridize);
    Fitted there = Fit(Net(), {{"device", name}, {"hybridize", hybridize}});
    EXPECT_EQ(there.model->params()->device(), d) << "the model stays where it was fitted";
    EXPECT_TRUE(there.predicted->on_cpu());
    Near(*there.model->params(), *host.model->params(), 1e-3);
    ASSERT_EQ(there.history.size(), host.history.size());
    for (size_t i = 0; i < host.history.size(); ++i) EXPECT_NEAR(there.history[i], host.history[i], 2e-2) << i;
    EXPECT_NEAR(there.accuracy, host.accuracy, 0.03);
    Near(there.predicted, host.predicted, 2e-2, "predictions");
  }
}
TEST_F(DeviceTraining, AFitWithClippingIsMovedStoppedAndResumed) {
  auto with = [&](const Settings& more) {
    Settings all = {{"device", name}, {"clip_gradient", "0.5"}, {"epochs", "3"}};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  Fitted whole = Fit(Net(), with({}));
  std::string path = TempPath("device.flx");
  Fit(Net(), with({{"epochs", "1"}, {"checkpoint", path}}));
  Fitted resumed = Fit(Net(), with({{"checkpoint", path}, {"resume", "True"}}));
  EXPECT_EQ(Bits(*resumed.model->params()), Bits(*whole.model->params())) << "to the last bit, as on the CPU";
  // a model that was fitted on the CPU goes on there
  Fitted host = Fit(Net(), {{"epochs", "1"}});
  auto task = StartFit(host.model, CrossEntropy(), Optimizer::New("SGD"), IterOf(Spirals(300, 1), {{"batch_size", "32"}}), nullptr, {{"device", name}});
  Drive(*task);
  EXPECT_EQ(host.model->params()->device(), d);
  auto back = StartFit(host.model, CrossEntropy(), Optimizer::New("SGD"), IterOf(Spirals(300, 1), {{"batch_size", "32"}}), nullptr, {{"device", "cpu"}});
  Drive(*back);
  EXPECT_TRUE(host.model->params()->device() == nullptr);
}
// Two devices share each batch: the CPU's results, up to the order of sums. 92 rows by 13 leave one for the last batch, which one device takes alone.
TEST_F(DeviceTraining, AFitOnTwoDevicesIsTheCpus) {
  if (!SecondDeviceUnderTest()) GTEST_SKIP() << kOneGpu;
  const std::string both = name + ", " + NameOf(SecondDeviceUnderTest());
  auto net = [] { return Stack({Layer::New("Dense", {{"units", "16"}, {"activation", "tanh"}}), Layer::New("LayerNorm"), Layer::New("Dense", {{"units", "3"}})}); };
  auto fit = [&](const Settings& more) {
    Fitted f;
    f.model = Make<Model>(net());
    Settings all = {{"epochs", "3"}, {"seed", "5"}, {"metrics", "accuracy"}, {"clip_gradient", "0.5"}};
    all.insert(all.end(), more.begin(), more.end());
    auto task = StartFit(f.model, CrossEntropy(), Optimizer::New("Adam", {{"learning_rate", "0.02"}}), IterOf(Spirals(92, 1), {{"batch_size", "13"}}), IterOf(Spirals(40, 2), {{"batch_size", "40"}}), all);
    Drive(*task);
    f.history = Read(task->History());
    const size_t width = task->columns().size();
    for (size_t i = width - 1; i < f.history.size(); i += width) f.history[i] = 0;  // seconds
    return f;
  };
  Fitted host = fit({});
  for (const char* deterministic : {"0", "1"})
    for (const char* hybridize : {"False", "True"}) {
      SCOPED_TRACE(std::string("hybridize ") + hybridize + ", deterministic " + deterministic);
      SetOption("FLEXOR_DETERMINISTIC", deterministic);
      Fitted there = fit({{"device", both}, {"hybridize", hybridize}});
      EXPECT_EQ(there.model->params()->device(), d) << "the first has the model";
      Near(*there.model->params(), *host.model->params(), 1e-3);
      ASSERT_EQ(there.history.size(), host.history.size());
      for (size_t i = 0; i < host.history.size(); ++i) EXPECT_NEAR(there.history[i], host.history[i], 2e-2) << i;
      if (GpuModule() && deterministic == std::string("0")) continue;
      EXPECT_EQ(Bits(*fit({{"device", both}, {"hybridize", hybridize}}).model->params()), Bits(*there.model->params())) << "the same once more";
    }
  SetOption("FLEXOR_DETERMINISTIC", "");
  EXPECT_EQ(MessageOf([&] { fit({{"device", name + "," + name}}); }), Text("[fit] device names ", name, " twice."));
  EXPECT_EQ(MessageOf([&] { fit({{"device", name + ", cpu"}}); }), "[fit] expected one device, or several that are not the CPU, given the CPU among 2.");
  EXPECT_NE(MessageOf([&] { fit({{"device", name + ", gpu(99)"}}); }).find("there is no device gpu(99)"), std::string::npos);
}
// LeNet, small, on the digits, at half their size: the emulated device is slow.
struct Digits {
  Ref<Iter> Of(const char* part, const char* samples, const char* batch, bool shuffle) const {
    const std::string at = std::string(FLEXOR_DIGITS) + "/" + part;
    auto whole = CreateIter("MNISTIter", {{"image", at + "-images-idx3-ubyte.gz"}, {"label", at + "-labels-idx1-ubyte.gz"}, {"batch_size", samples}, {"shuffle", "False"}, {"silent", "True"}}, {}, {});
    EXPECT_TRUE(whole->Next());
    auto arrays = whole->arrays();
    arrays[0] = Invoke1("Pooling", {arrays[0]}, {{"kernel", "(2, 2)"}, {"stride", "(2, 2)"}, {"pool_type", "avg"}});
    return CreateIter("ArrayIter", {{"batch_size", batch}, {"shuffle", shuffle ? "True" : "False"}, {"seed", "3"}}, arrays, {"data", "label"});
  }
};
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kWhole = false;  // sanitizers look for other faults than wrong numbers
#else
constexpr bool kWhole = true;
#endif
TEST_F(DeviceTraining, LeNetOnTheDigits) {
  Digits digits;
  auto conv = [](const char* channels) { return Layer::New("Conv2D", {{"channels", channels}, {"kernel_size", "3"}, {"activation", "tanh"}}); };
  auto pool = [] { return Layer::New("MaxPool2D", {{"pool_size", "2"}}); };
  auto fit = [&](const Settings& more) {
    auto model = Make<Model>(Stack({conv("4"), pool(), conv("8"), pool(), Layer::New("Flatten"), Layer::New("Dense", {{"units", "32"}, {"activation", "tanh"}}), Layer::New("Dense", {{"units", "10"}})}));
    Settings options = {{"epochs", kWhole ? "4" : "1"}, {"seed", "1"}};
    options.insert(options.end(), more.begin(), more.end());
    auto task = StartFit(model, CrossEntropy(), Optimizer::New("Adam", {{"learning_rate", "0.01"}}), digits.Of("train", kWhole ? "400" : "40", "40", true), nullptr, options);
    Drive(*task);
    auto evaluate = StartEvaluate(model, digits.Of("test", kWhole ? "200" : "20", "50", false), {"accuracy"});
    Drive(*evaluate);
    return std::make_pair(evaluate->Number("accuracy"), task->Number("loss"));
  };
  auto host = fit({});
  if (kWhole) {
    EXPECT_GT(host.first, 0.8);
  }
  for (const char* hybridize : {"False", "True"}) {
    auto there = fit({{"device", name}, {"hybridize", hybridize}});
    EXPECT_NEAR(there.first, host.first, 0.03) << "hybridize " << hybridize;
    EXPECT_NEAR(there.second, host.second, 0.05) << "hybridize " << hybridize;
  }
}
TEST_F(DeviceTraining, StandardizeBeforeTheFirstEpoch) {
  auto net = [] { return Stack({Layer::New("Standardize"), Layer::New("Dense", {{"units", "3"}})}); };
  Fitted host = Fit(net(), {}), there = Fit(net(), {{"device", name}});
  EXPECT_EQ(there.model->params()->Get("0.mean")->device(), d);
  Near(*there.model->params(), *host.model->params(), 1e-4);
}
// A device is lost in the midst of it: the fit ends with an error that says so, and nothing waits for ever. Last: the device stays lost.
TEST_F(DeviceTraining, ZzADeviceLostInTheMidstOfAFitEndsItWithAnError) {
  if (GpuModule()) GTEST_SKIP() << kEmulatedOnly;
  auto model = Make<Model>(Net());
  auto task = StartFit(model, CrossEntropy(), Optimizer::New("SGD"), IterOf(Spirals(300, 1), {{"batch_size", "32"}}), nullptr,
                       {{"device", NameOf(FakeDevice(1)) + ", " + name}, {"epochs", "50"}, {"report_every", "1"}});
  EXPECT_EQ(task->Next(60000), Event::kBatch);
  FakeFail("lost", 100);
  const std::string m = MessageOf([&] { Drive(*task); });
  EXPECT_NE(m.find("lost"), std::string::npos) << m;
  task = nullptr, model = nullptr;
  while (Engine::Get().NextUnseen()) {}
  ASSERT_TRUE(Engine::Get().WaitAll(60000));
  while (Engine::Get().NextUnseen()) {}
}

}  // namespace
}  // namespace flx::fit_tests

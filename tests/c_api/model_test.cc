// SPDX-License-Identifier: Apache-2.0
// The C++ API: layers, parameters, models, optimizers, metrics, batches, tasks.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "flexor/flexor.hpp"
#include "flexor/nn.hpp"

using namespace flexor;
using Floats = std::vector<float>;

namespace {
Layer Net() { return nn::Sequential{nn::Dense(8).activation("tanh").named("hidden"), nn::Dense(2)}; }
// Two clouds of points, told apart by the sign of the sum.
struct Clouds {
  NDArray x, y;
  explicit Clouds(int n = 64) {
    Floats points;
    std::vector<int32_t> labels;
    for (int i = 0; i < n; ++i) {
      float a = std::sin(float(i)), b = std::cos(1.7f * float(i));
      points.push_back(a), points.push_back(b);
      labels.push_back(a + b > 0);
    }
    x = NDArray(points, Shape{n, 2});
    y = array(labels);
  }
  Iter batches(bool shuffle = true) const { return Iter::from_arrays({x, y}, {"data", "label"}, {{"batch_size", 16}, {"shuffle", shuffle}, {"seed", 3}}); }
};
class TempFile {
 public:
  explicit TempFile(const char* name) : path_((std::filesystem::temp_directory_path() / (std::to_string(::getpid()) + name)).string()) {}
  ~TempFile() { std::filesystem::remove(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};
}  // namespace

TEST(CppLayer, IsWhatItWasMadeOf) {
  Layer net = Net();
  EXPECT_EQ(net.child_count(), 2);
  EXPECT_EQ(net.child(0).kind(), "Dense");
  EXPECT_EQ(net.child(0).text("name"), "hidden");
  EXPECT_EQ(net.child(0).text("units"), "8");
  EXPECT_EQ(net.child(0).text("activation"), "tanh");
  EXPECT_EQ(Layer::from_json(net.to_json()).to_json(), net.to_json());
  EXPECT_NE(net.summary({{"data", {16, 2}}}).find("Dense"), std::string::npos);
  EXPECT_THROW(net.child(2), IndexError);
  nn::Sequential more;
  more.add(nn::Flatten()).add(net);
  EXPECT_EQ(Layer(more).child_count(), 2);
}

TEST(CppParams, DependOnSeedNameAndShape) {
  Layer net = Net();
  Params p = Params::init(net, {{"data", {16, 2}}}, 5), q = Params::init(net, {{"data", {4, 2}}}, 5), r = Params::init(net, {{"data", {16, 2}}}, 6);
  EXPECT_EQ(p.names(), (std::vector<std::string>{"0.weight", "0.bias", "1.weight", "1.bias"}));
  EXPECT_EQ(p.get("0.weight").shape(), (Shape{8, 2}));
  EXPECT_EQ(p.get("0.weight").to_vector<float>(), q.get("0.weight").to_vector<float>());
  EXPECT_NE(p.get("0.weight").to_vector<float>(), r.get("0.weight").to_vector<float>());
  EXPECT_FALSE(p.get("nothing"));
  Params ones_only = Params::init(net, {{"data", {16, 2}}}, 5, init::Constant(1));
  EXPECT_EQ(ones_only.get("1.weight").to_vector<float>(), Floats(16, 1));
  for (const char* end : {".safetensors", ".params"}) {
    TempFile file(end);
    p.save(file.path());
    Params back = Params::load(file.path());
    EXPECT_EQ(back.names(), p.names());
    EXPECT_EQ(back.at(2).to_vector<float>(), p.at(2).to_vector<float>());
  }
}

TEST(CppModel, IsSavedAndLoaded) {
  Clouds clouds;
  Layer net = Net();
  Model model(net, Params::init(net, {{"data", {16, 2}}}, 5));
  model.set_meta("classes", "low,high");
  Floats y = model(clouds.x).to_vector<float>();
  TempFile file("model.flx");
  model.save(file.path());
  Model same = Model::load(file.path());
  EXPECT_EQ(same(clouds.x).to_vector<float>(), y);
  EXPECT_EQ(same.meta("classes"), "low,high");
  EXPECT_EQ(same.meta("nothing"), std::nullopt);
  EXPECT_EQ(same.meta_keys(), (std::vector<std::string>{"classes"}));
  EXPECT_EQ(same.to_bytes(), model.to_bytes());
  EXPECT_EQ(Model::from_bytes(model.to_bytes())(clouds.x).to_vector<float>(), y);
  EXPECT_EQ(same.layer().to_json(), net.to_json());
  EXPECT_THROW(Model{Net()}(clouds.x), StateError);  // no parameters yet
  EXPECT_THROW(Model{Net()}.save(file.path()), StateError);
  EXPECT_EQ(net.run(model.params(), {clouds.x})[0].to_vector<float>(), y);
}

TEST(CppTraining, ALoopOfOnesOwn) {
  Clouds clouds;
  Layer net = Net(), loss = nn::SoftmaxCrossEntropyLoss();
  Params params = Params::init(net, {{"data", {64, 2}}}, 1);
  params.attach_grad();
  Model model(net, params);
  Optimizer sgd = optimizer::SGD(0.5).momentum(0.9);
  double first = 0, last = 0;
  for (int step = 0; step < 60; ++step) {
    NDArray l;
    {
      autograd::Record record;
      l = loss(model(clouds.x), clouds.y).mean();
    }
    l.backward();
    sgd.step(params);
    last = l.item();
    if (step == 0) first = last;
  }
  EXPECT_LT(last, 0.3 * first);
  Metric accuracy = metric::Accuracy();
  accuracy.update({model(clouds.x)}, {clouds.y});
  EXPECT_GT(accuracy.value(), 0.95);
  EXPECT_EQ(accuracy.name(), "accuracy");
  accuracy.clear();
  EXPECT_TRUE(std::isnan(accuracy.value()));
  EXPECT_THROW(sgd.step(params), StateError);  // no gradient is new
  // its state goes on where it was
  Optimizer again = Optimizer::from_bytes(sgd.to_bytes());
  EXPECT_EQ(again.get("momentum"), sgd.get("momentum"));
  EXPECT_EQ(again.to_bytes(), sgd.to_bytes());
}

TEST(CppTraining, FitEvaluatePredict) {
  Clouds clouds;
  Model model(Net());
  Optimizer adam = optimizer::Adam(0.05);
  adam.schedule(schedule::Cosine());
  int epochs = 0;
  std::string line;
  Task task = fit(model, nn::SoftmaxCrossEntropyLoss(), adam, clouds.batches(), clouds.batches(false), {{"epochs", 12}, {"seed", 1}, {"metrics", "accuracy"}}, [&](Task& t) {
    ++epochs;
    line = t.progress();
    EXPECT_EQ(t.number("epoch"), epochs);
  });
  EXPECT_EQ(epochs, 12);
  EXPECT_NE(line.find("12/12"), std::string::npos) << line;
  EXPECT_EQ(task.history().shape()[0], 12);
  EXPECT_EQ(size_t(task.history().shape()[1]), task.columns().size());
  EXPECT_EQ(task.columns()[0], "epoch");
  EXPECT_GT(task.number("valid.accuracy"), 0.95);
  auto measured = evaluate(model, clouds.batches(false), {"accuracy"});
  EXPECT_EQ(measured["accuracy"], task.number("valid.accuracy"));
  NDArray scores = predict(model, clouds.batches(false));
  EXPECT_EQ(scores.shape(), (Shape{64, 2}));
  EXPECT_EQ(scores.slice(0, 16).to_vector<float>(), model(clouds.x.slice(0, 16)).to_vector<float>());
}

TEST(CppTraining, StopsWhenToldTo) {
  Clouds clouds;
  int epochs = 0;
  Model model(Net());
  fit(model, nn::SoftmaxCrossEntropyLoss(), optimizer::SGD(0.1), clouds.batches(), {}, {{"epochs", 50}}, [&](Task& t) {
    if (++epochs == 2) t.stop();
  });
  EXPECT_LT(epochs, 5);
  EXPECT_EQ(model(clouds.x).shape(), (Shape{64, 2}));
}

TEST(CppIter, GivesBatches) {
  Clouds clouds(40);
  Iter it = clouds.batches(false);
  EXPECT_EQ(it.size(), 40);
  std::vector<int64_t> sizes;
  while (it.next()) sizes.push_back(it.arrays()[0].shape()[0]);
  EXPECT_EQ(sizes, (std::vector<int64_t>{16, 16, 8}));
  EXPECT_EQ(it.name(1), "label");
  EXPECT_FALSE(it.next());
  it.reset();
  EXPECT_TRUE(it.next());
  EXPECT_EQ(it.arrays()[0].to_vector<float>(), clouds.x.slice(0, 16).to_vector<float>());
}

TEST(CppRecord, IsWrittenAndRead) {
  TempFile file(".rec");
  int64_t second = 0;
  {
    RecordFile out(file.path(), "write");
    out.write("one");
    second = out.write(std::string("t\0wo", 4));
  }
  RecordFile in(file.path(), "read");
  EXPECT_EQ(in.read(), "one");
  EXPECT_EQ(in.tell(), second);
  EXPECT_EQ(in.read(), std::string("t\0wo", 4));
  EXPECT_EQ(in.read(), std::nullopt);
  in.seek(0);
  EXPECT_EQ(in.read(), "one");
}

TEST(CppSchedule, IsAFunctionOfTheStep) {
  Schedule s = schedule::Factor(10).factor(0.5).base_lr(1.0);
  EXPECT_EQ(s.value(1), 1);
  EXPECT_EQ(s.value(11), 0.5);
}

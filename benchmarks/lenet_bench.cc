// SPDX-License-Identifier: Apache-2.0
// LeNet with batch normalization on images of 28 x 28: items_per_second are images per second.
#include <benchmark/benchmark.h>

#include "flexor/flexor.hpp"
#include "flexor/nn.hpp"
#include "flexor/op.hpp"

using namespace flexor;

namespace {
struct LeNet {
  NDArray images, labels;
  Params params;
  Model model;
  Layer loss = nn::SoftmaxCrossEntropyLoss();
  Optimizer adam = optimizer::Adam(0.001);

  explicit LeNet(int64_t batch) {
    Layer net = nn::Sequential{
        nn::Conv2D(20, 5), nn::BatchNorm(), nn::Activation("relu"), nn::MaxPool2D(2),
        nn::Conv2D(50, 5), nn::BatchNorm(), nn::Activation("relu"), nn::MaxPool2D(2),
        nn::Flatten(), nn::Dense(500).activation("relu"), nn::Dropout(0.5), nn::Dense(10)};
    seed(1);
    images = op::random_uniform(op::RandomUniformOptions().shape({batch, 1, 28, 28}));
    std::vector<int32_t> classes;
    for (int64_t i = 0; i < batch; ++i) classes.push_back(int32_t(i % 10));
    labels = array(classes);
    params = Params::init(net, {{"data", images.shape()}}, 1);
    params.attach_grad();
    model = Model(net, params);
  }
};

void TrainingStep(benchmark::State& state) {
  LeNet lenet(state.range(0));
  Call mean("_np_mean");
  NDArray l;
  for (auto _ : state) {
    {
      autograd::Record record;
      l = mean(lenet.loss(lenet.model(lenet.images), lenet.labels));
    }
    l.backward();
    lenet.adam.step(lenet.params);
    l.wait();
  }
  wait_all();
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(TrainingStep)->ArgName("batch")->Arg(64)->Arg(256)->UseRealTime()->Unit(benchmark::kMillisecond);

void Prediction(benchmark::State& state) {
  LeNet lenet(state.range(0));
  for (auto _ : state) lenet.model(lenet.images).wait();
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(Prediction)->ArgName("batch")->Arg(1)->Arg(64)->UseRealTime()->Unit(benchmark::kMillisecond);
}  // namespace

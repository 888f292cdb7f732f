// SPDX-License-Identifier: Apache-2.0
// LeNet (20 and 50 filters, 500 units, tanh) as the peers have it in benchmarks/peers, trained by SGD with momentum on one batch of random images.
#pragma once
#include "flexor/flexor.hpp"
#include "flexor/nn.hpp"
#include "flexor/op.hpp"

struct LeNet {
  flexor::NDArray images, labels;
  flexor::Params params;
  flexor::Model model;
  flexor::Layer loss = flexor::nn::SoftmaxCrossEntropyLoss();
  flexor::Optimizer sgd = flexor::optimizer::SGD(0.01).momentum(0.9);
  flexor::Call mean{"_np_mean"};

  explicit LeNet(int64_t batch, const flexor::Layer& net = Plain()) {
    using namespace flexor;
    seed(1);
    images = op::random_uniform(op::RandomUniformOptions().shape({batch, 1, 28, 28}));
    std::vector<int32_t> classes;
    for (int64_t i = 0; i < batch; ++i) classes.push_back(int32_t(i % 10));
    labels = array(classes);
    params = Params::init(net, {{"data", images.shape()}}, 1);
    params.attach_grad();
    model = Model(net, params);
  }
  static flexor::Layer Plain() {
    using namespace flexor::nn;
    return Sequential{Conv2D(20, 5).activation("tanh"), MaxPool2D(2), Conv2D(50, 5).activation("tanh"), MaxPool2D(2), Flatten(), Dense(500).activation("tanh"), Dense(10)};
  }
  static flexor::Layer BatchNormed() {
    using namespace flexor::nn;
    return Sequential{Conv2D(20, 5), BatchNorm(), Activation("relu"), MaxPool2D(2), Conv2D(50, 5), BatchNorm(), Activation("relu"), MaxPool2D(2),
                      Flatten(), Dense(500).activation("relu"), Dropout(0.5), Dense(10)};
  }
  void Step() {  // imperative: forward, backward, update
    flexor::NDArray l;
    {
      flexor::autograd::Record record;
      l = mean(loss(model(images), labels));
    }
    l.backward();
    sgd.step(params);
  }
};

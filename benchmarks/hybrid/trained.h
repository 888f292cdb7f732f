// SPDX-License-Identifier: Apache-2.0
// A network of models.h with what training or predicting needs, over the public API.
#pragma once
#include "flexor/flexor.hpp"
#include "flexor/nn.hpp"
#include "flexor/op.hpp"
#include "models.h"

// Where it computes, and with which weights and data; 16-bit weights are updated in float32, too.
struct Place {
  std::string device = "cpu";
  flexor::DType dtype = flexor::DType::float32;
};

struct Trained {
  flexor::NDArray data, labels;
  flexor::Params params;
  flexor::Model model;
  flexor::Layer loss = flexor::nn::SoftmaxCrossEntropyLoss();
  flexor::Optimizer sgd;
  flexor::Call mean{"_np_mean"};

  static flexor::Shape ShapeOf(const models::Shape& s) { return flexor::Shape(std::vector<int64_t>(s.begin(), s.end())); }
  static flexor::NDArray Uniform(const models::Shape& s) { return flexor::op::random_uniform(flexor::op::RandomUniformOptions().shape(ShapeOf(s))); }
  // hybrid: by plans
  Trained(const models::Net& net, const models::Shape& input, bool hybrid) {
    flexor::seed(1);
    Start(net, Uniform(input), hybrid);
  }
  Trained(const models::Training& t, bool hybrid, const Place& place = {}) {
    flexor::seed(1);
    int64_t labels_wanted = t.words ? 1 : t.input[0];
    std::vector<int32_t> words, classes;
    if (t.words) {
      for (long long n : t.input) labels_wanted *= n;
      for (int64_t i = 0; i < labels_wanted; ++i) words.push_back(int32_t(i * 7919 % t.classes));
    }
    for (int64_t i = 0; i < labels_wanted; ++i) classes.push_back(int32_t(i * 31 % t.classes));
    labels = flexor::array(classes);
    if (t.words) labels = labels.reshape(ShapeOf(t.input));
    labels = labels.copy(place.device);
    sgd = flexor::optimizer::SGD(0.01).momentum(0.9).multi_precision(place.dtype != flexor::DType::float32);
    Start(t.net, t.words ? flexor::array(words).reshape(ShapeOf(t.input)) : Uniform(t.input).astype(place.dtype), hybrid, place);
    params.attach_grad();
  }
  void Step() {  // forward, backward, update
    flexor::NDArray l;
    {
      flexor::autograd::Record record;
      l = mean(loss(model(data), labels));
    }
    l.backward();
    sgd.step(params);
  }

 private:
  void Start(const models::Net& net, const flexor::NDArray& x, bool hybrid, const Place& place = {}) {
    data = x.copy(place.device);
    flexor::Layer layer = flexor::Layer::from_json(net.json());
    if (hybrid) layer.hybridize(), loss.hybridize();
    params = flexor::Params::init(layer, {{"data", data.shape()}, {"device", place.device}, {"dtype", place.dtype}}, 1);
    model = flexor::Model(layer, params);
  }
};

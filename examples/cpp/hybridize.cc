// SPDX-License-Identifier: Apache-2.0
// The same network operator by operator and as one planned operation: its numbers, its speed, its memory, and where the time goes.
//   hybridize [--seconds 1] [--out DIR]
// With --out the profile is written to DIR/trace.json, for ui.perfetto.dev, and the graph before and after each pass to DIR/passes.txt.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "flexor/flexor.hpp"
#include "flexor/nn.hpp"
#include "flexor/op.hpp"

using namespace flexor;

namespace {

Layer Network() {
  return nn::Sequential()
      .add(nn::Conv2D(16, {3, 3}).padding({1, 1}))
      .add(nn::BatchNorm())
      .add(nn::Activation("relu"))
      .add(nn::MaxPool2D())
      .add(nn::Conv2D(32, {3, 3}).padding({1, 1}))
      .add(nn::BatchNorm())
      .add(nn::Activation("relu"))
      .add(nn::GlobalAvgPool2D())
      .add(nn::Dense(10));
}

// How often f runs in a second.
double Rate(double seconds, const std::function<void()>& f) {
  using Clock = std::chrono::steady_clock;
  for (int i = 0; i < 3; ++i) f();
  int n = 0;
  auto start = Clock::now();
  double t = 0;
  while (t < seconds) {
    f();
    ++n;
    t = std::chrono::duration<double>(Clock::now() - start).count();
  }
  return n / t;
}
double Difference(const std::vector<float>& a, const std::vector<float>& b) {
  double most = 0;
  for (size_t i = 0; i < a.size(); ++i) most = std::max(most, static_cast<double>(std::abs(a[i] - b[i])));
  return most;
}

int Run(const std::map<std::string, std::string>& given) {
  double seconds = given.count("--seconds") ? std::atof(given.at("--seconds").c_str()) : 1;
  Layer net = Network(), loss = nn::SoftmaxCrossEntropyLoss();
  seed(1);
  NDArray images = op::random_uniform(op::RandomUniformOptions().shape({32, 3, 32, 32})), labels = zeros({32});
  Params params = Params::init(net, {{"data", {32, 3, 32, 32}}}, 1);
  params.attach_grad();

  auto predict = [&] { return net.run(params, {images})[0]; };
  auto train = [&] {
    NDArray total;
    {
      autograd::Record record;
      total = loss(net.run(params, {images})[0], labels);
    }
    total.backward();
    params.get("8.weight").grad().wait();
  };
  std::vector<float> by_hand = predict().to_vector<float>();
  double predict_before = Rate(seconds, [&] { predict().wait(); }), train_before = Rate(seconds, train);
  std::vector<float> before = predict().to_vector<float>();  // training has changed the moving averages

  net.hybridize({{"print", true}});
  std::vector<float> after = predict().to_vector<float>();
  double predict_after = Rate(seconds, [&] { predict().wait(); });
  std::string passes = net.plan("passes"), print = net.plan("print"), memory = net.plan("memory");
  profiler::start();
  {
    Span span("ten training steps");
    for (int i = 0; i < 10; ++i) train();
  }
  profiler::stop();
  double train_after = Rate(seconds, train);

  std::printf("largest difference of a score: %.2g (of scores up to %.2g)\n", Difference(before, after), Difference(before, std::vector<float>(before.size())));
  std::printf("predicting: %7.1f batches a second imperatively, %7.1f hybridized\n", predict_before, predict_after);
  std::printf("training:   %7.1f batches a second imperatively, %7.1f hybridized\n\n", train_before, train_after);
  std::printf("the passes of prediction:\n%s%s\n", passes.c_str(), memory.c_str());
  std::printf("ten training steps:\n%s", profiler::summary("total").c_str());
  if (given.count("--out")) {
    profiler::save(given.at("--out") + "/trace.json");
    std::ofstream(given.at("--out") + "/passes.txt") << print;
    std::printf("\nwritten: trace.json, for ui.perfetto.dev, and passes.txt\n");
  }
  if (Difference(before, after) > 1e-3) throw std::runtime_error("hybridized scores differ from imperative ones");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    std::map<std::string, std::string> given;
    for (int i = 1; i < argc; i += 2) {
      std::string key = argv[i];
      if ((key != "--seconds" && key != "--out") || i + 1 == argc) {
        std::fprintf(stderr, "usage: hybridize [--seconds 1] [--out DIR]\n");
        return 2;
      }
      given[key] = argv[i + 1];
    }
    return Run(given);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}

// SPDX-License-Identifier: Apache-2.0
// A network composed as a graph before there is data, bound to arrays, and trained by a loop of one's own.
//   symbol_mlp --data DIR [--epochs 5] [--out DIR]
// The data folder holds MNIST's four files, compressed. With --out the network is drawn (mlp.svg), and saved as MXNet saves its checkpoints.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "flexor/flexor.hpp"
#include "flexor/nn.hpp"

using namespace flexor;

namespace {

constexpr int64_t kBatch = 64;

Symbol Mlp() {
  Symbol x = compose("Flatten", {variable("data")}, {}, "flat");
  for (int64_t units : {128, 64}) {
    Symbol h = compose("FullyConnected", {x}, {{"num_hidden", units}}, "fc" + std::to_string(units));
    x = compose("Activation", {h}, {{"act_type", "relu"}}, "relu" + std::to_string(units));
  }
  return compose("SoftmaxOutput", {compose("FullyConnected", {x}, {{"num_hidden", 10}}, "scores")}, {{"normalization", "batch"}}, "softmax");
}

Iter Digits(const std::string& folder, const std::string& part, bool shuffle) {
  return iter::MNISTIter()
      .image(folder + "/" + part + "-images-idx3-ubyte.gz")
      .label(folder + "/" + part + "-labels-idx1-ubyte.gz")
      .batch_size(kBatch)
      .shuffle(shuffle)
      .silent(true);
}

// Sums over a batch: cross entropy, and how many were right.
struct Score {
  double loss = 0, right = 0, count = 0;
  void Add(const NDArray& chance, const NDArray& labels, int pad) {
    std::vector<float> p = chance.to_vector<float>();
    std::vector<int> truth = labels.to_vector<int>();
    for (size_t i = 0; i + static_cast<size_t>(pad) < truth.size(); ++i) {
      size_t best = 0;
      for (size_t k = 1; k < 10; ++k)
        if (p[i * 10 + k] > p[i * 10 + best]) best = k;
      loss -= std::log(p[i * 10 + static_cast<size_t>(truth[i])] + 1e-30f);
      right += best == static_cast<size_t>(truth[i]), count += 1;
    }
  }
};

int Run(std::map<std::string, std::string> given) {
  Symbol net = Mlp();
  std::printf("%s\n", net.infer({{"data", {kBatch, 1, 28, 28}}}).summary().c_str());

  // Arrays for all arguments, and gradients for those that are trained.
  Executor run = Executor::simple_bind(net, {{"data", {kBatch, 1, 28, 28}}}, GradReq::write, {{"data", GradReq::null}, {"softmax_label", GradReq::null}});
  std::vector<std::string> weights;
  Initializer xavier = init::Xavier();
  for (auto& name : net.arguments()) {
    if (!run.grad(name)) continue;
    weights.push_back(name);
    if (name.find("_weight") != std::string::npos) xavier.fill(name, 1, run.arg(name));
  }

  Iter train = Digits(given["--data"], "train", true), test = Digits(given["--data"], "test", false);
  Optimizer sgd = optimizer::SGD(0.1).momentum(0.9);
  int epochs = std::atoi(given["--epochs"].c_str());
  if (epochs < 1) throw std::runtime_error("--epochs wants a number of 1 or more, given " + given["--epochs"]);
  for (int epoch = 1; epoch <= epochs; ++epoch, train.reset()) {
    Score s;
    while (train.next()) {
      auto batch = train.arrays();
      auto& out = run.forward(true, {{"data", batch[0]}, {"softmax_label", batch[1]}});
      s.Add(out[0], batch[1], train.pad());
      run.backward();
      for (auto& name : weights) sgd.update(name, run.arg(name), run.grad(name));
    }
    std::printf("%d/%d loss %.4f accuracy %.4f\n", epoch, epochs, s.loss / s.count, s.right / s.count);
    std::fflush(stdout);
  }
  Score s;
  while (test.next()) {
    auto batch = test.arrays();
    s.Add(run.forward(false, {{"data", batch[0]}})[0], batch[1], test.pad());
  }
  std::printf("test accuracy %.2f %%\n", 100 * s.right / s.count);

  if (given.count("--out")) {
    Params params;
    for (auto& name : weights) params.set(name, run.arg(name));
    std::string prefix = given["--out"] + "/mlp";
    Checkpoint{net, params}.save(prefix, epochs);
    std::ofstream(prefix + ".svg") << net.infer({{"data", {kBatch, 1, 28, 28}}}).draw("svg");
    std::printf("written to %s-symbol.json, its .params and %s.svg\n", prefix.c_str(), prefix.c_str());
  }
  return 0;
}
}  // namespace

int main(int argc, char** argv) {
  try {
    std::map<std::string, std::string> given = {{"--epochs", "5"}};
    for (int i = 1; i + 1 < argc; i += 2) given[argv[i]] = argv[i + 1];
    if (argc % 2 == 0 || !given.count("--data")) {
      std::fputs("usage: symbol_mlp --data DIR [--epochs 5] [--out DIR]\n", stderr);
      return 2;
    }
    return Run(given);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "symbol_mlp: %s\n", e.what());
    return 1;
  }
}

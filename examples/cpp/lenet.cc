// SPDX-License-Identifier: Apache-2.0
// LeNet with batch normalization on handwritten digits.
//   lenet train --data DIR --out DIR [--epochs 10] [--seed 1]     trains, prints a line per epoch and the test accuracy, writes DIR/lenet.flx
//   lenet predict --model DIR/lenet.flx --data DIR                loads the model and classifies ten scans of the test set
// The data folder holds MNIST's four files, compressed: train-images-idx3-ubyte.gz and so on.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "flexor/flexor.hpp"
#include "flexor/nn.hpp"
#include "flexor/op.hpp"

using namespace flexor;

namespace {

Iter Digits(const std::string& folder, const std::string& part, int64_t batch, bool shuffle, int64_t seed) {
  return iter::MNISTIter()
      .image(folder + "/" + part + "-images-idx3-ubyte.gz")
      .label(folder + "/" + part + "-labels-idx1-ubyte.gz")
      .batch_size(batch)
      .shuffle(shuffle)
      .seed(seed)
      .silent(true);
}

int Train(const std::string& data, const std::string& out, int64_t epochs, int64_t seed) {
  Layer net = nn::Sequential{
      nn::Conv2D(20, 5), nn::BatchNorm(), nn::Activation("relu"), nn::MaxPool2D(2),
      nn::Conv2D(50, 5), nn::BatchNorm(), nn::Activation("relu"), nn::MaxPool2D(2),
      nn::Flatten(), nn::Dense(500).activation("relu"), nn::Dropout(0.5), nn::Dense(10)};
  std::printf("%s\n", net.summary({{"data", {64, 1, 28, 28}}}).c_str());

  Iter train = Digits(data, "train", 64, true, seed), test = Digits(data, "test", 100, false, 0);
  Optimizer adam = optimizer::Adam(0.001);
  adam.schedule(schedule::Cosine());  // down to 0 at the last step
  Model model(net);
  Task task = fit(model, nn::SoftmaxCrossEntropyLoss(), adam, train, test, {{"epochs", epochs}, {"seed", seed}, {"metrics", "accuracy"}}, [](Task& t) {
    std::printf("%s\n", t.progress().c_str());
    std::fflush(stdout);
  });
  std::printf("test accuracy %.2f %%\n", 100 * task.number("valid.accuracy"));

  std::string path = out + "/lenet.flx";
  model.save(path);
  std::printf("model written to %s\n", path.c_str());
  return 0;
}

// Draws scans side by side, two pixels of height to a character.
void Draw(const std::vector<float>& pixels, int first, int count) {
  constexpr int kSize = 28, kMargin = 4;  // MNIST centres each digit in a margin of 4
  auto ink = [&](int scan, int y, int x) { return pixels[size_t((scan * kSize + y) * kSize + x)] > 0.4f; };
  for (int y = kMargin; y < kSize - kMargin; y += 2) {
    for (int s = first; s < first + count; ++s) {
      for (int x = kMargin; x < kSize - kMargin; ++x) {
        bool top = ink(s, y, x), bottom = ink(s, y + 1, x);
        std::fputs(top && bottom ? "\u2588" : top ? "\u2580" : bottom ? "\u2584" : " ", stdout);
      }
      std::fputs("    ", stdout);
    }
    std::fputs("\n", stdout);
  }
}

int Predict(const std::string& path, const std::string& data) {
  constexpr int kScans = 10, kPerRow = 3, kWidth = 24;
  Model model = Model::load(path);
  Iter test = Digits(data, "test", kScans, false, 0);
  if (!test.next()) throw std::runtime_error("there are no ten scans in " + data);
  NDArray images = test.arrays()[0], labels = test.arrays()[1];
  std::vector<float> chance = op::softmax(model(images), {}).to_vector<float>();
  std::vector<int> truth = labels.to_vector<int>();
  std::vector<float> pixels = images.to_vector<float>();
  int right = 0;
  for (int first = 0; first < kScans; first += kPerRow) {
    int count = std::min(kPerRow, kScans - first);
    Draw(pixels, first, count);
    for (int s = first; s < first + count; ++s) {
      int best = 0;
      for (int c = 1; c < 10; ++c)
        if (chance[size_t(s * 10 + c)] > chance[size_t(s * 10 + best)]) best = c;
      right += best == truth[size_t(s)];
      std::string line = "label " + std::to_string(truth[size_t(s)]) + ": a " + std::to_string(best);
      char percent[16];
      std::snprintf(percent, sizeof percent, " (%.1f %%)", 100.0 * double(chance[size_t(s * 10 + best)]));
      std::printf("%-*s", kWidth, (line + percent).c_str());
    }
    std::printf("\n\n");
  }
  std::printf("%d of %d scans recognised\n", right, kScans);
  return 0;
}

constexpr const char* kUsage =
    "usage: lenet train --data DIR --out DIR [--epochs 10] [--seed 1]\n"
    "       lenet predict --model FILE --data DIR\n";

int Run(int argc, char** argv) {
  std::string command = argc > 1 ? argv[1] : "";
  std::map<std::string, std::string> given = {{"--epochs", "10"}, {"--seed", "1"}};
  for (int i = 2; i + 1 < argc; i += 2) given[argv[i]] = argv[i + 1];
  auto number = [&](const char* key) {
    char* end = nullptr;
    long long n = std::strtoll(given[key].c_str(), &end, 10);
    if (*end || given[key].empty() || n < 0) throw std::runtime_error(std::string(key) + " wants a number, given " + given[key]);
    return int64_t(n);
  };
  if (argc % 2 == 0 && command == "train" && given.count("--data") && given.count("--out"))
    return Train(given["--data"], given["--out"], number("--epochs"), number("--seed"));
  if (argc % 2 == 0 && command == "predict" && given.count("--model") && given.count("--data")) return Predict(given["--model"], given["--data"]);
  std::fputs(kUsage, command == "--help" ? stdout : stderr);
  return command == "--help" ? 0 : 2;
}
}  // namespace

int main(int argc, char** argv) {
  try {
    return Run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "lenet: %s\n", e.what());
    return 1;
  }
}

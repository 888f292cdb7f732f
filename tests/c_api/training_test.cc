// SPDX-License-Identifier: Apache-2.0
// LeNet on real digits, through the C ABI.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "flexor/flexor.hpp"
#include "flexor/nn.hpp"

using namespace flexor;

namespace {
const std::string kDigits = FLEXOR_DIGITS;

// A sanitizer looks at memory and threads, which one epoch (or a part of one) shows as well as ten; each takes minutes there.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kEpochs = 1, kParts = 8;
constexpr double kLeast = 0.9;
#else
constexpr int kEpochs = 10, kParts = 1;
constexpr double kLeast = 0.98;
#endif
#if defined(__SANITIZE_THREAD__)
const std::vector<int64_t> kSeeds = {1};
#else
const std::vector<int64_t> kSeeds = {1, 2, 3};
#endif

Iter Digits(const char* part, int64_t batch, bool shuffle, int64_t seed, int64_t parts = 1) {
  return iter::MNISTIter()
      .image(kDigits + "/" + part + "-images-idx3-ubyte.gz")
      .label(kDigits + "/" + part + "-labels-idx1-ubyte.gz")
      .batch_size(batch)
      .shuffle(shuffle)
      .seed(seed)
      .num_parts(parts)
      .part_index(0)
      .silent(true);
}
// The network, optimizer and settings of examples/cpp/lenet.cc.
Model Train(int64_t seed, int epochs, int64_t parts = 1) {
  Layer net = nn::Sequential{
      nn::Conv2D(20, 5), nn::BatchNorm(), nn::Activation("relu"), nn::MaxPool2D(2),
      nn::Conv2D(50, 5), nn::BatchNorm(), nn::Activation("relu"), nn::MaxPool2D(2),
      nn::Flatten(), nn::Dense(500).activation("relu"), nn::Dropout(0.5), nn::Dense(10)};
  Optimizer adam = optimizer::Adam(0.001);
  adam.schedule(schedule::Cosine());
  Model model(net);
  fit(model, nn::SoftmaxCrossEntropyLoss(), adam, Digits("train", 64, true, seed, parts), {}, {{"epochs", epochs}, {"seed", seed}});
  return model;
}
}  // namespace

TEST(Training, LeNetReads98OfAHundredDigits) {
  std::vector<double> accuracies;
  for (int64_t seed : kSeeds) {
    Model model = Train(seed, kEpochs);
    accuracies.push_back(evaluate(model, Digits("test", 100, false, 0), {"accuracy"})["accuracy"]);
    RecordProperty("seed_" + std::to_string(seed), std::to_string(accuracies.back()));
    std::printf("seed %d: %.4f\n", int(seed), accuracies.back());
  }
  std::sort(accuracies.begin(), accuracies.end());
  EXPECT_GE(accuracies[accuracies.size() / 2], kLeast);
}

TEST(Training, TheReloadedModelPredictsTheSameBits) {
  Model model = Train(4, 1, kParts);
  Model same = Model::from_bytes(model.to_bytes());
  auto a = predict(model, Digits("test", 100, false, 0))[0].to_vector<float>(), b = predict(same, Digits("test", 100, false, 0))[0].to_vector<float>();
  ASSERT_EQ(a.size(), 20000u);
  ASSERT_EQ(a.size(), b.size());
  EXPECT_EQ(std::memcmp(a.data(), b.data(), a.size() * sizeof(float)), 0);
  EXPECT_EQ(same.to_bytes(), model.to_bytes());
}

TEST(Training, TheSameSeedGivesTheSameBits) {
  EXPECT_EQ(Train(5, 1, kParts).to_bytes(), Train(5, 1, kParts).to_bytes());
}

// SPDX-License-Identifier: Apache-2.0
// The main job: LeNet with batch normalization on 8,000 handwritten digits, tested on 2,000 others. The median of three seeds, nothing chosen on the test set.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

#include "helpers.h"

namespace flx {
namespace {

using namespace fit_tests;

const std::string kDigits = FLEXOR_TEST_DATA "/../examples/data/digits/";

Ref<Layer> LeNet() {
  auto net = Layer::New("Sequential");
  auto add = [&](const char* kind, const Settings& s = {}) { net->Add(Layer::New(kind, s)); };
  for (const char* channels : {"20", "50"}) {
    add("Conv2D", {{"channels", channels}, {"kernel_size", "5"}});
    add("BatchNorm");
    add("Activation", {{"activation", "relu"}});
    add("MaxPool2D", {{"pool_size", "2"}});
  }
  add("Dense", {{"units", "500"}, {"activation", "relu"}});
  add("Dropout", {{"rate", "0.5"}});
  add("Dense", {{"units", "10"}});
  return net;
}
Ref<Iter> Images(const char* part, int batch, bool shuffle, int seed) {
  return CreateIter("MNISTIter", {{"image", kDigits + part + "-images-idx3-ubyte.gz"}, {"label", kDigits + part + "-labels-idx1-ubyte.gz"}, {"batch_size", Text(batch)},
                                  {"shuffle", Text(shuffle)}, {"seed", Text(seed)}, {"silent", "True"}});
}

TEST(Digits, LeNetReads98Percent) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "three trainings take too long under a sanitizer; the fit's own tests run there";
#endif
  std::vector<double> accuracy;
  for (int seed : {1, 2, 3}) {
    auto optimizer = Optimizer::New("Adam", {{"learning_rate", "0.001"}});
    optimizer->SetSchedule(Schedule::New("Cosine"));
    auto task = StartFit(Make<Model>(LeNet()), CrossEntropy(), optimizer, Images("train", 64, true, seed), Images("test", 100, false, 0),
                         {{"epochs", "10"}, {"metrics", "accuracy"}, {"seed", Text(seed)}});
    while (task->Next(-1) != Event::kDone) std::printf("seed %d  %s\n", seed, task->Text("progress").c_str()), std::fflush(stdout);
    accuracy.push_back(task->Number("valid.accuracy"));
  }
  std::sort(accuracy.begin(), accuracy.end());
  EXPECT_GE(accuracy[1], 0.98);
}

}  // namespace
}  // namespace flx

// SPDX-License-Identifier: Apache-2.0
// lenet_epochs SAMPLES EPOCHS DIGITS: as fit.py, by the C++ API.
#include <flexor/flexor.hpp>
#include <flexor/nn.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>

using namespace flexor;

static void Told(const char* what) {
  std::printf("%s %.6f\n", what, std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count());
  std::fflush(stdout);
}
int main(int argc, char** argv) {
  if (argc != 4) return 2;
  std::string digits = argv[3];
  Iter source = iter::MNISTIter().image(digits + "/train-images-idx3-ubyte.gz").label(digits + "/train-labels-idx1-ubyte.gz").batch_size(std::atoll(argv[1])).shuffle(false).silent(true);
  source.next();
  Iter train = Iter::from_arrays(source.arrays(), {"data", "label"}, {{"batch_size", 64}, {"shuffle", true}, {"seed", 1}});
  Layer net = nn::Sequential{nn::Conv2D(20, 5), nn::BatchNorm(), nn::Activation("relu"), nn::MaxPool2D(2), nn::Conv2D(50, 5), nn::BatchNorm(),
                             nn::Activation("relu"), nn::MaxPool2D(2), nn::Flatten(), nn::Dense(500).activation("relu"), nn::Dropout(0.5), nn::Dense(10)};
  Told("begin");
  fit(Model(net), nn::SoftmaxCrossEntropyLoss(), optimizer::Adam(0.001), train, {}, {{"epochs", std::atoll(argv[2])}, {"seed", 1}, {"metrics", "accuracy"}},
      [](Task&) { Told("epoch"); });
}

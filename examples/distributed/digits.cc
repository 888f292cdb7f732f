// SPDX-License-Identifier: Apache-2.0
// Handwritten digits by several processes, each with its share of the scans.
//   flexor-launch -n 4 -s 2 ./distributed_digits --data ../data/digits [--epochs 5]      2 servers, 4 workers
//   ./distributed_digits --data ../data/digits --store local                             one process
#include <cstdio>
#include <cstdlib>
#include <string>

#include "flexor/flexor.hpp"
#include "flexor/nn.hpp"

using namespace flexor;

int main(int argc, char** argv) try {
  std::string data = "examples/data/digits", kind = "dist_sync";
  int64_t epochs = 5;
  for (int i = 1; i + 1 < argc; i += 2) {
    std::string option = argv[i];
    if (option == "--data") data = argv[i + 1];
    if (option == "--store") kind = argv[i + 1];
    if (option == "--epochs") epochs = std::atoll(argv[i + 1]);
  }
  Store store(kind);
  if (store.role() != "worker") return store.serve(), 0;

  // 64 scans a step, whoever many work on it.
  auto scans = [&](const char* part) { return data + "/" + part + "-images-idx3-ubyte.gz"; };
  auto labels = [&](const char* part) { return data + "/" + part + "-labels-idx1-ubyte.gz"; };
  Iter train = iter::MNISTIter().image(scans("train")).label(labels("train")).batch_size(64 / store.workers()).shuffle(true).seed(1).silent(true)
                   .num_parts(store.workers()).part_index(store.rank());
  Iter test = iter::MNISTIter().image(scans("test")).label(labels("test")).batch_size(100).silent(true);

  Model model(nn::Sequential{nn::Conv2D(8, 5).activation("relu"), nn::MaxPool2D(2), nn::Conv2D(16, 5).activation("relu"), nn::MaxPool2D(2), nn::Flatten(),
                             nn::Dense(64).activation("relu"), nn::Dense(10)});
  Optimizer adam = optimizer::Adam(0.002);
  adam.schedule(schedule::Cosine());
  fit(model, nn::SoftmaxCrossEntropyLoss(), adam, train, {}, {{"epochs", epochs}, {"seed", 1}}, store, [&](Task& t) {
    if (store.rank() == 0) std::printf("%s\n", t.progress().c_str()), std::fflush(stdout);
  });
  std::printf("worker %d of %d: test accuracy %.2f %%\n", store.rank(), store.workers(), 100 * evaluate(model, test, {"accuracy"})["accuracy"]);
  return 0;
} catch (const Error& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}

// SPDX-License-Identifier: Apache-2.0
// A model that MXNet saved years ago: loaded, used as it is, given a new head, and trained on.
//   load_mxnet_model --model PREFIX [--epoch 0] --data DIR [--epochs 3] [--out DIR]
// PREFIX-symbol.json and PREFIX-0000.params are MXNet's files of a small convolutional network for one channel of 10 x 10 (as
// tests/golden/files/models/lenet_bn_01); DIR holds MNIST's four files, whose scans are shrunk to that size.
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

struct Data { NDArray images, labels; };
// All scans of a part, without their margin and shrunk to 10 x 10.
Data Digits(const std::string& folder, const std::string& part) {
  Iter it = iter::MNISTIter()
                .image(folder + "/" + part + "-images-idx3-ubyte.gz")
                .label(folder + "/" + part + "-labels-idx1-ubyte.gz")
                .batch_size(100)
                .shuffle(false)
                .silent(true);
  std::vector<NDArray> images, labels;
  while (it.next()) {
    NDArray x = op::slice(it.arrays()[0], OptionalInts{0, 0, 4, 4}, OptionalInts{std::nullopt, std::nullopt, 24, 24});
    images.push_back(op::pooling(x, op::PoolingOptions().kernel({2, 2}).stride({2, 2}).pool_type("avg")));
    labels.push_back(it.arrays()[1]);
  }
  return {op::concat(images, op::ConcatOptions().dim(0)), op::concat(labels, op::ConcatOptions().dim(0))};
}
Iter Batches(const Data& d, bool shuffle) {
  return Iter::from_arrays({d.images, d.labels}, {"data", "label"}, {{"batch_size", 64}, {"shuffle", shuffle}, {"seed", 1}});
}

int Run(std::map<std::string, std::string> given) {
  // 1. Load: the graph and its parameters.
  Checkpoint old = Checkpoint::load(given["--model"], std::atoi(given["--epoch"].c_str()));
  std::printf("%s\n", old.symbol.infer({{"data", {1, 1, 10, 10}}}).summary().c_str());

  // 2. Classify, with the classes that it was trained for.
  Data train = Digits(given["--data"], "train"), test = Digits(given["--data"], "test");
  NDArray few = test.images.slice(0, 4);
  Executor run = Executor::simple_bind(old.symbol, {{"data", few.shape()}}, GradReq::null);
  NDArray chance = run.load(old.params).forward(false, {{"data", few}})[0];
  std::printf("what it says of four scans, class by class:\n%s\n", chance.text().c_str());

  // 3. Fine-tune: its features, up to where they are flattened, and a new head of ten classes.
  Layer net = nn::Sequential{to_layer(old.symbol.internal("flat_output"), {"data"}, "features"), nn::Dense(10)};
  Params params = Params::init(net, {{"data", {64, 1, 10, 10}}}, 1);
  for (auto& name : old.params.names())
    if (NDArray mine = params.get("0." + name)) old.params.get(name).copy_into(mine);
  Model model(net, params);
  std::printf("test accuracy before: %.2f %%\n", 100 * evaluate(model, Batches(test, false), {"accuracy"})["accuracy"]);
  fit(model, nn::SoftmaxCrossEntropyLoss(), optimizer::Adam(0.005), Batches(train, true), {}, {{"epochs", given["--epochs"].c_str()}, {"metrics", "accuracy"}}, [](Task& t) {
    std::printf("%s\n", t.progress().c_str());
    std::fflush(stdout);
  });
  std::printf("test accuracy after: %.2f %%\n", 100 * evaluate(model, Batches(test, false), {"accuracy"})["accuracy"]);

  // 4. Save: for Flexor, and as a checkpoint that MXNet's tools read.
  if (given.count("--out")) {
    model.save(given["--out"] + "/digits.flx");
    Symbol whole = to_symbol(net, {variable("data", {{"shape", {64, 1, 10, 10}}})});
    Checkpoint{whole, params}.save(given["--out"] + "/digits", 0);
    std::printf("written to %s/digits.flx and digits-symbol.json\n", given["--out"].c_str());
  }
  return 0;
}
}  // namespace

int main(int argc, char** argv) {
  try {
    std::map<std::string, std::string> given = {{"--epoch", "0"}, {"--epochs", "3"}};
    for (int i = 1; i + 1 < argc; i += 2) given[argv[i]] = argv[i + 1];
    if (argc % 2 == 0 || !given.count("--data") || !given.count("--model")) {
      std::fputs("usage: load_mxnet_model --model PREFIX [--epoch 0] --data DIR [--epochs 3] [--out DIR]\n", stderr);
      return 2;
    }
    return Run(given);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "load_mxnet_model: %s\n", e.what());
    return 1;
  }
}

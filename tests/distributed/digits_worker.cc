// SPDX-License-Identifier: Apache-2.0
// A worker of faults_test.py and network_test.py: a small network learns the digits, the servers update its weights.
//   digits_worker DATA OPTIMIZER STEPS PAUSE_MS [STEPS_OF_THE_LAST]
// Each step also counts on the servers who pushed how often (exactly, with plain SGD: a gradient of -8 and a rate of 1/8 add 1), and tells it. At the end: a sum of
// the weights' bits, and the accuracy.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#include "flexor/flexor.hpp"
#include "flexor/nn.hpp"

using namespace flexor;

namespace {
uint64_t BitsOf(const Params& params) {
  uint64_t sum = 0xcbf29ce484222325u;  // FNV-1a
  for (const std::string& name : params.names())
    for (float f : params.get(name).to_vector<float>()) {
      uint32_t bits = 0;
      std::memcpy(&bits, &f, sizeof bits);
      sum = (sum ^ bits) * 0x100000001b3u;
    }
  return sum;
}

Optimizer OptimizerOf(const std::string& name) {
  if (name == "SGD") return Optimizer("SGD", {{"learning_rate", 0.125}});
  return Optimizer(name, {{"learning_rate", 0.002}});
}

void Train(const std::string& data, const std::string& optimizer, int64_t steps, int pause_ms, int64_t steps_of_the_last) {
  Store store("dist_sync");
  const int rank = store.rank(), workers = store.workers();
  if (rank == workers - 1 && steps_of_the_last > 0) steps = steps_of_the_last;
  auto file = [&](const char* part, const char* what, int dims) { return data + "/" + part + "-" + what + "-idx" + std::to_string(dims) + "-ubyte.gz"; };
  Iter train = iter::MNISTIter().image(file("train", "images", 3)).label(file("train", "labels", 1)).batch_size(16).shuffle(true).seed(1).silent(true).num_parts(workers).part_index(rank);
  Iter test = iter::MNISTIter().image(file("test", "images", 3)).label(file("test", "labels", 1)).batch_size(100).silent(true);
  Model model(nn::Sequential{nn::Flatten(), nn::Dense(64).activation("relu"), nn::Dense(10)});

  std::vector<float> mine(size_t(workers), 0.0f);
  mine[size_t(rank)] = -8;
  NDArray one(mine), counts(std::vector<float>(size_t(workers), 0.0f));
  store.init({"counts"}, {counts});
  Task task = start_fit(model, nn::SoftmaxCrossEntropyLoss(), OptimizerOf(optimizer), train, {}, {{"epochs", 1000}, {"seed", 1}, {"report_every", 1}});
  check(flx_fit_store(task.handle(), store.handle()));
  int64_t step = 0;
  for (Event e = task.next(); e != Event::done; e = task.next()) {
    if (e != Event::batch) continue;
    store.push_pull({"counts"}, {one}, {counts});
    std::string told = "step " + std::to_string(++step) + " counts";
    for (float c : counts.to_vector<float>()) told += " " + std::to_string(int64_t(c));
    std::printf("%s\n", told.c_str());
    std::fflush(stdout);
    if (step == steps) task.stop();
    std::this_thread::sleep_for(std::chrono::milliseconds(pause_ms));
  }
  std::printf("weights %016llx accuracy %.2f\n", static_cast<unsigned long long>(BitsOf(model.params())), 100 * evaluate(model, test, {"accuracy"})["accuracy"]);
  std::fflush(stdout);
}
}  // namespace

int main(int argc, char** argv) try {
  if (argc < 5) return 2;
  std::printf("pid %d\n", int(getpid()));
  std::fflush(stdout);
  Train(argv[1], argv[2], std::atoll(argv[3]), std::atoi(argv[4]), argc > 5 ? std::atoll(argv[5]) : 0);
  return 0;
} catch (const Error& e) {
  std::printf("failed: %s\n", e.what());
  return 3;
}

// SPDX-License-Identifier: Apache-2.0
// Training steps on a device, by plans, in float32, with TF32 and in bfloat16: how many images or words a second. benchmarks/peers/torch_cuda.py times the same
// networks beside it.
//   device_training [DEVICE [--small]]    DEVICE: gpu(0); --small: networks and batches that an emulated device can bear
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "hybrid/trained.h"

namespace {
std::vector<models::Training> Networks(bool small) {
  if (small) return {{"MLP", models::Mlp(), {2, 6}, false, 10, 2}, {"LSTM language model", models::LanguageModel(20, 8), {3, 2}, true, 20, 6}};
  return {{"LeNet", models::LeNet(), {256, 1, 28, 28}, false, 10, 256},
          {"ResNet-50", models::ResNet50(), {64, 3, 224, 224}, false, 1000, 64},
          {"LSTM language model", models::LanguageModel(10000, 650), {35, 64}, true, 10000, 35 * 64}};
}
struct Precision { const char *name, *tf32; flexor::DType dtype; };
const Precision kPrecisions[] = {{"float32", "none", flexor::DType::float32}, {"TF32", "all", flexor::DType::float32}, {"bfloat16", "none", flexor::DType::bfloat16}};

double Seconds(std::chrono::steady_clock::time_point start) { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); }
// Of a step: the best of five rounds, each as long as it takes to be measured.
double Step(Trained* t, bool small) {
  for (int i = 0; i < (small ? 1 : 10); ++i) t->Step();
  flexor::wait_all();
  double best = 1e30;
  int times = 1;
  for (int round = 0; round < (small ? 1 : 5);) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < times; ++i) t->Step();
    flexor::wait_all();
    const double s = Seconds(start);
    if (!small && s < 0.5 && times < 1 << 20) {
      times = std::max(times + 1, int(times * std::min(10.0, 0.7 / s)));
      continue;
    }
    best = std::min(best, s / times), ++round;
  }
  return best;
}
}  // namespace

int main(int argc, char** argv) try {
  const std::string device = argc > 1 ? argv[1] : "gpu(0)";
  const bool small = argc > 2 && !std::strcmp(argv[2], "--small");
  for (auto& net : Networks(small))
    for (auto& p : kPrecisions) {
      flexor::check(flx_config_set("FLEXOR_CUDA_TF32", p.tf32));
      Trained t(net, true, {device, p.dtype});
      std::printf("train %s, %s\t%.1f\t%s/s\n", net.name, p.name, net.items / Step(&t, small), net.words ? "words" : "images");
      std::fflush(stdout);
    }
  return 0;
} catch (const flexor::Error& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}

// SPDX-License-Identifier: Apache-2.0
// What operators cost on a GPU: the host's time for a one-element add, and the device's for streaming kernels and products. Below the ABI and without
// Google Benchmark, so that it builds where neither is. Usage: device_bench [gpu(0)]; FLEXOR_TEST_GPU names the module if it does not lie beside the program.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>

#include "base/config.h"
#include "device/device.h"
#include "exec/invoke.h"
#include "tensor/device_array.h"

using namespace flx;

namespace {
double Seconds(const std::function<void()>& f) {
  auto start = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}
// The best of five, each of `times` calls and a wait for the device.
double Each(int times, const std::function<void()>& f) {
  for (int i = 0; i < 3; ++i) f();
  Engine::Get().WaitAll(-1);
  double best = 1e9;
  for (int round = 0; round < 5; ++round)
    best = std::min(best, Seconds([&] {
                      for (int i = 0; i < times; ++i) f();
                      Engine::Get().WaitAll(-1);
                    }) / times);
  return best;
}
void Row(const char* name, double value, const char* unit) { std::printf("%-48s %12.3f %s\n", name, value, unit); }
}  // namespace

int main(int argc, char** argv) try {
  if (const char* module = std::getenv("FLEXOR_TEST_GPU")) DeviceManager::Get().Load(module);
  const Device* d = DeviceManager::Get().Find(argc > 1 ? argv[1] : "gpu(0)");
  std::printf("%s\n%s\n", d->name.c_str(), d->Properties().c_str());
  NDArray one = Array::Filled({1}, DType::kFloat32, 1, d);
  auto add = Call::New("elemwise_add");
  NDArray y;
  Array* in[] = {one.get(), one.get()};
  double host = 1e9;
  for (int round = 0; round < 5; ++round) {
    host = std::min(host, Seconds([&] { for (int i = 0; i < 200; ++i) Invoke(*add, kPlain, in, 2, nullptr, 0, &y, 1); }) / 200);
    Engine::Get().WaitAll(-1);
  }
  Row("add of one element, host's time", host * 1e6, "us");
  Row("add of one element, with the device", Each(1000, [&] { Invoke(*add, kPlain, in, 2, nullptr, 0, &y, 1); }) * 1e6, "us");
  const int64_t n = int64_t(1) << 26;
  for (DType t : {DType::kFloat32, DType::kFloat16}) {
    const std::string type = DTypeName(t);
    NDArray a = Array::Filled({8192, n / 8192}, t, 1, d), b = Array::Filled({8192, n / 8192}, t, 2, d), row = Array::Filled({1, n / 8192}, t, 2, d);
    const double bytes = double(n) * DTypeSize(t);
    auto rate = [&](const char* what, double moved, const std::function<void()>& f) { Row((type + " " + what + ", 64 M elements").c_str(), moved / Each(10, f) * 1e-9, "GB/s"); };
    auto both = [&](const std::string& what, double moved, const std::function<void()>& f) {  // ours, and cuDNN's where it is installed
      rate(what.c_str(), moved, f);
      SetOption("FLEXOR_CUDNN", "all");
      rate((what + " by cuDNN").c_str(), moved, f);
      SetOption("FLEXOR_CUDNN", "");
    };
    rate("add", 3 * bytes, [&] { Invoke1("elemwise_add", {a, b}); });
    rate("add of a row", 2 * bytes, [&] { Invoke1("broadcast_add", {a, row}); });
    rate("exp", 2 * bytes, [&] { Invoke1("exp", {a}); });
    rate("sum over all", bytes, [&] { Invoke1("sum", {a}); });
    rate("sum over rows", bytes, [&] { Invoke1("sum", {a}, {{"axis", "0"}}); });
    both("softmax", 2 * bytes, [&] { Invoke1("softmax", {a}); });
    NDArray gain = Array::Filled({256}, DType::kFloat32, 1, d), mean = Array::Filled({256}, DType::kFloat32, 0, d), var = Array::Filled({256}, DType::kFloat32, 1, d);
    for (const std::string layout : {"NCHW", "NHWC"}) {
      const bool last = layout == "NHWC";
      NDArray x = Array::Filled(last ? Shape{64, 64, 64, 256} : Shape{64, 256, 64, 64}, t, 1, d);
      auto norm = [&](int mode) { Invoke("BatchNorm", {x, gain, gain, mean, var}, {{"axis", last ? "3" : "1"}, {"fix_gamma", "False"}}, mode); };
      rate(("BatchNorm " + layout).c_str(), 2 * bytes, [&] { norm(kPlain); });
      both("BatchNorm in training " + layout, 3 * bytes, [&] { norm(kTrain); });
      both("Pooling 2x2 " + layout, 1.25 * bytes, [&] { Invoke1("Pooling", {x}, {{"kernel", "(2, 2)"}, {"stride", "(2, 2)"}, {"layout", layout}}); });
    }
    rate("copy of a transpose", 2 * bytes, [&] { Invoke1("_copy", {Invoke1("transpose", {a})}); });
  }
  for (DType t : {DType::kFloat32, DType::kFloat16, DType::kBfloat16})
    for (int64_t size : {1024, 4096, 8192}) {
      NDArray a = Array::Filled({size, size}, t, 0.5, d), b = Array::Filled({size, size}, t, 0.5, d);
      const double s = Each(10, [&] { Invoke1("dot", {a, b}); });
      Row((std::string(DTypeName(t)) + " dot " + std::to_string(size)).c_str(), 2e-12 * double(size) * double(size) * double(size) / s, "TFLOP/s");
    }
  return 0;
} catch (const Error& e) {
  std::fprintf(stderr, "%s\n", e.message().c_str());
  return 1;
}

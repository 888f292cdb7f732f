// SPDX-License-Identifier: Apache-2.0
// What the engine adds to long and to blocked operations, and how much of the host's work it hides.
#include <condition_variable>
#include <mutex>
#include <thread>

#include "figures.h"
#include "flexor/flexor.hpp"

using namespace figures;
using namespace flexor;

namespace {
NDArray Random(const Shape& shape) {
  NDArray x = invoke("_random_uniform", {}, {{"shape", shape}})[0];
  x.wait();
  return x;
}

// A product of 2048 x 2048: until the call returns, not until it is done.
void LongCall(benchmark::State& state) {
  NDArray x = Random({2048, 2048});
  Call dot("dot");
  dot(x, x).wait();
  std::vector<double> took;
  for (int i = 0; i < 7; ++i) {
    auto start = Clock::now();
    NDArray y = dot(x, x);
    took.push_back(Since(start));
    y.wait();
  }
  Report(state, Median(took), "s");
}

// What the system alone takes to wake a thread that has slept a while: what is in LongCall, whoever writes it.
void Notify(benchmark::State& state) {
  std::mutex mutex;
  std::condition_variable change;
  bool awake = false, stop = false;
  std::thread sleeper([&] {
    std::unique_lock<std::mutex> lock(mutex);
    while (!stop) {
      awake = false;
      change.wait(lock, [&] { return awake || stop; });
    }
  });
  std::vector<double> took;
  for (int i = 0; i < 15; ++i) {
    SpinFor(0.02);
    auto start = Clock::now();
    {
      std::lock_guard<std::mutex> lock(mutex);
      awake = true;
    }
    change.notify_one();
    took.push_back(Since(start));
  }
  {
    std::lock_guard<std::mutex> lock(mutex);
    stop = true;
  }
  change.notify_one();
  sleeper.join();
  Report(state, Median(took), "s");
}

// A long operation and a small one that reads its result. The small one's time is from the moment the long one is seen done until it is seen done.
void Blocked(benchmark::State& state, double share) {
  NDArray x = Random({512, 512}), b = ones({1});
  Call dot("dot"), add("broadcast_add");
  std::vector<double> took;
  for (int i = 0; i < 300; ++i) {
    NDArray y = dot(x, x), z = add(y.at(0).slice(0, 1), b);
    if (y.wait(0)) continue;  // it was done before the small one could be blocked
    while (!y.wait(0)) {}
    auto start = Clock::now();
    while (!z.wait(0)) {}
    took.push_back(Since(start));
  }
  if (took.size() < 30) return state.SkipWithError("the long operation was done too early");
  Report(state, Quantile(took, share), "s");
}

// A thousand small operations, each on the last one's result, behind a long one: a push, and an operation of the chain once the long one is done.
void Chain(benchmark::State& state, bool drain) {
  constexpr int kLength = 1000;
  NDArray x = Random({1024, 1024}), b = ones({1});
  Call dot("dot"), add("broadcast_add");
  std::vector<double> pushes, drains;
  for (int i = 0; i < 12; ++i) {
    NDArray y = dot(x, x), z = y.at(0).slice(0, 1);
    auto start = Clock::now();
    for (int k = 0; k < kLength; ++k) z = add(z, b);
    double pushed = Since(start);
    if (y.wait(0)) continue;
    while (!y.wait(0)) {}
    start = Clock::now();
    z.wait();
    pushes.push_back(pushed / kLength);
    drains.push_back(Since(start) / kLength);
  }
  if (pushes.size() < 4) return state.SkipWithError("the long operation was done too early");
  Report(state, Median(drain ? drains : pushes), "s");
}

// Steps of 2 ms of host work beside about 2 ms of sorting, which is done by one thread: how many times the longer of the two a step takes.
void Overlap(benchmark::State& state) {
  constexpr double kHost = 0.002;
  NDArray x = Random({8192});
  Call sort("sort");
  std::vector<double> ones, alone, steps;
  for (int i = 0; i < 20; ++i) {
    auto start = Clock::now();
    sort(x).wait();
    ones.push_back(Since(start));
  }
  int count = std::max(1, int(kHost / Median(ones) + 0.5));
  std::vector<NDArray> y(static_cast<size_t>(count));
  auto step = [&](double host) {
    auto start = Clock::now();
    for (auto& one : y) one = sort(x);
    SpinFor(host);
    for (auto& one : y) one.wait();
    return Since(start);
  };
  for (int i = 0; i < 60; ++i) {
    auto start = Clock::now();
    for (auto& one : y) (one = sort(x)).wait();
    alone.push_back(Since(start));
    steps.push_back(step(kHost));
  }
  Report(state, Median(steps) / std::max(kHost, Median(alone)), "x");
}

[[maybe_unused]] const int registered = [] {
  Once("Long/2048 product: the call returns/flexor", LongCall);
  Once("Long/2048 product: the call returns/waking a thread alone", Notify);
  Once("Blocked/median/flexor", [](benchmark::State& s) { Blocked(s, 0.5); });
  Once("Blocked/p99/flexor", [](benchmark::State& s) { Blocked(s, 0.99); });
  Once("Blocked chain/push/flexor", [](benchmark::State& s) { Chain(s, false); });
  Once("Blocked chain/drain/flexor", [](benchmark::State& s) { Chain(s, true); });
  Once("Overlap/2 ms host and 2 ms operations/flexor", Overlap);
  return 0;
}();

// Large ones: the time is until the result is there.
void AddAndWait(benchmark::State& state) {
  NDArray a = ones({state.range(0)}), b = ones({state.range(0)});
  for (auto _ : state) (a + b).wait();
  state.SetBytesProcessed(state.iterations() * state.range(0) * 12);
}
BENCHMARK(AddAndWait)->Name("Add and wait")->Arg(10000)->Arg(1 << 20)->UseRealTime();
}  // namespace

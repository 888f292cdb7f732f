// SPDX-License-Identifier: Apache-2.0
// Whole networks (models.h), predicting and training, and small and large chains: what hybrid execution is measured by. Peers: benchmarks/peers.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <functional>
#include <memory>

#include "../figures.h"
#include "../process.h"
#include "flexor/symbol.hpp"
#include "trained.h"

using namespace flexor;

void ChainByHand(const float* x, int64_t n, float* y);  // by_hand.cc

namespace {

using Make = std::function<std::function<void()>()>;  // what an iteration does, its arrays made
void Add(const std::string& name, double items, bool cpu, Make make) {
  auto* b = benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
    auto run = make();
    for (int i = 0; i < 2; ++i) run();
    for (auto _ : state) run();
    if (items > 0) state.SetItemsProcessed(int64_t(double(state.iterations()) * items));
  });
  if (!cpu) b->UseRealTime()->MinTime(0.3);
}

// ---- chains
constexpr int kSmall = 10;
constexpr int64_t kBig = int64_t(16) << 20;
struct Way { const char* name; bool hybrid; };
constexpr Way kWays[] = {{"/flexor", true}, {"/flexor-imperative", false}};

// A graph's run, from C, awaited.
std::function<void()> Planned(const Symbol& y, std::vector<NDArray> arguments) {
  flx_graph graph = nullptr;
  check(flx_graph_create(y.handle(), nullptr, nullptr, 0, &graph));
  std::shared_ptr<void> owner(nullptr, [graph](void*) { flx_free(graph); });
  std::vector<flx_ndarray> in;
  auto held = std::make_shared<std::vector<NDArray>>(std::move(arguments));  // copies would have handles of their own
  for (auto& a : *held) in.push_back(a.handle());
  return [graph, in, owner, held] {
    flx_ndarray out = nullptr;
    int32_t n = 0;
    check(flx_graph_run(graph, 0, in.data(), int32_t(in.size()), &out, 1, &n));
    check(flx_ndarray_wait(out, -1, &n));
    flx_free(out);
  };
}
// Ten operators on one element, from C; the result is awaited.
void SmallChain() {
  const std::string row = "Hybrid/ten small operators";
  Add(row + "/flexor", 0, true, [] {
    Symbol x = variable("x"), one = variable("one"), y = x;
    for (int i = 0; i < kSmall; ++i) y = compose(i % 2 ? "elemwise_mul" : "elemwise_add", {y, one});
    return Planned(y, {ones({1}), ones({1})});
  });
  Add(row + "/flexor-imperative", 0, true, [] {
    NDArray x = ones({1}), one = ones({1});
    Call add("elemwise_add"), mul("elemwise_mul");
    return [=] {
      flx_ndarray at = x.handle(), next = nullptr;
      int32_t n = 0;
      for (int i = 0; i < kSmall; ++i) {
        flx_ndarray in[2] = {at, one.handle()};
        check(flx_call_run((i % 2 ? mul : add).handle(), 0, in, 2, nullptr, 0, &next, 1, &n));
        if (i) flx_free(at);
        at = next;
      }
      check(flx_ndarray_wait(at, -1, &n));
      flx_free(at);
    };
  });
}
// relu((2 x + 1) x - 0.5) * 0.1: six operators.
void BigChain() {
  const std::string row = "Hybrid/six operators on 16 M";
  Add(row + "/flexor", double(kBig), false, [] {
    Symbol x = variable("x");
    return Planned(compose("relu", {(x * 2 + 1) * x - 0.5}) * 0.1, {Trained::Uniform({kBig})});
  });
  Add(row + "/flexor-imperative", double(kBig), false, [] {
    NDArray x = Trained::Uniform({kBig});
    return [=] { (op::relu((x * 2 + 1) * x - 0.5) * 0.1).wait(); };
  });
  Add(row + "/by hand", double(kBig), false, [] {
    auto x = std::make_shared<std::vector<float>>(size_t(kBig), 0.5f), y = std::make_shared<std::vector<float>>(size_t(kBig));
    return [=] { ChainByHand(x->data(), kBig, y->data()); };
  });
}

// ---- networks
void Predicting() {
  for (auto& p : models::Predictions())
    for (Way way : kWays)
      Add(std::string("Hybrid/") + p.name + way.name, 0, false, [p, way] {
        auto net = std::make_shared<Trained>(p.net, p.input, way.hybrid);
        return [net] { net->model(net->data).wait(); };
      });
}
void Training() {
  auto all = models::Trainings();
  for (size_t i = 0; i < all.size(); ++i)
    for (Way way : kWays) {
      auto t = all[i];
      int steps = t.words ? 1 : 4;  // small steps follow each other, as in training; nobody reads the loss
      Add(std::string("Hybrid/train ") + t.name + way.name, double(steps * t.items), false, [t, steps, way] {
        auto net = std::make_shared<Trained>(t, way.hybrid);
        return [net, steps] {
          for (int k = 0; k < steps; ++k) net->Step();
          wait_all();
        };
      });
      figures::Once((std::string("Hybrid memory/train ") + t.name + way.name).c_str(), [i, way](benchmark::State& state) {
        std::vector<std::string> arguments = {std::to_string(i)};
        if (way.hybrid) arguments.emplace_back("hybrid");
        std::string output;
        if (!Run("training_memory", &output, arguments)) return state.SkipWithError("the program failed");
        figures::Report(state, std::strtod(output.c_str(), nullptr), "B");
      });
    }
}
}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  SmallChain();
  BigChain();
  Predicting();
  Training();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}

// SPDX-License-Identifier: Apache-2.0
// libtorch from C++: the small operations of core_bench.cc and threads_bench.cc.
#include <torch/torch.h>

#include <atomic>
#include <thread>

#include "rows.h"

static at::Tensor Chain(at::Tensor x, const at::Tensor& one) {
  for (int i = 0; i < 5; ++i) {
    x = at::add(x, one);
    x = at::mul(x, one);
  }
  return x;
}
static double Adds(const at::Tensor& a, const at::Tensor& b) {
  double start = Rows::ThreadSeconds();
  for (int i = 0; i < 20000; ++i) at::add(a, b);
  return Rows::ThreadSeconds() - start;
}
static void TwoThreads(const Rows& rows) {
  constexpr int kRounds = 15;
  auto a = torch::ones({1}), b = torch::ones({1});
  std::atomic<int> turn{0}, done{0};
  std::atomic<double> took{0};
  std::thread second([&] {
    auto c = torch::ones({1}), d = torch::ones({1});
    for (int seen = 0; seen < kRounds; ++seen) {
      while (turn.load() == seen) {}
      took = Adds(c, d);
      done = seen + 1;
    }
  });
  std::vector<double> alone, both;
  Adds(a, b);
  for (int i = 0; i < kRounds; ++i) {
    turn = i + 1;
    double here = Adds(a, b);
    while (done.load() != i + 1) {}
    both.push_back(std::max(here, took.load()));
    alone.push_back(Adds(a, b));
  }
  second.join();
  std::sort(alone.begin(), alone.end());
  std::sort(both.begin(), both.end());
  rows.Figure("Add/1 two threads", both[kRounds / 2] / alone[kRounds / 2], "x");
}

int main(int argc, char** argv) {
  Rows rows("libtorch", argc, argv);
  auto a = torch::ones({1}), b = torch::ones({1}), out = torch::ones({1}), hundred = torch::ones({100}), x = torch::ones({1}, torch::requires_grad());
  auto none = [] {};
  rows.Measure("Add/1", [&] { at::add(a, b); }, none, true);
  rows.Measure("Add/100", [&] { at::add(hundred, hundred); }, none, true);
  rows.Measure("Add/1 into", [&] { at::add_out(out, a, b); }, none, true);
  rows.Measure("Add/scalar", [&] { at::add(a, 2); }, none, true);
  rows.Measure("Add/1 recorded", [&] { at::add(x, b); }, none, true);
  rows.Measure("Add/1 in C++", [&] { a + b; }, none, true);
  rows.Measure("Array/create and free", [&] { at::zeros({1}); }, none, true);
  rows.Measure("Array/item", [&] { a.item<float>(); }, none, true);
  rows.Measure("Chain/10 forward", [&] { Chain(a, b); }, none, true);
  rows.Measure("Chain/10 forward and backward", [&] { x.mutable_grad().reset(); Chain(x, b).backward(); }, none, true);
  if (rows.wanted("Add/1 two threads")) TwoThreads(rows);
}

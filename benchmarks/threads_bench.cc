// SPDX-License-Identifier: Apache-2.0
// Small operations on two threads, and what handles cost. The second is the only one that looks below the C ABI: the same add on the arrays themselves.
#include <atomic>
#include <optional>
#include <thread>

#include "exec/invoke.h"
#include "figures.h"
#include "flexor/flexor.hpp"
#include "tensor/array.h"

using namespace figures;

namespace {
constexpr int kAdds = 20000, kRounds = 51;

struct Adder {
  flexor::NDArray a{1}, b{1};
  flexor::Call add{"broadcast_add"};
  double Run() const {  // this thread's seconds for kAdds: waiting for a cache line counts, waiting for a core does not
    flx_ndarray y = nullptr;
    double start = ThreadSeconds();
    for (int i = 0; i < kAdds; ++i) {
      flexor::check(flx_call_binary(add.handle(), 0, a.handle(), b.handle(), &y));
      flx_free(y);
    }
    return ThreadSeconds() - start;
  }
};

// Each thread adds arrays of its own: how many times longer an add takes than on one thread alone. Alone and together take turns.
// `made_by_one`: the arrays were made side by side by one thread, as a program does that hands work out.
void TwoThreads(benchmark::State& state, bool made_by_one) {
  Adder mine;
  std::optional<Adder> given;
  if (made_by_one) given.emplace();
  std::atomic<int> turn{0}, done{0};
  std::atomic<double> took{0};
  std::thread second([&] {
    std::optional<Adder> own;
    if (!made_by_one) own.emplace();
    const Adder& other = made_by_one ? *given : *own;
    for (int seen = 0; seen < kRounds; ++seen) {
      while (turn.load() == seen) {}
      took = other.Run();
      done = seen + 1;
    }
  });
  std::vector<double> alone, both;
  mine.Run();
  for (int i = 0; i < kRounds; ++i) {
    turn = i + 1;
    double here = mine.Run();
    while (done.load() != i + 1) {}
    both.push_back(std::max(here, took.load()));
    alone.push_back(mine.Run());
  }
  second.join();
  Report(state, Median(both) / Median(alone), "x");
}

// What handles add to a call: the ABI's add (two lookups, a new handle, its free) less the same add on counted pointers.
void Handles(benchmark::State& state) {
  Adder abi;
  auto add = flx::Call::New("broadcast_add");
  flx::NDArray a = flx::Array::Filled(flx::Shape{1}, flx::DType::kFloat32, 1), b = flx::Array::Filled(flx::Shape{1}, flx::DType::kFloat32, 1);
  flx::Array* in[2] = {a.get(), b.get()};
  std::vector<double> more;
  for (int i = 0; i < kRounds; ++i) {
    double with = abi.Run();
    double start = ThreadSeconds();
    for (int k = 0; k < kAdds; ++k) {
      flx::NDArray y;
      flx::Invoke(*add, 0, in, 2, nullptr, 0, &y, 1);
    }
    more.push_back((with - (ThreadSeconds() - start)) / kAdds);
  }
  Report(state, Median(more), "s");
}
[[maybe_unused]] const int registered = [] {
  Once("Add/1 two threads/flexor", [](benchmark::State& s) { TwoThreads(s, false); });
  Once("Add/1 two threads, arrays made by one/flexor", [](benchmark::State& s) { TwoThreads(s, true); });
  Once("Handles/two lookups and one new/flexor", Handles);
  return 0;
}();
}  // namespace

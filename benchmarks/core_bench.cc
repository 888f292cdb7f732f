// SPDX-License-Identifier: Apache-2.0
// What one small operation costs through the C ABI. Time is the calling thread's, so that other programs disturb it less.
#include <benchmark/benchmark.h>

#include "flexor/flexor.hpp"

using namespace flexor;

namespace {
flx_ndarray Array(int64_t n) { return full({n}, 1).release(); }

// The hot path: a prepared call, one new array, freed.
void Add(benchmark::State& state, int64_t elements, int32_t mode) {
  flx_ndarray a = Array(elements), b = Array(elements), y = nullptr;
  if (mode & FLX_RECORD) check(flx_autograd_attach(a, "write", nullptr));
  Call add("broadcast_add");
  for (auto _ : state) {
    check(flx_call_binary(add.handle(), mode, a, b, &y));
    flx_free(y);
  }
  flx_free(a);
  flx_free(b);
}
BENCHMARK_CAPTURE(Add, one, 1, 0)->Name("Add/1/flexor");
BENCHMARK_CAPTURE(Add, recorded, 1, FLX_RECORD)->Name("Add/1 recorded/flexor");
BENCHMARK_CAPTURE(Add, hundred, 100, 0)->Name("Add/100/flexor");

void AddInto(benchmark::State& state) {
  flx_ndarray pair[2] = {Array(1), Array(1)}, y = Array(1);
  Call add("broadcast_add");
  for (auto _ : state) check(flx_call_run_into(add.handle(), 0, pair, 2, nullptr, 0, &y, 1));
  for (flx_ndarray a : {pair[0], pair[1], y}) flx_free(a);
}
BENCHMARK(AddInto)->Name("Add/1 into/flexor");

void AddScalar(benchmark::State& state) {
  flx_ndarray a = Array(1), y = nullptr;
  Call add("_plus_scalar");
  for (auto _ : state) {
    check(flx_call_scalar(add.handle(), 0, a, 2, &y));
    flx_free(y);
  }
  flx_free(a);
}
BENCHMARK(AddScalar)->Name("Add/scalar/flexor");

// Parses name and attributes each time.
void InvokeByName(benchmark::State& state) {
  flx_ndarray pair[2] = {Array(1), Array(1)}, y = nullptr;
  int32_t n = 0;
  for (auto _ : state) {
    check(flx_invoke("broadcast_add", 0, pair, 2, nullptr, nullptr, 0, &y, 1, &n));
    flx_free(y);
  }
  flx_free(pair[0]);
  flx_free(pair[1]);
}
BENCHMARK(InvokeByName)->Name("Invoke/by name/flexor");

void InvokeWithOptions(benchmark::State& state) {
  flx_ndarray a = full({2, 2}, 1).release(), y = nullptr;
  const char *key = "axis", *value = "0";
  int32_t n = 0;
  for (auto _ : state) {
    check(flx_invoke("softmax", 0, &a, 1, &key, &value, 1, &y, 1, &n));
    flx_free(y);
  }
  flx_free(a);
}
BENCHMARK(InvokeWithOptions)->Name("Invoke/with options/flexor");

void CreateAndFree(benchmark::State& state) {
  const int64_t dim = 1;
  flx_ndarray y = nullptr;
  for (auto _ : state) {
    check(flx_ndarray_create(&dim, 1, FLX_FLOAT32, nullptr, &y));
    flx_free(y);
  }
}
BENCHMARK(CreateAndFree)->Name("Array/create and free/flexor");

void AliasAndFree(benchmark::State& state) {
  flx_ndarray a = Array(1), y = nullptr;
  for (auto _ : state) {
    check(flx_ndarray_alias(a, &y));
    flx_free(y);
  }
  flx_free(a);
}
BENCHMARK(AliasAndFree)->Name("Array/alias and free/flexor");

void Item(benchmark::State& state) {
  NDArray a{1};
  for (auto _ : state) benchmark::DoNotOptimize(a.item());
}
BENCHMARK(Item)->Name("Array/item/flexor");

// The same add, written in C++.
void AddInCpp(benchmark::State& state) {
  NDArray a{1}, b{1};
  for (auto _ : state) benchmark::DoNotOptimize(a + b);
}
BENCHMARK(AddInCpp)->Name("Add/1 in C++/flexor");

// x + one and x * one in turn, five times each: recorded, and backward through them until the gradient is there.
NDArray Chain(NDArray x, const NDArray& one) {
  for (int i = 0; i < 5; ++i) {
    x = x + one;
    x = x * one;
  }
  return x;
}
void ForwardBackward(benchmark::State& state) {
  NDArray x{1}, one{1};
  x.attach_grad();
  for (auto _ : state) {
    NDArray y;
    {
      autograd::Record record;
      y = Chain(x, one);
    }
    y.backward();
    x.wait();
  }
}
BENCHMARK(ForwardBackward)->Name("Chain/10 forward and backward/flexor");
void Forward(benchmark::State& state) {
  NDArray x{1}, one{1};
  for (auto _ : state) Chain(x, one).wait();
}
BENCHMARK(Forward)->Name("Chain/10 forward/flexor");
}  // namespace

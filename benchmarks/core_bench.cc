// SPDX-License-Identifier: Apache-2.0
// What one small operation costs through the C ABI. Goal: a one-element add, its result freed, in 0.15 us.
#include <benchmark/benchmark.h>

#include "flexor/flexor.hpp"

using namespace flexor;

namespace {
flx_ndarray Array(int64_t n) { return full({n}, 1).release(); }

// The hot path: a prepared call, one new array, freed.
void AddOneElement(benchmark::State& state) {
  int32_t mode = int32_t(state.range(1));
  flx_ndarray a = Array(state.range(0)), b = Array(state.range(0)), y = nullptr;
  if (mode & FLX_RECORD) check(flx_autograd_attach(a, "write", nullptr));
  Call add("broadcast_add");
  for (auto _ : state) {
    check(flx_call_binary(add.handle(), mode, a, b, &y));
    flx_free(y);
  }
  flx_free(a);
  flx_free(b);
}
BENCHMARK(AddOneElement)->ArgNames({"elements", "mode"})->Args({1, 0})->Args({1, FLX_RECORD})->Args({100, 0});

// Large ones are queued: the time is until the result is there.
void AddAndWait(benchmark::State& state) {
  NDArray a = ones({state.range(0)}), b = ones({state.range(0)});
  for (auto _ : state) (a + b).wait();
  state.SetBytesProcessed(state.iterations() * state.range(0) * 12);
}
BENCHMARK(AddAndWait)->ArgName("elements")->Arg(10000)->Arg(1 << 20)->Arg(1 << 24)->UseRealTime()->Unit(benchmark::kMicrosecond);

void AddScalar(benchmark::State& state) {
  flx_ndarray a = Array(1), y = nullptr;
  Call add("_plus_scalar");
  for (auto _ : state) {
    check(flx_call_scalar(add.handle(), 0, a, 2, &y));
    flx_free(y);
  }
  flx_free(a);
}
BENCHMARK(AddScalar);

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
BENCHMARK(InvokeByName);

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
BENCHMARK(InvokeWithOptions);

void CreateAndFree(benchmark::State& state) {
  const int64_t dim = 1;
  flx_ndarray y = nullptr;
  for (auto _ : state) {
    check(flx_ndarray_create(&dim, 1, FLX_FLOAT32, nullptr, &y));
    flx_free(y);
  }
}
BENCHMARK(CreateAndFree);

void AliasAndFree(benchmark::State& state) {
  flx_ndarray a = Array(1), y = nullptr;
  for (auto _ : state) {
    check(flx_ndarray_alias(a, &y));
    flx_free(y);
  }
  flx_free(a);
}
BENCHMARK(AliasAndFree);

// The same add, written in C++.
void AddInCpp(benchmark::State& state) {
  NDArray a{1}, b{1};
  for (auto _ : state) benchmark::DoNotOptimize(a + b);
}
BENCHMARK(AddInCpp);

// Ten small operations recorded, and backward through them.
void RecordAndBackward(benchmark::State& state) {
  NDArray x{1, 2, 3};
  x.attach_grad();
  for (auto _ : state) {
    NDArray y = x;
    {
      autograd::Record record;
      for (int i = 0; i < 10; ++i) y = y * x;
    }
    y.backward();
  }
}
BENCHMARK(RecordAndBackward)->Unit(benchmark::kMicrosecond);

void ItemOfOneElement(benchmark::State& state) {
  NDArray a{1};
  for (auto _ : state) benchmark::DoNotOptimize(a.item());
}
BENCHMARK(ItemOfOneElement);
}  // namespace

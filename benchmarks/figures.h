// SPDX-License-Identifier: Apache-2.0
// What the benchmarks that measure other things than the time of a loop share. A benchmark is named ROW/flexor; its figure is its time, or the counter
// `value` in the unit that its label names: s, B, x (times). tools/bench reads both.
#pragma once
#include <benchmark/benchmark.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <vector>

namespace figures {

using Clock = std::chrono::steady_clock;
inline double Since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }
inline double ThreadSeconds() {  // of the calling thread's CPU time
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return double(t.tv_sec) + double(t.tv_nsec) * 1e-9;
}
inline void SpinFor(double seconds) {
  for (auto start = Clock::now(); Since(start) < seconds;) {}
}
// The part of `v` below which `share` of it lies: 0.5 is the median.
inline double Quantile(std::vector<double> v, double share) {
  if (v.empty()) return 0;
  auto at = v.begin() + std::ptrdiff_t(double(v.size() - 1) * share);
  std::nth_element(v.begin(), at, v.end());
  return *at;
}
inline double Median(std::vector<double> v) { return Quantile(std::move(v), 0.5); }
inline void Report(benchmark::State& state, double value, const char* unit) {
  state.counters["value"] = value;
  state.SetLabel(unit);
}
// A benchmark that measures by itself: its body runs once a repetition.
template <class F> void Once(const char* row, F body) {
  benchmark::RegisterBenchmark(row, [body](benchmark::State& state) {
    for (auto _ : state) body(state);
  })->Iterations(1)->UseRealTime();
}

}  // namespace figures

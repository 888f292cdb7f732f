// SPDX-License-Identifier: Apache-2.0
// What is measured on whole processes: start-up and memory. The programs lie in programs/.
#include <cstdlib>
#include <string>

#include "figures.h"
#include "process.h"

using namespace figures;

namespace {
void Start(benchmark::State& state, const char* name) {
  std::vector<double> took;
  for (int i = 0; i < 21; ++i) {
    auto start = Clock::now();
    if (!Run(name)) return state.SkipWithError("the program failed");
    took.push_back(Since(start));
  }
  Report(state, Median(took), "s");
}
void Bytes(benchmark::State& state, const char* name) {
  std::string output;
  if (!Run(name, &output)) return state.SkipWithError("the program failed");
  Report(state, std::strtod(output.c_str(), nullptr), "B");
}
[[maybe_unused]] const int registered = [] {
  Once("Start/to the first result/flexor", [](benchmark::State& s) { Start(s, "first_result"); });
  Once("Start/to the first result/libraries alone", [](benchmark::State& s) { Start(s, "libraries_alone"); });
  Once("Memory/one-element array held/flexor", [](benchmark::State& s) { Bytes(s, "held_arrays"); });
  Once("Memory/LeNet training/flexor", [](benchmark::State& s) { Bytes(s, "lenet_memory"); });
  return 0;
}();
}  // namespace

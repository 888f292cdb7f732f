// SPDX-License-Identifier: Apache-2.0
// What is measured on whole processes: start-up and memory. The programs lie in programs/; BENCH_PROGRAMS is the folder they are built in.
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "figures.h"

using namespace figures;

extern char** environ;

namespace {
// Runs a program to its end; its output, or nothing if it failed.
bool Run(const char* name, std::string* output = nullptr) {
  std::string path = std::string(BENCH_PROGRAMS "/") + name;
  int ends[2];
  if (pipe(ends) != 0) return false;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  posix_spawn_file_actions_addclose(&actions, ends[0]);
  posix_spawn_file_actions_addclose(&actions, ends[1]);
  char* arguments[] = {path.data(), nullptr};
  pid_t child = 0;
  bool ran = posix_spawn(&child, path.c_str(), &actions, nullptr, arguments, environ) == 0;
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  char buffer[256];
  for (ssize_t n; ran && (n = read(ends[0], buffer, sizeof buffer)) > 0;)
    if (output) output->append(buffer, size_t(n));
  close(ends[0]);
  int status = 1;
  return ran && waitpid(child, &status, 0) == child && status == 0;
}
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

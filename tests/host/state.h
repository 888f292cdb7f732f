// SPDX-License-Identifier: Apache-2.0
// What a process has that a library can spoil, as text by name, so that a difference says what it is.
#pragma once
#include <map>
#include <string>

using State = std::map<std::string, std::string>;

// Libraries that a host may have brought itself, loaded by SetUpHost.
struct HostLibraries {
  int (*blas_threads)() = nullptr;       // null: no shared OpenBLAS here
  void (*dgemm)(int, int, int, int, int, int, double, const double*, int, const double*, int, double, double*, int) = nullptr;
  int (*omp_max_threads)() = nullptr;    // null: no libgomp here
  int (*omp_dynamic)() = nullptr;
  int (*omp_levels)() = nullptr;
  void (*omp_schedule)(int*, int*) = nullptr;
};
extern HostLibraries host;
// Sets everything to something unusual, as a host might: handlers, masks, an alternate stack, rounding upwards with subnormals flushed, a terminal as
// standard input, timers, limits, environment, OpenMP's and OpenBLAS's settings. `folder` becomes the current one.
void SetUpHost(const std::string& folder);
State Look();
void ExpectSame(const State& before, const State& after, const char* when);
bool HostProductsAreRight();             // of the host's own OpenBLAS, large enough for its threads; true where there is none

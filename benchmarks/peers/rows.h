// SPDX-License-Identifier: Apache-2.0
// What the peers' C++ programs share: called with --full or --quick and a regular expression for `ROW/peer`, they print a line of JSON for a figure.
#pragma once
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <regex>
#include <string>
#include <vector>

struct Rows {
  std::string peer;
  std::regex filter;
  bool quick;
  Rows(const char* name, int argc, char** argv) : peer(name), filter(argc > 2 ? argv[2] : ""), quick(argc > 1 && !std::strcmp(argv[1], "--quick")) {}

  static double ThreadSeconds() {
    timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return double(t.tv_sec) + double(t.tv_nsec) * 1e-9;
  }
  static double Seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }
  bool wanted(const std::string& row) const { return std::regex_search(row + "/" + peer, filter); }
  void Figure(const std::string& row, double value, const char* unit) const {
    std::printf("{\"row\": \"%s\", \"peer\": \"%s\", \"value\": %.6g, \"unit\": \"%s\"}\n", row.c_str(), peer.c_str(), value, unit);
    std::fflush(stdout);
  }
  // cpu: the calling thread's time, where no other thread works for it. `sync` waits for queued work.
  template <class F, class S> void Measure(const std::string& row, F call, S sync, bool cpu) const {
    if (!wanted(row)) return;
    auto now = cpu ? ThreadSeconds : Seconds;
    double window = quick ? 0.02 : 0.1, took = 0;
    long count = 1;
    call();
    sync();
    for (;; count = std::max(count + 1, std::min(count * 10, long(double(count) * window * 1.2 / std::max(took, 1e-9))))) {
      double start = now();
      for (long i = 0; i < count; ++i) call();
      sync();
      took = now() - start;
      if (took >= window) break;
    }
    std::vector<double> found;
    for (int s = 0; s < (quick ? 2 : 5); ++s) {
      double start = now();
      for (long i = 0; i < count; ++i) call();
      sync();
      found.push_back((now() - start) / double(count));
    }
    std::nth_element(found.begin(), found.begin() + found.size() / 2, found.end());
    Figure(row, found[found.size() / 2], "s");
  }
};
